"""Candles that a report draws: as fine as there is room for."""

import pytest
from tests.support.worlds import random_source

from suite.bars import HOUR_MS, MINUTE_MS
from suite.clock import ManualClock
from suite.contracts.trader import StrategySpec, TraderSpec
from virtual_exchange.application import world
from virtual_exchange.application.backtest import run_backtest
from virtual_exchange.application.session import world_request

HODL = TraderSpec(trader_id="a", strategy=StrategySpec(kind="hodl"), symbols=("BTC",))


@pytest.mark.parametrize(
    ("most", "of_all", "expected_ms"),
    [
        (5000, 60_000, MINUTE_MS),
        (10, 60_000, 30 * MINUTE_MS),
        (5000, 20, 15 * MINUTE_MS),
        (2, 60_000, HOUR_MS),
    ],
)
def test_candles_are_as_fine_as_there_is_room_for_and_at_least_hours(
    monkeypatch: pytest.MonkeyPatch, most: int, of_all: int, expected_ms: int
) -> None:
    """Of a run of five hours."""
    monkeypatch.setattr(world, "_CANDLES_MAX", most)
    monkeypatch.setattr(world, "_CANDLES_OF_ALL", of_all)
    record = run_backtest(
        world_request((HODL,)),
        (HODL,),
        source=random_source("BTC", count=300),
        clock=ManualClock(0),
        progress=lambda _done: None,
        plugins={},
    )
    (market,) = record.markets
    assert expected_ms == market.open_time_ms[1] - market.open_time_ms[0]
    assert 300 * MINUTE_MS // expected_ms == len(market.open_time_ms)
