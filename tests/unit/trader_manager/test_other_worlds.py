"""A venue that was begun anew has another world: who is of the last one is not in it."""

from dataclasses import replace
from typing import Any

import pytest
from tests.unit.trader_manager.test_collecting import Bench as Collecting
from tests.unit.trader_manager.test_supervisor import Bench, stored


@pytest.mark.parametrize("actual", ["running", "failed", "ended"])
async def test_one_whose_world_is_over_begins_anew_in_the_next_one(actual: Any) -> None:
    """Where its venue says so: while that is away nobody is ended; and a lasting failure is not."""
    bench = Bench(stored("a"))
    bench.access.present = "w1"
    assert ["start a 1"] == await bench.settled()
    bench.runtime.seen["a"] = replace(bench.runtime.seen["a"], actual=actual, lasting=True)
    for present in ("w1", None):
        bench.access.present = present
        bench.wall.ms += 10_000
        assert [] == await bench.settled()
    bench.access.present = "w2"
    bench.wall.ms += 10_000
    begins = ["start a 1"] if actual == "ended" else ["stop a", "start a 1"]
    assert begins == await bench.settled()
    bench.wall.ms += 10_000
    assert [] == await bench.settled()


async def test_one_with_a_token_of_any_world_is_left_to_begin_anew_by_itself() -> None:
    bench = Bench(stored("a"))
    assert ["start a 1"] == await bench.settled()
    bench.access.present = "w2"
    bench.wall.ms += 10_000
    assert [] == await bench.settled()


async def test_decisions_of_the_world_before_are_not_those_of_the_present_one() -> None:
    """A process tells them until it has begun in the new world, which counts from 1 again."""
    bench = Collecting()
    bench.agents.decide(5)
    await bench.round()
    bench.venue.world = "w2"
    await bench.round(200)
    assert [5] == bench.numbers()
    bench.store.rows.clear()
    bench.anew()
    await bench.round(300)
    assert [] == bench.numbers()
    bench.agents.world = "w2"
    bench.agents.journal.clear()
    bench.agents.decide(1)
    await bench.round(400)
    assert [1] == bench.numbers()
    assert {} == bench.collector.troubles


async def test_an_account_is_not_asked_for_before_its_trader_runs_in_the_world() -> None:
    """A venue with a faucet would open it by the asking."""
    bench = Collecting()
    await bench.round()
    bench.venue.world = "w2"
    bench.seen = replace(bench.seen, world="w")
    bench.venue.asked.clear()
    bench.store.rows.clear()
    await bench.round(200)
    assert not [asked for asked in bench.venue.asked if asked.startswith("state")]
    bench.seen = replace(bench.seen, world="w2")
    await bench.round(300)
    assert [asked for asked in bench.venue.asked if asked.startswith("state")]
