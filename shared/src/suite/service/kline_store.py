"""The kline store: bars, funding and instrument records in a folder of Parquet and JSON files.

    klines/venue=V/market=M/symbol=BTC/interval=1m/date=2025-05/part-0.parquet
    funding/venue=V/market=M/symbol=BTC/part.parquet
    instruments/venue=V/market=M/symbol=BTC.json
    gaps/venue=V/market=M/symbol=BTC/interval=1m.json        what is missing between bars
    revisions/venue=V/market=M/symbol=BTC/<what>/part-<hash>.parquet   what a write replaced

Every file is replaced as a whole, so a reader needs no lock and never sees half of one; writers
take turns. A process killed in the middle of a write leaves some months written and others not;
the same write repeated completes them.

Where several venues or markets hold a coin, the first by `suite.klines.Source.rank` is meant
unless one is named: real data before synthetic, perpetuals before spot, then by name.
"""

import hashlib
import itertools
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from suite.bars import F64, I64, INTERVAL_MS, Bars
from suite.klines import (
    COLUMNS,
    Coverage,
    Gap,
    Merge,
    Source,
    WriteResult,
    gaps_of,
    instrument_of,
    interval_name,
    merge_bars,
    merge_funding,
)
from suite.service.kline_files import exclusive, write_columns, write_json
from suite.service.kline_reader import FUNDING_COLUMNS, KlineReader, bars_in, chain

__all__ = ["Coverage", "Gap", "KlineStore", "Source", "instrument_of"]


class KlineStore(KlineReader):
    """Reads and writes one store; holds nothing open.

    Args:
        root: its folder; need not exist to be read.
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
        interval = interval_name(bars.interval_ms)
        result = WriteResult()
        with exclusive(self.root):
            place = self._interval_place(source, coin, interval)
            for month, rows in _by_month(bars):
                result += self._write_month(source, coin, place / f"date={month}", rows)
            self._write_ledger(source, coin, interval)
        return result

    def write_funding(self, source: Source, coin: str, time_ms: I64, rate: F64) -> WriteResult:
        """Merge settled funding with what is stored, as `write_bars` does.

        Args:
            source: where it comes from.
            coin: `BTC`.
            time_ms: shape (n,), strictly rising stamps.
            rate: shape (n,), fraction of the whole interval, positive when longs pay.
        """
        with exclusive(self.root):
            old = self.funding_at(source, coin)
            (times, rates), result = merge_funding(old, (time_ms, rate))
            if result.revised:
                self._keep_revision(
                    source, coin, "funding", dict(zip(FUNDING_COLUMNS, old, strict=True))
                )
            if result.added or result.revised:
                place = self._place("funding", source, coin)
                _sweep(place)
                write_columns(place / "part.parquet", {"time_ms": times, "rate": rates})
        return result

    def write_record(self, source: Source, coin: str, fields: Mapping[str, Any]) -> None:
        """Merge fields into a coin's record; None leaves a field as it is.

        `price_decimals` never shrinks: files of one coin may each show fewer than all of them.
        """
        with exclusive(self.root):
            old = self.record_at(source, coin) or {}
            new = {"coin": coin, "venue": source.venue, "market": source.market, **old}
            new.update({name: value for name, value in fields.items() if value is not None})
            seen = [item["price_decimals"] for item in (old, new) if "price_decimals" in item]
            if seen:
                new["price_decimals"] = max(seen)
            if new != old:
                _sweep(self._record_path(source, coin).parent)
                write_json(self._record_path(source, coin), new)

    def remove(self, source: Source, coin: str) -> None:
        """Delete everything of one coin of one source: for data that can be generated again."""
        with exclusive(self.root):
            for kind in ("klines", "funding", "gaps", "revisions"):
                shutil.rmtree(self._place(kind, source, coin), ignore_errors=True)
            self._record_path(source, coin).unlink(missing_ok=True)

    def _write_month(self, source: Source, coin: str, place: Path, rows: Bars) -> WriteResult:
        files = sorted(place.glob("part-*.parquet"))
        interval = interval_name(rows.interval_ms)
        old = chain([bars_in(path, interval) for path in files], rows.interval_ms)
        merge = merge_bars(old, rows)
        if merge.result.revised:
            self._keep_revision(source, coin, f"interval={interval}", _revision_columns(merge))
        if merge.result.added or merge.result.revised or len(files) > 1:
            _sweep(place)
            write_columns(place / "part-0.parquet", _columns(merge.bars))
            for extra in files:
                if extra.name != "part-0.parquet":
                    extra.unlink()
        return merge.result

    def _write_ledger(self, source: Source, coin: str, interval: str) -> None:
        step = INTERVAL_MS[interval]
        times = self._times(source, coin, interval)
        if len(times) == 0:
            return
        gaps = gaps_of(times, step)
        ledger = {
            "first_open_ms": int(times[0]),
            "end_ms": int(times[-1]) + step,
            "bars": len(times),
            "missing_bars": sum(gap.bars(step) for gap in gaps),
            "gaps": [[gap.start_ms, gap.end_ms] for gap in gaps],
        }
        if self.ledger(source, coin, interval) != ledger:
            _sweep(self._place("gaps", source, coin))
            write_json(self._place("gaps", source, coin) / f"interval={interval}.json", ledger)

    def _keep_revision(self, source: Source, coin: str, what: str, columns: dict[str, Any]) -> None:
        """Keep replaced rows in a file named by its content: repeated, it is the same file."""
        digest = hashlib.sha256(b"".join(values.tobytes() for values in columns.values()))
        place = self._place("revisions", source, coin) / what
        _sweep(place)
        write_columns(place / f"part-{digest.hexdigest()[:16]}.parquet", columns)


def _columns(bars: Bars) -> dict[str, Any]:
    return {name: getattr(bars, name) for name in COLUMNS}


def _revision_columns(merge: Merge) -> dict[str, Any]:
    new = {f"new_{name}": getattr(merge.replacing, name) for name in COLUMNS[1:]}
    return {**_columns(merge.replaced), **new}


def _by_month(bars: Bars) -> Iterator[tuple[str, Bars]]:
    months = bars.open_time_ms.astype("datetime64[ms]").astype("datetime64[M]")
    cuts = [0, *(np.flatnonzero(months[1:] != months[:-1]) + 1).tolist(), len(bars)]
    for first, end in itertools.pairwise(cuts):
        if first < end:
            yield str(months[first]), bars.rows(first, end)


def _sweep(place: Path) -> None:
    """Delete drafts of writers that were killed; called with the write lock held."""
    for draft in place.glob(".*.tmp"):
        draft.unlink(missing_ok=True)
