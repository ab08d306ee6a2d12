"""Traders whose run has failed or ended while the process is there."""

from typing import Any

import pytest
from tests.unit.trader_manager.test_fleet import HoldingVenue, MemoryStore, fleet
from tests.unit.trader_manager.test_supervisor import RUNNING, STOPPED, Bench, stored

from suite.crashes import CRASHES_MAX
from suite.errors import Conflict, SuiteError
from suite.ids import TraderId
from trader_manager.application.runtime import Sighting
from trader_manager.application.supervisor import Condition


async def test_one_whose_process_stays_though_it_failed_is_begun_anew() -> None:
    """By the rule of crashes, where the failure may pass; a process is not asked at each look."""
    bench = Bench(stored("a"))
    await bench.settled()
    bench.wall.ms += 10_000
    bench.agents.rows["a"] = {"state": "running"}
    assert [] == await bench.settled()
    bench.agents.rows["a"] = {"state": "failed", "error": "disk full", "lasting": False}
    asked = bench.agents.asked
    assert [] == await bench.settled()
    assert asked == bench.agents.asked
    for count in range(1, CRASHES_MAX + 1):
        bench.wall.ms += 10_000
        assert ["stop a", "start a 1"] == await bench.settled()
        assert count == len(bench.store.crashes)
    bench.wall.ms += 10_000
    assert [] == await bench.settled()
    condition = bench.supervisor.conditions[TraderId("a")]
    assert ("failed", "disk full") == (condition.sighting.actual, condition.sighting.reason)
    assert ("restart", 60_000) == (condition.step, condition.waits_ms)
    assert {"disk full"} == {crash.reason for crash in bench.store.crashes.values()}


async def test_one_that_failed_for_good_waits_for_a_person() -> None:
    """It is shown with its reason; one that is changed, or stopped and started, begins anew."""
    bench = Bench(stored("a"))
    await bench.settled()
    bench.wall.ms += 10_000
    bench.agents.rows["a"] = {"state": "failed", "error": "unknown token", "lasting": True}
    for _ in range(3):
        assert [] == await bench.settled()
    condition = bench.supervisor.conditions[TraderId("a")]
    assert ("failed", "unknown token", "none") == (
        condition.sighting.actual, condition.sighting.reason, condition.step,
    )  # fmt: skip
    bench.want("a", generation=2)
    assert ["stop a", "start a 2"] == await bench.settled()


async def test_one_whose_world_has_ended_has_ended() -> None:
    """Also while its process is there; a process that is silent is not known to have failed."""
    bench = Bench(stored("a"), stored("b"))
    await bench.settled()
    bench.wall.ms += 10_000
    bench.agents.rows["a"] = {"state": "ended"}
    assert [] == await bench.settled()
    seen = {name: one.sighting.actual for name, one in bench.supervisor.conditions.items()}
    assert {"a": "ended", "b": "running"} == seen


@pytest.mark.parametrize("actual", ["failed", "crashed"])
@pytest.mark.parametrize("all_of_them", [True, False])
async def test_a_start_of_one_that_has_fallen_begins_it_anew(
    actual: Any, *, all_of_them: bool
) -> None:
    """At once; one that runs, or begins, is to run already."""
    store, bench = MemoryStore(), Bench()
    trader = store.traders[TraderId("a")] = stored("a")
    manager = fleet(kept=store, bench=bench)
    for seen in ("running", "absent"):
        sighting = Sighting(actual=seen, lasting=True)
        bench.supervisor.conditions[TraderId("a")] = Condition(trader=trader, sighting=sighting)
        with pytest.raises(Conflict, match=f"a is to run already, and seen {seen}"):
            await manager.start("a")
    sighting = Sighting(actual=actual, lasting=True)
    bench.supervisor.conditions[TraderId("a")] = Condition(trader=trader, sighting=sighting)
    await (manager.start_all() if all_of_them else manager.start("a"))
    begins = store.traders[TraderId("a")]
    assert (3, RUNNING) == (begins.generation, begins.desired)
    with pytest.raises(Conflict, match="to run already"):
        await manager.start("a")


async def test_one_that_left_its_file_with_a_position_can_be_started_and_flattened() -> None:
    """It begins PAUSED, is not ended while it holds something, and ends then."""
    venue, store, bench = HoldingVenue(), MemoryStore(), Bench()
    manager = fleet(venue, store, bench)
    a = TraderId("a")
    store.traders[a] = stored("a", desired=STOPPED, leaving=True, generation=2)
    venue.hold("a", BTC="1")
    with pytest.raises(Conflict, match="a is stopped: POST /traders/a/start first"):
        await manager.tell("flatten", "a", reason="")
    with pytest.raises(Conflict, match="flatten it first; it is stopped: POST /traders/a/start"):
        await manager.remove_trader("a")
    await manager.start("a")
    with pytest.raises(Conflict, match="was started again: it holds BTC; flatten it, and it ends"):
        await manager.dismiss(store.traders[a])
    assert store.traders[a].desired is not STOPPED
    bench.store.traders[a] = store.traders[a]
    await bench.settled()
    assert "its entry is in the traders file no more" == bench.runtime.paused
    venue.hold("a", BTC="0")
    with pytest.raises(SuiteError, match="being stopped"):
        await manager.dismiss(store.traders[a])
    assert store.traders[a].desired is STOPPED
