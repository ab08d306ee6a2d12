"""The files of a store, one by one, for checking."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from data_collector.application.ports import Checked, StoredPart
from suite.bars import INTERVAL_MS, Bars
from suite.errors import StorageError
from suite.klines import Source
from suite.service.kline_files import count_rows, read_json
from suite.service.kline_reader import bars_in
from suite.service.kline_store import KlineStore


class StoredFiles:
    """Reads each file of a store by itself.

    Args:
        store: the store.
    """

    def __init__(self, store: KlineStore) -> None:
        self._store = store
        self._root = store.root

    def parts(self) -> Iterator[StoredPart]:
        """List the files of bars, those of a series together, oldest first."""
        pattern = "klines/venue=*/market=*/symbol=*/interval=*/date=*/part-*.parquet"
        for path in sorted(self._root.glob(pattern)):
            venue, market, coin, interval, month = (
                part.partition("=")[2] for part in path.parts[-6:-1]
            )
            if interval in INTERVAL_MS:
                yield StoredPart(
                    name=self._name(path),
                    source=Source(venue, market),
                    coin=coin,
                    interval=interval,
                    month=month,
                )

    def bars(self, part: StoredPart) -> Bars:
        """Read one.

        Raises:
            StorageError: it is damaged.
        """
        return bars_in(self._root / part.name, part.interval)

    def ledger(self, source: Source, coin: str, interval: str) -> dict[str, Any] | None:
        """Read a gap ledger.

        Raises:
            StorageError: it is damaged.
        """
        return self._store.ledger(source, coin, interval)

    def others(self) -> Iterator[Checked]:
        """Check all files but those of bars: funding, records, ledgers, revisions."""
        for path in sorted(self._root.glob("funding/venue=*/market=*/symbol=*/part.parquet")):
            yield self._check_funding(path)
        for path in sorted(self._root.glob("revisions/**/part-*.parquet")):
            yield self._check(path, count_rows)
        for kind in ("instruments", "gaps", "imports"):
            for path in sorted(self._root.glob(f"{kind}/**/*.json")):
                yield self._check(path, _read_document)

    def _check_funding(self, path: Path) -> Checked:
        venue, market, coin = (part.partition("=")[2] for part in path.parts[-4:-1])
        name = self._name(path)
        try:
            times, rates = self._store.funding_at(Source(venue, market), coin)
        except StorageError as error:
            return Checked(name=name, problem=str(error))
        wrong = int((~np.isfinite(rates)).sum())
        problem = f"{name}: {wrong} rates are no numbers" if wrong else ""
        return Checked(name=name, rows=len(times), problem=problem)

    def _check(self, path: Path, read: Callable[[Path], int]) -> Checked:
        try:
            return Checked(name=self._name(path), rows=read(path))
        except StorageError as error:
            return Checked(name=self._name(path), problem=str(error))

    def _name(self, path: Path) -> str:
        return path.relative_to(self._root).as_posix()


def _read_document(path: Path) -> int:
    read_json(path)
    return 0
