"""The kline store: bars, funding and instrument records in a folder of Parquet and JSON files.

    klines/venue=V/market=M/symbol=BTC/interval=1m/date=2025-05/part-0.parquet
    funding/venue=V/market=M/symbol=BTC/part.parquet
    open_interest/venue=V/market=M/symbol=BTC/date=2025-05/part-0.parquet
    instruments/venue=V/market=M/symbol=BTC.json
    gaps/venue=V/market=M/symbol=BTC/interval=1m.json        what is missing between bars, and why
    revisions/venue=V/market=M/symbol=BTC/<what>/part-<hash>.parquet   what a write replaced

A part file is written once. What is new of a month goes into one with the next number; what
changes, and what was scattered, into one with the next number that holds the whole month, and only
then the others are deleted. Of two files that hold a row the higher number is right, so a writer
killed anywhere lets no old value win. Files appear whole, so a reader needs no lock; writers take
turns. A process killed in the middle of a write leaves some months written and others not; the
same write repeated completes them.

Where several venues or markets hold a coin, the first by `suite.klines.Source.rank` is meant
unless one is named: real data before synthetic, perpetuals before spot, then by name.
"""

import hashlib
import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from suite.bars import F64, I64, Bars
from suite.errors import ConfigError
from suite.gaps import Ledger
from suite.klines import (
    COLUMNS,
    Coverage,
    Gap,
    Merge,
    Source,
    WriteResult,
    instrument_of,
    interval_name,
    merge_bars,
    merge_funding,
    replaced_in,
)
from suite.service.kline_files import read_json, write_columns, write_json
from suite.service.kline_reader import (
    FUNDING_COLUMNS,
    OPEN_INTEREST_COLUMNS,
    KlineReader,
    Part,
    parts_digest,
)

__all__ = ["Coverage", "Gap", "KlineStore", "Source", "instrument_of", "open_store"]

PARTS_MAX: Final = 48
"""A month in more files than this is put into one by the next append."""


class KlineStore(KlineReader):
    """Reads and writes one store; holds nothing open.

    Args:
        place: its folder, or an address such as `s3://bucket/prefix`; need not exist to be read.
    """

    def write_bars(self, source: Source, coin: str, bars: Bars) -> WriteResult:
        """Merge bars with what is stored; the same bars again change nothing.

        A bar that is stored with other values is replaced, and the old values are kept under
        `revisions/` before that.

        Args:
            source: where they come from.
            coin: `BTC`.
            bars: strictly rising; only closed ones.

        Raises:
            StorageError: a stored file is damaged, or the disk refuses.
        """
        with self.files.exclusive():
            ledger = self.ledger_now(source, coin, interval_name(bars.interval_ms))
            return self._merge(source, coin, bars, ledger)

    def append_bars(self, source: Source, coin: str, bars: Bars) -> WriteResult:
        """Add bars at the cost of these bars alone.

        Those that are not all newer than what is stored are merged as `write_bars` does.

        Args:
            source: where they come from.
            coin: `BTC`.
            bars: strictly rising; only closed ones.

        Raises:
            StorageError: a stored file is damaged, or the disk refuses.
        """
        interval = interval_name(bars.interval_ms)
        if len(bars) == 0:
            return WriteResult()
        with self.files.exclusive():
            ledger = self.ledger_now(source, coin, interval)
            if ledger.end_ms is not None and int(bars.open_time_ms[0]) < ledger.end_ms:
                return self._merge(source, coin, bars, ledger)
            folder = self.interval_folder(source, coin, interval)
            for month, rows in _by_month(bars.open_time_ms):
                parts = self._month(folder, month)
                self._add_part(f"{folder}/date={month}", parts, _columns(bars.rows(*rows)))
                if len(parts) >= PARTS_MAX:
                    self._compact_bars(folder, month, bars.interval_ms)
            self._write_ledger(source, coin, ledger.with_bars(bars.open_time_ms))
        return WriteResult(added=len(bars))

    def write_funding(self, source: Source, coin: str, time_ms: I64, rate: F64) -> WriteResult:
        """Merge settled funding with what is stored, as `write_bars` does.

        Args:
            source: where it comes from.
            coin: `BTC`.
            time_ms: shape (n,), strictly rising stamps.
            rate: shape (n,), fraction of the whole interval, positive when longs pay.
        """
        with self.files.exclusive():
            old = self.funding_at(source, coin)
            (times, rates), result = merge_funding(old, (time_ms, rate))
            if result.revised:
                gone = replaced_in(old, (time_ms, rate))
                columns = dict(zip(FUNDING_COLUMNS, gone, strict=True))
                self._keep_revision(source, coin, "funding", columns)
            if result.added or result.revised:
                place = self.place_of("funding", source, coin)
                self.files.sweep(place)
                columns = dict(zip(FUNDING_COLUMNS, (times, rates), strict=True))
                write_columns(self.files, f"{place}/part.parquet", columns)
        return result

    def write_open_interest(
        self, source: Source, coin: str, time_ms: I64, value: F64
    ) -> WriteResult:
        """Merge open interest with what is stored; what is newer than all of it is cheap.

        Args:
            source: where it comes from.
            coin: `BTC`.
            time_ms: shape (n,), strictly rising stamps.
            value: shape (n,), units of the coin.
        """
        result = WriteResult()
        folder = self.place_of("open_interest", source, coin)
        with self.files.exclusive():
            for month, (first, end) in _by_month(time_ms):
                rows = time_ms[first:end], value[first:end]
                parts = self._month(folder, month)
                old = self.open_interest_in(parts)
                whole, change = merge_funding(old, rows)
                if change.revised:
                    gone = replaced_in(old, rows)
                    columns = dict(zip(OPEN_INTEREST_COLUMNS, gone, strict=True))
                    self._keep_revision(source, coin, "open_interest", columns)
                is_newer = len(old[0]) == 0 or rows[0][0] > old[0][-1]
                adds = is_newer and len(parts) < PARTS_MAX
                columns = dict(zip(OPEN_INTEREST_COLUMNS, rows if adds else whole, strict=True))
                if change.added or change.revised:
                    self._add_part(f"{folder}/date={month}", parts, columns, replace=not adds)
                result += change
        return result

    def write_record(self, source: Source, coin: str, fields: Mapping[str, Any]) -> None:
        """Merge fields into a coin's record; None leaves a field as it is.

        A record that loses a value by that is kept under `revisions/`. `price_decimals` never
        shrinks: files of one coin may each show fewer than all of them.
        """
        with self.files.exclusive():
            old = self.record_at(source, coin) or {}
            new = {"coin": coin, "venue": source.venue, "market": source.market, **old}
            new.update({name: value for name, value in fields.items() if value is not None})
            seen = [item["price_decimals"] for item in (old, new) if "price_decimals" in item]
            if seen:
                new["price_decimals"] = max(seen)
            if new != old:
                if any(new[name] != value for name, value in old.items()):
                    self._keep_record(source, coin, old)
                name = self.record_name(source, coin)
                self.files.sweep(name.rpartition("/")[0])
                write_json(self.files, name, new)

    def note_gap(
        self,
        source: Source,
        coin: str,
        interval: str,
        gap: Gap,
        reason: str,
        *,
        asked_ms: int | None = None,
    ) -> None:
        """Say why bars are missing. It holds until they come; what is stored of the range stays.

        Args:
            source: where they would come from.
            coin: `BTC`.
            interval: `1m`.
            gap: the range; it may reach beyond what is stored.
            reason: `outage`, `venue has none`, `refused`, ...
            asked_ms: when the source was asked for them.
        """
        with self.files.exclusive():
            ledger = self.ledger_now(source, coin, interval)
            note = Gap(gap.start_ms, gap.end_ms, reason, asked_ms)
            self._write_ledger(source, coin, ledger.with_note(note))

    def compact(self, source: Source, coin: str, interval: str) -> int:
        """Put every month of a series into one file.

        Returns:
            How many files fewer there are.
        """
        folder = self.interval_folder(source, coin, interval)
        with self.files.exclusive():
            ledger = self.ledger_now(source, coin, interval)
            before = self.parts(folder)
            for month in sorted({part.month for part in before}):
                self._compact_bars(folder, month, ledger.interval_ms)
            if before:
                self._write_ledger(source, coin, ledger)
            return len(before) - len(self.parts(folder))

    def compact_open_interest(self, source: Source, coin: str) -> int:
        """Put every month of open interest into one file, as `compact` does."""
        folder = self.place_of("open_interest", source, coin)
        with self.files.exclusive():
            before = self.parts(folder)
            for month in sorted({part.month for part in before}):
                parts = self._month(folder, month)
                if len(parts) > 1:
                    whole = zip(OPEN_INTEREST_COLUMNS, self.open_interest_in(parts), strict=True)
                    self._add_part(f"{folder}/date={month}", parts, dict(whole), replace=True)
            return len(before) - len(self.parts(folder))

    def remove(self, source: Source, coin: str) -> None:
        """Delete everything of one coin of one source: for data that can be generated again."""
        with self.files.exclusive():
            for kind in ("klines", "funding", "open_interest", "gaps", "revisions"):
                self.files.remove(self.place_of(kind, source, coin))
            self.files.remove(self.record_name(source, coin))

    def _merge(self, source: Source, coin: str, bars: Bars, ledger: Ledger) -> WriteResult:
        """Merge bars month by month; the write lock is held."""
        result = WriteResult()
        interval = interval_name(bars.interval_ms)
        folder = self.interval_folder(source, coin, interval)
        for month, rows in _by_month(bars.open_time_ms):
            parts = self._month(folder, month)
            old = self.month_bars(parts, bars.interval_ms)
            merge = merge_bars(old, bars.rows(*rows))
            if merge.result.revised:
                columns = _revision_columns(merge)
                self._keep_revision(source, coin, f"interval={interval}", columns)
            if merge.result.added or merge.result.revised or len(parts) > 1:
                columns = _columns(merge.bars)
                self._add_part(f"{folder}/date={month}", parts, columns, replace=True)
            result += merge.result
        if len(bars):
            self._write_ledger(source, coin, ledger.with_bars(bars.open_time_ms))
        return result

    def _month(self, folder: str, month: str) -> list[Part]:
        return [part for part in self.parts(folder) if part.month == month]

    def _add_part(
        self, place: str, parts: Sequence[Part], columns: dict[str, Any], *, replace: bool = False
    ) -> None:
        """Write the next file of a month; one that holds all of it makes the others go."""
        self.files.sweep(place)
        number = max((part.number for part in parts), default=-1) + 1
        write_columns(self.files, f"{place}/part-{number}.parquet", columns)
        for part in parts if replace else ():
            self.files.remove(part.file.name)

    def _compact_bars(self, folder: str, month: str, interval_ms: int) -> None:
        parts = self._month(folder, month)
        if len(parts) > 1:
            columns = _columns(self.month_bars(parts, interval_ms))
            self._add_part(f"{folder}/date={month}", parts, columns, replace=True)

    def _write_ledger(self, source: Source, coin: str, ledger: Ledger) -> None:
        """Write the ledger of the files that are there now."""
        interval = interval_name(ledger.interval_ms)
        folder = self.interval_folder(source, coin, interval)
        files = parts_digest(self.parts(folder))
        name = self.ledger_name(source, coin, interval)
        new = {**ledger.as_dict(), "files": files}
        if read_json(self.files, name) != new:
            self.files.sweep(self.place_of("gaps", source, coin))
            write_json(self.files, name, new)

    def _keep_revision(self, source: Source, coin: str, what: str, columns: dict[str, Any]) -> None:
        """Keep replaced rows in a file named by its content: repeated, it is the same file."""
        digest = hashlib.sha256(b"".join(values.tobytes() for values in columns.values()))
        place = f"{self.place_of('revisions', source, coin)}/{what}"
        self.files.sweep(place)
        write_columns(self.files, f"{place}/part-{digest.hexdigest()[:16]}.parquet", columns)

    def _keep_record(self, source: Source, coin: str, record: Mapping[str, Any]) -> None:
        """Keep a replaced record under the next number; once, when its writer was killed."""
        place = f"{self.place_of('revisions', source, coin)}/instrument"
        digest = hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()[:16]
        kept = self.files.files(f"{place}/*.json")
        if not kept or not kept[-1].name.endswith(f"-{digest}.json"):
            self.files.sweep(place)
            write_json(self.files, f"{place}/{len(kept):06d}-{digest}.json", record)


def open_store(place: Path | str, *, must_exist: bool = False) -> KlineStore:
    """Open a store.

    Args:
        place: its folder, or an address such as `s3://bucket/prefix`.
        must_exist: something has to be there.

    Raises:
        ConfigError: it is not a folder, or does not exist though it must.
    """
    store = KlineStore(place)
    if store.root.is_file():
        raise ConfigError(f"{place} is not a folder")
    if must_exist and not store.files.exists():
        raise ConfigError(f"no folder {store.files.place}")
    return store


def _columns(bars: Bars) -> dict[str, Any]:
    return {name: getattr(bars, name) for name in COLUMNS}


def _revision_columns(merge: Merge) -> dict[str, Any]:
    new = {f"new_{name}": getattr(merge.replacing, name) for name in COLUMNS[1:]}
    return {**_columns(merge.replaced), **new}


def _by_month(time_ms: I64) -> Iterator[tuple[str, tuple[int, int]]]:
    """Cut rising stamps where a month begins: its name, first row and end."""
    months = time_ms.astype("datetime64[ms]").astype("datetime64[M]")
    cuts = [0, *(np.flatnonzero(months[1:] != months[:-1]) + 1).tolist(), len(time_ms)]
    for first, end in itertools.pairwise(cuts):
        if first < end:
            yield str(months[first]), (first, end)
