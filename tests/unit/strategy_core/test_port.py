"""How a reply of the venue is read."""

from decimal import Decimal

import msgspec
import pytest
from tests.unit.strategy_core.fake_venue import account_view

from strategy_core.port import Observation, observe
from suite.contracts.clock import AccountView, WaitReply

ACCOUNT = account_view(Decimal("100.5"), {"BTC": Decimal("-0.50"), "ETH": Decimal(2)})


def seen(account: AccountView | None, mids: dict[str, str] | None = None) -> Observation:
    reply = WaitReply(now_ms=5, step_seq=1, mids=mids)
    return observe(reply, account=account, verdicts=())


def test_positions_are_those_of_the_reply_itself() -> None:
    """Not made anew; flat ones are left out."""
    flat = msgspec.structs.replace(ACCOUNT.positions[1], size=Decimal("0.0"))
    told = msgspec.structs.replace(ACCOUNT, positions=(ACCOUNT.positions[0], flat))
    observation = seen(told)
    assert {"BTC": ACCOUNT.positions[0]} == observation.positions
    assert observation.positions["BTC"] is ACCOUNT.positions[0]


def test_what_is_available_is_equity_without_margin_and_never_below_zero() -> None:
    told = msgspec.structs.replace(ACCOUNT, margin_used=Decimal(100))
    assert (Decimal("100.5"), Decimal("0.5")) == (seen(told).equity, seen(told).available)
    assert Decimal(0) == seen(msgspec.structs.replace(told, margin_used=Decimal(200))).available


@pytest.mark.parametrize("odd", ["NaN", "sNaN", "Infinity", "1e400", "1e-400"])
@pytest.mark.parametrize("name", ["equity", "margin_used"])
def test_money_that_is_no_number_makes_an_account_unreadable(name: str, odd: str) -> None:
    with pytest.raises(ArithmeticError):
        seen(msgspec.structs.replace(ACCOUNT, **{name: Decimal(odd)}))


def test_a_mid_that_is_none_is_missing() -> None:
    """It is no reason to pause, and nothing is opened by it."""
    mids = {"A": "NaN", "B": "0", "C": "-5", "D": "1e400", "E": "abc", "F": "1_0", "G": "2.50"}
    assert {"G": Decimal("2.50")} == seen(None, mids).mids
