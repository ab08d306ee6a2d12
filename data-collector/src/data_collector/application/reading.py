"""What the store holds, as people and the data contract are told."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from data_collector.application.ports import BarReader, OpenInterestReader, Records
from data_collector.domain.candles import Candle
from suite.bars import DAY_MS, F64, I64, INTERVAL_MS, MINUTE_MS, Bars, BoolArray, resample
from suite.contracts.market_data import StoredDays, StoredSeries, Symbol
from suite.errors import BadRequest, DataGap, NotFound
from suite.instrument import coin_of
from suite.klines import COLUMNS, Coverage, Source, empty_bars, instrument_of, merge_bars
from suite.moments import format_moment

MAX_ROWS: Final = 5000
"""Of one answer: the last ones of the range."""
LIST_S: Final = 0.5
"""How long the list of what is stored is taken to be as it was."""


def coin_asked(symbol: str) -> str:
    """Name the coin of a symbol in a request.

    Raises:
        NotFound: it is no symbol.
    """
    try:
        return coin_of(symbol)
    except ValueError as error:
        raise NotFound(str(error)) from None


def coverage_table(
    store: BarReader, records: Records
) -> list[tuple[Coverage, str, dict[str, Any]]]:
    """List what is stored: coverage, coin and record of each series."""
    return [
        (store.coverage(coin, interval, source=source), coin, records.record_at(source, coin) or {})
        for source, coin, interval in store.series()
    ]


class Inventory:
    """What is stored, listed twice a second at most, and which source of a coin is answered from.

    While a coin is collected, its source comes before all others: what is live is not hidden behind
    what somebody imported once.

    Args:
        store: where bars are.
        records: what is known about coins.
        now_s: any clock that runs evenly.
        collects: whether a coin of a source is being collected.
    """

    def __init__(
        self,
        store: BarReader,
        records: Records,
        now_s: Callable[[], float],
        collects: Callable[[Source, str], bool],
    ) -> None:
        self._store = store
        self._records = records
        self._now_s = now_s
        self._collects = collects
        self._listed: tuple[float, tuple[tuple[Source, str, str], ...]] | None = None
        self._covered: dict[tuple[Source, str, str], tuple[tuple[Any, ...], Coverage]] = {}

    def series(self) -> tuple[tuple[Source, str, str], ...]:
        """List (source, coin, interval), the preferred source first."""
        now_s = self._now_s()
        if self._listed is None or now_s - self._listed[0] >= LIST_S:
            return self._listed_anew()
        return self._listed[1]

    def source_of(self, coin: str, *intervals: str) -> Source:
        """Name the one source that a coin's bars are read from.

        Args:
            coin: `BTC`.
            intervals: it has bars of one of them; of any where none is named.

        Raises:
            NotFound: nothing such is stored; says what is.
        """
        for series in (self.series, self._listed_anew):
            for source, name, interval in series():
                if name == coin and (not intervals or interval in intervals):
                    return source
        held = [
            f"{interval} of {source}" for source, name, interval in self.series() if name == coin
        ]
        if not held:
            raise self._unknown(coin)
        asked = " or ".join(dict.fromkeys(intervals))
        raise NotFound(f"{coin} has no stored {asked} bars; stored are {', '.join(held)}")

    def end_ms(self, source: Source, coin: str) -> int:
        """Say when the last 1m bar of a coin ends.

        Raises:
            DataGap: there is none.
            StorageError: a file is damaged; names it.
        """
        return self._coverage(source, coin, "1m").end_ms

    def coverage(self) -> list[StoredSeries]:
        """List what is stored, as `GET /coverage` answers.

        Raises:
            StorageError: a file is damaged; names it.
        """
        preferred: set[tuple[str, str]] = set()
        rows = []
        for source, coin, interval in self.series():
            held, step = self._coverage(source, coin, interval), INTERVAL_MS[interval]
            record = self._records.record_at(source, coin) or {}
            rows.append(
                StoredSeries(
                    coin=coin,
                    interval=interval,
                    venue=source.venue,
                    market=source.market,
                    preferred=(coin, interval) not in preferred,
                    first_open_ms=held.first_open_ms,
                    end_ms=held.end_ms,
                    bars=held.bars,
                    missing_bars=sum(gap.bars(step) for gap in held.gaps),
                    gaps=[(gap.start_ms, gap.end_ms) for gap in held.gaps],
                    source=record.get("source", ""),
                    synthetic=bool(record.get("synthetic", False)),
                )
            )
            preferred.add((coin, interval))
        return rows

    def days(self, symbol: str) -> list[StoredDays]:
        """Say of each day which share is stored, as `GET /coverage/{symbol}` answers.

        Raises:
            NotFound: not a symbol, or nothing of it is stored; says what is.
            StorageError: a file is damaged; names it.
        """
        coin = coin_asked(symbol)
        rows = [
            StoredDays(
                interval=interval,
                venue=source.venue,
                market=source.market,
                days=day_shares(self._coverage(source, coin, interval)),
            )
            for source, name, interval in self.series()
            if name == coin
        ]
        if not rows:
            raise self._unknown(coin)
        return rows

    def symbols(self) -> list[Symbol]:
        """List the coins, as `GET /symbols` answers.

        Raises:
            StorageError: a record is damaged; names it.
        """
        held: dict[str, list[tuple[Source, str]]] = {}
        for source, coin, interval in self.series():
            held.setdefault(coin, []).append((source, interval))
        return [self._symbol(coin, series) for coin, series in held.items()]

    def _symbol(self, coin: str, series: list[tuple[Source, str]]) -> Symbol:
        source = series[0][0]
        record = self._records.record_at(source, coin) or {}
        instrument = instrument_of(record, coin)
        return Symbol(
            coin=coin,
            intervals=sorted({interval for _, interval in series}, key=INTERVAL_MS.__getitem__),
            venue=source.venue,
            market=source.market,
            synthetic=bool(record.get("synthetic", False)),
            source_symbol=str(record.get("source_symbol", "")),
            price_decimals=instrument.price_decimals,
            sz_decimals=instrument.sz_decimals,
            max_leverage=instrument.max_leverage,
        )

    def _listed_anew(self) -> tuple[tuple[Source, str, str], ...]:
        series = sorted(
            self._store.series(), key=lambda item: (item[1], not self._collects(*item[:2]))
        )
        self._listed = (self._now_s(), tuple(series))
        return self._listed[1]

    def _coverage(self, source: Source, coin: str, interval: str) -> Coverage:
        """Look a coverage up, and work it out once for each state of the files."""
        key = source, coin, interval
        state = self._store.fingerprint(coin, interval, source=source)
        known = self._covered.get(key)
        if known is None or known[0] != state:
            known = (state, self._store.coverage(coin, interval, source=source))
            self._covered[key] = known
        return known[1]

    def _unknown(self, coin: str) -> NotFound:
        coins = ", ".join(dict.fromkeys(name for _, name, _ in self.series()))
        return NotFound(f"no stored bars of {coin[:24]}; stored are {coins or 'none'}")


def recent_candles(bars: BarReader, coin: str, source: Source | None) -> list[Candle]:
    """Read the 1m candles of the last day that has any, from its midnight on.

    Args:
        bars: where they are.
        coin: `BTC`.
        source: of the candles that will follow them, None for the preferred one.

    Raises:
        DataGap: there are none.
        StorageError: a file is damaged; names it.
    """
    end_ms = bars.coverage(coin, "1m", source=source).end_ms
    held = bars.read(coin, "1m", (end_ms - 1) // DAY_MS * DAY_MS, source=source)
    rows = zip(*(getattr(held, name).tolist() for name in COLUMNS), strict=True)
    return [
        Candle(
            coin=coin,
            interval_ms=MINUTE_MS,
            closed=True,
            **dict(zip(COLUMNS, row, strict=True)),
        )
        for row in rows
    ]


def read_interest(
    reader: OpenInterestReader, coin: str, from_ms: int | None, to_ms: int, source: Source
) -> tuple[I64, F64]:
    """Read open interest of a coin whose bars may all be so new that none is stored yet."""
    try:
        return reader.read_open_interest(coin, from_ms, to_ms, source=source)
    except DataGap:
        return np.zeros(0, np.int64), np.zeros(0)


def day_shares(held: Coverage) -> dict[str, float]:
    """Say of each UTC day which share of its bars is stored, 0 to 1.

    Args:
        held: bars of a day at most, all within a day; longer intervals do not exist here.

    Returns:
        ISO date to share, from the day of the first bar to that of the last. The first and the last
        day are measured against whole days too: what is not there yet is not stored.
    """
    step, first = INTERVAL_MS[held.interval], held.first_open_ms // DAY_MS
    days = np.arange(first, -(-held.end_ms // DAY_MS) + 1, dtype=np.int64) * DAY_MS
    edges = np.clip(days, held.first_open_ms, held.end_ms)
    missing = np.zeros(len(days) - 1)
    for gap in held.gaps:
        inside = np.clip(days, gap.start_ms, gap.end_ms)
        missing += np.diff(inside)
    stored = (np.diff(edges) - missing) / DAY_MS
    counts = np.rint(stored * (DAY_MS // step)) / (DAY_MS // step)
    return {
        format_moment(int(day)): round(float(share), 6)
        for day, share in zip(days, counts, strict=False)
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Bars that somebody asks for, and what they are made of.

    Attributes:
        source: of all of them.
        stored: intervals that it has bars of and that these are made of.
        start_ms, end_ms: of the open times, None for no bound.
    """

    source: Source
    coin: str
    interval: str
    stored: tuple[str, ...]
    start_ms: int | None
    end_ms: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Rows of a range of time.

    Attributes:
        source: where all of them are from.
        columns: arrays of equal length, by name.
    """

    source: Source
    columns: Mapping[str, NDArray[Any]]


class Ranges:
    """Rows of a range of time: closed bars of any interval, settled funding, open interest.

    Args:
        store: where bars and funding are.
        interest: where open interest is.
        inventory: what there is.
        now_ms: the clock.
    """

    def __init__(
        self,
        store: BarReader,
        interest: OpenInterestReader,
        inventory: Inventory,
        now_ms: Callable[[], int],
    ) -> None:
        self._interest = interest
        self._store = store
        self._inventory = inventory
        self._now_ms = now_ms

    def page(self, symbol: str, interval: str, start_ms: int | None, end_ms: int | None) -> Page:
        """Find what bars with open times in [start, end) are made of.

        Stored bars of the interval, and elsewhere what the stored 1m bars add up to; all of the
        preferred source among those that have either.

        Raises:
            NotFound: not a symbol, or nothing of it is stored; says what is.
            BadRequest: the interval is unknown, or the range ends after now.
        """
        if interval not in INTERVAL_MS:
            names = ", ".join(INTERVAL_MS)
            raise BadRequest(f"unknown interval {interval[:10]!r}; there are {names}")
        coin = self._coin(symbol, start_ms, end_ms)
        source = self._inventory.source_of(coin, "1m", interval)
        series = self._inventory.series()
        made_of = dict.fromkeys(("1m", interval))
        return Page(
            source=source,
            coin=coin,
            interval=interval,
            stored=tuple(name for name in made_of if (source, coin, name) in series),
            start_ms=start_ms,
            end_ms=end_ms,
        )

    def state(self, page: Page) -> tuple[int, str]:
        """Tell in which state that is which a page is made of.

        Returns:
            When it came about, epoch ms, and a name that no other state has.
        """
        marks = [
            self._store.fingerprint(page.coin, name, source=page.source) for name in page.stored
        ]
        changed = (one.changed_ms for mark in marks for one in mark if one is not None)
        name = hashlib.blake2b(repr(marks).encode(), digest_size=16).hexdigest()
        return max(changed, default=0), name

    def klines(self, page: Page) -> Rows:
        """Read the bars of a page, at most the last 5000 of them.

        `complete` says whether no minute is missing in a bar; one that is stored is what its venue
        made of all of them.

        Raises:
            DataGap: nothing is stored in the range; says what is.
        """
        if page.interval == "1m":
            bars = self._store.read(page.coin, "1m", page.start_ms, page.end_ms, source=page.source)
            complete = np.ones(len(bars), np.bool_)
        else:
            bars, complete = self._united(page)
        columns = {name: getattr(bars, name) for name in COLUMNS} | {"complete": complete}
        return _last_rows(page.source, columns)

    def funding(self, symbol: str, start_ms: int | None, end_ms: int | None) -> Rows:
        """Read settled funding with stamps in [start, end), at most the last 5000.

        Raises:
            NotFound: not a symbol, or nothing of it is stored; says what is.
            BadRequest: the range ends after now.
        """
        coin = self._coin(symbol, start_ms, end_ms)
        end_ms = self._now_ms() + 1 if end_ms is None else end_ms
        source = self._inventory.source_of(coin)
        times, rates = self._store.read_funding(coin, start_ms, end_ms, source=source)
        return _last_rows(source, {"time_ms": times, "rate": rates})

    def open_interest(self, symbol: str, start_ms: int | None, end_ms: int | None) -> Rows:
        """Read open interest with stamps in [start, end), at most the last 5000.

        Raises:
            NotFound: not a symbol, or nothing of it is stored; says what is.
            BadRequest: the range ends after now.
        """
        coin = self._coin(symbol, start_ms, end_ms)
        end_ms = self._now_ms() + 1 if end_ms is None else end_ms
        source = self._inventory.source_of(coin)
        times, values = read_interest(self._interest, coin, start_ms, end_ms, source)
        return _last_rows(source, {"time_ms": times, "open_interest": values})

    def _coin(self, symbol: str, start_ms: int | None, end_ms: int | None) -> str:
        """Name the coin asked for, and refuse ranges that reach beyond now."""
        coin, now_ms = coin_asked(symbol), self._now_ms()
        for name, moment_ms in (("start", start_ms), ("end", end_ms)):
            if moment_ms is not None and moment_ms > now_ms:
                raise BadRequest(f"{name} {moment_ms} is in the future; now is {now_ms}")
        return coin

    def _united(self, page: Page) -> tuple[Bars, BoolArray]:
        """Bars as a source has them, and those made of its 1m bars where it has none.

        Returns:
            The bars, and for each whether no minute of it is missing.
        """
        source, coin, interval, step = (
            page.source,
            page.coin,
            page.interval,
            INTERVAL_MS[page.interval],
        )
        bounds = (page.start_ms, page.end_ms)
        first, last = (None if at is None else -(-at // step) * step for at in bounds)
        made, stored, faults = empty_bars(step), empty_bars(step), []
        complete = np.zeros(0, np.bool_)
        for name in page.stored:
            try:
                bars = self._store.read(coin, name, first, last, source=source)
            except DataGap as error:
                faults.append(error)
                continue
            if name == interval:
                stored = bars
                continue
            made, complete = resample(bars, step)
            closed = made.closed_by(self._inventory.end_ms(source, coin))
            made, complete = made.rows(0, closed), complete[:closed]
        united = merge_bars(made, stored).bars
        if len(united) == 0:
            raise faults[0] if faults else DataGap(f"{coin} has no whole {interval} bar there")
        lacking = made.open_time_ms[~complete]
        return united, ~np.isin(united.open_time_ms, np.setdiff1d(lacking, stored.open_time_ms))


def _last_rows(source: Source, columns: Mapping[str, NDArray[Any]]) -> Rows:
    """As many of the rows as one answer has."""
    return Rows(source=source, columns={name: c[-MAX_ROWS:] for name, c in columns.items()})
