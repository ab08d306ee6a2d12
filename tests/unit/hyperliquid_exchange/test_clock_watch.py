"""The machine's clock against the venue's: what is certain, what is told, what it forbids."""

from dataclasses import dataclass, field

import msgspec
import pytest
from tests.support.live_streams import Ladder

from hyperliquid_exchange.application.budgets import Budgets
from hyperliquid_exchange.application.clock_watch import CLOCK, ClockWatch
from hyperliquid_exchange.application.venue_time import VenueTime
from hyperliquid_exchange.domain.safety import EVERYBODY, Level
from hyperliquid_exchange.domain.skew import skew_of
from suite.clock import ManualClock
from suite.contracts.clock import ClockState
from suite.errors import UpstreamTimeout

NOW_MS = 1_790_000_000_000


@pytest.mark.parametrize(
    ("venue_ms", "took_ms", "proven_ms"),
    [
        (0, 0, 0),
        (1_500, 0, 1_500),  # the venue is ahead
        (1_500, 400, 1_500),
        (-1_500, 400, -1_100),  # the answer may have been on its way for as long
        (-1_500, 1_600, 0),
        (-300, 40, -260),
    ],
)
def test_a_slow_answer_proves_little(venue_ms: int, took_ms: int, proven_ms: int) -> None:
    skew = skew_of(NOW_MS + venue_ms, answered_ms=NOW_MS, took_ms=took_ms)
    assert proven_ms == skew.proven_ms


@dataclass
class Setting:
    """A watch whose venue and time are the test's.

    Attributes:
        venue_ms: the venue's time less ours.
        is_away: it does not answer.
        has_own_time: it plays a market, at whatever speed.
        took_s: that an answer takes.
    """

    venue_ms: int = 0
    is_away: bool = False
    took_s: float = 0.0
    has_own_time: bool = False
    told: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.wall, self.now_s, self.ladder = ManualClock(NOW_MS), 0.0, Ladder()
        self.watch = ClockWatch(
            upstream=self,
            budgets=Budgets(),
            ladder=self.ladder,
            tell=lambda kind, text: self.told.append(f"{kind}: {text}"),
            clock=self.wall,
            time=VenueTime(self.wall, self if self.has_own_time else None),
            now_s=lambda: self.now_s,
        )

    async def exchange(self, payload: bytes) -> dict[str, object]:
        raise AssertionError(payload)

    async def info(self, body: bytes) -> tuple[int, bytes]:
        assert body == b'{"type":"exchangeStatus"}'
        if self.is_away:
            raise UpstreamTimeout("away")
        told = {"time": self.wall.now_ms() + self.venue_ms, "specialStatuses": None}
        self.now_s += self.took_s
        self.wall.advance_to(self.wall.now_ms() + round(self.took_s * 1000))
        return 200, msgspec.json.encode(told)

    async def clock(self) -> ClockState:
        return ClockState(mode="paced", now_ms=0, speed=1.0)

    @property
    def paused(self) -> list[tuple[str, Level, str]]:
        return [(one.scope, one.level, one.by) for one in self.ladder.set]


@pytest.mark.parametrize(
    ("venue_ms", "warns", "pauses"),
    [
        *((249, False, False), (250, True, False), (999, True, False), (1_000, True, True)),
        *((-249, False, False), (-250, True, False), (-999, True, False), (-1_000, True, True)),
    ],
)
async def test_limits(venue_ms: int, warns: bool, pauses: bool) -> None:
    one = Setting(venue_ms=venue_ms)
    assert await one.watch.look()
    assert (warns, warns) == (bool(one.watch.trouble), bool(one.told))
    assert ([(EVERYBODY, Level.PAUSED, CLOCK)] if pauses else []) == one.paused


async def test_it_is_told_once_and_ends_by_itself() -> None:
    one = Setting(venue_ms=-2_000)
    for _ in range(3):
        await one.watch.look()
    assert len(one.told) == 1
    assert "2.00 s ahead of the venue's" in one.told[0]

    one.venue_ms = 0
    await one.watch.look()
    assert ([], "") == (one.paused, one.watch.trouble)


async def test_a_venue_that_does_not_answer_changes_nothing() -> None:
    one = Setting(venue_ms=5_000)
    await one.watch.look()
    one.is_away, one.venue_ms = True, 0
    assert not await one.watch.look()
    assert [(EVERYBODY, Level.PAUSED, CLOCK)] == one.paused

    one.is_away, one.took_s, one.venue_ms = False, 3.0, -500
    await one.watch.look()  # slow, and so no proof of anything
    assert [] == one.paused


@pytest.mark.parametrize("has_own_time", [True, False])
async def test_a_venue_that_plays_a_market_has_a_time_of_its_own(has_own_time: bool) -> None:
    """However near it is to ours."""
    one = Setting(venue_ms=-5_000, has_own_time=has_own_time)
    await one.watch.look()
    assert has_own_time is (one.watch.skew is None)
    assert has_own_time is not bool(one.paused)
