"""What the log says of traders, and how loud."""

from dataclasses import replace
from typing import Any

import pytest
from structlog.testing import capture_logs
from tests.support.scripted_venue import followed

from suite.ids import TraderId
from suite.service.clock import SystemClock
from trader_manager.application.runtime import Ending, Sighting
from trader_manager.application.supervisor import Condition, Supervisor
from trader_manager.domain.traders import DesiredState
from trader_manager.main import tell_of_ending, tell_of_trader, tell_who_runs_on

SEEN = Condition(trader=followed("anna"), sighting=Sighting(actual="running"))


@pytest.mark.parametrize(
    ("condition", "level"),
    [
        (SEEN, "info"),
        (replace(SEEN, problem="KEY is not set"), "error"),
        (replace(SEEN, sighting=Sighting(actual="crashed", reason="killed")), "error"),
        (replace(SEEN, step="stop", problem="p/1 has anna and ends it", ending=True), "info"),
    ],
)
def test_only_what_is_wrong_is_an_error(condition: Condition, level: str) -> None:
    with capture_logs() as logs:
        tell_of_trader(condition)
    assert [level] == [line["log_level"] for line in logs]


def test_a_trader_that_leaves_its_file_in_order_is_no_error() -> None:
    with capture_logs() as logs:
        tell_of_ending("anna is in the file no more: it is being stopped")
    assert [("info", "trader_leaves")] == [(line["log_level"], line["event"]) for line in logs]


async def test_an_end_of_the_manager_says_who_runs_on() -> None:
    """Nothing is said where nobody does."""
    ended = replace(SEEN, sighting=Sighting(actual="ended"))
    with capture_logs() as logs:
        await tell_who_runs_on({TraderId("anna"): SEEN, TraderId("bert"): ended})
        await tell_who_runs_on({TraderId("bert"): ended})
    assert [("traders_run_on", 1)] == [(line["event"], line["count"]) for line in logs]


class Holder:
    """A store of one trader that shall stop, and the runtime in which somebody has it yet."""

    trader = replace(followed("anna"), desired=DesiredState.STOPPED, runtime="replicas")

    async def claim_supervision(self) -> bool:
        return True

    async def list_traders(self, **_: Any) -> Any:
        return (self.trader,)

    async def look_all(self) -> Any:
        return {"anna": Sighting(actual="running")}

    async def stop(self, trader_id: str) -> None:
        raise Ending(f"p/1 has {trader_id} and ends it with its next renewal")


async def test_one_that_its_holder_ends_in_order_is_in_no_trouble() -> None:
    """It is told what is being waited for."""
    holder: Any = Holder()
    supervisor = Supervisor(
        store=holder, runtimes={"replicas": holder}, access=holder, agents=holder,
        wall=SystemClock(),
    )  # fmt: skip
    for _ in range(2):
        await supervisor.settled()
        condition = supervisor.conditions[Holder.trader.trader_id]
        assert ("stop", True) == (condition.step, condition.ending)
        assert "p/1 has anna" in condition.problem
    with capture_logs() as logs:
        tell_of_trader(condition)
    assert "info" == logs[0]["log_level"]
