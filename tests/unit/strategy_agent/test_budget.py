"""The budget of requests: never more in a minute, and a part of it for exits."""

import random

import pytest

from strategy_agent.application.budget import RateBudget


class Time:
    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def test_entries_stop_at_the_reserve_and_exits_never() -> None:
    budget = RateBudget(Time(), per_minute=10, reserve=4)
    assert [True] * 6 + [False] * 2 == [budget.take(exits=False) for _ in range(8)]
    assert 4 == budget.left
    assert all(budget.take(exits=True) for _ in range(50))
    assert 0 == budget.left
    assert not budget.take(exits=False)


def test_what_was_taken_comes_back_a_minute_later() -> None:
    time = Time()
    budget = RateBudget(time, per_minute=10, reserve=4)
    for _ in range(6):
        assert budget.take(exits=False)
        time.now_s += 1
    time.now_s = 1059.9
    assert not budget.take(exits=False)
    time.now_s = 1060.0
    assert budget.take(exits=False)
    assert not budget.take(exits=False)


def test_no_minute_has_more_entries_than_the_budget() -> None:
    """Any window of a minute, at random times."""
    time, chance = Time(), random.Random(5)
    budget, taken = RateBudget(time, per_minute=30, reserve=10), []
    for _ in range(5_000):
        time.now_s += chance.expovariate(2.0)
        if budget.take(exits=False):
            taken.append(time.now_s)
    worst = max(sum(at <= other < at + 60 for other in taken) for at in taken)
    assert 20 == worst


@pytest.mark.parametrize("reserve", [-1, 10])
def test_reserve_is_a_part_of_the_budget(reserve: int) -> None:
    with pytest.raises(ValueError, match="reserve"):
        RateBudget(Time(), per_minute=10, reserve=reserve)
