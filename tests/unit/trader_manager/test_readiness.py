"""What `/ready` says of the traders."""

from typing import Any

from tests.unit.trader_manager.test_supervisor import STOPPED, stored

from trader_manager.application.runtime import Sighting
from trader_manager.application.supervisor import Condition
from trader_manager.entrypoint.readiness import fleet_detail


def condition(name: str, actual: Any, *, reason: str = "", **more: Any) -> Condition:
    problem = more.pop("problem", "")
    sighting = Sighting(actual=actual, reason=reason)
    return Condition(trader=stored(name, **more), sighting=sighting, problem=problem)


def test_a_fleet_that_does_not_run_is_told_with_its_first_reasons() -> None:
    """However many there are; one that is stopped, or whose world has ended, is not missed."""
    wrong = [condition(f"f{at}", "failed", reason="unknown token") for at in range(4)]
    told = fleet_detail(
        [
            condition("runs", "running"),
            condition("stopped", "absent", desired=STOPPED),
            condition("over", "ended"),
            condition("keyless", "absent", problem="no token"),
            *wrong,
        ]
    )
    first = "keyless: no token; f0: unknown token; f1: unknown token"
    assert {
        "status": "degraded", "wanted": 6, "running": 1, "failed": 5, "traders": first,
    } == told  # fmt: skip


def test_a_fleet_that_runs_or_begins_is_well() -> None:
    told = fleet_detail([condition("a", "running"), condition("begins", "absent")])
    assert {"wanted": 2, "running": 1, "failed": 0} == told
