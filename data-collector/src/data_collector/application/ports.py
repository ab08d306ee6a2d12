"""What the application needs from outside."""

from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from data_collector.domain.candles import MarketEvent
from data_collector.domain.cleaning import FileRows
from data_collector.domain.file_names import Kind
from suite.bars import F64, I64, Bars
from suite.gaps import Ledger
from suite.klines import Coverage, Gap, Source, WriteResult


class SeriesWriter(Protocol):
    """Where what belongs to a coin's bars is put; as `KlineStore`."""

    def write_funding(self, source: Source, coin: str, time_ms: I64, rate: F64) -> WriteResult:
        """Merge settled funding with what is stored."""
        ...

    def write_record(self, source: Source, coin: str, fields: Mapping[str, Any]) -> None:
        """Merge fields into a coin's record."""
        ...


class GapWriter(Protocol):
    """Where the reason of missing bars is put; as `KlineStore`."""

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
        """Say why bars are missing; the range may reach beyond what is stored."""
        ...


class BarWriter(SeriesWriter, Protocol):
    """Where market data is put."""

    def write_bars(self, source: Source, coin: str, bars: Bars) -> WriteResult:
        """Merge bars with what is stored."""
        ...

    def record_at(self, source: Source, coin: str) -> dict[str, Any] | None:
        """Read the record of a coin."""
        ...

    def remove(self, source: Source, coin: str) -> None:
        """Delete everything of one coin of one source."""
        ...


class BarReader(Protocol):
    """Where market data is read from; errors as in `KlineStore`."""

    def series(self) -> tuple[tuple[Source, str, str], ...]:
        """List (source, coin, interval) of everything that has bars."""
        ...

    def coverage(
        self, coin: str, interval: str = "1m", *, source: Source | str | None = None
    ) -> Coverage:
        """Say from when to when bars are stored and which are missing."""
        ...

    def read(
        self,
        coin: str,
        interval: str = "1m",
        from_ms: int | None = None,
        to_ms: int | None = None,
        *,
        source: Source | str | None = None,
    ) -> Bars:
        """Read the bars of a range."""
        ...

    def read_funding(
        self,
        coin: str,
        from_ms: int | None = None,
        to_ms: int | None = None,
        *,
        source: Source | str | None = None,
    ) -> tuple[I64, F64]:
        """Read the settled funding of a range."""
        ...

    def fingerprint(self, coin: str, interval: str = "1m", *, source: Source) -> tuple[Any, ...]:
        """Name the present state of a coin's files."""
        ...


class OpenInterestReader(Protocol):
    """Where open interest is read from; errors as in `KlineStore`."""

    def read_open_interest(
        self,
        coin: str,
        from_ms: int | None = None,
        to_ms: int | None = None,
        *,
        source: Source | str | None = None,
    ) -> tuple[I64, F64]:
        """Read the readings of a range, units of the coin."""
        ...


class Records(Protocol):
    """Where what is known about coins is read from."""

    def record_at(self, source: Source, coin: str) -> dict[str, Any] | None:
        """Read the record of a coin."""
        ...


class Collection(Protocol):
    """Bars as they come in."""

    def start(self, coin: str, intervals: Sequence[str]) -> None:
        """Collect a coin from now on.

        Raises:
            SuiteError: it cannot be collected, with the reason.
        """
        ...

    def stop(self, coin: str) -> None:
        """Collect a coin no longer.

        Raises:
            NotFound: it is not collected.
        """
        ...

    def collects(self, coin: str) -> bool:
        """Whether a coin is collected, or will be as soon as that is possible."""
        ...

    def status(self) -> list[dict[str, Any]]:
        """Say of each coin and interval how its collection goes, as `GET /collection` answers."""
        ...

    def listen(self, callback: Callable[[MarketEvent], None]) -> Callable[[], None]:
        """Have every event told; what is returned ends that."""
        ...


class ImportFiles(Protocol):
    """Files of others."""

    def rows(self, path: Path, kind: Kind) -> FileRows:
        """Read the rows of a kline or funding file.

        Raises:
            ValueError: it cannot be used, with the reason.
        """
        ...

    def document(self, path: Path) -> Any:
        """Read a JSON file.

        Raises:
            ValueError: it cannot be used, with the reason.
        """
        ...

    def digest(self, path: Path) -> str:
        """Hash a file's content."""
        ...


class ImportLedger(Protocol):
    """What has been imported already, by content."""

    def find(self, key: str) -> dict[str, Any] | None:
        """What a file of this content became; None when it is new or its data is gone."""
        ...

    def add(self, key: str, entry: Mapping[str, Any]) -> None:
        """Remember a file that was imported whole."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredPart:
    """One file of bars of a store.

    Attributes:
        name: its path inside the store.
        month: `2025-05`, as its folder says.
    """

    name: str
    source: Source
    coin: str
    interval: str
    month: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """One file, or one ledger, after a look at it.

    Attributes:
        name: its path inside the store, or what it is.
        rows: in it.
        problem: what is wrong, empty when nothing is.
    """

    name: str
    rows: int = 0
    problem: str = ""


class StoredParts(Protocol):
    """The files of a store, one by one."""

    def parts(self) -> Iterator[StoredPart]:
        """List the files of bars, those of a series together, oldest first."""
        ...

    def bars(self, part: StoredPart) -> Bars:
        """Read one.

        Raises:
            StorageError: it is damaged.
        """
        ...

    def ledger(self, source: Source, coin: str, interval: str) -> Ledger | None:
        """Read a gap ledger as the last write left it.

        Raises:
            StorageError: it is damaged.
        """
        ...

    def others(self) -> Iterator[Checked]:
        """Check all files but those of bars: funding, records, ledgers, revisions."""
        ...


class History(Protocol):
    """The past of a venue, over the network; faults are `SuiteError`.

    Attributes:
        source: what its bars are stored as.
    """

    source: Source

    def klines(self, coin: str, interval: str, from_ms: int, to_ms: int) -> AsyncIterator[Bars]:
        """Ask for the closed bars that open in [from_ms, to_ms), page by page, rising.

        What a page skips, the venue does not have.
        """
        ...

    def funding(self, coin: str, from_ms: int, to_ms: int) -> AsyncIterator[tuple[I64, F64]]:
        """Ask for the settled funding with stamps in [from_ms, to_ms), page by page, rising."""
        ...

    async def instruments(self) -> Mapping[str, Mapping[str, Any]]:
        """Ask what is traded: by coin, the fields of its record."""
        ...

    async def close(self) -> None:
        """Let go of the connections."""
        ...


class FillStore(BarWriter, GapWriter, Protocol):
    """Where a backfill finds what is stored, and puts what was missing; as `KlineStore`."""

    def ledger_now(self, source: Source, coin: str, interval: str) -> Ledger:
        """Read the gap ledger."""
        ...

    def funding_at(self, source: Source, coin: str) -> tuple[I64, F64]:
        """Read all settled funding of a coin."""
        ...
