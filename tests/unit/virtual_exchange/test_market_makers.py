"""Market makers in worlds of their own: quotes rest, fill inside bars, and never take."""

from typing import Any

import numpy as np
import pytest
from tests.support.worlds import START_MS, MemorySource, path_bars, random_source

from perp_engine.events import Fill
from suite.bars import HOUR_MS, MINUTE_MS
from suite.clock import ManualClock
from suite.contracts.trader import StrategySpec, TraderSpec
from suite.enums import OrderStatus, Side
from suite.fixed import USD_ONE
from virtual_exchange.application.backtest import run_backtest
from virtual_exchange.application.session import world_request
from virtual_exchange.domain.record import AccountRecord

CALM = [(1800.0, 1800.4, 1799.6, 1800.0)] * 4


def maker(kind: str = "fixed_spread", *, interval: str = "1m", **params: Any) -> TraderSpec:
    values = {"order_notional": 100, "max_inventory": 500, **params}
    strategy = StrategySpec(kind=kind, params=values)
    return TraderSpec(trader_id="maker", strategy=strategy, symbols=("ETH",), interval=interval)


def run(spec: TraderSpec, source: MemorySource, **settings: Any) -> AccountRecord:
    record = run_backtest(
        world_request((spec,), **settings),
        (spec,),
        source=source,
        clock=ManualClock(0),
        progress=lambda _done: None,
    )
    return record.accounts[0]


def bars(*rows: tuple[float, float, float, float]) -> MemorySource:
    return MemorySource({"ETH": path_bars([*rows])})


def prices(fills: list[Fill]) -> list[tuple[Side, float]]:
    return [(fill.side, fill.price / 100) for fill in fills]


def test_a_round_trip_earns_the_spread_less_the_fees() -> None:
    """The bar goes through the bid, the next one through the ask: 1,799.1 and 1,800.9.

    The inventory would have the ask a tick lower, which is within tolerance.
    """
    source = bars((1800.0, 1800.2, 1798.9, 1800.0), (1800.0, 1801.2, 1799.8, 1800.0), *CALM)
    account = run(maker(), source)
    assert [(Side.BUY, 1799.1), (Side.SELL, 1800.9)] == prices(account.fills)
    assert not any(fill.is_taker for fill in account.fills)
    size = account.fills[0].size
    fees = sum(fill.fee_usd for fill in account.fills)
    assert 180 * size - fees == account.equity_usd[-1] - account.equity_usd[0]


def test_a_bar_that_only_touches_a_quote_does_not_fill_it() -> None:
    """Nothing is known about the queue; what a touch earns is fiction."""
    touched = bars((1800.0, 1800.2, 1799.1, 1800.0), *CALM)
    assert [] == run(maker(), touched).fills
    assert [(Side.BUY, 1799.1)] == prices(run(maker(), touched, limit_fill="touch").fills)


def test_quotes_follow_the_market_and_stop_at_the_limit() -> None:
    """A falling market fills bid after bid until the inventory is full; then only asks rest."""
    falling = [(price, price, price - 5, price - 4) for price in np.arange(1800.0, 1700.0, -4.0)]
    account = run(maker(jump=0.0), bars(*falling))
    held = sum(int(fill.side) * fill.size for fill in account.fills)
    assert all(fill.side is Side.BUY for fill in account.fills)
    assert 450 < held / 10_000 * 1700 <= 500
    resting = [order for order in account.orders if order.status is OrderStatus.CANCELED]
    assert any(order.side is Side.SELL for order in resting)


def test_a_jump_empties_the_book_of_the_maker() -> None:
    """3 % up and down again: the ask goes with the first print, and nothing rests for two bars."""
    jump = [(1800.0, 1800.4, 1799.6, 1800.0), (1854.0, 1860.0, 1840.0, 1854.0), *CALM]
    account = run(maker(), bars(*CALM, *jump))
    start = account.orders[0].placed_ms
    minutes = [(order.placed_ms - start) // MINUTE_MS for order in account.orders]
    assert [0, 0, 7, 7] == minutes
    assert [(Side.SELL, 1854.0)] == prices(account.fills)
    assert start + 5 * MINUTE_MS == account.orders[0].closed_ms


@pytest.mark.parametrize("interval", ["1m", "5m"])
@pytest.mark.parametrize("levels", [1, 3])
def test_a_random_market_never_sees_the_maker_take_or_exceed_its_limit(
    interval: str, levels: int
) -> None:
    """Hundreds of fills, no rejection, every one as a maker, inventory within its limit."""
    spec = maker(interval=interval, levels=levels, book=interval == "1m", jump=0.0)
    account = run(spec, random_source("ETH", count=2000))
    assert len(account.fills) > 200
    assert not any(fill.is_taker for fill in account.fills)
    assert 0 == account.rejected_orders
    position = 0
    for fill in account.fills:
        position += int(fill.side) * fill.size
        assert abs(position) * fill.price <= 510 * USD_ONE


@pytest.mark.parametrize("rate", [0.0004, -0.0004])
@pytest.mark.parametrize("hours", [1, 8])
def test_funding_is_collected_whoever_pays_it_and_how_often(rate: float, hours: int) -> None:
    """The same hourly rate both ways: shorts are held where longs pay, longs where shorts do."""
    source = random_source("ETH", count=3000)
    stamps = np.arange(1, 50 // hours + 1) * hours * HOUR_MS + START_MS
    source.funding["ETH"] = stamps, np.full(len(stamps), rate * hours / 8)
    spec = maker("funding_rate", funding_hours=hours, jump=0.0)
    account = run(spec, source)
    assert sum(paid.usd for paid in account.funding) > 0
    assert len(account.funding) > 4
    sizes = [paid.size for paid in account.funding]
    assert sum(size * rate < 0 for size in sizes) > 0.8 * len(sizes)


def test_a_flip_of_the_rate_is_survived() -> None:
    """Longs pay for a day, then shorts: the account ends on the side that is paid."""
    source = random_source("ETH", count=3000)
    stamps = np.arange(1, 50) * HOUR_MS + START_MS
    source.funding["ETH"] = stamps, np.where(np.arange(1, 50) < 24, 0.00005, -0.00005)
    account = run(maker("funding_rate", jump=0.0), source)
    sizes = [paid.size for paid in account.funding]
    assert sizes[20] < 0 < sizes[-1]


def test_the_run_repeats_to_the_byte() -> None:
    """Same market, same decisions."""
    first, second = (run(maker(levels=2), random_source("ETH", count=500)) for _ in range(2))
    assert first.decisions_sha256 == second.decisions_sha256
    assert first.fills == second.fills


def test_quotes_are_left_alone_where_tolerance_allows() -> None:
    """With ten half-spreads of tolerance and no age limit, one pair of orders serves for hours."""
    patient: dict[str, Any] = {
        "refresh_tolerance": 5.0,
        "size_tolerance": 1.0,
        "max_age_ms": 10**9,
        "spread": 0.02,
    }
    account = run(maker(**patient), random_source("ETH", count=240))
    eager = run(maker(spread=0.02, refresh_tolerance=0.0), random_source("ETH", count=240))
    assert 4 >= len(account.orders)
    assert 200 < len(eager.orders)
    assert [] == account.fills
