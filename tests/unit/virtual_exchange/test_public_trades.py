"""Modelled public trades: the bars again, told as trades."""

from decimal import Decimal
from itertools import pairwise
from typing import Any, Literal

import numpy as np
import pytest
from tests.support.worlds import START_MS, open_memory_world, path_bars, random_source

from perp_engine.tape import CLOSE, HIGH, LOW, OPEN, VOLUME
from suite.bars import MINUTE_MS
from virtual_exchange.application.info.request import InfoBody
from virtual_exchange.application.session import Session

BARS = 40


@pytest.fixture
def session() -> Session:
    opened = open_memory_world(random_source("BTC", "ETH"))
    opened.barrier.advance(START_MS + BARS * MINUTE_MS)
    return opened


def of_bar(trades: list[dict[str, Any]], bar: int) -> list[dict[str, Any]]:
    start = START_MS + bar * MINUTE_MS
    return [trade for trade in trades if start <= trade["time"] < start + MINUTE_MS]


def test_trades_of_a_bar_are_the_bar(session: Session) -> None:
    """Open, high, low, close and volume can be put together from them again."""
    trades = session.queries.market.trades_between(0, 0, BARS)
    instrument, tape = session.world.market.instruments[0], session.world.market.tape
    for bar in range(BARS):
        own = of_bar(trades, bar)
        prices = [instrument.parse_price(trade["px"]) for trade in own]
        sizes = [instrument.parse_size(trade["sz"]) for trade in own]
        expected = [int(tape.bars[0, field, bar]) for field in (OPEN, HIGH, LOW, CLOSE, VOLUME)]
        assert expected == [prices[0], max(prices), min(prices), prices[-1], sum(sizes)]
        assert all(size > 0 for size in sizes)


def test_aggressor_is_on_the_side_of_the_move(session: Session) -> None:
    """Within a bar; the ids rise, and every trade has its own."""
    trades = session.queries.market.trades_between(0, 0, BARS)
    for bar in range(BARS):
        for before, after in pairwise(of_bar(trades, bar)):
            moved = Decimal(after["px"]) - Decimal(before["px"])
            if moved:
                assert ("B" if moved > 0 else "A") == after["side"]
    ids = [trade["tid"] for trade in trades]
    assert sorted(set(ids)) == ids
    assert len(ids) == len({trade["hash"] for trade in trades})
    other = session.queries.market.trades_between(1, 0, BARS)
    assert set(ids).isdisjoint(trade["tid"] for trade in other)
    assert max(ids) < 1 << 53


@pytest.mark.parametrize(
    ("path", "expected"), [("ohlc", ["101.0", "98.0"]), ("olhc", ["98.0", "101.0"])]
)
def test_extremes_come_in_the_order_of_the_worlds_path(
    path: Literal["ohlc", "olhc"], expected: list[str]
) -> None:
    """A pessimistic world knows none, and takes the nearer one first."""
    source = random_source()
    source.bars["SOL"] = path_bars([(100.0, 101.0, 98.0, 99.0)] * 3)
    for world, order in ((path, expected), ("pessimistic", ["101.0", "98.0"])):
        session = open_memory_world(source, bar_path=world)
        session.barrier.advance(START_MS + MINUTE_MS)
        trades = session.queries.market.trades_between(0, 0, 1)
        assert order == [trade["px"] for trade in trades[1:3]]


@pytest.mark.parametrize("lots", [0, 1, 2, 3, 5])
def test_small_volume_has_fewer_trades(lots: int) -> None:
    """None of them is empty, and nothing is added."""
    source = random_source()
    source.bars["SOL"] = path_bars([(100.0, 101.0, 98.0, 99.0)] * 3, volume=lots / 100)
    session = open_memory_world(source)
    session.barrier.advance(START_MS + MINUTE_MS)
    trades = session.queries.market.trades_between(0, 0, 1)
    assert min(lots, 4) == len(trades)
    assert Decimal(lots) / 100 == sum(Decimal(trade["sz"]) for trade in trades)


def test_recent_trades_are_the_latest_of_closed_bars_newest_first(session: Session) -> None:
    """A hundred of them; none of a bar that is open, or of a coin that is not there."""
    recent = session.queries.info(InfoBody(type="recentTrades", coin="ETH"), None)
    all_of_them = session.queries.market.trades_between(1, 0, 10**6)
    assert all_of_them[::-1][:100] == recent
    assert recent[0]["time"] < session.world.now_ms
    assert [] == session.queries.info(InfoBody(type="recentTrades", coin="NOPE"), None)
    assert [] == session.queries.market.trades_between(1, BARS, BARS + 5)
    fresh = open_memory_world(random_source("BTC"))
    assert [] == fresh.queries.info(InfoBody(type="recentTrades", coin="BTC"), None)


def test_gap_in_the_data_has_no_trades() -> None:
    """The last price stands there, and nobody dealt at it."""
    source = random_source("BTC", count=10)
    bars = source.bars["BTC"]
    keep = np.array([row != 4 for row in range(10)])
    names = ("open_time_ms", "open", "high", "low", "close", "volume")
    columns = [np.ascontiguousarray(getattr(bars, name)[keep]) for name in names]
    source.bars["BTC"] = type(bars)(bars.interval_ms, *columns)
    session = open_memory_world(source, allow_partial=True)
    session.barrier.advance(START_MS + 8 * MINUTE_MS)
    trades = session.queries.market.trades_between(0, 0, 8)
    assert [] == of_bar(trades, 4)
    assert 4 == len(of_bar(trades, 5))
