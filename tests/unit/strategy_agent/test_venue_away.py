"""An instance whose venue is lost, comes back, has begun anew, or has not begun."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.support.account_wire import fills, push
from tests.support.waiting import until
from tests.unit.strategy_agent.scripted import ScriptedVenue, alpha_with, resting
from tests.unit.strategy_agent.test_account_keeper import Reads, Stream
from tests.unit.strategy_agent.test_control import controlled, get
from tests.unit.strategy_agent.test_local_steps import WANT, World

from strategy_agent.application.account_keeper import AccountKeeper, KeeperTimeouts
from strategy_agent.application.alpha_loop import AlphaLoop
from strategy_agent.application.presence import Presence
from strategy_agent.application.retrying import may_be_tried_again
from strategy_agent.application.status import Alert
from strategy_agent.application.venue_world import WorldChanged
from suite.account.state import AccountStateCache
from suite.clock import ManualClock
from suite.contracts.clock import ClockMode, JoinRequest
from suite.errors import Conflict, SuiteError, UpstreamTimeout, UpstreamUnavailable
from suite.service.clock import SystemClock

GONE = UpstreamUnavailable("gone")
OTHER = WorldChanged("the venue has begun another world: it was a and is b")


async def asleep(venue: ScriptedVenue, alpha: AlphaLoop) -> None:
    alpha.start()
    await until(lambda: venue.asleep("a"))


# what an instance shows


async def test_a_lost_venue_is_one_alert_and_its_return_another(tmp_path: Path) -> None:
    venue = ScriptedVenue(sleeps=True)
    async with controlled(tmp_path, venue) as (alpha, client):
        alpha.start()
        await until(lambda: venue.asleep("a") and venue.asleep("b"))
        venue.presence.lost("nothing comes", silent_s=2.0)
        status = alpha.instance("b").status  # the last to connect hears of the one presence
        assert ("lost", 1, "nothing comes") == (
            status.connection, max(1, status.lost_since_ms), status.lost_reason
        )  # fmt: skip
        code, answer = await get(client, "/ready")
        assert (503, True) == (code, "b: the venue is lost since" in str(answer))
        venue.presence.back()
        assert ("connected", 0, "") == (
            status.connection, status.lost_since_ms, status.lost_reason
        )  # fmt: skip
        assert 200 == (await get(client, "/ready"))[0]
        told = [row["text"] for row in venue.journal("b").of("alert")]
        assert ["the venue is lost: nothing comes", "the venue is back"] == told


async def test_a_world_that_waits_is_told_with_those_it_waits_for() -> None:
    alerts: list[Alert] = []
    venue = ScriptedVenue(sleeps=True)
    alpha = alpha_with(venue, "a", alerts=alerts)
    venue.presence.waits(("bob", "eve"))
    await asleep(venue, alpha)
    status = alpha.instance().status
    assert "the world has not begun: it waits for bob, eve to join" == status.obstacle
    venue.presence.waits(())
    assert "" == status.obstacle
    assert [
        ("world", "the world has not begun: it waits for bob, eve to join"),
        ("world", "it has begun"),
    ] == [(alert.kind, alert.text) for alert in alerts]
    await alpha.close()


async def test_a_venue_stays_lost_between_the_tries_of_its_run() -> None:
    alerts: list[Alert] = []
    venue = ScriptedVenue(sleeps=True)
    venue.mode = "paced"
    alpha = alpha_with(venue, "a", alerts=alerts, retry_pauses_s=(0.2,))
    await asleep(venue, alpha)
    one, steps = alpha.instance(), venue.accounts["a"]
    venue.presence.lost("gone")
    steps.fault = GONE
    alpha.run_once()
    await until(lambda: one.status.state == "retrying")
    assert "lost" == one.status.connection
    venue.presence, steps.fault = Presence(ManualClock(9)), None
    await until(lambda: one.status.state == "running" and venue.asleep("a"))
    assert ("connected", 1) == (one.status.connection, one.status.retries)
    assert venue.journal("a").of("run")[-1]["continued"]
    kinds = [alert.text for alert in alerts if alert.kind == "connection"]
    assert ["the venue is lost: gone", "the venue is back"] == kinds
    await alpha.close()


# what is tried again


@pytest.mark.parametrize(
    ("mode", "fault", "again"),
    [
        ("wall", RuntimeError, True),
        ("wall", GONE, True),
        ("paced", GONE, True),
        ("paced", UpstreamTimeout("late"), True),
        ("paced", Conflict("dropped after 120 s of silence"), True),
        ("paced", SuiteError("a bug"), False),
        ("lockstep", GONE, False),
        ("lockstep", OTHER, True),
        (None, GONE, False),
    ],
)
def test_what_the_world_survives_is_tried_again(
    mode: ClockMode | None, fault: Any, again: bool
) -> None:
    fault = fault if isinstance(fault, SuiteError) else SuiteError("a bug")
    assert again == may_be_tried_again(fault, mode)


@pytest.mark.parametrize("mode", ["lockstep", None])
def test_a_process_that_somebody_keeps_waits_for_its_venue(mode: ClockMode | None) -> None:
    """At its start, and in the middle of a step; not for what only a person can mend."""
    assert may_be_tried_again(GONE, mode, patient=True)
    assert not may_be_tried_again(SuiteError("a bug"), mode, patient=True)


@pytest.mark.parametrize("mode", ["lockstep", "paced", "wall"])
async def test_another_world_ends_the_run_and_its_memory_and_is_left_alone(mode: str) -> None:
    """What rests there is nobody's of the old one; the new run counts from its beginning."""
    alerts: list[Alert] = []
    venue = ScriptedVenue(sleeps=True)
    venue.mode, venue.world = mode, "a"
    alpha = alpha_with(venue, "a", alerts=alerts, retry_pauses_s=(0.01,))
    await asleep(venue, alpha)
    for _ in range(3):
        turns = venue.turns("a")
        alpha.run_once()
        await until(lambda before=turns: venue.turns("a") > before and venue.asleep("a"))  # type: ignore[misc]
    one, steps = alpha.instance(), venue.accounts["a"]
    resting(venue, one, oid=7)
    venue.world, steps.fault = "b", OTHER
    alpha.run_once()
    await until(lambda: one.status.state == "retrying")
    steps.fault = None
    await until(lambda: one.status.state == "running" and venue.asleep("a"))
    assert [] == steps.cancelled
    assert [False, False] == [run["continued"] for run in venue.journal("a").of("run")]
    alpha.run_once()
    journal = venue.journal("a")
    await until(lambda: [row["decision"] for row in journal.of("decision")].count(1) == 2)
    (told,) = [alert.text for alert in alerts if alert.kind == "world"]
    assert told.startswith(str(OTHER))
    await alpha.close()


@pytest.mark.parametrize(("kept", "found"), [("", "a"), ("a", "")], ids=["to play", "to real"])
async def test_the_memory_of_real_money_and_that_of_a_game_are_never_mixed(
    kept: str, found: str
) -> None:
    venue = ScriptedVenue(sleeps=True)
    venue.mode, venue.world = "wall", kept
    alpha = alpha_with(venue, "a", retry_pauses_s=(0.01,))
    await asleep(venue, alpha)
    alpha.run_once()
    await until(lambda: bool(venue.memories["a"].content) and venue.asleep("a"))
    venue.world, venue.accounts["a"].fault = found, OTHER
    alpha.run_once()
    await asyncio.wait_for(alpha.instance().finished(), 5)
    assert "move its file in state/ away" in alpha.instance().status.error


# how the venue is seen over its stream


@dataclass
class Followed:
    keeper: AccountKeeper
    presence: Presence
    task: "asyncio.Task[None]"

    def connect(self, at: int) -> None:
        self.keeper.connected()
        self.keeper.heard()
        self.keeper.received((fills(snapshot=True), push(at=at)))


@asynccontextmanager
async def followed(look: Any = None) -> AsyncIterator[Followed]:
    timeouts = KeeperTimeouts(tick_s=0.005, first_pause_s=0.001, gone_s=0.05, silent_s=0.2)
    cache, presence = AccountStateCache(clock=SystemClock()), Presence(SystemClock())
    keeper = AccountKeeper(
        cache,
        Reads(),
        chance=random.Random(1),
        timeouts=timeouts,
        presence=presence,
        look=look,
    )
    task = asyncio.create_task(keeper.run(Stream()))
    yield Followed(keeper, presence, task)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_stream_that_ends_or_falls_silent_tells_that_the_venue_is_lost() -> None:
    """One that is back in a moment is not worth a word."""
    async with followed() as one:
        await asyncio.sleep(0.1)
        assert one.presence.lost_since_ms is None, "it was never there"
        one.connect(50)
        one.keeper.lost("reset")
        one.connect(60)
        await until(lambda: not one.keeper.cache.trouble)
        assert one.presence.lost_since_ms is None
        one.keeper.lost("reset")
        await until(lambda: one.presence.lost_since_ms is not None)
        assert "the account's stream: reset" == one.presence.reason
        one.connect(70)
        await until(lambda: one.presence.lost_since_ms is None)
        await until(lambda: "nothing comes" in one.presence.reason)
        one.keeper.heard()
        await until(lambda: one.presence.lost_since_ms is None)


async def test_nothing_is_believed_before_the_venue_has_been_looked_at() -> None:
    """And nothing ever, where it has another world: who follows it ends."""
    looks: list[SuiteError | None] = [OTHER, None, GONE]

    async def look() -> None:
        if (fault := looks.pop()) is not None:
            raise fault

    async with followed(look) as one:
        one.connect(50)
        await until(lambda: not one.keeper.cache.trouble)
        assert (1, [OTHER]) == (one.keeper.failed_reads, looks)
        one.keeper.lost("restarted")
        one.connect(60)
        await asyncio.wait({one.task}, timeout=5)
        assert ("reconciling",) == one.keeper.cache.trouble
        world = World()
        world.begin()
        world.steps.following_ended(one.task)
        with pytest.raises(WorldChanged, match="it was a and is b"):
            await world.steps.wait(world.request(until_ms=1))


async def test_a_join_waits_for_the_world_to_begin() -> None:
    world, begun = World(), asyncio.Event()
    world.begin()

    async def begin() -> None:
        await begun.wait()

    world.steps.begin = begin
    joining = asyncio.create_task(world.steps.join(JoinRequest(want=WANT)))
    await asyncio.sleep(0.02)
    assert not joining.done()
    begun.set()
    assert 0 == (await asyncio.wait_for(joining, 5)).step_seq
