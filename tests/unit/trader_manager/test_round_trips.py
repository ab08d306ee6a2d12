"""Trades from fills: from flat to flat, net of fees, to the last digit."""

from dataclasses import replace
from decimal import Decimal

from tests.support.stored_traders import WORLD, trade

from suite.enums import Side
from suite.ids import TraderId
from trader_manager.domain.records import FundingPayment, Trade
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
    price = Decimal("60000.5")
    expected = RoundTrip(
        coin="BTC", opened_ms=1, closed_ms=5, size=Decimal(3), fees_usd=Decimal(4),
        funding_usd=Decimal(0), net_usd=Decimal(0), side=Side.BUY,
        entry_price=price, exit_price=price,
    )  # fmt: skip
    closed, *still_open = round_trips(trades)
    assert expected == closed
    assert [("BTC", 6, None), ("ETH", 2, None)] == [
        (trip.coin, trip.opened_ms, trip.closed_ms) for trip in still_open
    ]


def test_prices_of_a_trade_are_averages_over_its_fills() -> None:
    trades = (
        replace(fill(1, Side.SELL, "1", "0"), price=Decimal(100)),
        replace(fill(2, Side.SELL, "3", "-1"), price=Decimal(104)),
        replace(fill(3, Side.BUY, "4", "-4"), price=Decimal(90)),
    )
    (trip,) = round_trips(trades)
    assert (Side.SELL, Decimal(4)) == (trip.side, trip.size)
    assert (Decimal(103), Decimal(90)) == (trip.entry_price, trip.exit_price)


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
    assert (None, None, Decimal(2)) == (trip.opened_ms, trip.entry_price, trip.net_usd)


def test_funding_is_of_the_trade_that_is_open_and_paid_before_anything_trades() -> None:
    """In another coin, or after the end, it is none of it."""
    trades = (
        fill(1, Side.BUY, "1", "0"),
        fill(5, Side.SELL, "1", "1", pnl="10"),
        fill(5, Side.BUY, "1", "0"),
        fill(9, Side.SELL, "1", "1"),
    )
    funding = [paid(3, "-1.5"), paid(3, "-7", "ETH"), paid(5, "-0.25"), paid(9, "0.5"), paid(10)]
    assert [Decimal("6.25"), Decimal("-1.5")] == [
        trip.net_usd for trip in round_trips(trades, funding)
    ]


def test_the_fee_of_a_flip_is_divided_in_whole_micro_usd() -> None:
    trades = (
        fill(1, Side.SELL, "1", "0", fee="0"),
        fill(2, Side.BUY, "3", "-1", fee="0.000002"),
        fill(3, Side.SELL, "2", "2", fee="0"),
    )
    assert [Decimal(0), Decimal("-0.000002")] == [trip.net_usd for trip in round_trips(trades)]


def paid(time_ms: int, usd: str = "-100", coin: str = "BTC") -> FundingPayment:
    return FundingPayment(
        world=WORLD, trader_id=TraderId("a"), time_ms=time_ms, coin=coin, received_usd=Decimal(usd)
    )
