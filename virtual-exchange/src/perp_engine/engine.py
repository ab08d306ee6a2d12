"""The only way into the market: commands in, events out.

The engine is a deterministic state machine over recorded bars: no clock, no randomness, no input or
output. Accounts never match each other; each trades against the tape alone, so that removing or
ruining one leaves every other byte-equal. World time is always the boundary before bar `bar`; known
there is every earlier bar and the opening print of this one.
"""

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from perp_engine import buffer, decoding
from perp_engine.commands import (
    AdjustMargin,
    Advance,
    CancelAll,
    CancelByCloid,
    CancelOrder,
    Command,
    Deposit,
    ModifyOrder,
    NewOrder,
    PlaceOrders,
    ScheduleCancel,
    SetLeverage,
)
from perp_engine.encoding import bounded, encode, encode_cloid
from perp_engine.events import Advanced, Event
from perp_engine.kernel import filling, layout, ledger, margin, run
from perp_engine.kernel.jit import handle
from perp_engine.live_tape import LiveTape
from perp_engine.rules import Rules
from perp_engine.tally import Tally
from perp_engine.tape import Tape
from perp_engine.views import AccountState, Book, FundingStamp, OrderState, PositionState
from suite.bars import HOUR_MS, I64
from suite.checks import check
from suite.enums import Grouping, MarginMode
from suite.fixed import Price, Rate, Usd
from suite.instrument import Instrument

ENGINE_VERSION = "3"
ORDERS_MAX = 1 << 16
GROUPINGS = {
    Grouping.NONE: layout.ALONE,
    Grouping.NORMAL_TPSL: layout.ENTRY_FIRST,
    Grouping.POSITION_TPSL: layout.OF_POSITION,
}
NO_LOG = np.zeros((0, layout.EVENT_WORDS), np.int64)
_ACCOUNT_WORDS = len(AccountState.__struct_fields__)
RECOUNTED_ALWAYS = 64
"""Positions up to which the whole ledger is recounted after every action."""


class Engine:
    """One world: instruments, a tape, accounts, and everything that happens to them.

    Args:
        instruments: one a symbol of the tape, in its order.
        tape: the market.
        accounts: how many; they start empty (`Deposit`).
        rules: fees and models.
        curve_every: bars between samples of every account's equity (`equity_curve`); 0 is none.
        tally: adds up what happens, samples of equity too; drivers then keep no rows of it.

    Raises:
        ValueError: what is given cannot be simulated; said which.
        InvariantViolated: from any method, when the books do not add up: a bug.
    """

    def __init__(
        self,
        instruments: Sequence[Instrument],
        tape: Tape,
        accounts: int,
        rules: Rules,
        *,
        curve_every: int = 0,
        tally: Tally | None = None,
    ) -> None:
        buffer.check_world(instruments, tape, accounts, rules)
        self.instruments = tuple(instruments)
        self.tape = tape
        self._length = tape.length
        self.accounts = accounts
        self.rules = rules
        orders = min(ORDERS_MAX, max(64, accounts * 64))
        sent = 0
        if rules.decision_latency_ms:
            sent = min(ORDERS_MAX, 1024 * accounts) * (layout.ACTION_WORDS + layout.REQUEST_WORDS)
        capacity = buffer.Capacity(orders, self._events_needed(orders), sent)
        self._world = buffer.new_buffer(self.instruments, tape, accounts, rules, capacity)
        self._world[layout.CURVE_EVERY] = curve_every
        self._bars = buffer.flat_tape(tape)
        self._scratch = np.zeros(16, np.int64)
        self._scratch_at = handle(self._scratch)
        self._scratch_words = self._scratch.data
        self._action = np.zeros(layout.ACTION_WORDS + layout.REQUEST_WORDS, np.int64)
        self._action_at = handle(self._action)
        self._flagged: set[int] = set()
        self._no_watches = np.zeros(run.WATCH_WORDS, np.int64)
        self._no_watches_at = handle(self._no_watches)
        self._curve: list[I64] = []
        self._tally = tally
        self._state, self._tape = handle(self._world), handle(self._bars)
        self._view = self._words()
        run.begin(self._state, self._tape)
        self._settle(whole=True)

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
        return self.tape.start_ms + self._view[layout.BAR] * self.tape.interval_ms

    @property
    def finished(self) -> bool:
        """Whether no bar is left."""
        return self._view[layout.BAR] == self._length

    # change

    def apply(self, command: Command) -> tuple[Event, ...]:
        """Change the state: the only way. Every entry is proved before it returns.

        Returns:
            What happened, in order. An advance ends with `Advanced`.
        """
        match command:
            case PlaceOrders():
                return self._place(command)
            case Advance():
                return self._advance(command)
            case CancelOrder(account=account, symbol=symbol, oid=oid):
                self._request(layout.ORDER_SYMBOL, symbol)
                self._act(layout.CANCEL, account, oid)
            case CancelByCloid(account=account, symbol=symbol, cloid=cloid):
                high, low = encode_cloid(cloid)
                self._request(layout.ORDER_SYMBOL, symbol)
                self._request(layout.ORDER_CLOID, high)
                self._request(layout.ORDER_CLOID_LOW, low)
                self._act(layout.CANCEL_CLOID, account)
            case CancelAll(account=account):
                self._act(layout.CANCEL_ALL, account)
            case ModifyOrder(account=account, oid=oid, order=order):
                self._make_room(1)
                self._encode((order,))
                self._act(layout.MODIFY, account, oid)
            case SetLeverage(account=account, symbol=symbol, leverage=leverage, mode=mode):
                isolated = int(mode is MarginMode.ISOLATED)
                leverage = bounded(leverage)
                run.set_leverage(self._state, self._tape, account, symbol, leverage, isolated)
            case AdjustMargin(account=account, symbol=symbol, usd=usd):
                run.adjust_margin(self._state, self._tape, account, symbol, bounded(usd))
            case ScheduleCancel(account=account, time_ms=time_ms):
                run.schedule(self._state, account, bounded(time_ms or 0))
            case Deposit(account=account, usd=usd):
                run.transfer(self._state, self._tape, account, bounded(usd))
        return self._settle()

    def _request(self, field: int, word: int) -> None:
        self._action[layout.ACTION_WORDS + field] = word

    def _act(
        self,
        kind: int,
        account: int,
        oid: int = 0,
        count: int = 1,
        grouping: int = layout.ALONE,
        expires_ms: int = 0,
    ) -> None:
        self._action[: layout.ACTION_WORDS] = (kind, account, oid, count, grouping, 0, expires_ms)
        run.act(self._state, self._tape, self._action_at)

    def _place(self, command: PlaceOrders) -> tuple[Event, ...]:
        orders = command.orders
        if not orders:
            return ()
        self._make_room(len(orders))
        self._encode(orders)
        grouping, expires_ms = GROUPINGS[command.grouping], bounded(command.expires_after_ms)
        self._act(layout.PLACE, command.account, 0, len(orders), grouping, expires_ms)
        return self._settle()

    def _encode(self, orders: Sequence[NewOrder]) -> None:
        """Write requests where the kernel reads them."""
        wanted = layout.ACTION_WORDS + len(orders) * layout.REQUEST_WORDS
        if len(self._action) < wanted:
            self._action = np.zeros(2 * wanted, np.int64)
            self._action_at = handle(self._action)
        view = memoryview(self._action.data).cast("B").cast("q")
        at = layout.ACTION_WORDS
        for order in orders:
            for word in encode(order):
                view[at] = word
                at += 1

    def _advance(self, command: Advance) -> tuple[Event, ...]:
        until = min(command.until_bar, self.tape.length)
        self._flag(command)
        watches, watches_at = self._no_watches, self._no_watches_at
        count = len(command.watches)
        if count:
            rows = [(w.symbol, w.price, int(w.above), 0) for w in command.watches]
            watches = np.array(rows, np.int64).reshape(-1)
            watches_at = handle(watches)
        happened: list[Event] = []
        while True:
            reply = run.advance(self._state, self._tape, until, watches_at, count)
            happened.extend(self._settle(whole=True))
            if reply != run.NEEDS_ROOM:
                break
            self._make_room(0)
        met: tuple[int, ...] = ()
        if count:
            met = tuple(np.flatnonzero(watches[run.WATCH_WORDS - 1 :: run.WATCH_WORDS]).tolist())
        happened.append(Advanced(time_ms=self.now_ms, bar=self.bar, watches_met=met))
        return tuple(happened)

    def _flag(self, command: Advance) -> None:
        wanted = command.stop_on_fill | command.stop_on_order
        first = self._view[layout.AT_ACCOUNT]
        for account in self._flagged | wanted:
            row = first + account * layout.ACCOUNT_WORDS
            self._view[row + layout.STOP_ON_FILL] = account in command.stop_on_fill
            self._view[row + layout.STOP_ON_ORDER] = account in command.stop_on_order
        self._flagged = set(wanted)

    def _settle(self, *, whole: bool = False) -> tuple[Event, ...]:
        """Prove the books, then read what happened out of the buffer.

        Args:
            whole: recount every account, which after a single action is left to the entries' own
                proofs where there are many.
        """
        if whole or self.accounts * len(self.instruments) <= RECOUNTED_ALWAYS:
            ledger.audit(self._state)
        status = self._view[layout.STATUS]
        check(status == layout.OK, f"the engine's books are broken (status {status})")
        if self._view[layout.EVENTS] == 0:
            return ()
        rows = self._without_samples(self._take_rows())
        return tuple([decoding.decode(row) for row in rows.tolist()])

    def take_log(self) -> I64:
        """Take the rows of the event table out, shape (events, words): for drivers.

        There are none where a tally adds them up.
        """
        rows = self._take_rows()
        return NO_LOG if self._tally is not None else self._without_samples(rows)

    def _take_rows(self) -> I64:
        count = self._view[layout.EVENTS]
        if count == 0:
            return NO_LOG
        at = self._view[layout.AT_EVENT]
        rows = self._world[at : at + count * layout.EVENT_WORDS].reshape(-1, layout.EVENT_WORDS)
        self._view[layout.EVENTS] = 0
        if self._tally is not None:
            self._tally.add(rows)
        return rows

    def _without_samples(self, rows: I64) -> I64:
        """Put samples of equity aside."""
        if not self._view[layout.CURVE_EVERY]:
            return rows
        sampled = rows[:, 0] == layout.EVENT_EQUITY
        self._curve.append(rows[sampled].copy())
        rest: I64 = rows[~sampled]
        return rest

    def prove(self) -> None:
        """Recount the whole ledger.

        Raises:
            InvariantViolated: the books do not add up.
        """
        ledger.audit(self._state)
        status = self._view[layout.STATUS]
        check(status == layout.OK, f"the engine's books are broken (status {status})")

    def for_driver(self, *, trades_only: bool) -> tuple[I64, I64, "memoryview[int]"]:
        """Hand the world, the tape and a view of the world to a driver of this package.

        Args:
            trades_only: leave out events that only tell of orders from here on.
        """
        self._view[layout.TRADES_ONLY] = int(trades_only)
        self._make_room(1000 * min(self.accounts, 16))
        return self._world, self._bars, self._view

    def set_funding(self, symbol: int, rate: Rate) -> None:
        """Say what the coming stamp of a symbol pays, on a tape that is written as time goes."""
        check(isinstance(self.tape, LiveTape), "rates of a recorded tape stay as they are")
        coming = self._symbol(symbol, layout.NEXT_STAMP)
        left = (self._symbol(symbol, layout.LAST_STAMP) - coming) // 2
        if left:
            self._view[coming + 1] = rate
            self.tape.funding[symbol][-left, 1] = rate

    def snapshot(self) -> bytes:
        """The whole state."""
        return self._world[: self._view[layout.AT_EVENT]].tobytes()

    def restore(self, snapshot: bytes) -> None:
        """Go back to a snapshot of this engine, or of one made alike."""
        state = np.frombuffer(snapshot, np.int64)
        check(state[layout.ACCOUNTS] == self.accounts, "a snapshot of another engine")
        events = int(state[layout.EVENTS_MAX])
        if state.size != self._view[layout.AT_EVENT] or events != self._view[layout.EVENTS_MAX]:
            room = events * layout.EVENT_WORDS + layout.SCRATCH_WORDS
            self._world = np.zeros(state.size + room, np.int64)
            self._state, self._view = handle(self._world), self._words()
        self._world[: state.size] = state
        self._view[layout.EVENTS] = 0
        self._flagged = set(range(self.accounts))
        self._curve.clear()

    # room

    def _events_needed(self, orders: int) -> int:
        stamps = self.tape.interval_ms // HOUR_MS + 8
        positions = self.accounts * len(self.instruments)
        return 2 * (12 * (orders + 1) + stamps * (positions + 64) + 4 * self.accounts)

    def _make_room(self, placing_orders: int) -> None:
        """Grow the tables when the next call might fill them. Rows keep their places."""
        view = self._view
        wanted = view[layout.OPEN_ORDERS] + view[layout.SENT_ORDERS] + placing_orders + 1
        orders = view[layout.ORDERS_MAX]
        if wanted > orders:
            orders = min(ORDERS_MAX, max(2 * orders, wanted))
        events = max(self._events_needed(orders), 2 * run.read_room(self._state))
        if orders == view[layout.ORDERS_MAX] and events <= view[layout.EVENTS_MAX]:
            return
        self._world = buffer.grown(self._world, orders, events)
        self._state, self._view = handle(self._world), self._words()

    # reads

    def account(self, account: int) -> AccountState:
        """Money of an account."""
        margin.read_account(self._state, account, self._scratch_at)
        words: list[Any] = self._scratch_words[:_ACCOUNT_WORDS].tolist()
        return AccountState(*words)

    def fee_rates(self, account: int) -> tuple[Rate, Rate]:
        """Taker and maker fee that an account pays now."""
        row = self._view[layout.AT_ACCOUNT] + account * layout.ACCOUNT_WORDS
        return Rate(self._view[row + layout.TAKER]), Rate(self._view[row + layout.MAKER])

    def held(self, account: int) -> list[int]:
        """Symbols in which an account has a position, rising."""
        sizes = self._of_positions(account, layout.SIZE)
        return [symbol for symbol, size in enumerate(sizes) if size]

    def _of_positions(self, account: int, field: int) -> list[int]:
        """Read a field of an account's positions, symbol by symbol."""
        first = self._view[layout.AT_POSITION] + account * layout.POSITION_WORDS + field
        row = self.accounts * layout.POSITION_WORDS
        return self._view[first : first + len(self.instruments) * row : row].tolist()

    def position(self, account: int, symbol: int) -> PositionState:
        """An account's position in a symbol; its size is 0 when flat."""
        p = (symbol * self.accounts + account) * layout.POSITION_WORDS
        p += self._view[layout.AT_POSITION]
        # the words of a position, in the order of the layout
        words: list[Any] = self._view[p : p + layout.REALIZED + 1].tolist()
        size, cost, leverage, isolated, bucket, _, _, funding, since_open, realized = words
        maintenance: Any = 0
        liquidation: Any = None
        if size:
            margin.read_position(self._state, account, symbol, self._scratch_at)
            maintenance, liquidation = self._scratch_words[:2].tolist()
        value = size * self.mark(symbol)
        mode = MarginMode.ISOLATED if isolated else MarginMode.CROSS
        kept = Usd(-(-abs(value) // leverage))
        return PositionState(
            *(size, cost, leverage, mode, bucket, funding, since_open, kept),
            *(maintenance, liquidation or None, realized, value - cost),
        )

    def open_orders(self, account: int) -> tuple[OrderState, ...]:
        """Open orders of an account, by rising oid."""
        count = self._view[layout.AT_ACCOUNT] + account * layout.ACCOUNT_WORDS
        if not self._view[count + layout.ACCOUNT_ORDERS]:
            return ()
        found: list[OrderState] = []
        for first in self._of_positions(account, layout.FIRST_OWN):
            row = first
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
        half = self.half_spread(symbol, Price(print_))
        return Book(bid=Price(print_ - half), ask=Price(print_ + half), print=Price(print_))

    def half_spread(self, symbol: int, price: Price) -> int:
        """Half of the modelled spread around a price, price units."""
        return int(filling.read_half_spread(self._state, symbol, price))

    def print_price(self, symbol: int) -> Price:
        """Print that the present book stands around; 0 when the data has no bar here."""
        return Price(self._symbol(symbol, layout.PRINT))

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
        accounts = buffer.rows(self._world, layout.AT_ACCOUNT, layout.ACCOUNT_WORDS, self.accounts)
        positions, marks = self._positions()
        sizes, costs = positions[:, :, layout.SIZE], positions[:, :, layout.COST]
        worth = sizes * marks[:, None] - costs + positions[:, :, layout.BUCKET]
        equity: I64 = accounts[:, layout.CASH] + worth.sum(axis=0)
        return equity

    def equity_curve(self) -> tuple[I64, I64]:
        """Samples of every account's equity, every `curve_every` bars from the start.

        Returns:
            Times in ms, shape (samples,), and micro-USD, shape (samples, accounts).
        """
        per_event = layout.EQUITIES_PER_EVENT
        rows = -(-self.accounts // per_event)
        log = np.concatenate([np.zeros((0, layout.EVENT_WORDS), np.int64), *self._curve])
        values = log[:, 5:].reshape(-1, rows * per_event)[:, : self.accounts]
        return log[::rows, 1].copy(), values.copy()

    def exposures(self) -> I64:
        """Sum of absolute position values of every account, shape (accounts,), micro-USD."""
        positions, marks = self._positions()
        exposure: I64 = (np.abs(positions[:, :, layout.SIZE]) * marks[:, None]).sum(axis=0)
        return exposure

    def _positions(self) -> tuple[I64, I64]:
        symbols = len(self.instruments)
        table = buffer.rows(
            self._world, layout.AT_POSITION, layout.POSITION_WORDS, symbols * self.accounts
        ).reshape(symbols, self.accounts, layout.POSITION_WORDS)
        marks = buffer.rows(self._world, layout.AT_SYMBOL, layout.SYMBOL_WORDS, symbols)
        return table, marks[:, layout.MARK]

    def digest(self) -> str:
        """SHA-256 of the whole state: equal worlds have equal digests."""
        at = int(self._world[layout.AT_EVENT])
        return hashlib.sha256(self._world[:at].tobytes()).hexdigest()
