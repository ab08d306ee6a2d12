"""What a trader leaves behind: one record for each turn, and a result at the end."""

from decimal import Decimal

import msgspec

from strategy_core.exits.memory import ExitRecord
from strategy_core.intents import Intent
from strategy_core.port import Verdict
from strategy_core.risk.status import StatusChange
from suite.contracts.venue import Action, ActionReply
from suite.enums import TraderStatus


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


class TraderResult(msgspec.Struct, frozen=True, kw_only=True):
    """The end of a trader's run.

    Attributes:
        decisions: how many it took.
        actions_sent: actions that passed the guard.
        fills: fills it was told of.
        ended_ms: the venue's time at the end.
        equity: last account value seen, USD.
        status: what it might do at the end.
    """

    trader_id: str
    decisions: int
    actions_sent: int
    fills: int
    ended_ms: int
    equity: Decimal
    status: TraderStatus = TraderStatus.LIVE
