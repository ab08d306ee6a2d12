"""Whether a venue is there, has the world that a run began in, and whether that has begun."""

from typing import Any

import pytest

from strategy_agent.application import venue_world
from strategy_agent.application.presence import Presence
from strategy_agent.application.venue_world import VenueWorld, WorldChanged
from suite.clock import ManualClock
from suite.contracts.clock import ClockState
from suite.errors import UpstreamUnavailable


def state(**more: Any) -> ClockState:
    return ClockState(**{"mode": "paced", "now_ms": 1000, "speed": 60.0, "world": "a", **more})


class Venue:
    """Answers one state after the other; the last one again and again."""

    def __init__(self, began: ClockState, *answers: ClockState | Exception) -> None:
        self.answers = list(answers)
        self.presence = Presence(ManualClock(90_000))
        self.world = VenueWorld(began, ask=self.ask, presence=self.presence)

    async def ask(self) -> ClockState:
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


def test_a_venue_that_is_lost_and_back_changes_once_each() -> None:
    """Since when is told from the moment at which it was last heard."""
    presence, changes = Presence(ManualClock(90_000)), []
    presence.on_change = lambda: changes.append((presence.lost_since_ms, presence.reason))
    presence.lost("gone\nfor good", silent_s=7.0)
    presence.lost("still gone")
    assert 7.0 == presence.lost_s()
    presence.back()
    presence.back()
    assert [(83_000, "gone for good"), (None, "")] == changes
    assert 0.0 == presence.lost_s()


@pytest.mark.parametrize(
    ("began", "found", "words"),
    [
        (state(), state(world="b"), "it was a and is b"),
        (state(), state(world="", mode="wall"), "it was a and is a real one"),
        (state(mode="wall", world=""), state(mode="wall"), "it was a real one and is a"),
        (state(world=""), state(world="", now_ms=999), "its time went back from 1000 to 999"),
    ],
)
async def test_another_world_is_found_by_its_name_or_its_time(
    began: ClockState, found: ClockState, words: str
) -> None:
    with pytest.raises(WorldChanged, match=words):
        await Venue(began, found).world.look()


async def test_an_answer_that_was_on_its_way_is_not_held_against_what_came_meanwhile() -> None:
    venue = Venue(state(), state(now_ms=2000))
    later = venue.ask

    async def slow() -> ClockState:
        venue.world.told(3000)
        return await later()

    venue.world._ask = slow
    await venue.world.look()
    venue.world._ask = later
    with pytest.raises(WorldChanged, match="from 3000 to 2000"):
        await venue.world.look()


async def test_wall_time_may_go_back() -> None:
    venue = Venue(state(mode="wall", world=""), state(mode="wall", world="", now_ms=1))
    assert 1 == (await venue.world.look()).now_ms


async def test_a_look_says_that_the_venue_is_there_and_one_that_fails_says_nothing() -> None:
    venue = Venue(state(), UpstreamUnavailable("gone"), state())
    venue.presence.lost("x")
    with pytest.raises(UpstreamUnavailable):
        await venue.world.look()
    assert "x" == venue.presence.reason
    await venue.world.look()
    assert venue.presence.lost_since_ms is None


async def test_the_beginning_is_waited_for_and_who_is_missing_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(venue_world, "BEGIN_LOOK_S", 0.001)
    venue = Venue(state(), state(waits_for=("x", "y")), state(waits_for=("y",)), state(now_ms=7000))
    told: list[tuple[str, ...]] = []
    venue.presence.on_change = lambda: told.append(venue.presence.waits_for)
    assert 7000 == (await venue.world.begun()).now_ms
    assert [("x", "y"), ("y",), ()] == told


async def test_a_world_whose_time_moves_has_begun() -> None:
    venue = Venue(state(), state(waits_for=("x",)))
    await venue.world.look()
    venue.world.told(1000)
    assert ["x"] == list(venue.presence.waits_for)
    venue.world.told(1001)
    assert [] == list(venue.presence.waits_for)
