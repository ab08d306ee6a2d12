"""What a trader leaves behind: one record for each decision, and a result at the end."""

from decimal import Decimal

import msgspec

from suite.contracts.venue import Action, ActionReply


class DecisionRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One turn of the loop.

    Attributes:
        decision: 1, 2, 3, ..., over all restarts.
        now_ms: the venue's time.
        woke_by: why the trader was woken.
        equity: account value before the decision, USD.
        reasoning: the strategy's own words.
        fault: why there was no decision; empty when there was one.
        actions: as decided, with the ids they were given.
        verdicts: the guard's, one for each action, as text.
        results: the venue's answers to the actions that passed; None when none came back.
    """

    trader_id: str
    decision: int
    now_ms: int
    woke_by: tuple[str, ...]
    equity: Decimal
    reasoning: str
    fault: str = ""
    actions: tuple[Action, ...]
    verdicts: tuple[str, ...]
    results: tuple[ActionReply, ...] | None


class TraderResult(msgspec.Struct, frozen=True, kw_only=True):
    """The end of a trader's run.

    Attributes:
        decisions: how many it took.
        actions_sent: actions that passed the guard.
        fills: fills it was told of.
        ended_ms: the venue's time at the end.
        equity: last account value seen, USD.
    """

    trader_id: str
    decisions: int
    actions_sent: int
    fills: int
    ended_ms: int
    equity: Decimal
