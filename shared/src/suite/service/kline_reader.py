"""Reading the kline store; what is in it is said in `suite.service.kline_store`."""

import hashlib
import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np

from suite.bars import F64, I64, INTERVAL_MS, Bars
from suite.errors import DataGap, StorageError
from suite.gaps import Ledger
from suite.klines import (
    COLUMNS,
    INSTRUMENT_FIELDS,
    Coverage,
    Source,
    bars_of,
    concat_bars,
    empty_bars,
    merge_bars,
    merge_funding,
)
from suite.service.kline_cache import ColumnCache
from suite.service.kline_files import damaged, read_columns, read_json
from suite.service.remote_files import open_files
from suite.service.store_files import StoredFile, StoreFiles

T = TypeVar("T")

_COIN = re.compile(r"[A-Za-z0-9]{1,24}")
_NUMBER = re.compile(r"part-(\d+)")
FUNDING_COLUMNS = ("time_ms", "rate")
OPEN_INTEREST_COLUMNS = ("time_ms", "open_interest")
_ATTEMPTS = 20
"""How often a series is listed again because a file was replaced while it was read."""


class Part(NamedTuple):
    """One file of a series.

    Attributes:
        month: `2025-05`, as its folder says.
        number: of two files that hold a row, the higher number is right.
    """

    month: str
    number: int
    file: StoredFile


class KlineReader:
    """Reads one store; holds nothing open, takes no lock.

    Args:
        place: its folder, or an address such as `s3://bucket/prefix`; need not exist to be read.
    """

    def __init__(self, place: Path | str) -> None:
        self.files: StoreFiles = open_files(place)
        self._cache = ColumnCache(self.files.cache)
        self._filled: set[str] = set()

    @property
    def root(self) -> Path:
        """The folder of a store that is one."""
        return Path(self.files.place)

    # ---- what is there --------------------------------------------------------------------------

    def series(self) -> tuple[tuple[Source, str, str], ...]:
        """List (source, coin, interval) of everything that has bars, the preferred source first."""
        found = []
        for folder in self.files.folders("klines/venue=*/market=*/symbol=*/interval=*"):
            try:
                source, coin, (interval,) = series_of(folder)
            except ValueError:  # the folder of another program; there is no such venue or market
                continue
            if interval in INTERVAL_MS and self._has_parts(folder):
                found.append((source, coin, interval))
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
        if isinstance(source, Source) and self._has_parts(
            self.interval_folder(source, coin, interval)
        ):
            return source
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
                f"no klines in {self.files.place}; fill it with data-collector import or generate"
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
        ledger = self.ledger_now(chosen, coin, interval)
        if ledger.first_open_ms is None or ledger.end_ms is None:
            raise DataGap(f"{coin} has no stored {interval} bars in {chosen}")
        return Coverage(
            source=chosen,
            interval=interval,
            first_open_ms=ledger.first_open_ms,
            end_ms=ledger.end_ms,
            bars=ledger.bars,
            gaps=ledger.gaps,
            outside=ledger.outside,
        )

    def ledger(self, source: Source, coin: str, interval: str) -> Ledger | None:
        """Read the gap ledger as the last write left it."""
        return self._stored_ledger(source, coin, interval)[0]

    def ledger_now(self, source: Source, coin: str, interval: str) -> Ledger:
        """Read the gap ledger where it is of the files that are there, else make it of them.

        A writer that was killed between the two leaves one that is not; so does a program that
        puts a file of its own into the store.
        """
        ledger, digest = self._stored_ledger(source, coin, interval)
        folder = self.interval_folder(source, coin, interval)
        if ledger is not None and digest == parts_digest(self.parts(folder)):
            return ledger
        times = self._settled(folder, self._times)
        made = Ledger.of(times, INTERVAL_MS[interval])
        for note in ledger.notes if ledger is not None else ():
            made = made.with_note(note)
        return made

    def fingerprint(self, coin: str, interval: str = "1m", *, source: Source) -> tuple[Any, ...]:
        """Name the present state of a coin's files, cheaply: it changes when they do."""
        parts = self.parts(self.interval_folder(source, coin, interval))
        funding = self.files.files(f"{self.place_of('funding', source, coin)}/part.parquet")
        return *(part.file for part in parts), *funding

    @property
    def file_count(self) -> int:
        """How many Parquet files hold bars and funding."""
        return sum(
            len(self.files.files(f"{kind}/**/part*.parquet")) for kind in ("klines", "funding")
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
        folder = self.interval_folder(chosen, coin, interval)
        bars = self._settled(
            folder, lambda parts: self._bars(folder, parts, INTERVAL_MS[interval], from_ms, to_ms)
        )
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

    def read_open_interest(
        self,
        coin: str,
        from_ms: int | None = None,
        to_ms: int | None = None,
        *,
        source: Source | str | None = None,
    ) -> tuple[I64, F64]:
        """Read open interest with stamps in [from_ms, to_ms).

        Returns:
            Stamps in epoch ms, rising; units of the coin. Both empty where none is stored.

        Raises:
            DataGap: the coin is not stored at all.
            StorageError: a file is damaged; names it.
        """
        folder = self.place_of("open_interest", self._any_source(coin, source), coin)
        times, values = self._settled(
            folder,
            lambda parts: self.open_interest_in(
                [part for part in parts if _overlaps(part.month, from_ms, to_ms)]
            ),
        )
        first, end = np.searchsorted(times, [_bound(from_ms, low=True), _bound(to_ms, low=False)])
        return times[first:end], values[first:end]

    def record(self, coin: str, *, source: Source | str | None = None) -> dict[str, Any] | None:
        """Read what is known about a coin: `source_symbol`, `price_decimals`, `synthetic`, ...

        Raises:
            DataGap: the coin is not stored at all.
            StorageError: the file is damaged; names it.
        """
        return self.record_at(self._any_source(coin, source), coin)

    def record_at(self, source: Source, coin: str) -> dict[str, Any] | None:
        """Read the record of a coin that need not have bars."""
        return read_json(self.files, self.record_name(source, coin))

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
            plain = values.astype(values.dtype.newbyteorder("<"), copy=False)
            digest.update(np.ascontiguousarray(plain).data)
        return digest.hexdigest()

    # ---- the parts ------------------------------------------------------------------------------

    def funding_at(self, source: Source, coin: str) -> tuple[I64, F64]:
        """Read all funding of a coin that need not have bars."""
        name = f"{self.place_of('funding', source, coin)}/part.parquet"
        try:
            columns = read_columns(self.files, name, FUNDING_COLUMNS)
        except FileNotFoundError:
            return np.zeros(0, np.int64), np.zeros(0)
        if (np.diff(columns["time_ms"]) <= 0).any():
            raise damaged(self.files, name, "funding stamps do not rise")
        return columns["time_ms"], columns["rate"]

    def open_interest_in(self, parts: Sequence[Part]) -> tuple[I64, F64]:
        """Read files of open interest as one series."""
        whole = np.zeros(0, np.int64), np.zeros(0)
        for part in parts:
            columns = read_columns(self.files, part.file.name, OPEN_INTEREST_COLUMNS)
            if (np.diff(columns["time_ms"]) <= 0).any():
                raise damaged(self.files, part.file.name, "stamps do not rise")
            whole, _ = merge_funding(whole, (columns["time_ms"], columns["open_interest"]))
        return whole

    def parts(self, folder: str) -> list[Part]:
        """List the files of a series by month, and by number within it."""
        found = []
        for file in self.files.files(f"{folder}/date=*/part-*.parquet"):
            month, name = file.name.rsplit("/", 2)[-2:]
            number = _NUMBER.match(name)
            found.append(Part(month.removeprefix("date="), int(number[1]) if number else -1, file))
        return sorted(found)

    def bars_in(self, name: str, interval_ms: int) -> Bars:
        """Read one file and check what every reader relies on."""
        bars = bars_of(interval_ms, read_columns(self.files, name, COLUMNS))
        times = bars.open_time_ms
        steps = np.diff(times)
        unbroken = (steps == interval_ms).all() and not (times[:1] % interval_ms).any()
        if not unbroken and ((steps <= 0).any() or (times % interval_ms).any()):
            raise damaged(self.files, name, "open times do not rise on the grid of the interval")
        return bars

    def month_bars(self, parts: Sequence[Part], interval_ms: int) -> Bars:
        """Read the files of one month as one."""
        return chain([self.bars_in(part.file.name, interval_ms) for part in parts], interval_ms)

    def interval_folder(self, source: Source, coin: str, interval: str) -> str:
        """Name the folder of a series."""
        return f"{self.place_of('klines', source, coin)}/interval={interval}"

    def place_of(self, kind: str, source: Source, coin: str) -> str:
        """Name the folder of a coin."""
        if _COIN.fullmatch(coin) is None:
            raise DataGap(f"no coin has the name {coin[:24]!r}")
        return f"{kind}/venue={source.venue}/market={source.market}/symbol={coin}"

    def record_name(self, source: Source, coin: str) -> str:
        """Name the file of a coin's record."""
        return f"{self.place_of('instruments', source, coin)}.json"

    def ledger_name(self, source: Source, coin: str, interval: str) -> str:
        """Name the file of a gap ledger."""
        return f"{self.place_of('gaps', source, coin)}/interval={interval}.json"

    def _stored_ledger(self, source: Source, coin: str, interval: str) -> tuple[Ledger | None, str]:
        """The ledger, and the digest of the files it was made of."""
        name = self.ledger_name(source, coin, interval)
        stored = read_json(self.files, name)
        if stored is None:
            return None, ""
        try:
            return Ledger.parse(stored), str(stored["files"])
        except (ValueError, KeyError, TypeError) as error:
            raise damaged(self.files, name, f"not a gap ledger: {error!r}") from None

    def _bars(
        self,
        folder: str,
        parts: Sequence[Part],
        interval_ms: int,
        from_ms: int | None,
        to_ms: int | None,
    ) -> Bars:
        """Bars of a range: of the copy what it has, the rest of the files."""
        files = [part.file for part in parts]
        copy, lengths = self._cache.find(folder, files, interval_ms)
        left = parts[len(lengths) :]
        wanted = [part for part in left if _overlaps(part.month, from_ms, to_ms)]
        decoded = [self.bars_in(part.file.name, interval_ms) for part in wanted]
        bars = chain([copy, *decoded], interval_ms)
        lengths += [len(part) for part in decoded]
        if len(wanted) == len(left) and len(bars) == sum(lengths):
            new = len(bars) - len(copy)
            self._cache.offer(folder, files, bars, lengths, decoded=new)
        if from_ms is None and to_ms is None:
            return bars
        return bars.between(_bound(from_ms, low=True), _bound(to_ms, low=False))

    def _times(self, parts: Sequence[Part]) -> I64:
        found = [
            read_columns(self.files, part.file.name, COLUMNS[:1])[COLUMNS[0]] for part in parts
        ]
        times = np.concatenate([np.zeros(0, np.int64), *found])
        return times if (np.diff(times) > 0).all() else np.unique(times)

    def _settled(self, folder: str, read: Callable[[Sequence[Part]], T]) -> T:
        """Read the files of a series, again when a writer put newer ones in their place."""
        for _ in range(_ATTEMPTS):
            try:
                return read(self.parts(folder))
            except FileNotFoundError:
                continue
        raise StorageError(f"{self.files.place}/{folder} changes faster than it can be read")

    def _has_parts(self, folder: str) -> bool:
        if folder not in self._filled and self.parts(folder):
            self._filled.add(folder)
        return folder in self._filled

    def _any_source(self, coin: str, source: Source | str | None) -> Source:
        """The source meant when no interval is named: that of the shortest bars, 1m first."""
        if isinstance(source, Source):
            return source
        intervals = [
            item[2] for item in self.series() if item[1] == coin and _matches(item[0], source)
        ]
        shortest = min(intervals, key=INTERVAL_MS.__getitem__, default="1m")
        return self.source_of(coin, shortest, source)


def series_of(name: str) -> tuple[Source, str, tuple[str, ...]]:
    """Read source, coin and what follows them from the name of a file or folder of a series."""
    values = [part.partition("=")[2] for part in name.split("/") if "=" in part]
    return Source(values[0], values[1]), values[2], tuple(values[3:])


def parts_digest(parts: Sequence[Part]) -> str:
    """Name a set of files: a file is never written twice, so names and sizes tell."""
    text = "\n".join(f"{part.file.name.rpartition('=')[2]} {part.file.size}" for part in parts)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _matches(held: Source, asked: Source | str | None) -> bool:
    if asked is None or isinstance(asked, Source):
        return asked in {None, held}
    return asked in {held.venue, str(held)}


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
