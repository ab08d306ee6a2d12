"""The command `journal`: what guarded a trader, summed up from its journal."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from strategy_agent.application.preflight.paper_run import Stretch
from strategy_core.journal import DecisionRecord, GuardTally, RunStart
from suite.contracts.guards import GuardSummary
from suite.errors import BadRequest
from suite.moments import format_moment

_WIDTH = 28


class _Line(msgspec.Struct):
    type: str
    run: dict[str, Any] = {}
    decision: msgspec.Raw = msgspec.Raw(b"")
    alert: dict[str, Any] = {}


class _Turn(msgspec.Struct):
    now_ms: int
    asked: bool = True
    fault: str = ""


@dataclass(slots=True)
class JournalSummary:
    """One run, over all its restarts.

    Attributes:
        trader_id: whose.
        starts: how often a process began or went on with it.
        turns: records of it.
        from_ms, to_ms: of the first and the last, the venue's time.
        alerts: by kind.
        unread: lines that cannot be read, as one that a crash cut short.
    """

    trader_id: str = ""
    starts: int = 0
    turns: int = 0
    from_ms: int = 0
    to_ms: int = 0
    alerts: Counter[str] = field(default_factory=Counter)
    unread: int = 0
    tally: GuardTally = field(default_factory=GuardTally)
    _last: DecisionRecord | None = None

    def take(self, record: DecisionRecord) -> None:
        """Take in a turn; one that is told again, as after a kill, is the same."""
        last = self._last
        if last is None or last.decision != record.decision:
            self.close()
        elif record.results is None:
            return
        self._last = record

    def close(self) -> None:
        """Count the last turn: none comes that tells it again."""
        record, self._last = self._last, None
        if record is not None:
            self.from_ms = self.from_ms or record.now_ms
            self.trader_id, self.to_ms = record.trader_id, record.now_ms
            self.turns += 1
            self.tally.add(record)


def summarize(file: Path) -> JournalSummary:
    """Read a journal with the parts that were put aside, oldest first.

    Raises:
        BadRequest: it cannot be read, or there is no turn in it.
    """
    lines, records = msgspec.json.Decoder(_Line), msgspec.json.Decoder(DecisionRecord)
    summary = JournalSummary()
    for raw in _lines_of(file):
        try:
            line = lines.decode(raw)
            record = records.decode(line.decision) if line.type == "decision" else None
        except (msgspec.MsgspecError, UnicodeDecodeError):
            summary.unread += 1
            continue
        if line.type == "run":
            if not line.run.get("continued"):
                summary = JournalSummary()
            summary.starts += 1
        elif line.type == "alert":
            summary.alerts[str(line.alert.get("kind"))] += 1
        elif record is not None:
            summary.take(record)
    summary.close()
    if not summary.turns:
        raise BadRequest(f"{file} has no turn of a trader in its last run")
    return summary


def records_of(file: Path) -> Iterator[DecisionRecord]:
    """Read the turns of the last run, each once; lines that cannot be read are left out.

    Raises:
        BadRequest: the file cannot be read.
    """
    lines, records = msgspec.json.Decoder(_Line), msgspec.json.Decoder(DecisionRecord)
    turns: dict[int, DecisionRecord] = {}
    for raw in _lines_of(file):
        try:
            line = lines.decode(raw)
            record = records.decode(line.decision) if line.type == "decision" else None
        except (msgspec.MsgspecError, UnicodeDecodeError):
            continue
        if line.type == "run" and not line.run.get("continued"):
            turns.clear()
        elif record is not None and (record.results is not None or record.decision not in turns):
            turns[record.decision] = record
    yield from turns.values()


def stretches_of(file: Path) -> list[Stretch]:
    """Read from when to when a trader ran, a stretch for each start of its process.

    Raises:
        BadRequest: the file cannot be read.
    """
    lines, turns = msgspec.json.Decoder(_Line), msgspec.json.Decoder(_Turn)
    found: list[Stretch] = []
    for raw in _lines_of(file):
        try:
            line = lines.decode(raw)
            if line.type == "run":
                found.append(Stretch(start=msgspec.convert(line.run, RunStart)))
            elif line.type == "decision" and found:
                turn = turns.decode(line.decision)
                found[-1].take(turn.now_ms, asked=turn.asked, fault=bool(turn.fault))
        except (msgspec.MsgspecError, UnicodeDecodeError):
            continue
    return found


def _lines_of(file: Path) -> Iterator[bytes]:
    """Lines of all parts of a journal."""
    parts = [file]
    while (part := file.with_suffix(f".{len(parts)}{file.suffix}")).exists():
        parts.insert(0, part)
    for path in parts:
        try:
            with path.open("rb") as lines:
                yield from (line for line in lines if line.strip())
        except OSError as error:
            raise BadRequest(f"cannot read {path}: {error.strerror}") from None


def table_of(summary: JournalSummary) -> Iterator[str]:
    """Lay a summary out in lines."""
    told = summary.tally.summary()
    yield (
        f"{summary.trader_id}: {summary.turns:,} turns from {format_moment(summary.from_ms)} to "
        f"{format_moment(summary.to_ms)}, {summary.starts} starts"
    )
    if summary.unread:
        yield f"{summary.unread} lines could not be read"
    yield _row("decisions", told.decisions)
    yield _row("failed", told.faults)
    if told.first_fault_ms is not None:
        yield f"  first at {format_moment(told.first_fault_ms)}: {told.first_fault}"
    yield _row("actions accepted", told.accepted)
    yield from _counts("actions clamped", told.clamped)
    yield from _counts("actions rejected", told.rejected)
    yield from _counts("positions closed by", told.exits)
    yield from (
        f"  {format_moment(one.closed_ms)} {one.coin}: {one.rule}"
        for one in told.closed
        if one.rule
    )
    yield from _standstills(told)
    yield from _counts("alerts", summary.alerts)


def _standstills(told: GuardSummary) -> Iterator[str]:
    yield _row("paused or stopped", told.standstills)
    for one in told.stood:
        until = "now" if one.until_ms is None else format_moment(one.until_ms)
        causes = f" ({', '.join(one.causes)})" if one.causes else ""
        yield f"  {format_moment(one.from_ms)} to {until} {one.status}{causes}: {one.reason}"


def _counts(name: str, counts: dict[str, int]) -> Iterator[str]:
    yield _row(name, sum(counts.values()))
    for key, count in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
        yield _row(f"  {key}", count)


def _row(name: str, count: int) -> str:
    return f"{name:<{_WIDTH}}{count:>10,}"
