"""The only door into the market: commands in, events out.

The engine is a deterministic state machine over recorded bars: no clock, no randomness, no input or
output. Accounts never match each other; each trades against the tape alone, so that removing or
ruining one leaves every other byte-equal. World time is always the boundary before bar `bar`; known
there is every earlier bar and the opening print of this one.
"""

import hashlib
from collections.abc import Sequence

import numpy as np

from perp_engine import decoding
from perp_engine.commands import (
    Advance,
    CancelOrder,
    Command,
    Deposit,
    ModifyOrder,
    NewOrder,
    PlaceOrders,
    SetLeverage,
)
from perp_engine.events import ActionRejected, Advanced, Event
from perp_engine.kernel import filling, layout, ledger, margin, placing, run
from perp_engine.kernel.jit import handle
from perp_engine.rules import Rules
from perp_engine.tape import Tape
from perp_engine.views import AccountState, Book, FundingStamp, OrderState, PositionState
from suite.bars import I64
from suite.checks import check
from suite.enums import Grouping, MarginMode, Side, Tif, Tpsl
from suite.errors import RejectReason
from suite.fixed import PRODUCT_LIMIT, Price, Rate, Size, Usd
from suite.instrument import Instrument

ENGINE_VERSION = "1"
ACCOUNTS_MAX = 1 << 12
ORDERS_MAX = 1 << 16
TIFS = (Tif.GTC, Tif.IOC, Tif.ALO)


class Engine:
    """One world: instruments, a tape, accounts, and everything that happens to them.

    Args:
        instruments: one a symbol of the tape, in its order.
        tape: the market.
        accounts: how many; they start empty (`Deposit`).
        rules: fees and models.

    Raises:
        InvariantViolated: from any method, when the books do not add up: a bug.
    """

    def __init__(
        self, instruments: Sequence[Instrument], tape: Tape, accounts: int, rules: Rules
    ) -> None:
        check(len(instruments) == tape.symbols, "one instrument a symbol")
        check(0 < accounts <= ACCOUNTS_MAX, f"1 to {ACCOUNTS_MAX} accounts")
        check(tape.length > 0, "a tape has bars")
        highest = int(tape.bars[:, :4].max(initial=0))
        check(5 * highest * layout.SIZE_LIMIT < PRODUCT_LIMIT, "prices beyond 64-bit notionals")
        self.instruments = tuple(instruments)
        self.tape = tape
        self.accounts = accounts
        self.rules = rules
        orders = min(ORDERS_MAX, max(64, accounts * 64))
        events = layout.Capacity(orders, self._events_needed(orders)).events
        self._world = layout.new_buffer(
            self.instruments, tape, accounts, rules, layout.Capacity(orders, events)
        )
        self._orders = orders
        self._bars = tape.bars.reshape(-1)
        self._scratch = np.zeros(8, np.int64)
        self._no_watches = np.zeros(run.WATCH_WORDS, np.int64)
        self._state, self._tape = handle(self._world), handle(self._bars)
        self._view = self._words()
        run.begin(self._state, self._tape)
        self._settle()

    def _words(self) -> "memoryview[int]":
        """The world, word by word as Python integers."""
        return memoryview(self._world.data).cast("B").cast("q")

    # time

    @property
    def bar(self) -> int:
        """Index of the next bar to play."""
        return self._view[layout.BAR]

    @property
    def now_ms(self) -> int:
        """World time."""
        return self.tape.time_ms(self.bar)

    @property
    def finished(self) -> bool:
        """Whether no bar is left."""
        return self.bar == self.tape.length

    # change

    def apply(self, command: Command) -> tuple[Event, ...]:
        """Change the state: the only way. The books are proved before it returns.

        Returns:
            What happened, in order. An advance ends with `Advanced`.
        """
        match command:
            case PlaceOrders():
                return self._place(command)
            case CancelOrder(account=account, symbol=symbol, oid=oid):
                placing.cancel(self._state, account, symbol, oid)
            case ModifyOrder(account=account, oid=oid, order=order):
                self._make_room(1)
                request = encode([order])
                placing.modify(self._state, account, oid, handle(request))
            case SetLeverage(mode=MarginMode.ISOLATED, account=account):
                reason = RejectReason.ISOLATED_NOT_SUPPORTED
                return (ActionRejected(time_ms=self.now_ms, account=account, reason=reason),)
            case SetLeverage(account=account, symbol=symbol, leverage=leverage):
                run.set_leverage(self._state, account, symbol, leverage)
            case Deposit(account=account, usd=usd):
                run.transfer(self._state, account, usd)
            case Advance():
                return self._advance(command)
        return self._settle()

    def _place(self, command: PlaceOrders) -> tuple[Event, ...]:
        orders = command.orders
        if not orders:
            return ()
        self._make_room(len(orders))
        requests = encode(orders)
        grouped = int(command.grouping is Grouping.NORMAL_TPSL)
        placing.place(self._state, command.account, handle(requests), len(orders), grouped)
        return self._settle()

    def _advance(self, command: Advance) -> tuple[Event, ...]:
        until = min(command.until_bar, self.tape.length)
        self._flag(command)
        watches = self._no_watches
        if command.watches:
            rows = [(w.symbol, w.price, int(w.above), 0) for w in command.watches]
            watches = np.array(rows, np.int64).reshape(-1)
        count = len(command.watches)
        happened: list[Event] = []
        while True:
            reply = run.advance(self._state, self._tape, until, handle(watches), count)
            happened.extend(self._settle())
            if reply != run.NEEDS_ROOM:
                break
            self._make_room(self._view[layout.OPEN_ORDERS])
        met = tuple(np.flatnonzero(watches[run.WATCH_WORDS - 1 :: run.WATCH_WORDS]).tolist())
        happened.append(Advanced(time_ms=self.now_ms, bar=self.bar, watches_met=met))
        return tuple(happened)

    def _flag(self, command: Advance) -> None:
        table = layout.rows(self._world, layout.AT_ACCOUNT, layout.ACCOUNT_WORDS, self.accounts)
        table[:, [layout.STOP_ON_FILL, layout.STOP_ON_ORDER]] = 0
        table[list(command.stop_on_fill), layout.STOP_ON_FILL] = 1
        table[list(command.stop_on_order), layout.STOP_ON_ORDER] = 1

    def _settle(self) -> tuple[Event, ...]:
        """Prove the books, then read what happened out of the buffer."""
        status = ledger.audit(self._state)
        check(status == layout.OK, f"the engine's books are broken (status {status})")
        count = self._view[layout.EVENTS]
        if count == 0:
            return ()
        at = self._view[layout.AT_EVENT]
        log = self._world[at : at + count * layout.EVENT_WORDS].reshape(-1, layout.EVENT_WORDS)
        self._view[layout.EVENTS] = 0
        return tuple(decoding.decode(row) for row in log.tolist())

    # room

    def _events_needed(self, orders: int) -> int:
        return 16 * (orders + 1) + 8 * self.accounts * len(self.instruments) + 64

    def _make_room(self, placing_orders: int) -> None:
        """Grow the tables when the next call might fill them. Rows keep their places."""
        wanted = self._view[layout.OPEN_ORDERS] + placing_orders + 1
        if wanted <= self._orders:
            return
        orders = min(ORDERS_MAX, max(2 * self._orders, wanted))
        if orders == self._orders:
            return
        self._world = layout.grown(self._world, self._orders, orders, self._events_needed(orders))
        self._orders = orders
        self._state, self._view = handle(self._world), self._words()

    # reads

    def account(self, account: int) -> AccountState:
        """Money of an account."""
        margin.read_account(self._state, account, handle(self._scratch))
        cash, unrealized, position, order, maintenance, notional, _, _ = self._scratch.tolist()
        return AccountState(
            cash_usd=Usd(cash),
            unrealized_usd=Usd(unrealized),
            position_margin_usd=Usd(position),
            order_margin_usd=Usd(order),
            maintenance_usd=Usd(maintenance),
            notional_usd=Usd(notional),
        )

    def position(self, account: int, symbol: int) -> PositionState:
        """An account's position in a symbol; its size is 0 when flat."""
        p = (symbol * self.accounts + account) * layout.POSITION_WORDS + self._view[
            layout.AT_POSITION
        ]
        row = self._view[p : p + layout.POSITION_WORDS].tolist()
        size, cost, leverage = row[layout.SIZE], row[layout.COST], row[layout.LEVERAGE]
        value = size * self.mark(symbol)
        return PositionState(
            size=Size(size),
            cost_usd=Usd(cost),
            leverage=leverage,
            funding_all_usd=Usd(row[layout.FUNDING_ALL]),
            funding_open_usd=Usd(row[layout.FUNDING_OPEN]),
            margin_usd=Usd(-(-abs(value) // leverage)),
            realized_usd=Usd(row[layout.REALIZED]),
            unrealized_usd=Usd(value - cost),
        )

    def open_orders(self, account: int) -> tuple[OrderState, ...]:
        """Open orders of an account, by rising oid."""
        found: list[OrderState] = []
        for symbol in range(len(self.instruments)):
            p = symbol * self.accounts + account
            at = self._view[layout.AT_POSITION] + p * layout.POSITION_WORDS + layout.FIRST_OWN
            row = self._view[at]
            while row:
                words = self._view[row : row + layout.ORDER_WORDS].tolist()
                found.append(decoding.order_state(words, self.tape))
                row = words[layout.ORDER_NEXT]
        return tuple(sorted(found, key=lambda order: order.oid))

    def _symbol(self, symbol: int, field: int) -> int:
        return self._view[self._view[layout.AT_SYMBOL] + symbol * layout.SYMBOL_WORDS + field]

    def mark(self, symbol: int) -> Price:
        """Mark price; 0 before the symbol's first bar."""
        return Price(self._symbol(symbol, layout.MARK))

    def book(self, symbol: int) -> Book:
        """Touch around the present print."""
        print_ = self._symbol(symbol, layout.PRINT)
        if print_ == 0:
            return Book(bid=Price(0), ask=Price(0), print=Price(0))
        half = filling.read_half_spread(self._state, symbol)
        return Book(bid=Price(print_ - half), ask=Price(print_ + half), print=Price(print_))

    def last_funding(self, symbol: int) -> FundingStamp | None:
        """Last settled funding; the coming one is never visible before its stamp."""
        time_ms = self._symbol(symbol, layout.LAST_RATE_MS)
        if time_ms == 0:
            return None
        rate = Rate(self._symbol(symbol, layout.LAST_RATE))
        interval = self._symbol(symbol, layout.LAST_RATE_INTERVAL)
        return FundingStamp(time_ms=time_ms, rate=rate, interval_ms=interval)

    def equities(self) -> I64:
        """Equity of every account at the present marks, shape (accounts,), micro-USD."""
        accounts = layout.rows(self._world, layout.AT_ACCOUNT, layout.ACCOUNT_WORDS, self.accounts)
        sizes, costs, marks = self._positions()
        equity: I64 = accounts[:, layout.CASH] + (sizes * marks[:, None] - costs).sum(axis=0)
        return equity

    def exposures(self) -> I64:
        """Sum of absolute position values of every account, shape (accounts,), micro-USD."""
        sizes, _, marks = self._positions()
        exposure: I64 = (np.abs(sizes) * marks[:, None]).sum(axis=0)
        return exposure

    def _positions(self) -> tuple[I64, I64, I64]:
        symbols = len(self.instruments)
        table = layout.rows(
            self._world, layout.AT_POSITION, layout.POSITION_WORDS, symbols * self.accounts
        ).reshape(symbols, self.accounts, layout.POSITION_WORDS)
        marks = layout.rows(self._world, layout.AT_SYMBOL, layout.SYMBOL_WORDS, symbols)
        return table[:, :, layout.SIZE], table[:, :, layout.COST], marks[:, layout.MARK]

    def digest(self) -> str:
        """SHA-256 of the whole state: equal worlds have equal digests."""
        at = int(self._world[layout.AT_EVENT])
        return hashlib.sha256(self._world[:at].tobytes()).hexdigest()


def encode(orders: Sequence[NewOrder]) -> I64:
    """Requests as the kernel reads them, shape (orders * REQUEST_WORDS,).

    A number beyond 2^60 becomes 2^60: refused for its size all the same, and inside 64 bits.
    """
    rows = []
    for order in orders:
        trigger = order.trigger
        kind, tif = layout.LIMIT, TIFS.index(order.tif)
        if trigger is not None:
            kind = layout.STOP if trigger.tpsl is Tpsl.STOP_LOSS else layout.TAKE
        is_market = trigger is not None and trigger.is_market
        trigger_price = trigger.price if trigger is not None else 0
        row = (order.symbol, Side(order.side), order.size, order.limit_price, trigger_price)
        rows.append([*(_bounded(word) for word in row), kind, is_market, tif, order.reduce_only])
    return np.array(rows, np.int64).reshape(-1)


def _bounded(number: int) -> int:
    return max(-layout.HIGHEST, min(layout.HIGHEST, int(number)))
