"""One simulated market: its engine, its accounts' books, and the samples of their equity."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol, cast

import numpy as np

from perp_engine.commands import Advance, Command, Deposit, PriceWatch
from perp_engine.engine import Engine
from perp_engine.events import (
    ActionRejected,
    Advanced,
    Event,
    Fill,
    OrderOpened,
    OrderRejected,
)
from perp_engine.past import print_at
from perp_engine.rules import Rules
from suite.bars import F64, HOUR_MS, I64, INTERVAL_MS, Bars, BoolArray, resample
from suite.checks import InvariantViolated, check
from suite.enums import FillCause
from suite.errors import Conflict
from suite.fixed import Price, Rate, Usd
from suite.ids import AccountId
from suite.instrument import coin_of
from virtual_exchange.application.book import AccountBook
from virtual_exchange.application.market.rules import described_rules
from virtual_exchange.application.market.tapes import quantize
from virtual_exchange.domain.accounts import Account
from virtual_exchange.domain.market import Market
from virtual_exchange.domain.record import (
    AccountRecord,
    LedgerKind,
    LedgerUpdate,
    MarketRecord,
    RunRecord,
)

DEFAULT_NAME: Final = "default"
"""What the default world is called where a path, a report or a log names worlds."""
_NOTHING: frozenset[int] = frozenset()
_CANDLES_MAX, _CANDLES_OF_ALL = 5000, 60_000
"""Candles of a coin, and of all, that a report keeps to draw."""


class Registrar(Protocol):
    """Told in their order what became of the orders of a command, before anything else does."""

    def opened(self, event: OrderOpened) -> None:
        """Write the order, which now has an id, into its account's book."""
        ...

    def rejected(self, event: OrderRejected) -> None:
        """Skip the order; what the venue remembers of it is for the registrar to say."""
        ...


class Alarm(Protocol):
    """Something the venue itself does at bar boundaries."""

    def next_bar(self) -> int | None:
        """Boundary at which it is due next, None for never."""
        ...

    def ring(self) -> None:
        """Do what is due at the present boundary."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Stops:
    """What ends an advance early, besides its limit."""

    fill: frozenset[int] = _NOTHING
    order: frozenset[int] = _NOTHING
    watches: tuple[PriceWatch, ...] = ()


class World:
    """A market that moves only when told to.

    Attributes:
        world_id: its name, empty for the default world.
        market: what it is made of.
        rules: its market model.
        accounts: in the order of the engine's rows; more may be opened while it runs.
        books: one an account.
        engine: read by the venue and the queries; changed only through `apply` and `advance`.
        listeners: called with the events of every change, after the books have taken them.
        alarms: no advance goes past the boundary at which one of them is due.
        end_bar: boundary after the last bar.
    """

    def __init__(
        self,
        *,
        world_id: str,
        market: Market,
        rules: Rules,
        accounts: tuple[Account, ...],
        capacity: int = 0,
    ) -> None:
        self.world_id = world_id
        self.market = market
        self.rules = rules
        self.accounts: list[Account] = []
        self.books: list[AccountBook] = []
        self.listeners: list[Callable[[tuple[Event, ...]], None]] = []
        self.alarms: list[Alarm] = []
        self.capacity = max(capacity, len(accounts))
        # orders are on their way before they come here (`latency_queue.py`), not inside the engine
        at_once = replace(rules, decision_latency_ms=0)
        self.engine = Engine(market.instruments, market.tape, self.capacity, at_once)
        self.by_id: dict[AccountId, Account] = {}
        self.by_address: dict[str, Account] = {}
        self.symbols = {coin: index for index, coin in enumerate(market.coins)}
        self.end_bar = market.tape.length
        self._sample_ms: list[int] = []
        self._equity: list[I64] = []
        self._exposure: list[I64] = []
        self._moved: list[list[int]] = []
        for account in accounts:
            self.open_account(account)
        self._sample()

    @property
    def name(self) -> str:
        """What it is called where worlds are named, the default one too."""
        return self.world_id or DEFAULT_NAME

    @property
    def now_ms(self) -> int:
        """World time: the boundary before the next bar."""
        return self.engine.now_ms

    @property
    def finished(self) -> bool:
        """No bar is left."""
        return self.engine.finished

    @property
    def from_ms(self) -> int:
        """Where the world began."""
        return self.market.tape.start_ms

    @property
    def to_ms(self) -> int:
        """Where it ends."""
        return self.market.tape.time_ms(self.end_bar)

    @property
    def done(self) -> float:
        """Share of the bars that were played, 0 to 1."""
        return self.engine.bar / self.end_bar

    def open_account(self, account: Account) -> None:
        """Begin to keep an account, with its money.

        Raises:
            Conflict: there is no room for one more.
        """
        if len(self.accounts) == self.capacity:
            raise self.full()
        check(account.index == len(self.accounts), "accounts are numbered as they come")
        self.accounts.append(account)
        self.books.append(AccountBook(account, self.market.mask))
        self.by_id[account.account_id] = account
        self.by_address[account.address] = account
        if balance := account.initial_balance_usd:
            check(self.move_money(account.index, balance, "deposit"), "an account holds its money")

    def full(self) -> Conflict:
        """Say that there is no room for one more account, and what to do about it."""
        return Conflict(
            f"this world has room for {self.capacity} accounts, and has {len(self.accounts)}: "
            "begin one with more, by its option capacity (serve --option capacity=1000)"
        )

    def rename_account(self, account: Account) -> None:
        """Give an account that the faucet opened, and nobody used, to who opens it by name.

        Args:
            account: as it shall be, at the index of the one that it was.
        """
        before, book = self.accounts[account.index], self.books[account.index]
        more = account.initial_balance_usd - before.initial_balance_usd
        check(not more or self._deposit(account.index, more), "it has the faucet's money yet")
        self.accounts[account.index] = book.account = account
        book.ledger.clear()
        book.moved_usd = Usd(0)
        self._book_money(account.index, account.initial_balance_usd, "deposit", {})
        del self.by_id[before.account_id]
        self.by_id[account.account_id] = account
        self.by_address[account.address] = account

    def move_money(self, account: int, perp_usd: int, kind: LedgerKind, **more: Any) -> bool:
        """Put money into an account's perp wallet, or take it out; say whether that was possible.

        Args:
            account: its index.
            perp_usd: micro-USD, negative to take out.
            kind: what it is for.
            more: further fields of its ledger entry; `usd` there when a fee is in it.
        """
        if not self._deposit(account, perp_usd):
            return False
        self._book_money(account, perp_usd, kind, more)
        return True

    def transfer(self, source: Account, target: Account, usd: Usd, kind: LedgerKind) -> bool:
        """Move money between two perp wallets, as a whole; say whether that was possible.

        Args:
            source, target: different accounts.
            usd: micro-USD, positive.
            kind: what it is for.
        """
        if not self._deposit(source.index, -usd):
            return False
        if not self._deposit(target.index, usd):
            check(self._deposit(source.index, usd), "what was just taken can be given back")
            return False
        ends = {"user": source.address, "destination": target.address}
        self._book_money(source.index, -usd, kind, ends)
        self._book_money(target.index, usd, kind, ends)
        return True

    def _deposit(self, account: int, usd: int) -> bool:
        events = self.apply(Deposit(account=account, usd=Usd(usd)))
        return not any(isinstance(event, ActionRejected) for event in events)

    def _book_money(
        self, account: int, perp_usd: int, kind: LedgerKind, more: Mapping[str, Any]
    ) -> None:
        fields: dict[str, Any] = {"usd": Usd(abs(perp_usd)), **more}
        book = self.books[account]
        book.ledger.append(
            LedgerUpdate(time_ms=self.now_ms, kind=kind, perp_usd=Usd(perp_usd), **fields)
        )
        book.moved_usd = Usd(book.moved_usd + perp_usd)

    def apply(self, command: Command, register: Registrar | None = None) -> tuple[Event, ...]:
        """Change the market and note in the books what came of it.

        Args:
            command: for the engine.
            register: told of each order that was accepted or refused.
        """
        events = self.engine.apply(command)
        self._take(events, register)
        for listener in self.listeners:
            listener(events)
        return events

    def set_funding(self, symbol: int, rate: Rate) -> None:
        """Say what the coming funding stamp of a coin pays; for a live market."""
        self.engine.set_funding(symbol, rate)

    def advance(self, until_bar: int, stops: Stops) -> tuple[tuple[Event, ...], Advanced]:
        """Play bars until a boundary, a stop or the next sample of equity, the first of them."""
        tape = self.market.tape
        sample_bar = tape.bar_at(_next_sample_ms(self.now_ms))
        due = [bar for alarm in self.alarms if (bar := alarm.next_bar()) is not None]
        events = self.apply(
            Advance(
                until_bar=min(until_bar, sample_bar, self.end_bar, *due),
                stop_on_fill=stops.fill,
                stop_on_order=stops.order,
                watches=stops.watches,
            )
        )
        if self.engine.bar >= min(sample_bar, self.end_bar):
            self._sample()
        advanced = cast("Advanced", events[-1])
        return (*events, *self._ring()), advanced

    def _ring(self) -> list[Event]:
        """Let the venue do what is due now; return what came of it."""
        rung: list[Event] = []
        take = rung.extend
        for alarm in self.alarms:
            if alarm.next_bar() == self.engine.bar:
                self.listeners.append(take)
                alarm.ring()
                self.listeners.remove(take)
        return rung

    def play(self, until_bar: int, progress: Callable[[float], None] = lambda _done: None) -> None:
        """Play bars until a boundary or the end, whatever happens in them.

        Args:
            until_bar: the boundary.
            progress: told the share of all bars that were played.
        """
        while self.engine.bar < until_bar and not self.finished:
            self.advance(until_bar, Stops())
            progress(self.done)

    def record(self, *, run_id: str, strategies: dict[str, dict[str, Any]]) -> RunRecord:
        """Collect what the run has left behind so far.

        Args:
            run_id: name of the run.
            strategies: configuration of its trader by account.
        """
        if not self.finished:
            self._sample_anew()
        equity, exposure = np.array(self._equity), np.array(self._exposure)
        return RunRecord(
            run_id=run_id,
            from_ms=self.from_ms,
            to_ms=self.to_ms,
            interval_ms=self.market.tape.interval_ms,
            finished=self.finished,
            markets=[self._market_record(index) for index in range(len(self.symbols))],
            accounts=[
                self._account_record(book, strategies, equity, exposure) for book in self.books
            ],
            equity_time_ms=np.array(self._sample_ms, np.int64),
            rules=described_rules(self.rules),
            manifest=dict(self.market.manifest),
        )

    def equity_history(self, account: int) -> list[tuple[int, int, int]]:
        """Time, equity and money moved in by then, micro-USD, at each sample of an account."""
        return [
            (time_ms, int(equity[account]), moved[account])
            for time_ms, equity, moved in zip(
                self._sample_ms, self._equity, self._moved, strict=True
            )
            if account < len(moved)
        ]

    def _take(self, events: Iterable[Event], register: Registrar | None) -> None:
        for event in events:
            if isinstance(event, Advanced):
                continue
            book = self.books[event.account]
            if register is not None and isinstance(event, OrderRejected):
                register.rejected(event)
            elif isinstance(event, OrderOpened) and event.oid not in book.orders:
                if register is None:
                    raise InvariantViolated("an order was opened that nobody sent")
                register.opened(event)
            book.take(event)
            if isinstance(event, Fill):
                book.mids.append(self._mid_before(event))

    def _mid_before(self, fill: Fill) -> Price:
        """Find the mid that a fill is measured by.

        A taker trades around a print. A quote is met in the path of a bar, at its own price; what
        it offered was offered against the print at the bar's start.
        """
        if fill.is_taker or fill.cause is not FillCause.ORDER:
            return fill.reference_price
        shown = print_at(self.market.tape, self.rules, fill.symbol, fill.time_ms)
        return shown or fill.reference_price

    def _sample(self) -> None:
        if self._sample_ms and self._sample_ms[-1] == self.now_ms:
            return
        self._sample_ms.append(self.now_ms)
        self._equity.append(np.array(self.engine.equities(), np.int64))
        self._exposure.append(np.array(self.engine.exposures(), np.int64))
        self._moved.append([book.moved_usd for book in self.books])

    def _sample_anew(self) -> None:
        """Let the last sample be the present: what was traded since the boundary counts in it."""
        if self._sample_ms[-1] == self.now_ms:
            for samples in (self._sample_ms, self._equity, self._exposure, self._moved):
                samples.pop()
        self._sample()

    def _account_record(
        self, book: AccountBook, strategies: dict[str, dict[str, Any]], equity: I64, exposure: I64
    ) -> AccountRecord:
        account = book.account
        return AccountRecord(
            account_id=account.account_id,
            strategy=strategies.get(account.account_id, {}),
            initial_balance_usd=account.initial_balance_usd,
            equity_usd=self._equity_of(account, equity),
            exposure_usd=np.ascontiguousarray(exposure[:, account.index]),
            fills=book.fills,
            mids=book.mids,
            funding=book.funding,
            liquidations=book.liquidations,
            insurance=book.insurance,
            orders=list(book.orders.values()),
            decisions_sha256=book.decisions_sha256,
            rejected_orders=book.rejected,
        )

    def _equity_of(self, account: Account, equity: I64) -> I64:
        """Equity at every sample as if no money had come or gone since the account was opened."""
        moved = [row[account.index] if account.index < len(row) else 0 for row in self._moved]
        earned = equity[:, account.index] - np.array(moved, np.int64)
        return np.ascontiguousarray(earned + account.initial_balance_usd)

    def _market_record(self, symbol: int) -> MarketRecord:
        instrument = self.market.instruments[symbol]
        bars = self.market.history[symbol].between(self.from_ms, self.now_ms)
        candles, _ = resample(bars, _candle_ms(self.now_ms - self.from_ms, len(self.symbols)))

        def units(prices: F64) -> I64:
            return quantize(prices, instrument.price_decimals)[0]

        return MarketRecord(
            instrument=instrument,
            source=self.market.sources[symbol],
            synthetic=self.market.synthetic[symbol],
            mark=self.engine.mark(symbol),
            open_time_ms=np.ascontiguousarray(candles.open_time_ms),
            open=units(candles.open),
            high=units(candles.high),
            low=units(candles.low),
            close=units(candles.close),
            volume=quantize(candles.volume, instrument.sz_decimals)[0],
        )


def account_of(world: World, account_id: str) -> Account | None:
    """Find an account by its id or its address, None when the world has none such."""
    found = world.by_id.get(AccountId(account_id))
    return found or world.by_address.get(account_id.lower())


def symbol_of(world: World, name: str) -> int | None:
    """Index of a coin by any venue's name for it, None when the world has none such."""
    if name in world.symbols:
        return world.symbols[name]
    try:
        return world.symbols.get(coin_of(name))
    except ValueError:
        return None


def closed_bars(
    world: World, symbol: int, interval: str, *, from_ms: int, end_ms: int
) -> tuple[Bars, BoolArray]:
    """Bars of a coin that opened in [from, end) and are closed by now.

    Longer bars are made of all their minutes, wherever the range ends.

    Returns:
        The bars, and for each whether no minute of it is missing.
    """
    step, now_ms = INTERVAL_MS[interval], world.now_ms
    stored = world.market.history[symbol]
    stored = stored.rows(0, stored.closed_by(now_ms))
    first, end = (-(-edge // step) * step for edge in (from_ms, min(end_ms, now_ms)))
    bars, complete = resample(stored.between(first, end), step)
    closed = bars.closed_by(now_ms)
    return bars.rows(0, closed), complete[:closed]


def mid_price(world: World, symbol: int) -> Price:
    """Price the present book is built around; the mark where there is no book."""
    return world.engine.print_price(symbol) or world.engine.mark(symbol)


def _candle_ms(length_ms: int, coins: int) -> int:
    """Choose candles as fine as so many of each coin can be kept, and never coarser than hours."""
    most = max(1, min(_CANDLES_MAX, _CANDLES_OF_ALL // max(1, coins)))
    fits = (step for step in INTERVAL_MS.values() if length_ms <= step * most)
    return min(next(fits, HOUR_MS), HOUR_MS)


def _next_sample_ms(now_ms: int) -> int:
    """Find the next moment at which equity is sampled: the full hours, which hold the midnights."""
    return (now_ms // HOUR_MS + 1) * HOUR_MS
