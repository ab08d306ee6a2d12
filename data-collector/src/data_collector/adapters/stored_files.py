"""The files of a store, one by one, for checking."""

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

from data_collector.application.ports import Checked, StoredPart
from suite.bars import F64, I64, INTERVAL_MS, Bars
from suite.errors import StorageError
from suite.gaps import Ledger
from suite.klines import Source
from suite.service.kline_files import count_rows, read_json
from suite.service.kline_reader import series_of
from suite.service.kline_store import KlineStore
from suite.service.store_files import StoreFiles

_KINDS = ("klines", "funding", "open_interest", "revisions", "instruments", "gaps", "imports")


class StoredFiles:
    """Reads each file of a store by itself.

    Args:
        store: the store.
    """

    def __init__(self, store: KlineStore) -> None:
        self._store = store
        self._files = store.files

    @property
    def count(self) -> int:
        """About how many files there are."""
        return sum(len(self._files.files(f"{kind}/**/*.*")) for kind in _KINDS)

    def parts(self) -> Iterator[StoredPart]:
        """List the files of bars, those of a series together, oldest first."""
        for folder in self._files.folders("klines/venue=*/market=*/symbol=*/interval=*"):
            try:
                source, coin, (interval,) = series_of(folder)
            except ValueError:  # of another program
                continue
            for part in self._store.parts(folder) if interval in INTERVAL_MS else ():
                yield StoredPart(
                    name=part.file.name,
                    source=source,
                    coin=coin,
                    interval=interval,
                    month=part.month,
                )

    def bars(self, part: StoredPart) -> Bars:
        """Read one.

        Raises:
            StorageError: it is damaged.
        """
        return self._store.bars_in(part.name, INTERVAL_MS[part.interval])

    def ledger(self, source: Source, coin: str, interval: str) -> Ledger | None:
        """Read a gap ledger as the last write left it.

        Raises:
            StorageError: it is damaged.
        """
        return self._store.ledger(source, coin, interval)

    def others(self) -> Iterator[Checked]:
        """Check all files but those of bars: funding, open interest, records, ledgers, ..."""
        for file in self._files.files("funding/venue=*/market=*/symbol=*/part.parquet"):
            try:
                source, coin, _ = series_of(file.name)
            except ValueError:
                continue
            yield _check_series(file.name, partial(self._store.funding_at, source, coin))
        for folder in self._files.folders("open_interest/venue=*/market=*/symbol=*"):
            for part in self._store.parts(folder):
                read = partial(self._store.open_interest_in, [part])
                yield _check_series(part.file.name, read)
        for file in self._files.files("revisions/**/part-*.parquet"):
            yield self._check(file.name, count_rows)
        for kind in ("instruments", "gaps", "imports", "revisions"):
            for file in self._files.files(f"{kind}/**/*.json"):
                yield self._check(file.name, _read_document)

    def _check(self, name: str, read: Callable[[StoreFiles, str], int]) -> Checked:
        try:
            return Checked(name=name, rows=read(self._files, name))
        except StorageError as error:
            return Checked(name=name, problem=str(error))


def _check_series(name: str, read: Callable[[], tuple[I64, F64]]) -> Checked:
    try:
        times, values = read()
    except StorageError as error:
        return Checked(name=name, problem=str(error))
    wrong = int((~np.isfinite(values)).sum())
    problem = f"{name}: {wrong} values are no numbers" if wrong else ""
    return Checked(name=name, rows=len(times), problem=problem)


def _read_document(files: StoreFiles, name: str) -> int:
    read_json(files, name)
    return 0
