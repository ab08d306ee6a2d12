"""Closed trades from fills: from flat to flat, net of fees, to the last digit."""

from dataclasses import replace
from decimal import Decimal

from tests.support.stored_traders import trade

from suite.enums import Side
from trader_manager.domain.records import Trade
from trader_manager.domain.round_trips import RoundTrip, round_trips


def fill(
    tid: int,
    side: Side,
    size: str,
    start: str,
    *,
    pnl: str = "0",
    fee: str = "1",
    coin: str = "BTC",
) -> Trade:
    return replace(
        trade("a", tid), time_ms=tid, coin=coin, side=side, size=Decimal(size),
        fee_usd=Decimal(fee), start_position=Decimal(start), closed_pnl_usd=Decimal(pnl),
    )  # fmt: skip


def test_a_trade_is_all_fills_from_flat_to_flat() -> None:
    trades = (
        fill(1, Side.BUY, "2", "0"),
        fill(2, Side.BUY, "1", "0", coin="ETH"),
        fill(3, Side.BUY, "1", "2"),
        fill(4, Side.SELL, "1", "3", pnl="5"),
        fill(5, Side.SELL, "2", "2", pnl="-1"),
        fill(6, Side.BUY, "2", "0"),
    )
    expected = (RoundTrip(coin="BTC", opened_ms=1, closed_ms=5, net_usd=Decimal(0)),)
    assert expected == round_trips(trades)


def test_a_flip_ends_one_trade_and_begins_the_next_and_its_fee_is_divided() -> None:
    trades = (
        fill(1, Side.SELL, "1", "0"),
        fill(2, Side.BUY, "4", "-1", pnl="10", fee="2"),
        fill(3, Side.SELL, "3", "3", pnl="4", fee="0.5"),
    )
    assert [Decimal("8.5"), Decimal(2)] == [trip.net_usd for trip in round_trips(trades)]
    assert [(1, 2), (2, 3)] == [(trip.opened_ms, trip.closed_ms) for trip in round_trips(trades)]


def test_a_trade_that_began_before_the_first_known_fill_has_no_beginning() -> None:
    (trip,) = round_trips((fill(9, Side.SELL, "1", "1", pnl="3"),))
    assert (None, Decimal(2)) == (trip.opened_ms, trip.net_usd)
