"""Plans that nobody asks for: once an occasion, whatever happens in between; never by default."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.followed_portfolio import NOW_MS, Follower, MemoryPlans, following
from tests.support.scripted_manager import MICRO

from portfolio_service.application.ports import Automatic, StoredPlan
from suite.errors import Conflict

DAY_MS = 86_400_000
MIDNIGHT_MS = NOW_MS // DAY_MS * DAY_MS


def made(follower: Follower) -> list[StoredPlan]:
    """Plans that were made by themselves, and did something."""
    return [one for one in follower.plans.plans.values() if one.actor == "automatic"]


async def settled(follower: Follower, *, turns: int = 4) -> None:
    for _ in range(turns):
        await follower.look()
        await follower.automatic.turn()
        await follower.rebalancer.turn()


def at(follower: Follower, day: int, minute: int) -> None:
    follower.wall.advance_to(MIDNIGHT_MS + day * DAY_MS + minute * 60_000)


async def test_nothing_is_made_unless_it_is_wanted() -> None:
    follower = await following("anna", "bert")
    for day in (1, 2):
        at(follower, day, 700)
        follower.manager.add(f"new-{day}")
        await settled(follower)
    assert ([], {}) == (made(follower), follower.capital.allotments)


async def test_the_daily_one_is_made_once_a_day_at_its_time() -> None:
    follower = await following("anna", "bert", "carl")
    at(follower, 1, 100)
    await follower.automatic.change(daily_at=360, on_change=False)
    await settled(follower)
    assert [] == made(follower), "it is not time yet"
    at(follower, 1, 360)
    await settled(follower)
    (first,) = made(follower)
    assert ("done", "daily at 06:00 UTC") == (first.status, first.reason)
    assert {"anna", "bert", "carl"} == set(follower.capital.allotments)
    assert {"anna", "bert", "carl"} == {
        name for name, one in follower.manager.traders.items() if one.tells
    }
    given = dict(follower.capital.allotments)
    at(follower, 1, 1000)
    await settled(follower)
    assert given == follower.capital.allotments, "once a day"
    at(follower, 2, 400)
    await settled(follower)
    assert MIDNIGHT_MS // DAY_MS + 2 == follower.plans.automatic.last_day


async def test_a_time_of_today_that_is_over_is_not_made_up_for() -> None:
    follower = await following("anna", "bert")
    at(follower, 1, 700)
    await follower.automatic.change(daily_at=360, on_change=False)
    await settled(follower)
    assert [] == made(follower)
    assert MIDNIGHT_MS + 2 * DAY_MS + 360 * 60_000 == follower.automatic.answer().next_ms


async def test_what_fell_into_a_time_without_the_service_is_made_up_for_once() -> None:
    follower = await following("anna", "bert")
    at(follower, 1, 100)
    await follower.automatic.change(daily_at=360, on_change=False)
    again = Follower(follower.manager, follower.plans)
    at(again, 3, 500)
    await again.sync.begin()
    await again.automatic.load()
    await again.rebalancer.turn()
    await settled(again)
    assert ["daily at 06:00 UTC"] == [one.reason for one in made(again)]


async def test_who_joins_and_who_leaves_makes_a_plan_and_who_crashes_does_not() -> None:
    follower = await following("anna", "bert", "carl")
    await follower.automatic.change(daily_at=None, on_change=True)
    await settled(follower)
    assert [] == made(follower), "those that are there already have not joined"
    follower.manager.traders["anna"].actual = "crashed"
    await settled(follower)
    assert [] == made(follower)
    follower.manager.traders["anna"].actual = "running"
    follower.manager.add("dora")
    await settled(follower)
    (joined,) = made(follower)
    assert ("dora joined", "done") == (joined.reason, joined.status)
    assert follower.capital.allotments["dora"] > 0
    gone = follower.manager.traders.pop("bert")
    assert gone.tells
    await settled(follower)
    assert {"dora joined", "bert left"} == {one.reason for one in made(follower)}
    assert "bert" not in follower.capital.allotments


async def test_traders_that_come_together_make_one_plan() -> None:
    follower = await following("anna", settle_s=3600.0)
    await follower.automatic.change(daily_at=None, on_change=True)
    for name in ("bert", "carl"):
        follower.manager.add(name)
        await settled(follower)
    assert [] == made(follower), "who takes part has not stayed the same for long enough"


async def test_one_that_is_outdated_is_made_anew_for_the_same_occasion() -> None:
    follower = await following("anna", "bert", "carl")
    at(follower, 1, 0)
    await follower.automatic.change(daily_at=60, on_change=False)
    at(follower, 1, 60)
    follower.plans.dies_after = 2  # the plan and what it is for are kept, and it is not begun
    await settled(follower, turns=1)
    (first,) = made(follower)
    assert ("planned", first.plan.plan_id) == (first.status, follower.plans.automatic.plan_id)
    assert "away" in follower.automatic.answer().trouble
    follower.plans.dies_after = None
    await follower.capital.change_limits(method=None, weight_max=0.25)
    follower.automatic._again_s = 0.0
    await settled(follower)
    assert ("", "") == (follower.plans.automatic.plan_id, follower.automatic.trouble)
    done = [one for one in made(follower) if one.status == "done"]
    assert (1, 0.25) == (len(done), done[0].limits.rules.weight_max)


async def test_who_does_not_lead_makes_none() -> None:
    plans = MemoryPlans(leader=False)
    follower = await following("anna", "bert", plans=plans)
    with pytest.raises(Conflict, match="another portfolio-service"):
        await follower.automatic.change(daily_at=0, on_change=True)
    await follower.automatic.load()
    plans.automatic = Automatic(daily_at=300, last_day=0)  # by whoever leads
    at(follower, 2, 305)
    await settled(follower)
    assert [] == made(follower)
    plans.leader = True
    await settled(follower)
    assert ["daily at 05:00 UTC"] == [one.reason for one in made(follower)]


@given(dies_after=st.integers(0, 14))
async def test_whenever_it_dies_an_occasion_has_one_plan_that_ends_exactly(
    dies_after: int,
) -> None:
    follower = await following("anna", "bert", "carl")
    at(follower, 1, 0)
    await follower.automatic.change(daily_at=60, on_change=False)
    at(follower, 1, 60)
    follower.plans.dies_after = dies_after
    await settled(follower)
    follower.plans.dies_after = None
    again = Follower(follower.manager, follower.plans)
    at(again, 1, 61)
    await again.sync.begin()
    await again.automatic.load()
    await again.rebalancer.turn()
    await settled(again, turns=8)
    (only,) = made(again)
    assert "done" == only.status
    assert dict(only.plan.after.by_trader) == again.capital.allotments
    for name, usd in again.capital.allotments.items():
        assert Decimal(again.manager.traders[name].tells) * MICRO == usd
