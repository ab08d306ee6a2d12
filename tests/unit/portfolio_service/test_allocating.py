"""Allocations add up to the micro-USDC, and a plan leads from one to the other."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portfolio_service.domain.allocating import Allocation, allocate, plan_rebalance
from suite.checks import InvariantViolated
from suite.errors import BadRequest
from suite.fixed import Usd

USD = 1_000_000


def allocation(total: int, **usd: int) -> Allocation:
    return Allocation(
        total_usd=Usd(total * USD), by_trader={name: Usd(v * USD) for name, v in usd.items()}
    )


amounts = st.dictionaries(st.sampled_from("abcdefgh"), st.integers(0, 10**13), max_size=8)


@given(
    total=st.integers(0, 10**15),
    raw=st.dictionaries(st.text("abc", min_size=1, max_size=4), st.floats(0, 1), max_size=10),
)
def test_allocations_and_reserve_are_all_there_is(total: int, raw: dict[str, float]) -> None:
    whole = sum(raw.values())
    shares = {name: one / whole if whole > 1 else one for name, one in raw.items()}
    told = allocate(Usd(total), shares)
    assert total == sum(told.by_trader.values()) + told.reserve_usd
    for name, usd in told.by_trader.items():
        assert abs(usd - shares[name] * total) <= 1 + total * 1e-12


def test_thirds_lose_nothing() -> None:
    third = 1 / 3
    told = allocate(Usd(100), dict.fromkeys("abc", third))
    assert [34, 33, 33] == list(told.by_trader.values())
    assert 0 == told.reserve_usd


@pytest.mark.parametrize("share", [float("nan"), float("inf"), -0.1, 1.1])
def test_a_share_that_is_none_is_refused(share: float) -> None:
    with pytest.raises(BadRequest, match="a: a share is 0 to 1"):
        allocate(Usd(100), {"a": share})


def test_more_than_there_is_is_refused() -> None:
    with pytest.raises(BadRequest, match=r"the shares add up to 130\.0% of all"):
        allocate(Usd(10**9), {"a": 0.7, "b": 0.6})
    with pytest.raises(InvariantViolated):
        allocation(10, a=11)


def test_what_is_near_its_target_stays() -> None:
    plan = plan_rebalance(allocation(1000, a=100, b=300), allocation(1000, a=119, b=255))
    assert () == plan.steps
    assert plan.left == {"a": "within 2% of all", "b": "within 20% of its target"}


def test_a_rebalance_goes_half_way_and_gives_up_first() -> None:
    plan = plan_rebalance(allocation(1000, a=100, b=600), allocation(1000, a=500, b=200))
    assert [("b", 600 * USD, 400 * USD), ("a", 100 * USD, 300 * USD)] == [
        (step.trader_id, step.from_usd, step.to_usd) for step in plan.steps
    ]


def test_who_joins_or_leaves_does_so_at_once() -> None:
    plan = plan_rebalance(
        allocation(1000, old=400, b=300),
        allocation(1000, new=250, b=310),
        leaving=frozenset({"old"}),
    )
    assert {"b": 300 * USD, "new": 250 * USD, "old": 0} == plan.after.by_trader
    assert ["old", "new"] == [step.trader_id for step in plan.steps]


@given(before=amounts, target=amounts, leaving=st.sets(st.sampled_from("abcdefgh")))
def test_there_is_never_more_given_than_there_is(
    before: dict[str, int], target: dict[str, int], leaving: set[str]
) -> None:
    """At no step; and the steps lead to what was planned."""
    total = Usd(max(sum(before.values()), sum(target.values())))
    was = Allocation(total_usd=total, by_trader={n: Usd(v) for n, v in before.items()})
    wanted = Allocation(total_usd=total, by_trader={n: Usd(v) for n, v in target.items()})
    plan = plan_rebalance(was, wanted, leaving=frozenset(leaving))
    now = dict(was.by_trader)
    for step in plan.steps:
        assert now.get(step.trader_id, 0) == step.from_usd
        now[step.trader_id] = step.to_usd
        assert sum(now.values()) <= total
        assert step.to_usd >= 0
    assert {n: v for n, v in now.items() if v} == {
        n: v for n, v in plan.after.by_trader.items() if v
    }
    again = plan_rebalance(was, wanted, leaving=frozenset(leaving))
    assert plan == again


def test_another_question_is_another_plan() -> None:
    before, target = allocation(1000, a=100), allocation(1000, a=500)
    first = plan_rebalance(before, target)
    richer = replace(before, total_usd=Usd(2000 * USD))
    second = plan_rebalance(richer, replace(target, total_usd=Usd(2000 * USD)))
    assert first.plan_id != second.plan_id
    assert {step.key for step in first.steps}.isdisjoint(step.key for step in second.steps)
