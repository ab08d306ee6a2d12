"""What is shown of an account, whatever a venue answers."""

from decimal import Decimal

import msgspec
from tests.unit.strategy_core.fake_venue import account_view

from strategy_agent.application.status import Status


def shown(equity: str, **sizes: str) -> Status:
    status = Status("a", "flat")
    view = account_view(Decimal(equity), dict.fromkeys(sizes, Decimal(1)))
    held = tuple(
        msgspec.structs.replace(one, size=Decimal(sizes[one.coin])) for one in view.positions
    )
    status.show(msgspec.structs.replace(view, positions=held))
    return status


def test_equity_and_positions_are_shown_as_the_venue_writes_them() -> None:
    status = shown("100.5", BTC="-0.50", ETH="0.0")
    assert ("100.5", {"BTC": "-0.50"}) == (status.equity, status.positions)


def test_a_number_that_is_none_hinders_nobody() -> None:
    """A size that is none is one that may be held; equity stays what it was."""
    status = shown("Infinity", BTC="Infinity", ETH="NaN", SOL="0")
    assert ("", {"BTC": "Infinity", "ETH": "NaN"}) == (status.equity, status.positions)
