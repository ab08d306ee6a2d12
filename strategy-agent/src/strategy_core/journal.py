"""What a trader leaves behind: one record for each turn, and a result at the end.

A journal is a file of JSON lines for each trader, `<trader>.jsonl`, the same wherever the trader
runs. A run begins with `{"type": "run", "run": RunStart}`; then one line for each turn,
`{"type": "decision", "decision": DecisionRecord}`, and for what else there is to tell (`command`,
`alert`); it ends with `{"type": "result", "result": TraderResult}` unless it was stopped before.
Times are the venue's.
"""

from collections.abc import Iterable
from decimal import Decimal

import msgspec

from strategy_core.exits.memory import ExitRecord
from strategy_core.intents import Intent
from strategy_core.llm.thought import Thought
from strategy_core.llm.use import ModelTally
from strategy_core.port import Verdict
from strategy_core.risk.status import StatusChange
from suite.contracts.guards import (
    KINDS_MAX,
    LISTED_MAX,
    TEXT_MAX,
    ClosedPosition,
    GuardSummary,
    Standstill,
)
from suite.contracts.venue import Action, ActionReply
from suite.enums import TraderStatus

_encode = msgspec.json.Encoder().encode


class RunStart(msgspec.Struct, frozen=True, kw_only=True):
    """The beginning of a run.

    Attributes:
        kind: of the strategy.
        venue: address, or `backtest`.
        continued: it goes on with one that was stopped before.
        configuration: digest of the trader's configuration, see `digest_of_trader`.
        build: hash of the code that runs it.
        speed: the venue's seconds in a second, 1 for real time; 0 where only steps move time.
    """

    trader_id: str
    kind: str
    venue: str
    continued: bool = False
    configuration: str = ""
    build: str = ""
    speed: float = 0.0


def journal_line(kind: str, record: object) -> bytes:
    """Write a record as a line of a journal.

    Args:
        kind: `run`, `decision`, `command`, `alert` or `result`.
        record: of that kind.
    """
    return _encode({"type": kind, kind: record}) + b"\n"


class DecisionRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One turn of the loop.

    Attributes:
        decision: 1, 2, 3, ..., over all restarts.
        asked: the strategy has decided in this turn; else only orders and exits were seen to.
        now_ms: the venue's time.
        woke_by: why the trader was woken.
        status: what it may do.
        changes: of the status in this turn, each with who asked for it and why.
        equity: account value before the decision, USD.
        reasoning: the strategy's own words.
        fault: why there was no decision; empty when there was one.
        notes: of the order manager and the exits.
        closed: positions that have come to their end.
        actions: as the strategy decided.
        verdicts: the gate's, one for each of them.
        sent: what went to the venue, with the ids the orders were given; that of the strategy last.
        results: the venue's answers to it; None when none came back.
        llm: of a mind that thinks in words, what it thought; None where it was not asked.
    """

    trader_id: str
    decision: int
    asked: bool = True
    now_ms: int
    woke_by: tuple[str, ...]
    status: TraderStatus = TraderStatus.LIVE
    changes: tuple[StatusChange, ...] = ()
    equity: Decimal
    reasoning: str
    fault: str = ""
    notes: tuple[str, ...] = ()
    closed: tuple[ExitRecord, ...] = ()
    actions: tuple[Intent, ...]
    verdicts: tuple[Verdict, ...]
    sent: tuple[Action, ...]
    results: tuple[ActionReply, ...] | None
    llm: Thought | None = None


class TraderResult(msgspec.Struct, frozen=True, kw_only=True):
    """The end of a trader's run.

    Attributes:
        decisions: how many it took.
        actions_sent: actions that passed the guard.
        fills: fills it was told of.
        ended_ms: the venue's time at the end.
        equity: last account value seen, USD.
        status: what it might do at the end.
        guards: what was clamped and rejected, which exits fired, when it was paused.
    """

    trader_id: str
    decisions: int
    actions_sent: int
    fills: int
    ended_ms: int
    equity: Decimal
    status: TraderStatus = TraderStatus.LIVE
    guards: GuardSummary = GuardSummary()


class GuardTally(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Sums up what guarded a trader, one record after the other; see `GuardSummary`."""

    decisions: int = 0
    faults: int = 0
    first_fault: str = ""
    first_fault_ms: int | None = None
    accepted: int = 0
    clamped: dict[str, int] = {}
    rejected: dict[str, int] = {}
    exits: dict[str, int] = {}
    closed: list[ClosedPosition] = []
    standstills: int = 0
    stood: list[Standstill] = []
    models: ModelTally | None = None

    def add(self, record: DecisionRecord) -> None:
        """Take in a turn; each once, oldest first."""
        self.decisions += record.asked
        if record.fault:
            if not self.faults:
                self.first_fault, self.first_fault_ms = record.fault[:TEXT_MAX], record.now_ms
            self.faults += 1
        for verdict in record.verdicts:
            if verdict.outcome == "accepted":
                self.accepted += 1
            else:
                rules = self.clamped if verdict.outcome == "clamped" else self.rejected
                rules[verdict.rule] = rules.get(verdict.rule, 0) + 1
        self.add_closed(record.closed)
        self.add_changes(record.changes)
        if record.llm is not None:
            self.models = self.models or ModelTally()
            self.models.add(record.llm, record.now_ms)

    def add_closed(self, records: Iterable[ExitRecord]) -> None:
        """Take in positions that have come to their end."""
        for closed in records:
            self.exits[closed.kind] = self.exits.get(closed.kind, 0) + 1
            self.closed.append(
                ClosedPosition(
                    coin=closed.coin,
                    kind=closed.kind,
                    opened_ms=closed.opened_at_ms,
                    closed_ms=closed.closed_at_ms,
                    rule=closed.rule[:TEXT_MAX],
                )
            )
        del self.closed[:-LISTED_MAX]

    def add_changes(self, changes: Iterable[StatusChange]) -> None:
        """Take in what happened to the status."""
        for change in changes:
            if change.before is not change.after:
                self._change(change)

    def summary(self) -> GuardSummary:
        """All that was taken in so far."""
        return GuardSummary(
            decisions=self.decisions,
            faults=self.faults,
            first_fault=self.first_fault,
            first_fault_ms=self.first_fault_ms,
            accepted=self.accepted,
            clamped=dict(self.clamped),
            rejected=dict(self.rejected),
            exits=dict(self.exits),
            closed=tuple(self.closed),
            standstills=self.standstills,
            stood=tuple(self.stood),
            models=None if self.models is None else self.models.summary(),
        )

    def _change(self, change: StatusChange) -> None:
        """End one standstill, and begin the next."""
        if self.stood and self.stood[-1].until_ms is None:
            self.stood[-1] = msgspec.structs.replace(self.stood[-1], until_ms=change.at_ms)
        if change.after is TraderStatus.LIVE:
            return
        self.standstills += 1
        self.stood.append(
            Standstill(
                status=change.after,
                from_ms=change.at_ms,
                causes=tuple(cause[:TEXT_MAX] for cause in change.causes[:KINDS_MAX]),
                reason=change.reason[:TEXT_MAX],
            )
        )
        del self.stood[:-LISTED_MAX]
