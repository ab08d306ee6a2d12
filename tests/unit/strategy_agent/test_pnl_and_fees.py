"""Realized result since a time."""

from decimal import Decimal

from tests.support.account_wire import fill, funding

from strategy_agent.application.pnl_and_fees import PnlAndFees, fetch_pnl_and_fees


def test_it_is_summed_exactly_by_coin_and_from_the_time_on() -> None:
    told = (
        fill(1, at=5, closedPnl="100.0", fee="1.0"),
        fill(2, at=10, closedPnl="0.1", fee="0.2"),
        fill(3, at=12, size="0.5", px="90.0", closedPnl="-0.3", fee="-0.05"),
        fill(4, "BTC", at=11, closedPnl="7.0", fee="0.5"),
    )
    paid = (*funding("-0.25", at=11).fundings, *funding("3.0", at=9).fundings)
    report = fetch_pnl_and_fees(10, fills=told, fundings=paid, known_from_ms=5)
    eth = PnlAndFees(
        realized_pnl=Decimal("-0.2"),
        fees=Decimal("0.15"),
        funding=Decimal("-0.25"),
        volume=Decimal(145),
        fills=2,
    )
    assert eth == report.by_coin["ETH"]
    assert Decimal("-0.6") == eth.net
    assert (3, Decimal("5.9")) == (report.total.fills, report.total.net)
    assert report.complete


def test_what_is_not_known_so_far_back_is_said_to_be_incomplete() -> None:
    assert not fetch_pnl_and_fees(10, fills=(), fundings=(), known_from_ms=11).complete
