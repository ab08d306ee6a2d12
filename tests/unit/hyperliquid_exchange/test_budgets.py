"""What the venue still takes, at the edge of what is kept for exits."""

import asyncio
from collections.abc import Mapping
from typing import Any

import msgspec
import pytest
from tests.support.waiting import until

from hyperliquid_exchange.application import budgets as application
from hyperliquid_exchange.application.budgets import Budgets, keep_told
from hyperliquid_exchange.domain.budgets import AddressBudget, WeightBudget, action_weight
from suite.errors import UpstreamTimeout


@pytest.mark.parametrize(("used", "is_refused"), [(9_498, False), (9_499, False), (9_500, True)])
def test_requests_of_an_account_keep_their_reserve(used: int, is_refused: bool) -> None:
    assert is_refused is bool(AddressBudget(used=used).refusal(1))


def test_trading_makes_room_and_what_leaves_takes_it() -> None:
    budgets = Budgets(now_s=lambda: 0.0)
    budgets.told("0xa", used=9_500, cap=10_000)
    assert budgets.action_refusal("0xa", 1)

    budgets.traded("0xa", 2)
    assert not budgets.action_refusal("0xa", 2)
    budgets.action_left("0xa", 2)
    assert budgets.action_refusal("0xa", 1)
    assert not budgets.action_refusal("0xb", 1)  # accounts do not share


@pytest.mark.parametrize(("spent", "is_refused"), [(958, False), (959, False), (960, True)])
def test_a_fifth_of_the_weight_is_kept(spent: int, is_refused: bool) -> None:
    budget = WeightBudget()
    budget.spend(spent, 0.0)

    assert is_refused is bool(budget.refusal(1, 59.999))
    assert not budget.refusal(1, 60.0)


def test_weight_comes_back_as_it_was_spent() -> None:
    budget = WeightBudget()
    budget.spend(500, 0.0)
    budget.spend(460, 10.0)

    assert budget.wait_s(1, 20.0) == 40.0
    assert budget.wait_s(501, 20.0) == 50.0
    assert budget.wait_s(1_000, 20.0) == 60.0
    assert (240, 740, 1_200) == tuple(budget.left(at_s) for at_s in (59.0, 60.0, 70.0))
    assert budget.wait_s(1, 70.0) == 0.0


def test_reads_cost_what_they_ask_for_and_what_they_are_told() -> None:
    budgets = Budgets(now_s=lambda: 0.0)
    budgets.read_left("userFills")
    budgets.read_answered("userFills", 45)
    budgets.read_left("allMids")

    assert budgets.weight.left(0.0) == 1_200 - 20 - 2 - 2
    assert budgets.read_refusal("allMids") == ""
    budgets.weight.spend(936, 0.0)
    assert budgets.read_refusal("allMids")
    assert budgets.read_wait_s("allMids") == 60.0


@pytest.mark.parametrize(("items", "weight"), [(1, 1), (39, 1), (40, 2), (79, 2), (80, 3)])
def test_actions_cost_by_their_length(items: int, weight: int) -> None:
    assert weight == action_weight(items)


class Venue:
    """Tells of accounts; the first question gets no answer."""

    def __init__(self, budgets: Budgets) -> None:
        self.budgets = budgets
        self.asked: list[str] = []

    async def exchange(self, payload: bytes) -> Mapping[str, Any]:
        raise AssertionError(payload)

    async def info(self, body: bytes) -> tuple[int, bytes]:
        request = msgspec.json.decode(body)
        self.asked.append(request["user"])
        if len(self.asked) == 1:
            raise UpstreamTimeout("down")
        self.budgets.action_left(request["user"], 3)  # meanwhile
        told = {"cumVlm": "0.0", "nRequestsUsed": 20_000, "nRequestsCap": 90_000}
        return 200, msgspec.json.encode(told)


async def test_the_venue_says_what_an_account_may_still_send(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Else who has sent 9,500 actions is done until a restart, and after one knows of none."""
    monkeypatch.setattr(application, "ASK_S", 0.0)
    budgets = Budgets(now_s=lambda: 0.0)
    venue = Venue(budgets)
    budgets.action_left("0xb", 9_600)
    assert budgets.action_refusal("0xb", 1)
    asking = asyncio.create_task(keep_told(budgets, venue, ("0xa", "0xb")))
    try:
        await until(lambda: len(venue.asked) > 3)
    finally:
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)

    for name in ("0xa", "0xb"):
        one = budgets.address(name)
        assert (20_003, 90_000) == (one.used, one.cap)
    assert not budgets.action_refusal("0xb", 1)


async def test_reads_without_weight_are_not_made() -> None:
    budgets = Budgets(now_s=lambda: 0.0)
    budgets.weight.spend(1_200, 0.0)
    venue = Venue(budgets)
    asking = asyncio.create_task(keep_told(budgets, venue, ("0xa",)))
    await asyncio.sleep(0)
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    assert [] == venue.asked
