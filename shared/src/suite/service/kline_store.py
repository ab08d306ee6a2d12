"""The kline store: Parquet files that data-collector writes and virtual-exchange reads.

    klines/venue=V/market=M/symbol=BTC/interval=1m/date=2025-05/part-0.parquet
        open_time_ms int64 UTC, open high low close volume float64, sorted, unique
    funding/venue=V/market=M/symbol=BTC/part-0.parquet      time_ms int64, rate float64
    instruments/venue=V/market=M/symbol=BTC.json            what is known of the instrument
    gaps/venue=V/market=M/symbol=BTC/interval=1m.json       missing ranges, [[from_ms, to_ms], ...]
    revisions/...jsonl                                      closed bars that a later source changed

`symbol=` holds the coin, whatever the source called it. Every file appears whole: written beside
its place, synced, renamed, folder synced.
"""

import hashlib
import json
import os
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from suite.bars import F64, I64, INTERVAL_MS, Bars
from suite.errors import DataGap, StorageError
from suite.fixed import Usd
from suite.instrument import KNOWN, Instrument, MarginTier, default_instrument

COLUMNS = ("open", "high", "low", "close", "volume")
EMPTY_TIMES: I64 = np.zeros(0, np.int64)
_SERIES = re.compile(r"venue=([^/]+)/market=([^/]+)/symbol=([^/]+)")


@dataclass(frozen=True, slots=True, order=True)
class Series:
    """One instrument as one venue's market recorded it."""

    venue: str
    market: str
    coin: str

    @property
    def folder(self) -> str:
        """Its part of every path."""
        return f"venue={self.venue}/market={self.market}/symbol={self.coin}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """What is stored of a series.

    Attributes:
        from_ms: first open time.
        to_ms: end of the last bar, exclusive.
        gaps: missing ranges [from_ms, to_ms) inside it.
    """

    series: Series
    interval: str
    from_ms: int
    to_ms: int
    bars: int
    gaps: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Funding:
    """Settled funding: stamps in ms, rates as fractions of the whole interval; shape (n,) each."""

    time_ms: I64
    rate: F64


class KlineStore:
    """A store under one folder.

    Args:
        root: the folder; created on the first write.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    # what is there

    def series(self) -> list[Series]:
        """Every stored series, sorted."""
        found = set()
        for path in self.root.glob("klines/venue=*/market=*/symbol=*"):
            match = _SERIES.search(path.as_posix())
            if match:
                found.add(Series(*match.groups()))
        return sorted(found)

    def coins(self, interval: str = "1m") -> list[str]:
        """Coins with bars of an interval."""
        has = (s.coin for s in self.series() if self._months(s, interval))
        return sorted(set(has))

    def find(self, coin: str, interval: str = "1m", venue: str | None = None) -> Series:
        """The series that serves a coin: of several the one with most files, then by name.

        Raises:
            DataGap: nothing is stored; the message says what is.
        """
        known = [s for s in self.series() if s.coin == coin and venue in {None, s.venue}]
        stored = [s for s in known if self._months(s, interval)]
        if not stored:
            have = ", ".join(self.coins(interval)) or "nothing"
            where = f" of venue {venue}" if venue else ""
            raise DataGap(f"no {interval} bars of {coin}{where} in {self.root}; stored: {have}")
        perps = [s for s in stored if s.market == "perp"] or stored
        return min(perps, key=lambda s: (-len(self._months(s, interval)), s))

    def _months(self, series: Series, interval: str) -> list[Path]:
        folder = self.root / "klines" / series.folder / f"interval={interval}"
        return sorted(folder.glob("date=*/part-*.parquet"))

    def file_count(self, series: Series, interval: str = "1m") -> int:
        """How many files hold its bars."""
        return len(self._months(series, interval))

    def coverage(self, series: Series, interval: str = "1m") -> Coverage:
        """Range and gaps of a series.

        Raises:
            DataGap: no bars of that interval.
        """
        bars = self.read(series, interval)
        if len(bars) == 0:
            raise DataGap(f"no {interval} bars of {series.coin} in {self.root}")
        return Coverage(
            series=series,
            interval=interval,
            from_ms=int(bars.open_time_ms[0]),
            to_ms=int(bars.open_time_ms[-1]) + bars.interval_ms,
            bars=len(bars),
            gaps=gaps_of(bars),
        )

    # reading

    def read(
        self,
        series: Series,
        interval: str = "1m",
        from_ms: int | None = None,
        to_ms: int | None = None,
    ) -> Bars:
        """Bars whose open time is in [from_ms, to_ms); all of them without bounds.

        Raises:
            StorageError: a file is damaged.
        """
        first = "" if from_ms is None else month_of(from_ms)
        last = "~" if to_ms is None else month_of(max(to_ms - 1, 0))
        paths = [
            path
            for path in self._months(series, interval)
            if first <= path.parent.name.removeprefix("date=") <= last
        ]
        tables = [_read_columns(path, ("open_time_ms", *COLUMNS)) for path in paths]
        times, *columns = (
            np.concatenate([table[i] for table in tables]) if tables else np.zeros(0)
            for i in range(len(COLUMNS) + 1)
        )
        bars = Bars(INTERVAL_MS[interval], times.astype(np.int64), *columns)
        if from_ms is None and to_ms is None:
            return bars
        return bars.between(from_ms or 0, (1 << 62) if to_ms is None else to_ms)

    def read_funding(
        self, series: Series, from_ms: int | None = None, to_ms: int | None = None
    ) -> Funding:
        """Settled funding whose stamp is in [from_ms, to_ms]; empty when none is stored."""
        paths = sorted((self.root / "funding" / series.folder).glob("part-*.parquet"))
        if not paths:
            return Funding(EMPTY_TIMES, np.zeros(0))
        times, rates = _read_columns(paths[0], ("time_ms", "rate"))
        first = 0 if from_ms is None else int(np.searchsorted(times, from_ms))
        end = len(times) if to_ms is None else int(np.searchsorted(times, to_ms, side="right"))
        return Funding(times[first:end].astype(np.int64), rates[first:end])

    def record(self, series: Series) -> dict[str, Any]:
        """What is known of the instrument; empty when nothing is."""
        path = self.root / "instruments" / f"{series.folder}.json"
        if not path.exists():
            return {}
        try:
            record: dict[str, Any] = json.loads(path.read_bytes())
        except ValueError as error:
            raise StorageError(f"damaged instrument record {path}: {error}") from error
        return record

    def instrument(self, series: Series) -> Instrument:
        """The instrument: the store's record, else the shipped table, else derived."""
        return instrument_of(self.record(series), series.coin)

    def content_hash(
        self, series: Series, interval: str = "1m", from_ms: int = 0, to_ms: int = 1 << 62
    ) -> str:
        """SHA-256 over bars, funding and record: of what they say, not of files or paths."""
        digest = hashlib.sha256(f"{series.folder}/{interval}".encode())
        bars, funding = self.read(series, interval, from_ms, to_ms), self.read_funding(series)
        for column in (bars.open_time_ms, *(getattr(bars, name) for name in COLUMNS)):
            digest.update(np.ascontiguousarray(column).tobytes())
        inside = funding.time_ms <= to_ms
        digest.update(funding.time_ms[inside].tobytes() + funding.rate[inside].tobytes())
        digest.update(json.dumps(self.record(series), sort_keys=True).encode())
        return digest.hexdigest()

    # writing

    def write_bars(self, series: Series, interval: str, bars: Bars) -> int:
        """Merge bars into the store; what is there already is left alone.

        A bar that differs from the stored one of the same time replaces it and is kept in the
        revision file, never silently.

        Args:
            bars: sorted and unique.

        Returns:
            How many bars were new or changed.
        """
        months = np.array([month_of(time) for time in bars.open_time_ms.tolist()])
        changed = 0
        for month in np.unique(months):
            rows = np.flatnonzero(months == month)
            part = bars.rows(int(rows[0]), int(rows[-1]) + 1)
            changed += self._write_month(series, interval, str(month), part)
        if changed:
            self._write_gaps(series, interval)
        return changed

    def _write_month(self, series: Series, interval: str, month: str, bars: Bars) -> int:
        folder = self.root / "klines" / series.folder / f"interval={interval}" / f"date={month}"
        path = folder / "part-0.parquet"
        merged, fresh, revised = bars, len(bars), EMPTY_TIMES
        if path.exists():
            times, *columns = _read_columns(path, ("open_time_ms", *COLUMNS))
            stored = Bars(bars.interval_ms, times, *columns)
            merged, fresh, revised = merge(stored, bars)
            self._write_revisions(series, interval, stored, revised)
        if fresh or len(revised):
            arrays = {"open_time_ms": merged.open_time_ms}
            arrays |= {name: getattr(merged, name) for name in COLUMNS}
            _write_columns(path, arrays)
        return fresh + len(revised)

    def _write_revisions(self, series: Series, interval: str, stored: Bars, times: I64) -> None:
        if len(times) == 0:
            return
        rows = np.searchsorted(stored.open_time_ms, times)
        path = self.root / "revisions" / series.folder / f"interval={interval}.jsonl"
        before = path.read_bytes() if path.exists() else b""
        lines = [
            json.dumps(
                {"open_time_ms": int(stored.open_time_ms[row])}
                | {name: float(getattr(stored, name)[row]) for name in COLUMNS}
            )
            for row in rows
        ]
        write_whole(path, before + "".join(line + "\n" for line in lines).encode())

    def _write_gaps(self, series: Series, interval: str) -> None:
        path = self.root / "gaps" / series.folder / f"interval={interval}.json"
        write_whole(path, json.dumps(gaps_of(self.read(series, interval))).encode())

    def write_funding(self, series: Series, funding: Funding) -> int:
        """Merge settled funding; returns how many stamps were new or changed."""
        stored = self.read_funding(series)
        times = np.concatenate([funding.time_ms, stored.time_ms])
        rates = np.concatenate([funding.rate, stored.rate])
        unique, first = np.unique(times, return_index=True)
        same = np.isin(funding.time_ms, stored.time_ms)
        known = stored.rate[np.searchsorted(stored.time_ms, funding.time_ms[same])]
        changed = int((~same).sum() + (known != funding.rate[same]).sum())
        if changed:
            path = self.root / "funding" / series.folder / "part-0.parquet"
            _write_columns(path, {"time_ms": unique, "rate": rates[first]})
        return changed

    def write_record(self, series: Series, record: dict[str, Any]) -> None:
        """Add to what is known of the instrument."""
        path = self.root / "instruments" / f"{series.folder}.json"
        merged = self.record(series) | record
        write_whole(path, json.dumps(merged, indent=1, sort_keys=True).encode() + b"\n")


def month_of(time_ms: int) -> str:
    """`2025-05` of a time."""
    return datetime.fromtimestamp(time_ms / 1000, UTC).strftime("%Y-%m")


def gaps_of(bars: Bars) -> tuple[tuple[int, int], ...]:
    """Missing ranges [from_ms, to_ms) between the first and the last bar."""
    steps = np.diff(bars.open_time_ms)
    rows = np.flatnonzero(steps != bars.interval_ms)
    starts = bars.open_time_ms[rows] + bars.interval_ms
    ends = bars.open_time_ms[rows + 1]
    return tuple(zip(starts.tolist(), ends.tolist(), strict=True))


def merge(stored: Bars, arrived: Bars) -> tuple[Bars, int, I64]:
    """Bring two runs of bars together; where both have a bar and differ, the arrived one holds.

    Returns:
        The merged bars, how many are new, and the times of those that changed.
    """
    both = np.isin(arrived.open_time_ms, stored.open_time_ms)
    rows = np.searchsorted(stored.open_time_ms, arrived.open_time_ms[both])
    differs = np.zeros(int(both.sum()), np.bool_)
    for name in COLUMNS:
        differs |= getattr(arrived, name)[both] != getattr(stored, name)[rows]
    times = np.concatenate([arrived.open_time_ms, stored.open_time_ms])
    unique, first = np.unique(times, return_index=True)
    columns = [
        np.concatenate([getattr(arrived, name), getattr(stored, name)])[first] for name in COLUMNS
    ]
    merged = Bars(stored.interval_ms, unique, *columns)
    return merged, int((~both).sum()), arrived.open_time_ms[both][differs]


def instrument_of(record: dict[str, Any], coin: str) -> Instrument:
    """Build an instrument from what the store knows.

    Size decimals: the record's, else the shipped table's, else derived from the price decimals
    seen. Leverage: imported brackets where present. The venue's maintenance rate is half the
    initial rate
    of the tier, so a bracket asking for more maintenance is tightened to the leverage that asks as
    much; the shipped table's highest leverage caps all tiers.
    """
    derived = default_instrument(coin, int(record.get("price_decimals", 2)))
    sz_decimals = int(record.get("sz_decimals", derived.sz_decimals))
    tiers: list[MarginTier] = []
    for bracket in record.get("brackets", ()):
        rate = float(bracket["maintenance_rate"])
        leverage = min(int(bracket["max_leverage"]), int(0.5 / rate) if rate > 0 else 1 << 30)
        if coin in KNOWN:
            leverage = min(leverage, KNOWN[coin][1])
        leverage = max(1, leverage)
        if not tiers or leverage < tiers[-1].max_leverage:
            bound = Usd(round(float(bracket["min_notional"]) * 1e6))
            tiers.append(MarginTier(lower_bound_usd=bound, max_leverage=leverage))
    return Instrument(coin=coin, sz_decimals=sz_decimals, tiers=tuple(tiers) or derived.tiers)


def write_whole(path: Path, content: bytes) -> None:
    """Make a file appear with all of its content, or not at all, even across a crash."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise StorageError(f"cannot write {path}: {error.strerror}") from error


def _read_columns(path: Path, names: tuple[str, ...]) -> list[NDArray[Any]]:
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path, columns=list(names), partitioning=None)
        return [table[name].to_numpy() for name in names]
    except (OSError, ValueError, KeyError) as error:
        reason = str(error).splitlines()[0][:200]
        raise StorageError(f"damaged file {path}: {reason}") from error


def _write_columns(path: Path, arrays: dict[str, NDArray[Any]]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    sink = pa.BufferOutputStream()
    columns = {name: pa.array(array) for name, array in arrays.items()}
    pq.write_table(pa.table(columns), sink, compression="zstd")
    write_whole(path, sink.getvalue().to_pybytes())
