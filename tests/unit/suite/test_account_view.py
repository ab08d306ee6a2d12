"""A state with fills that it does not have yet is the state that comes after them."""

from decimal import Decimal

import pytest
from tests.support.account_wire import fill, position, state

from suite.account.view import state_with
from suite.contracts.hyperliquid_info import AssetPosition, UserFill

LONG = position("ETH", "2.0")
SHORT = position("ETH", "-2.0")


@pytest.mark.parametrize(
    ("held", "told", "size", "entry", "cash"),
    [
        ((), fill(1, fee="0.1"), "1.0", "100.0", "899.9"),
        ((), fill(1, side="A"), "-1.0", "100.0", "1100.0"),
        ((LONG,), fill(1, px="130.0"), "3.0", "110.0", "870.0"),
        ((LONG,), fill(1, side="A", px="130.0"), "1.0", "100.0", "1130.0"),
        ((LONG,), fill(1, side="A", size="2.0"), "", "", "1200.0"),
        ((LONG,), fill(1, side="A", size="5.0", px="90.0"), "-3.0", "90.0", "1450.0"),
        ((SHORT,), fill(1, side="A", px="130.0"), "-3.0", "110.0", "1130.0"),
    ],
)
def test_size_entry_and_cash_are_exact(
    held: tuple[AssetPosition, ...], told: UserFill, size: str, entry: str, cash: str
) -> None:
    shown = state_with(state(*held), (told,))
    rows = [(row.position.szi, row.position.entryPx) for row in shown.assetPositions]
    assert ([(size, entry)] if size else []) == rows
    assert cash == shown.marginSummary.totalRawUsd


def test_a_fill_at_the_mark_costs_its_fee_and_no_more() -> None:
    before = state(LONG)
    after = state_with(before, (fill(1, fee="0.25"), fill(2, "BTC", side="A")))
    value = Decimal(before.marginSummary.accountValue) - Decimal("0.25")
    assert value == Decimal(after.marginSummary.accountValue)
    # 3 ETH at leverage 5, and 1 BTC of which the leverage is not known
    assert "160.0" == after.marginSummary.totalMarginUsed
    assert value - 160 == Decimal(after.withdrawable)


def test_without_fills_it_is_the_venues_own() -> None:
    before = state(LONG)
    assert before is state_with(before, ())
