"""What a world may be like: fees by tier, impact, longer bars, the path inside them."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from tests.support.worlds import (
    START_MS,
    MemorySource,
    open_memory_world,
    random_bars,
    random_source,
)

from perp_engine.rules import HYPERLIQUID_FEES, BarPath, Rules
from suite.bars import HOUR_MS, MINUTE_MS
from suite.contracts.clock import Want
from suite.contracts.venue import PlaceOrder
from suite.contracts.world import AccountRequest, MarketModel, WorldRequest
from suite.errors import BadRequest, StorageError
from virtual_exchange.application.market.building import query_of
from virtual_exchange.application.market.rules import described_rules, rules_of


def model(**fields: Any) -> MarketModel:
    """A market model as the wire brings it."""
    return msgspec.convert(fields, MarketModel)


def test_fee_tiers_are_the_venues_own_or_a_list() -> None:
    """By name, or by volume with rebates."""
    assert HYPERLIQUID_FEES == rules_of(model(fees={"tiers": "hyperliquid"})).fee_tiers
    listed = [
        {"volume": "0", "taker": "0.0005", "maker": "0.0002"},
        {"volume": "1e6", "taker": "0.0004", "maker": "-0.00001"},
    ]
    tiers = rules_of(model(fees={"tiers": listed})).fee_tiers
    assert [(0, 500_000, 200_000), (10**12, 400_000, -10_000)] == [
        (tier.volume_usd, tier.taker, tier.maker) for tier in tiers
    ]


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"fees": {"tiers": "hyperliquid", "taker": "0.1"}}, "either tiers, or taker and maker"),
        ({"fees": {"tiers": [{"volume": 5, "taker": 0, "maker": 0}]}}, "the first must be 0"),
        (
            {"fees": {"tiers": [{"volume": 0, "taker": 0, "maker": 0}] * 2}},
            "volumes must rise",
        ),
        ({"fees": {"tiers": [{"volume": -1, "taker": 0, "maker": 0}]}}, r"tiers\[0\].volume"),
        ({"fees": {"tiers": [{"volume": 0, "taker": 1, "maker": 0}]}}, r"tiers\[0\].taker"),
        ({"impact": "1.5"}, "impact: must be a fraction between 0 and 1"),
        ({"impact": "-0.1"}, "impact: must be a fraction between 0 and 1"),
        ({"spread": "0.00000000001"}, "spread: "),
        ({"mark": "ema"}, "mark ema is not modelled"),
        ({"mark": "recorded"}, "mark recorded is not modelled"),
    ],
)
def test_impossible_option_is_refused_in_one_line(fields: dict[str, Any], text: str) -> None:
    """The field is named."""
    with pytest.raises(BadRequest, match=text) as caught:
        rules_of(model(**fields))
    assert "\n" not in str(caught.value)


def test_every_rule_is_written_in_the_report() -> None:
    """Nothing that changes a fill stays unsaid."""
    written = described_rules(rules_of(model(fees={"tiers": "hyperliquid"}, impact="0.01")))
    named = {name.removeprefix("decision_") for name in Rules.__dataclass_fields__}
    assert named == set(written)
    assert ("0.01", None, None) == (written["impact"], written["taker_fee"], written["maker_fee"])
    assert {"volume_usd": "5000000.0", "taker": "0.0004", "maker": "0.00012"} == written[
        "fee_tiers"
    ][1]


def test_impact_makes_a_large_order_dearer() -> None:
    """In proportion to its share of the last bar's volume."""
    prices = []
    for impact in (Decimal(0), Decimal("0.5")):
        session = open_memory_world(random_source("BTC"), impact=impact)
        session.barrier.advance(START_MS + MINUTE_MS)
        order = PlaceOrder(coin="BTC", is_buy=True, sz=Decimal("0.1"))
        session.venue.submit(0, order)
        prices.append(session.world.books[0].fills[0].price)
    assert prices[0] < prices[1]


def test_world_of_longer_bars_is_made_of_the_stored_minutes() -> None:
    """Its clock steps by its bars; candles and snapshots still know every minute."""
    source = random_source("BTC", count=610)
    session = open_memory_world(source, interval="1h")
    tape, minutes = session.world.market.tape, source.bars["BTC"]
    assert (HOUR_MS, 10) == (tape.interval_ms, tape.length)
    assert (tape.bars[0, 1] == (minutes.high[:600].reshape(10, 60).max(1) * 10).round()).all()
    reply = session.barrier.join(0, Want())
    assert START_MS == reply.now_ms
    session.barrier.leave(0)
    session.barrier.advance(START_MS + MINUTE_MS)
    assert START_MS + HOUR_MS == session.world.now_ms
    assert 60 == len(session.data.klines("BTC", "1m", None, None)[0])


def test_recorded_path_goes_through_the_minutes() -> None:
    """A limit that only the first minute's low meets is filled, and each minute has its place."""
    session = open_memory_world(random_source("BTC"), interval="1h", bar_path="recorded")
    detail = session.world.market.tape.detail
    assert BarPath.RECORDED is session.world.rules.bar_path
    assert detail is not None
    assert list(range(0, 601, 60)) == detail.first[0].tolist()
    session.world.play(session.world.end_bar)


def test_recorded_path_is_refused_where_nothing_finer_is_stored() -> None:
    """The store's finest bars are minutes."""
    request = WorldRequest(
        symbols=("BTC",), accounts=(AccountRequest(id="a"),), bar_path="recorded"
    )
    with pytest.raises(BadRequest, match="1m is the finest that is stored"):
        query_of(request)


@pytest.mark.parametrize(
    ("column", "value", "text"),
    [
        ("high", 1.0, "BTC: the stored bar at 2025-05-05 00:07 has its high below"),
        ("low", 1e6, "BTC: the stored bar at 2025-05-05 00:07 has its low above"),
    ],
)
def test_stored_bar_that_cannot_be_is_named(column: str, value: float, text: str) -> None:
    """By its coin and its time."""
    bars = random_bars("BTC", 20)
    getattr(bars, column)[7] = value
    source = MemorySource({"ETH": random_bars("ETH", 20), "BTC": bars})
    with pytest.raises(StorageError, match=text):
        open_memory_world(source)
