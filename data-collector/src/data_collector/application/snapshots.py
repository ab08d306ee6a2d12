"""The market of a coin at any stored moment, encoded once for all who ask for it."""

import itertools
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final

import msgspec
import numpy as np

from data_collector.application.ports import BarReader, OpenInterestReader
from data_collector.application.reading import Inventory, coin_asked, read_interest
from strategy_core.snapshot import (
    OPEN_INTEREST_AGE_MS,
    FundingView,
    SnapshotSeries,
    open_interest_at,
)
from suite.bars import DAY_MS, F64, HOUR_MS, I64, MINUTE_MS
from suite.bodies import Encoded
from suite.errors import BadRequest, DataGap, NotFound, SuiteError
from suite.klines import Source, bars_equal
from suite.moments import format_moment

CHECK_S: Final = 0.5
"""How long a coin's files are taken to be as they were."""
_FIRST_FUNDING_INTERVAL_MS = 8 * HOUR_MS
"""Taken for the interval before the first stamp that is stored."""
_STRETCH_MS: Final = 7 * DAY_MS
"""How much open interest is read at a time."""
_KEPT_MINUTES: Final = 3_000_000
"""Bars in memory, 48 bytes each and a tenth more for what is made of them."""
_KEPT_ANSWERS: Final = 1024
"""Encoded snapshots in memory, some 20 kB each."""
_encode = msgspec.json.Encoder().encode
_named = lru_cache(1024)(coin_asked)


@dataclass(slots=True, kw_only=True)
class _Loaded:
    """All that snapshots of one coin need, as of one state of its files.

    Attributes:
        number: differs from that of every other state.
        source: of the bars.
        covered_ms: until when no bar is still to come, other than one that was missing.
        checked_s: when the files were last found to be in it.
        open_interest: by the number of a stretch of time, read when it is first asked for.
    """

    number: int
    fingerprint: tuple[Any, ...]
    source: Source
    series: SnapshotSeries
    minutes: int
    first_ms: int
    end_ms: int
    funding: tuple[I64, F64]
    covered_ms: int
    checked_s: float
    open_interest: dict[int, tuple[I64, F64]] = field(default_factory=dict)


class Snapshots:
    """The market of a coin at any stored moment; what was asked for lately is in memory.

    A coin's files are looked at twice a second at most, however often it is asked for, and when
    `touch` says that there is something new.

    Args:
        store: where bars and funding are.
        interest: where open interest is.
        inventory: what there is.
        now_ms: the clock.
        now_s: any clock that runs evenly.
        covered_ms: until when it is decided of every minute that it is there or missing, though no
            later one may be stored yet; 0 where nobody knows.
    """

    def __init__(
        self,
        store: BarReader,
        interest: OpenInterestReader,
        inventory: Inventory,
        now_ms: Callable[[], int],
        now_s: Callable[[], float],
        covered_ms: Callable[[Source, str], int],
    ) -> None:
        self._store = store
        self._interest = interest
        self._inventory = inventory
        self._now_ms = now_ms
        self._now_s = now_s
        self._kept: dict[str, _Loaded] = {}
        self._answers: dict[tuple[str, int], tuple[int, Encoded]] = {}
        self._loads = itertools.count(1)
        self._covered_ms = covered_ms
        self._lock = threading.Lock()
        self._turns: dict[str, threading.Lock] = {}

    def touch(self, coin: str) -> None:
        """Have the coin's files looked at before the next answer."""
        loaded = self._kept.get(coin)
        if loaded is not None:
            loaded.checked_s = float("-inf")

    def ready(self, symbol: str, as_of_ms: int | None) -> Encoded | None:
        """Find an answer that needs no work; reads no file and takes no lock.

        Where it is time to look at the files, one caller is sent to `build` and the others get what
        there is until that is done.
        """
        try:
            coin = _named(symbol)
        except NotFound:
            return None
        loaded, now_s = self._kept.get(coin), self._now_s()
        if loaded is None:
            return None
        if now_s - loaded.checked_s >= CHECK_S:
            loaded.checked_s = now_s
            return None
        now_ms = self._now_ms()
        if as_of_ms is not None and as_of_ms > now_ms:
            return None
        at_ms = _minute(min(loaded.end_ms, now_ms) if as_of_ms is None else as_of_ms)
        number, answer = self._answers.get((coin, at_ms), (0, None))
        return answer if number == loaded.number else None

    def build(self, symbol: str, as_of_ms: int | None) -> Encoded:
        """Describe a coin's market from the 1m bars closed by a time.

        Args:
            symbol: by any venue's convention.
            as_of_ms: rounded down to a minute; None for the newest that is stored.

        Raises:
            NotFound: not a symbol.
            BadRequest: the time has not come yet.
            DataGap: nothing is stored for the time; says what is.
            StorageError: a file is damaged; names it.
        """
        coin, now_ms = _named(symbol), self._now_ms()
        if as_of_ms is not None and as_of_ms > now_ms:
            raise BadRequest(f"timestamp {as_of_ms} is in the future; now is {now_ms}")
        with self._turn_of(coin):
            loaded = self._load(coin)
            at_ms = _minute(min(loaded.end_ms, now_ms) if as_of_ms is None else as_of_ms)
            if not loaded.first_ms < at_ms <= max(loaded.end_ms, loaded.covered_ms):
                raise DataGap(
                    f"{coin} has no closed bar for {format_moment(at_ms)}; stored are "
                    f"{format_moment(loaded.first_ms)} to {format_moment(loaded.end_ms)}"
                )
            number, answer = self._answers.get((coin, at_ms), (0, None))
            if answer is None or number != loaded.number:
                answer = Encoded.of(_encode(self._snapshot(loaded, coin, at_ms)))
                with self._lock:
                    self._answers.pop((coin, at_ms), None)
                    self._answers[coin, at_ms] = loaded.number, answer
                    _shrink(self._answers, len(self._answers) - _KEPT_ANSWERS)
            return answer

    def _turn_of(self, coin: str) -> threading.Lock:
        """The lock of a coin that there is: what one coin takes, no other waits for."""
        turn = self._turns.get(coin)
        if turn is None:
            self._inventory.source_of(coin, "1m")
            turn = self._turns.setdefault(coin, threading.Lock())
        return turn

    def _load(self, coin: str) -> _Loaded:
        """Bring a coin up to the present state of its files."""
        checked_s, loaded = self._now_s(), self._kept.get(coin)
        try:
            source = self._inventory.source_of(coin, "1m")
            covered_ms = self._covered_ms(source, coin)  # before the bars: they are there by then
            fingerprint = (source, *self._store.fingerprint(coin, "1m", source=source))
            if loaded is None or loaded.fingerprint != fingerprint:
                loaded = self._read(coin, source, fingerprint, loaded)
        except SuiteError:
            with self._lock:
                self._kept.pop(coin, None)
            raise
        loaded.covered_ms, loaded.checked_s = covered_ms, checked_s
        with self._lock:
            self._kept.pop(coin, None)  # the one asked for last is forgotten last
            self._kept[coin] = loaded
            minutes = sum(held.minutes for held in self._kept.values())
            while minutes > _KEPT_MINUTES and len(self._kept) > 1:
                minutes -= self._kept.pop(next(iter(self._kept))).minutes
        return loaded

    def _read(
        self, coin: str, source: Source, fingerprint: tuple[Any, ...], before: _Loaded | None
    ) -> _Loaded:
        bars = self._store.read(coin, "1m", source=source)
        if before is not None and bars_equal(bars.rows(0, before.minutes), before.series.bars):
            series = before.series.extended(bars)
        else:
            series = SnapshotSeries(coin, bars)
        return _Loaded(
            number=next(self._loads),
            fingerprint=fingerprint,
            source=source,
            series=series,
            minutes=len(bars),
            first_ms=int(bars.open_time_ms[0]),
            end_ms=int(bars.open_time_ms[-1]) + MINUTE_MS,
            funding=self._store.read_funding(coin, source=source),
            covered_ms=0,
            checked_s=0.0,
        )

    def _snapshot(self, loaded: _Loaded, coin: str, at_ms: int) -> dict[str, object]:
        number = at_ms // _STRETCH_MS
        if number not in loaded.open_interest:
            first_ms = number * _STRETCH_MS
            loaded.open_interest[number] = read_interest(
                self._interest,
                coin,
                first_ms - OPEN_INTEREST_AGE_MS,
                first_ms + _STRETCH_MS,
                loaded.source,
            )
        return loaded.series.build(
            at_ms,
            funding=_funding(loaded, at_ms),
            market=None,
            open_interest=open_interest_at(*loaded.open_interest[number], at_ms),
        )


def _minute(time_ms: int) -> int:
    return time_ms // MINUTE_MS * MINUTE_MS


def _shrink(held: dict[Any, Any], count: int) -> None:
    """Forget the oldest entries."""
    for key in list(held)[: max(0, count)]:
        del held[key]


def _funding(loaded: _Loaded, at_ms: int) -> FundingView | None:
    """The funding settled last; stamps count from the minute at or after them."""
    times, rates = loaded.funding
    boundary = -(-times // MINUTE_MS) * MINUTE_MS
    row = int(np.searchsorted(boundary, at_ms, side="right")) - 1
    if row < 0:
        return None
    length = int(boundary[row] - boundary[row - 1]) if row else _FIRST_FUNDING_INTERVAL_MS
    return FundingView(
        rate_hourly=float(rates[row]) / (length / HOUR_MS), settled_at_ms=int(boundary[row])
    )
