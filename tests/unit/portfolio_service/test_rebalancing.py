"""Plans: thought through, carried out once, gone on with, refused where they are outdated."""

import asyncio
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.followed_portfolio import Follower, MemoryPlans, following
from tests.support.scripted_manager import MICRO, ScriptedManager

from portfolio_service.application.capital import PLAN_AGE_MAX_MS
from portfolio_service.application.planning import shown_allocation, shown_plan
from portfolio_service.domain.allocating import transfers_for
from suite.errors import BadRequest, Conflict, NotFound, SuiteError
from suite.fixed import Usd

FIRST = {"anna": 0.3, "bert": 0.3, "carl": 0.2}
SECOND = {"anna": 0.1, "bert": 0.25, "carl": 0.4}


async def plan_of(follower: Follower, **asked: Any) -> str:
    return (await follower.capital.preview(follower.sync.age(), **asked)).plan.plan_id


def told(follower: Follower) -> dict[str, str]:
    return {name: one.tells for name, one in follower.manager.traders.items()}


async def test_a_plan_is_carried_out_and_everybody_told() -> None:
    follower = await following("anna", "bert", "carl")
    capital = follower.portfolio.capital_usd
    plan_id = await plan_of(follower, shares=FIRST)
    assert {} == follower.capital.allotments, "a preview moves nothing"
    assert "done" == await follower.rebalance(plan_id)
    given = follower.capital.allotments
    assert sum(given.values()) <= capital
    for name, share in FIRST.items():
        assert abs(given[name] - share * capital) <= 1
        assert Decimal(told(follower)[name]) * MICRO == given[name]
    assert given == follower.plans.allotments


async def test_what_is_given_up_arrives_before_anybody_gets_more() -> None:
    follower = await following("anna", "bert", "carl")
    await follower.rebalance(await plan_of(follower, shares=FIRST))
    bert = follower.manager.traders["bert"]
    bert.deaf = True
    before = dict(follower.capital.allotments)
    plan_id = await plan_of(follower, shares=SECOND)
    assert "running" == await follower.rebalance(plan_id)
    assert before["carl"] == follower.capital.allotments["carl"]
    stored = await follower.rebalancer.look(plan_id)
    assert "bert does not have its limit yet: bert does not answer" == stored.note
    assert ["done", "allotted", "planned"] == [s.status for s in shown_plan(stored).steps]
    with pytest.raises(Conflict, match="is being carried out"):
        await follower.rebalance(await plan_of(follower, shares=FIRST))
    bert.deaf = False
    bert.tells = str(Decimal(stored.plan.after.by_trader["bert"]).scaleb(-6))
    await follower.sync.look_at_fleet()
    await follower.rebalancer.turn()
    assert "done" == (await follower.rebalancer.look(plan_id)).status


async def test_one_that_does_not_run_is_told_when_it_does() -> None:
    follower = await following("anna", "bert", "carl")
    follower.manager.traders["carl"].actual = "crashed"
    await follower.look()
    assert "done" == await follower.rebalance(await plan_of(follower, shares=FIRST))
    assert "" == told(follower)["carl"]
    follower.manager.traders["carl"].actual = "running"
    await follower.look()
    await follower.rebalancer.turn()
    assert Decimal(told(follower)["carl"]) * MICRO == follower.capital.allotments["carl"]


async def test_one_that_says_something_else_is_told_again() -> None:
    follower = await following("anna", "bert", "carl")
    await follower.rebalance(await plan_of(follower, shares=FIRST))
    follower.manager.traders["anna"].tells = ""
    await follower.look()
    await follower.rebalancer.turn()
    assert Decimal(told(follower)["anna"]) * MICRO == follower.capital.allotments["anna"]


async def test_one_that_hangs_holds_up_no_other_plan_and_no_other_trader() -> None:
    follower = await following("anna", "bert", "carl")
    await follower.rebalance(await plan_of(follower, shares=FIRST))
    anna, bert = (follower.manager.traders[name] for name in ("anna", "bert"))
    anna.tells = bert.tells = ""
    anna.hangs = asyncio.Event()
    await follower.look()
    await follower.rebalancer.turn()
    assert Decimal(bert.tells) * MICRO == follower.capital.allotments["bert"]
    assert "" == anna.tells
    plan_id = await plan_of(follower, shares=SECOND)
    assert "running" == await follower.rebalance(plan_id, turns=1)
    note = (await follower.rebalancer.look(plan_id)).note
    assert "anna is being told something else yet" == note
    anna.hangs.set()
    for _ in range(4):
        await follower.rebalancer.turn()
        await follower.sync.look_at_fleet()
    assert "done" == (await follower.rebalancer.look(plan_id)).status
    await follower.rebalancer.close()


async def test_a_step_waits_for_a_manager_that_has_not_answered_yet() -> None:
    """Who runs is not known then, so nobody is taken for one that is told later."""
    first = await following("anna", "bert", "carl")
    await first.rebalance(await plan_of(first, shares=FIRST))
    first.manager.traders["anna"].deaf = True
    plan_id = await plan_of(first, shares=SECOND)
    assert "running" == await first.rebalance(plan_id)
    await first.plans.remember(first.portfolio.known())
    again = Follower(first.manager, first.plans)
    first.manager.away = "the manager is away"
    await again.sync.begin()
    await again.rebalancer.turn()
    await again.sync.look_at_fleet()
    await again.rebalancer.turn()
    stored = await again.rebalancer.look(plan_id)
    assert ("running", "the manager has not answered yet") == (stored.status, stored.note)


@given(dies_after=st.integers(0, 12), deaf=st.booleans())
async def test_whenever_it_dies_the_next_one_ends_at_the_exact_plan(
    dies_after: int, *, deaf: bool
) -> None:
    """The database is away after any write, and the process with it."""
    first = await following("anna", "bert", "carl")
    await first.rebalance(await plan_of(first, shares=FIRST))
    stored = await first.capital.preview(first.sync.age(), shares=SECOND)
    first.manager.traders["anna"].deaf = deaf
    first.plans.dies_after = dies_after
    try:
        await first.rebalance(stored.plan.plan_id)
    except SuiteError:
        assert 0 == dies_after, "it was not begun"
        return
    first.plans.dies_after = None
    first.manager.traders["anna"].deaf = False
    again = Follower(first.manager, first.plans)
    await again.sync.begin()
    await again.look()
    for _ in range(3):
        await again.rebalancer.turn()
        await again.sync.look_at_fleet()
    assert "done" == (await again.rebalancer.look(stored.plan.plan_id)).status
    assert dict(stored.plan.after.by_trader) == again.capital.allotments
    assert {n: Decimal(v) * MICRO for n, v in told(again).items()} == again.capital.allotments


@pytest.mark.parametrize(
    ("shares", "kind", "words"),
    [
        ({"anna": 0.4, "bert": 0.4, "carl": 0.4}, BadRequest, "the shares add up to 120.0%"),
        ({"anna": 0.4, "bert": 0.4, "carl": 0.15}, BadRequest, "10.0% of the capital is kept"),
        ({"anna": 0.5}, BadRequest, "anna: 50.0% is more than one trader may have, 40.0%"),
        ({"ann": 0.1}, NotFound, "there is no trader 'ann', did you mean anna?"),
        ({"anna": float("nan")}, BadRequest, "anna: a share is 0 to 1, not nan"),
        ({"anna": -0.1}, BadRequest, "anna: a share is 0 to 1"),
        ({"anna": float("inf")}, BadRequest, "anna: a share is 0 to 1"),
    ],
)
async def test_absurd_requests_move_nothing(
    shares: dict[str, float], kind: type[SuiteError], words: str
) -> None:
    follower = await following("anna", "bert", "carl")
    with pytest.raises(kind) as told_why:
        await plan_of(follower, shares=shares)
    assert words in str(told_why.value)
    assert ({}, {}) == (follower.plans.plans, follower.capital.allotments)


async def test_there_must_be_something_to_share_out() -> None:
    empty = await following()
    with pytest.raises(Conflict, match="nothing to share out"):
        await plan_of(empty)
    unseen = Follower(ScriptedManager())
    await unseen.sync.begin()
    with pytest.raises(Conflict, match="has not answered yet"):
        await plan_of(unseen)
    with pytest.raises(BadRequest, match="not both"):
        await plan_of(empty, shares={}, method="equal")


async def test_a_plan_is_outdated_by_whatever_it_went_by() -> None:
    follower = await following("anna", "bert", "carl")

    async def refused(plan_id: str, why: str) -> None:
        before = dict(follower.capital.allotments)
        with pytest.raises(Conflict, match=f"is outdated: {why}"):
            await follower.rebalance(plan_id)
        assert before == follower.capital.allotments
        assert "outdated" == (await follower.rebalancer.look(plan_id)).status

    old = await plan_of(follower, shares=SECOND)
    await follower.rebalance(await plan_of(follower, shares=FIRST))
    await refused(old, "what is allotted has changed since")
    aged = await plan_of(follower, shares=SECOND)
    follower.wall.advance_to(follower.wall.now_ms() + PLAN_AGE_MAX_MS + 1)
    await refused(aged, "it was made more than 15 minutes ago")
    bound = await plan_of(follower, shares=SECOND)
    await follower.capital.change_limits(method=None, weight_max=0.39)
    await refused(bound, "the limits have changed since")
    await follower.capital.change_limits(method=None, weight_max=0.4)
    poorer = await plan_of(follower, shares=SECOND)
    follower.manager.traders["bert"].realized -= 9_000
    await follower.look()
    await refused(poorer, "there is less by now than it would allot")
    follower.manager.traders["bert"].realized += 9_000
    await follower.look()
    gone = await plan_of(follower, shares=SECOND)
    del follower.manager.traders["carl"]
    await follower.look()
    await refused(gone, "carl is no more")


async def test_who_is_gone_or_stopped_and_flat_gives_up_what_it_has() -> None:
    follower = await following("anna", "bert", "carl")
    await follower.rebalance(await plan_of(follower, shares=FIRST))
    del follower.manager.traders["carl"]
    bert = follower.manager.traders["bert"]
    bert.size, bert.actual, bert.desired = Decimal(0), "absent", "stopped"
    await follower.look()
    plan_id = await plan_of(follower, method="equal")
    assert "done" == await follower.rebalance(plan_id)
    assert {"anna", "bert"} == set(follower.capital.allotments), "who is gone has no limit at all"
    assert 0 == follower.capital.allotments["bert"]


async def test_one_that_is_unknown_keeps_its_limit() -> None:
    follower = await following("anna", "bert", "carl")
    await follower.rebalance(await plan_of(follower, shares=FIRST))
    kept = follower.capital.allotments["carl"]
    follower.manager.traders["carl"].silent = True
    await follower.look()
    stored = await follower.capital.preview(follower.sync.age(), method="equal")
    assert "carl keeps its limit: it is unknown at present" in stored.notes
    await follower.rebalance(stored.plan.plan_id)
    assert kept == follower.capital.allotments["carl"]
    assert sum(follower.capital.allotments.values()) <= follower.portfolio.capital_usd


async def test_more_allotted_than_there_is_by_now_comes_down_at_once() -> None:
    follower = await following("anna", "bert", "carl")
    await follower.rebalance(await plan_of(follower, shares=SECOND))
    for one in follower.manager.traders.values():
        one.realized -= 5_000
    await follower.look()
    assert sum(follower.capital.allotments.values()) > follower.portfolio.capital_usd
    follower.capital.limits = follower.plans.limits
    stored = await follower.capital.preview(follower.sync.age(), method="equal")
    assert sum(stored.plan.after.by_trader.values()) <= 0.9 * follower.portfolio.capital_usd + 1
    assert "done" == await follower.rebalance(stored.plan.plan_id)


async def test_limits_bound_what_they_can() -> None:
    follower = await following("anna")
    changed = await follower.capital.change_limits(method="kelly", weight_max=0.5)
    assert (0.5, 0.1, 0.2, "kelly") == (
        *(changed.rules.weight_max, changed.rules.reserve_min),
        *(changed.rules.drawdown_stop, changed.method),
    )
    for bad in ({"weight_max": 0.0}, {"weight_max": 1.1}, {"reserve_min": 1.0},
                {"drawdown_stop": 0.0}, {"weight_max": float("nan")}):  # fmt: skip
        with pytest.raises(BadRequest):
            await follower.capital.change_limits(method=None, **bad)
    assert changed == follower.capital.limits == follower.plans.limits


async def test_a_second_service_carries_nothing_out() -> None:
    follower = await following("anna", "bert", plans=MemoryPlans(leader=False))
    plan_id = await plan_of(follower, shares={"anna": 0.2})
    with pytest.raises(Conflict, match="another portfolio-service"):
        await follower.rebalance(plan_id)
    assert "another portfolio-service carries plans out" == follower.rebalancer.trouble


async def test_allocations_as_they_are_shown() -> None:
    follower = await following("anna", "bert", "carl")
    before = shown_allocation(
        follower.portfolio, follower.capital, follower.rebalancer, follower.automatic.answer()
    )
    assert {None} == {one.allocation for one in before.traders}
    assert before.total_capital == before.available_balance
    await follower.rebalance(await plan_of(follower, shares=FIRST))
    after = shown_allocation(
        follower.portfolio, follower.capital, follower.rebalancer, follower.automatic.answer()
    )
    assert after.allocated + after.available_balance == after.total_capital
    assert [0.3, 0.3, 0.2] == pytest.approx([one.share for one in after.traders], abs=1e-3)
    assert {True} == {one.in_force for one in after.traders}


def test_transfers_that_a_person_would_have_to_make() -> None:
    after = {"anna": Usd(700), "bert": Usd(100), "carl": Usd(100)}
    found = transfers_for(after, {"anna": 300, "bert": 350, "carl": 300, "dora": -5})
    assert [("bert", "anna", 250), ("carl", "anna", 150)] == [
        (one.from_trader, one.to_trader, one.usd) for one in found
    ]
    assert () == transfers_for(after, {"anna": 700, "bert": 100, "carl": 100})
