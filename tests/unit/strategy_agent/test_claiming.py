"""Places that are filled with claimed traders, for as long as these are ours."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import Any

import pytest
from tests.support.waiting import until
from tests.unit.strategy_agent.scripted import ScriptedVenue, alpha_with
from tests.unit.strategy_core.fake_venue import spec_of

from strategy_agent.application.alpha_loop import AlphaLoop
from strategy_agent.application.claiming import Claimed, Claimer, Renewed
from strategy_agent.application.fencing import Fence, FencedSteps
from strategy_agent.application.parts import Parts, ProcessContext
from suite.clock import ManualClock
from suite.contracts.trader import TraderSpec
from suite.errors import ConfigError, Conflict, NotFound, SuiteError, UpstreamUnavailable

TTL_S = 0.3


class ScriptedManager:
    """Gives each trader to who asks first."""

    def __init__(self, *names: str) -> None:
        self.free = list(names)
        self.said: list[str] = []
        self.fault: SuiteError | None = None
        self.desired = "running"
        self.generation = 1

    async def claim(self, place: str, *, passed_over: Sequence[str]) -> Claimed | None:
        if self.fault is not None:
            raise self.fault
        name = next((one for one in self.free if one not in passed_over), None)
        if name is None:
            return None
        self.free.remove(name)
        self.said.append(f"{name} to {place}")
        return Claimed(
            trader_id=name,
            entry={"trader_id": name},
            generation=1,
            fence=1,
            ttl_s=TTL_S,
            trading_url="",
            data_service_url="",
            token="",
            seed=0,
            decided=0,
        )

    async def renew(self, claimed: Claimed, place: str) -> Renewed:
        if self.fault is not None:
            raise self.fault
        return Renewed(desired=self.desired, generation=self.generation, ttl_s=TTL_S)

    async def release(self, claimed: Claimed, place: str, *, reason: str) -> None:
        self.said.append(f"{claimed.trader_id} back: {reason}")
        self.free.append(claimed.trader_id)


class Place:
    """A claimer, what it runs, and the fences of its traders."""

    def __init__(self, manager: ScriptedManager, venue: ScriptedVenue, alpha: AlphaLoop) -> None:
        self.alpha = alpha
        self.told: list[str] = []
        self.fences: list[Fence] = []
        self._venue = venue
        self.claimer = Claimer(
            manager=manager,
            prepare=self._prepare,
            alpha=alpha,
            holder="h",
            now_s=asyncio.get_running_loop().time,
            wall=ManualClock(7),
            tell=self.told.append,
        )

    def _prepare(self, claimed: Claimed, fence: Fence) -> tuple[TraderSpec, ProcessContext]:
        if claimed.trader_id == "odd":
            raise ConfigError("environment variable KEY is not set")

        async def connect(spec: TraderSpec) -> Parts:
            parts = await self._venue.connect(spec)
            return replace(parts, steps=FencedSteps(parts.steps, fence))

        self.fences.append(fence)
        context = replace(self.alpha._context, connect=connect)
        return spec_of("flat", trader_id=claimed.trader_id), context


@asynccontextmanager
async def claiming(
    manager: ScriptedManager, venue: ScriptedVenue, *, places: int = 1
) -> AsyncIterator[Place]:
    place = Place(manager, venue, alpha_with(venue))
    task = asyncio.create_task(place.claimer.run(places=places))
    try:
        yield place
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def names(place: Place) -> set[str]:
    return {one.spec.trader_id for one in place.alpha.instances}


async def test_each_place_holds_one_trader_and_gives_it_back_in_order() -> None:
    manager, venue = ScriptedManager("a", "b", "c"), ScriptedVenue(sleeps=True)
    async with claiming(manager, venue, places=2) as place:
        await until(lambda: names(place) == {"a", "b"} and venue.asleep("a") and venue.asleep("b"))
        assert ["c"] == manager.free
        await asyncio.sleep(2 * TTL_S)
        assert all(fence.is_safe for fence in place.fences), "renewed in time"
    assert {"a back: ", "b back: "} <= set(manager.said)
    assert {"a", "b"} == set(venue.closed)


@pytest.mark.parametrize("change", ["stopped", "changed", "lost"])
async def test_a_trader_that_is_not_ours_any_more_ends_and_the_next_is_claimed(change: str) -> None:
    manager, venue = ScriptedManager("a"), ScriptedVenue(sleeps=True)
    async with claiming(manager, venue) as place:
        await until(lambda: venue.asleep("a"))
        if change == "stopped":
            manager.desired = "stopped"
        elif change == "changed":
            manager.generation = 2
        else:
            manager.fault = Conflict("somebody else has it")
        await until(lambda: "a" in venue.closed)
        assert any("lost" in line for line in place.told) == (change == "lost")
        assert (["a"] if change == "stopped" else []) == venue.left, "time waits for the others"
        manager.desired, manager.generation, manager.fault = "running", 1, None
        await until(lambda: manager.said.count("a to h/1") == 2)


async def test_one_that_was_removed_leaves_its_venues_time_with_its_end() -> None:
    """Also after its lease: nobody else has it, and the others of the world go on."""
    manager, venue = ScriptedManager("a"), ScriptedVenue(sleeps=True)
    async with claiming(manager, venue) as place:
        await until(lambda: venue.asleep("a"))
        manager.fault = UpstreamUnavailable("away")
        await until(lambda: place.fences[0].is_over)
        manager.fault = NotFound("there is no trader a any more")
        await until(lambda: not names(place))
        assert ["a"] == venue.left
        assert any("a: removed: " in line for line in place.told)


async def test_what_cannot_be_run_is_given_back_with_the_reason_and_left_to_others() -> None:
    manager, venue = ScriptedManager("odd", "a", "b"), ScriptedVenue(steps=2)
    async with claiming(manager, venue) as place:
        await until(lambda: len(manager.said) >= 6)
        assert [
            *("odd to h/1", "odd back: environment variable KEY is not set"),
            *("a to h/1", "a back: its world has ended"),
            *("b to h/1", "b back: its world has ended"),
        ] == manager.said
        await asyncio.sleep(0.05)
        assert set() == names(place)


async def test_while_nobody_renews_a_trader_takes_no_risk_and_then_goes_on() -> None:
    """It is told in time to take its entries back; it is not ended, as nobody has said so."""
    manager, venue = ScriptedManager("a"), ScriptedVenue(sleeps=True)
    async with claiming(manager, venue) as place:
        await until(lambda: venue.asleep("a"))
        manager.fault = UpstreamUnavailable("away")
        instance: Any = place.alpha.instance("a")
        await until(lambda: instance.status.status == "PAUSED")
        assert {"lease"} == set(instance.status.causes)
        await asyncio.sleep(TTL_S)
        assert {"a"} == names(place)
        manager.fault = None
        await until(lambda: place.fences[0].is_safe)
        assert ["a to h/1"] == manager.said
        assert any("is not renewed: away" in line for line in place.told)


@pytest.mark.parametrize("change", ["stopped", "changed"])
async def test_a_fence_that_closed_stays_closed_where_the_trader_is_not_ours_any_more(
    change: str,
) -> None:
    """Somebody else may run it by now: what was held back must not leave with its end."""
    manager, venue = ScriptedManager("a"), ScriptedVenue(sleeps=True)
    async with claiming(manager, venue) as place:
        await until(lambda: venue.asleep("a"))
        manager.fault = UpstreamUnavailable("away")
        await until(lambda: place.fences[0].is_over)
        manager.desired = "stopped" if change == "stopped" else manager.desired
        manager.generation, manager.fault = 2, None
        await until(lambda: "a back: " in manager.said)
        assert place.fences[0].is_over
