"""What guarded a trader, summed up from its journal."""

from decimal import Decimal
from typing import Any

from strategy_core.exits.memory import ExitRecord
from strategy_core.journal import DecisionRecord, GuardTally
from strategy_core.port import Verdict
from strategy_core.risk.status import EventKind, StatusChange
from suite.contracts.guards import LISTED_MAX, ClosedPosition, GuardSummary, Standstill
from suite.enums import TraderStatus

LIVE, PAUSED, STOPPED = TraderStatus.LIVE, TraderStatus.PAUSED, TraderStatus.STOPPED
D = Decimal


def turn(now_ms: int = 0, **fields: Any) -> DecisionRecord:
    values: dict[str, Any] = {
        "trader_id": "t", "decision": 1, "now_ms": now_ms, "woke_by": (), "equity": D(0),
        "reasoning": "", "actions": (), "verdicts": (), "sent": (), "results": None,
    }  # fmt: skip
    return DecisionRecord(**values | fields)


def change(at_ms: int, before: TraderStatus, after: TraderStatus, *causes: str) -> StatusChange:
    return StatusChange(
        sequence=1, at_ms=at_ms, event=EventKind.PAUSE, actor="risk", reason=f"at {at_ms}",
        before=before, after=after, causes=causes, changed=True,
    )  # fmt: skip


def closed(kind: str, at_ms: int, rule: str = "") -> ExitRecord:
    numbers = dict.fromkeys(
        (
            *("size", "entry_price", "exit_price", "realized", "fees", "funding", "net"),
            *("roe", "adverse", "favorable"),
        ),
        D(1),
    )
    return ExitRecord(
        coin="BTC", kind=kind, side=1, opened_at_ms=at_ms - 5, closed_at_ms=at_ms, holding_ms=5,
        gain_in_risks=None, slippage_bps=None, conditions=(), rule=rule, **numbers,
    )  # fmt: skip


def summary(*records: DecisionRecord) -> GuardSummary:
    tally = GuardTally()
    for record in records:
        tally.add(record)
    return tally.summary()


def test_verdicts_are_counted_by_rule() -> None:
    found = summary(
        turn(
            verdicts=(
                Verdict(action=0, outcome="accepted"),
                Verdict(action=1, outcome="clamped", rule="margin"),
                Verdict(action=2, outcome="rejected", rule="paused"),
            )
        ),
        turn(verdicts=(Verdict(action=0, outcome="rejected", rule="paused"),)),
        turn(asked=False),
    )
    assert (2, 1) == (found.decisions, found.accepted)
    assert ({"margin": 1}, {"paused": 2}) == (found.clamped, found.rejected)


def test_faults_are_counted_and_the_first_is_told() -> None:
    found = summary(turn(3), turn(7, fault="ValueError: no"), turn(9, fault="TypeError: later"))
    assert (2, "ValueError: no", 7) == (found.faults, found.first_fault, found.first_fault_ms)


def test_exits_are_counted_by_kind_and_the_latest_are_listed() -> None:
    """With the rule of the strategy that had come true."""
    many = [turn(closed=(closed("time_stop", at),)) for at in range(10, 10 + LISTED_MAX)]
    rule = "close(4h) < 2710"
    found = summary(*many, turn(closed=(closed("structure_invalidation", 999, rule),)))
    assert {"time_stop": LISTED_MAX, "structure_invalidation": 1} == found.exits
    assert LISTED_MAX == len(found.closed)
    last = ClosedPosition(
        coin="BTC", kind="structure_invalidation", opened_ms=994, closed_ms=999, rule=rule
    )
    assert (last, 11) == (found.closed[-1], found.closed[0].closed_ms)


def test_standstills_begin_and_end_with_the_status() -> None:
    """A further cause of the same pause begins no other; a stop does."""
    found = summary(
        turn(changes=(change(1, LIVE, PAUSED, "day_loss"),)),
        turn(changes=(change(2, PAUSED, PAUSED, "day_loss", "drawdown"),)),
        turn(changes=(change(3, PAUSED, LIVE), change(4, LIVE, PAUSED, "user"))),
        turn(changes=(change(5, PAUSED, STOPPED),)),
    )
    assert 3 == found.standstills
    assert (
        Standstill(status=PAUSED, from_ms=1, until_ms=3, causes=("day_loss",), reason="at 1"),
        Standstill(status=PAUSED, from_ms=4, until_ms=5, causes=("user",), reason="at 4"),
        Standstill(status=STOPPED, from_ms=5, until_ms=None, reason="at 5"),
    ) == found.stood
