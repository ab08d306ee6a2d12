"""Importing files of market data, one after the other; a bad one never stops the others."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal, get_args

from data_collector.application.ports import BarWriter, ImportFiles, ImportLedger
from data_collector.domain.brackets import read_brackets
from data_collector.domain.cleaning import (
    FileRows,
    clean_bars,
    clean_funding,
    rejected_bars,
    rejected_funding,
)
from data_collector.domain.file_names import FileName, Kind, describe, promises_brackets
from data_collector.domain.findings import Findings, NotUnderstood, Rejected
from suite.errors import SuiteError
from suite.klines import WriteResult, brackets_of, interval_name

QUOTE_VOLUME_VENUES = frozenset({"ftx"})
"""Venues whose published volume is in USD."""

VolumeUnit = Literal["coin", "usd"]
Status = Literal["imported", "skipped", "ignored", "unknown", "failed"]
STATUSES: Final[tuple[Status, ...]] = get_args(Status)


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportOptions:
    """What the user said about files; None where their names shall say it.

    Attributes:
        volume: unit of the volume column.
        again: import also what was imported before.
    """

    symbol: str | None = None
    interval: str | None = None
    venue: str | None = None
    market: str | None = None
    volume: VolumeUnit | None = None
    again: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one file.

    Attributes:
        name: path inside the folder that was imported.
        status: `skipped` was imported before; `ignored` is of a kind that is not stored; `unknown`
            has a name or a layout that is not understood; `failed` is damaged or makes no sense.
        reason: why it was not imported, or a note on how it was read.
        rejected: rows that cannot be true, the first of them.
    """

    name: str
    status: Status
    reason: str = ""
    kind: str = ""
    source: str = ""
    coin: str = ""
    interval: str = ""
    findings: Findings | None = None
    result: WriteResult | None = None
    rejected: tuple[Rejected, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """As it goes into a report."""
        names = ("name", "status", "reason", "kind", "source", "coin", "interval")
        entry: dict[str, Any] = {name: getattr(self, name) for name in names}
        if self.findings is not None:
            entry["findings"] = self.findings.as_dict()
        if self.result is not None:
            entry["stored"] = asdict(self.result)
        return entry


class Importer:
    """Brings files into a store.

    Args:
        store: where to.
        files: how they are read.
        ledger: what was imported before.
        now_ms: bars that had not closed by then are left out.
    """

    def __init__(
        self, store: BarWriter, files: ImportFiles, ledger: ImportLedger, now_ms: Callable[[], int]
    ) -> None:
        self._store = store
        self._files = files
        self._ledger = ledger
        self._now_ms = now_ms

    def run(self, root: Path, paths: Sequence[Path], options: ImportOptions) -> Iterator[Outcome]:
        """Import files.

        Args:
            root: the folder they were found in, or the one file itself.
            paths: of the files.
            options: for all of them.

        Yields:
            What became of each, in order; nothing is raised for a bad file.
        """
        for path in paths:
            name = path.name if path == root else path.relative_to(root).as_posix()
            try:
                yield self._one(name, path, options)
            except NotUnderstood as error:
                yield Outcome(name=name, status="unknown", reason=str(error))
            except (ValueError, OSError, SuiteError) as error:
                text = error.strerror if isinstance(error, OSError) else None
                yield Outcome(name=name, status="failed", reason=text or str(error))

    def _one(self, name: str, path: Path, options: ImportOptions) -> Outcome:
        what = _described(path, options)
        if what.kind in {Kind.MARK, Kind.TRADES}:
            reason = f"{what.kind} data is recognized but not stored"
            return Outcome(name=name, status="ignored", reason=reason, kind=what.kind)
        volume = options.volume or ("usd" if what.source.venue in QUOTE_VOLUME_VENUES else "coin")
        key = " ".join([self._files.digest(path), what.key, volume])
        if not options.again and (entry := self._ledger.find(key)) is not None:
            known = {name: entry.get(name, "") for name in ("kind", "source", "coin", "interval")}
            return Outcome(name=name, status="skipped", reason="imported before", **known)
        outcome = self._store_file(name, path, what, volume)
        self._ledger.add(key, outcome.as_dict())
        return outcome

    def _store_file(self, name: str, path: Path, what: FileName, volume: str) -> Outcome:
        if what.kind == Kind.BRACKETS:
            return self._brackets(name, path, what)
        rows = self._files.rows(path, what.kind)
        if what.kind == Kind.FUNDING:
            return self._funding(name, what, rows)
        return self._klines(name, what, rows, volume)

    def _klines(self, name: str, what: FileName, rows: FileRows, volume: str) -> Outcome:
        note, now_ms = "", self._now_ms()
        if volume == "usd":
            columns = rows.columns
            rows = replace(
                rows, columns={**columns, "volume": columns["volume"] / columns["close"]}
            )
            note = "volume was in USD; divided by the close"
        bars, findings = clean_bars(
            rows.columns, coin=what.coin, interval=what.interval, now_ms=now_ms
        )
        findings = _with_ragged(findings, rows)
        if len(bars) == 0:
            raise ValueError(f"no usable row among {findings.rows}: {findings.faults}")
        result = self._store.write_bars(what.source, what.coin, bars)
        fields = {
            "source_symbol": what.symbol,
            "price_decimals": findings.price_decimals,
            "synthetic": False,
            "source": f"imported files of {what.source}" + (f"; {note}" if note else ""),
        }
        self._store.write_record(what.source, what.coin, fields)
        is_flawed = findings.dropped > findings.unfinished or findings.conflicts
        return Outcome(
            name=name,
            status="imported",
            reason=note,
            kind=what.kind,
            source=str(what.source),
            coin=what.coin,
            interval=interval_name(bars.interval_ms),
            findings=findings,
            result=result,
            rejected=rejected_bars(rows, interval_ms=bars.interval_ms, now_ms=now_ms)
            if is_flawed
            else (),
        )

    def _funding(self, name: str, what: FileName, rows: FileRows) -> Outcome:
        times, rates, findings = clean_funding(rows.columns)
        findings = _with_ragged(findings, rows)
        if len(times) == 0:
            raise ValueError(f"no usable row among {findings.rows}: {findings.faults}")
        result = self._store.write_funding(what.source, what.coin, times, rates)
        return Outcome(
            name=name,
            status="imported",
            kind=what.kind,
            source=str(what.source),
            coin=what.coin,
            findings=findings,
            result=result,
            rejected=rejected_funding(rows) if findings.dropped else (),
        )

    def _document(self, path: Path) -> Any:
        """Read a JSON file; one that is none is damaged only if its name promises brackets."""
        try:
            return self._files.document(path)
        except ValueError as error:
            if promises_brackets(path.name):
                raise
            raise NotUnderstood(str(error)) from None

    def _brackets(self, name: str, path: Path, what: FileName) -> Outcome:
        found = read_brackets(self._document(path))
        for coin, tiers in found.tiers.items():
            fields = {"leverage_brackets": brackets_of(tiers)}
            self._store.write_record(what.source, coin, fields)
        notes = [f"leverage brackets of {len(found.tiers)} coins"]
        if found.repeated:
            notes.append(f"{found.repeated} more symbols of the same coins left out")
        if found.nameless:
            notes.append(f"{found.nameless} symbols of no coin left out")
        return Outcome(
            name=name,
            status="imported",
            reason="; ".join(notes),
            kind=what.kind,
            source=str(what.source),
            findings=Findings(rows=found.symbols, kept=len(found.tiers)),
        )


def _with_ragged(findings: Findings, rows: FileRows) -> Findings:
    count = len(rows.ragged)
    return replace(findings, rows=findings.rows + count, ragged=count)


def why_not_done(outcomes: Sequence[Outcome]) -> str:
    """Say in one line why an import did not succeed; empty when it did.

    It succeeds when nothing failed and something is stored, be it from an import before.
    """
    failed = [item for item in outcomes if item.status == "failed"]
    if not failed and any(item.status in {"imported", "skipped"} for item in outcomes):
        return ""
    named = failed or list(outcomes)
    more = f", and {len(named) - 1} more; see the report" if len(named) > 1 else ""
    what = "" if failed else "nothing was imported: "
    return f"{what}{named[0].name}: {named[0].reason}{more}"


def _described(path: Path, options: ImportOptions) -> FileName:
    """Say what a file holds.

    Raises:
        NotUnderstood: its name does not say it.
    """
    try:
        return describe(
            path.resolve().parts[1:],
            symbol=options.symbol,
            interval=options.interval,
            venue=options.venue,
            market=options.market,
        )
    except ValueError as error:
        raise NotUnderstood(str(error)) from None
