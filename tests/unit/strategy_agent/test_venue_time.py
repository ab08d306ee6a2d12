"""The venue's time by a local clock."""

from typing import Any

import pytest

from strategy_agent.application.venue_time import VenueTime
from suite.contracts.clock import ClockState


class Hands:
    """A local clock that a test turns."""

    def __init__(self, **state: Any) -> None:
        self.now_s = 500.0
        clock = ClockState(**{"mode": "wall", "now_ms": 60_000, "speed": 1.0, **state})
        self.time = VenueTime(clock, now_s=lambda: self.now_s)

    def shown(self, after_s: float) -> int:
        self.now_s += after_s
        return self.time.now_ms()


def test_wall_time_goes_on_at_its_speed() -> None:
    assert 61_500 == Hands().shown(1.5)
    assert 150_000 == Hands(speed=60.0).shown(1.5)


def test_a_later_time_that_the_venue_tells_counts_and_an_earlier_one_was_on_its_way() -> None:
    hands = Hands()
    hands.time.heard(59_000)
    assert 60_000 == hands.shown(0)
    hands.time.heard(60_400)
    assert 61_400 == hands.shown(1)


def test_a_clock_that_runs_ahead_is_found_within_two_windows_and_never_goes_back() -> None:
    hands = Hands()
    before = shown = hands.shown(0)
    for _ in range(2000):  # ours is a thousandth fast
        hands.time.heard(60_000 + int((hands.now_s - 500.0) * 999))
        shown = hands.shown(1)
        assert before <= shown
        before = shown
    assert 60_000 + 2000 * 999 == pytest.approx(shown, abs=1300)


def test_a_paced_world_stands_at_its_boundary_until_the_next_is_told_or_is_half_a_bar_late() -> (
    None
):
    hands = Hands(mode="paced", speed=60.0)
    assert 60_000 == hands.shown(1.4)
    assert 120_000 == hands.shown(0.2)
    hands.time.heard(180_000)
    assert 180_000 == hands.shown(0.1)
    assert 1.4 == pytest.approx(hands.time.wait_s(240_000))


@pytest.mark.parametrize(("speed", "expected"), [(1.0, 30.0), (60.0, 0.5)])
def test_a_wait_is_as_long_as_it_really_takes(speed: float, expected: float) -> None:
    assert expected == Hands(speed=speed).time.wait_s(90_000)


@pytest.mark.parametrize(
    ("speed", "stands_ms"), [(60.0, 60_000), (1.0, 60_000), (600.0, 1_140_000)]
)
def test_a_paced_world_that_tells_nothing_stands_after_a_moment(
    speed: float, stands_ms: int
) -> None:
    """A venue that hangs for an hour has not gone on for an hour."""
    hands = Hands(mode="paced", speed=speed)
    shown = hands.shown(3600)
    assert 60_000 + stands_ms == shown
    assert shown == hands.shown(3600)
    hands.time.heard(shown + 60_000)
    assert shown + 60_000 == hands.shown(0)


def test_who_waits_in_a_paced_world_looks_again_when_its_time_has_moved() -> None:
    """It moves by bars: until a time within one, and while it stands, nobody need look."""
    hands = Hands(mode="paced", speed=60.0)
    hands.shown(1.0)
    wait_s = hands.time.wait_s(62_000)
    assert 0.5 == pytest.approx(wait_s)
    assert 62_000 > hands.shown(wait_s - 0.01)
    assert 0 < hands.time.wait_s(62_000)
    assert 62_000 <= hands.shown(0.02)
    assert 0 == hands.time.wait_s(62_000)
    hands.shown(3600)
    assert 10 < hands.time.wait_s(3_600_000)


def test_a_world_that_waits_for_somebody_stands_until_it_has_begun() -> None:
    hands = Hands(mode="paced", speed=60.0, waits_for=("bob",))
    assert 60_000 == hands.shown(100)
    hands.time.begun()
    assert 60_000 == hands.shown(1.4)
    assert 120_000 == hands.shown(0.2)
    other = Hands(mode="paced", speed=60.0, waits_for=("bob",))
    assert 60_000 == other.shown(100)
    other.time.heard(120_000)
    assert 180_000 == other.shown(1.6)
