"""What is shown of an account, whatever a venue answers."""

from decimal import Decimal

import msgspec
from tests.unit.strategy_core.fake_venue import account_view

from strategy_agent.application.status import Status
from suite.contracts.clock import AccountView


def shown(equity: str, **sizes: str) -> Status:
    status = Status("a", "flat")
    view = msgspec.to_builtins(account_view(Decimal(100), dict.fromkeys(sizes, Decimal(1))))
    view["state"]["marginSummary"]["accountValue"] = equity
    for row in view["state"]["assetPositions"]:
        row["position"]["szi"] = sizes[row["position"]["coin"]]
    status.show(msgspec.convert(view, AccountView))
    return status


def test_equity_and_positions_are_shown_as_the_venue_writes_them() -> None:
    status = shown("100.5", BTC="-0.50", ETH="0.0")
    assert ("100.5", {"BTC": "-0.50"}) == (status.equity, status.positions)


def test_a_number_that_is_none_hinders_nobody() -> None:
    """A size that cannot be read is one that may be held; equity stays what it was."""
    status = shown("n/a", BTC="abc", ETH="NaN", SOL="0")
    assert ("", {"BTC": "abc", "ETH": "NaN"}) == (status.equity, status.positions)
