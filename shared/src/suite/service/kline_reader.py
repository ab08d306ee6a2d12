"""Reading the kline store; what is in it is said in `suite.service.kline_store`."""

import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from suite.bars import F64, I64, INTERVAL_MS, Bars
from suite.errors import DataGap, StorageError
from suite.klines import (
    COLUMNS,
    INSTRUMENT_FIELDS,
    Coverage,
    Source,
    bars_of,
    concat_bars,
    empty_bars,
    gaps_of,
    merge_bars,
)
from suite.service.kline_files import read_columns, read_json

_COIN = re.compile(r"[A-Za-z0-9]{1,24}")
FUNDING_COLUMNS = ("time_ms", "rate")


class KlineReader:
    """Reads one store; holds nothing open, takes no lock.

    Args:
        root: its folder; need not exist to be read.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    # ---- what is there --------------------------------------------------------------------------

    def series(self) -> tuple[tuple[Source, str, str], ...]:
        """List (source, coin, interval) of everything that has bars, the preferred source first."""
        found = []
        for path in self.root.glob("klines/venue=*/market=*/symbol=*/interval=*"):
            venue, market, coin, interval = (part.partition("=")[2] for part in path.parts[-4:])
            if interval in INTERVAL_MS and any(path.glob("date=*/part-*.parquet")):
                found.append((Source(venue, market), coin, interval))
        return tuple(sorted(found, key=lambda item: (item[1], item[0].rank, INTERVAL_MS[item[2]])))

    def coins(self) -> tuple[str, ...]:
        """List the coins that have bars, A-Z."""
        return tuple(sorted({coin for _, coin, _ in self.series()}))

    def source_of(
        self, coin: str, interval: str = "1m", source: Source | str | None = None
    ) -> Source:
        """Choose where a coin's bars are read from.

        Args:
            coin: `BTC`.
            interval: `1m`.
            source: `venue/market`, `venue`, or None for the preferred one.

        Raises:
            DataGap: no such bars are stored; says what is.
        """
        series = self.series()
        held = [item for item in series if item[1] == coin]
        wanted = [item[0] for item in held if item[2] == interval and _matches(item[0], source)]
        if wanted:
            return wanted[0]
        if held:
            stored = ", ".join(f"{item[2]} of {item[0]}" for item in held)
            asked = f"{interval} bars" + (f" of {source}" if source else "")
            raise DataGap(f"{coin} has no stored {asked}; stored are {stored}")
        if not series:
            raise DataGap(
                f"no klines in {self.root}; fill it with data-collector import or generate"
            )
        raise DataGap(f"no stored bars of {coin[:24]}; stored are {', '.join(self.coins())}")

    def coverage(
        self, coin: str, interval: str = "1m", *, source: Source | str | None = None
    ) -> Coverage:
        """Say from when to when bars are stored and which are missing between them.

        Raises:
            DataGap: none are stored.
            StorageError: a file is damaged; names it.
        """
        chosen = self.source_of(coin, interval, source)
        times = self._times(chosen, coin, interval)
        if len(times) == 0:
            raise DataGap(f"{coin} has no stored {interval} bars in {chosen}")
        step = INTERVAL_MS[interval]
        return Coverage(
            source=chosen,
            interval=interval,
            first_open_ms=int(times[0]),
            end_ms=int(times[-1]) + step,
            bars=len(times),
            gaps=gaps_of(times, step),
        )

    def ledger(self, source: Source, coin: str, interval: str) -> dict[str, Any] | None:
        """Read the gap ledger as the last write left it."""
        return read_json(self._place("gaps", source, coin) / f"interval={interval}.json")

    def fingerprint(self, coin: str, interval: str = "1m", *, source: Source) -> tuple[Any, ...]:
        """Name the present state of a coin's files, cheaply: it changes when they do."""
        files = [path for _, path in self._parts(source, coin, interval)]
        files.append(self._place("funding", source, coin) / "part.parquet")
        states = ((file.name, file.stat()) for file in files if file.exists())
        return tuple((name, stat.st_ino, stat.st_mtime_ns, stat.st_size) for name, stat in states)

    @property
    def file_count(self) -> int:
        """How many Parquet files hold bars and funding."""
        return sum(
            1 for kind in ("klines", "funding") for _ in self.root.glob(f"{kind}/**/part*.parquet")
        )

    # ---- reading --------------------------------------------------------------------------------

    def read(
        self,
        coin: str,
        interval: str = "1m",
        from_ms: int | None = None,
        to_ms: int | None = None,
        *,
        source: Source | str | None = None,
    ) -> Bars:
        """Read the stored bars whose open time is in [from_ms, to_ms); what is missing stays so.

        Args:
            coin: `BTC`.
            interval: as stored; nothing is resampled.
            from_ms, to_ms: epoch ms, None for the edge of what is stored.
            source: `venue/market`, `venue`, or None for the preferred one.

        Raises:
            DataGap: nothing is stored in the range; names the range that is.
            StorageError: a file is damaged; names it.
        """
        chosen = self.source_of(coin, interval, source)
        parts = [
            bars_in(path, interval)
            for month, path in self._parts(chosen, coin, interval)
            if _overlaps(month, from_ms, to_ms)
        ]
        bars = chain(parts, INTERVAL_MS[interval])
        if from_ms is not None or to_ms is not None:
            bars = bars.between(_bound(from_ms, low=True), _bound(to_ms, low=False))
        if len(bars) == 0:
            held = self.coverage(coin, interval, source=chosen)
            raise DataGap(
                f"{coin} has no {interval} bars of {chosen} from {_moment(from_ms)} to "
                f"{_moment(to_ms)}; stored are {_moment(held.first_open_ms)} to "
                f"{_moment(held.end_ms)}"
            )
        return bars

    def read_funding(
        self,
        coin: str,
        from_ms: int | None = None,
        to_ms: int | None = None,
        *,
        source: Source | str | None = None,
    ) -> tuple[I64, F64]:
        """Read settled funding with stamps in [from_ms, to_ms).

        Returns:
            Stamps in epoch ms, rising; rates of the whole interval as a fraction, positive when
            longs paid. Both empty where none is stored.

        Raises:
            DataGap: the coin is not stored at all.
            StorageError: the file is damaged; names it.
        """
        times, rates = self.funding_at(self._any_source(coin, source), coin)
        first, end = np.searchsorted(times, [_bound(from_ms, low=True), _bound(to_ms, low=False)])
        return times[first:end], rates[first:end]

    def record(self, coin: str, *, source: Source | str | None = None) -> dict[str, Any] | None:
        """Read what is known about a coin: `source_symbol`, `price_decimals`, `synthetic`, ...

        Raises:
            DataGap: the coin is not stored at all.
            StorageError: the file is damaged; names it.
        """
        return self.record_at(self._any_source(coin, source), coin)

    def record_at(self, source: Source, coin: str) -> dict[str, Any] | None:
        """Read the record of a coin that need not have bars."""
        return read_json(self._record_path(source, coin))

    def content_hash(
        self,
        coin: str,
        from_ms: int | None = None,
        to_ms: int | None = None,
        *,
        interval: str = "1m",
        source: Source | str | None = None,
    ) -> str:
        """Hash what results depend on: bars and funding of a range, and the instrument.

        Paths, file times, how the rows are spread over files and where they came from (venue,
        market, symbol there, recorded or generated) do not count.

        Returns:
            SHA-256, hexadecimal.

        Raises:
            DataGap: no bars in the range.
            StorageError: a file is damaged; names it.
        """
        chosen = self.source_of(coin, interval, source)
        bars = self.read(coin, interval, from_ms, to_ms, source=chosen)
        funding = self.read_funding(coin, from_ms, to_ms, source=chosen)
        record = self.record(coin, source=chosen) or {}
        instrument = [record.get(name) for name in INSTRUMENT_FIELDS]
        digest = hashlib.sha256()
        digest.update(json.dumps([coin, interval, instrument], sort_keys=True).encode())
        for values in (*(getattr(bars, name) for name in COLUMNS), *funding):
            digest.update(len(values).to_bytes(8, "little"))
            digest.update(values.astype(values.dtype.newbyteorder("<"), copy=False).tobytes())
        return digest.hexdigest()

    # ---- the parts ------------------------------------------------------------------------------

    def funding_at(self, source: Source, coin: str) -> tuple[I64, F64]:
        path = self._place("funding", source, coin) / "part.parquet"
        if not path.exists():
            return np.zeros(0, np.int64), np.zeros(0)
        columns = read_columns(path, FUNDING_COLUMNS)
        if (np.diff(columns["time_ms"]) <= 0).any():
            raise StorageError(f"{path} is damaged: funding stamps do not rise")
        return columns["time_ms"], columns["rate"]

    def _times(self, source: Source, coin: str, interval: str) -> I64:
        parts = []
        for _, path in self._parts(source, coin, interval):
            parts.append(read_columns(path, COLUMNS[:1])[COLUMNS[0]])
        times = np.concatenate([np.zeros(0, np.int64), *parts])
        return times if (np.diff(times) > 0).all() else np.unique(times)

    def _any_source(self, coin: str, source: Source | str | None) -> Source:
        """The source meant when no interval is named: that of the shortest bars, 1m first."""
        intervals = [
            item[2] for item in self.series() if item[1] == coin and _matches(item[0], source)
        ]
        shortest = min(intervals, key=INTERVAL_MS.__getitem__, default="1m")
        return self.source_of(coin, shortest, source)

    def _parts(self, source: Source, coin: str, interval: str) -> Iterator[tuple[str, Path]]:
        """Files of a series by month, oldest first."""
        for place in sorted(self._interval_place(source, coin, interval).glob("date=*")):
            for path in sorted(place.glob("part-*.parquet")):
                yield place.name.removeprefix("date="), path

    def _interval_place(self, source: Source, coin: str, interval: str) -> Path:
        return self._place("klines", source, coin) / f"interval={interval}"

    def _place(self, kind: str, source: Source, coin: str) -> Path:
        if _COIN.fullmatch(coin) is None:
            raise DataGap(f"no coin has the name {coin[:24]!r}")
        return (
            self.root
            / kind
            / f"venue={source.venue}"
            / f"market={source.market}"
            / f"symbol={coin}"
        )

    def _record_path(self, source: Source, coin: str) -> Path:
        place = self._place("instruments", source, coin)
        return place.with_name(f"{place.name}.json")


def _matches(held: Source, asked: Source | str | None) -> bool:
    if asked is None or isinstance(asked, Source):
        return asked in {None, held}
    return asked in {held.venue, str(held)}


def bars_in(path: Path, interval: str) -> Bars:
    """Read one file and check what every reader relies on."""
    step = INTERVAL_MS[interval]
    bars = bars_of(step, read_columns(path, COLUMNS))
    if (np.diff(bars.open_time_ms) <= 0).any() or (bars.open_time_ms % step).any():
        raise StorageError(f"{path} is damaged: open times do not rise on the {interval} grid")
    return bars


def chain(parts: list[Bars], interval_ms: int) -> Bars:
    """Join the bars of files; those that overlap are merged, the later file winning."""
    parts = [part for part in parts if len(part)]
    ends = [int(part.open_time_ms[-1]) for part in parts]
    starts = [int(part.open_time_ms[0]) for part in parts]
    if all(end < start for end, start in zip(ends, starts[1:], strict=False)):
        return concat_bars(parts, interval_ms)
    whole = empty_bars(interval_ms)
    for part in parts:
        whole = merge_bars(whole, part).bars
    return whole


def _overlaps(month: str, from_ms: int | None, to_ms: int | None) -> bool:
    try:
        first = np.datetime64(month, "M")
    except ValueError:
        return True
    start = int(first.astype("datetime64[ms]").astype(np.int64))
    end = int((first + 1).astype("datetime64[ms]").astype(np.int64))
    return (to_ms is None or start < to_ms) and (from_ms is None or end > from_ms)


def _bound(value_ms: int | None, *, low: bool) -> int:
    if value_ms is None:
        return -(1 << 62) if low else 1 << 62
    return value_ms


def _moment(time_ms: int | None) -> str:
    if time_ms is None:
        return "the edge"
    if not -(10**14) < time_ms < 10**14:
        return str(time_ms)
    return str(np.datetime64(time_ms, "ms").astype("datetime64[m]")).replace("T", " ")
