"""The modelled book: on the grid, deep, the same for all, and true to the fills."""

import itertools
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from tests.support.worlds import START_MS, open_memory_world, path_bars, random_source

from suite.bars import MINUTE_MS
from suite.contracts.venue import LimitType, OrderType, PlaceOrder
from suite.enums import Tif
from virtual_exchange.application.info.modelled_book import LEVELS, _Depth
from virtual_exchange.application.info.request import InfoBody, Unsupported
from virtual_exchange.application.session import Session

BIDS, ASKS = 0, 1


@pytest.fixture
def session() -> Session:
    opened = open_memory_world(random_source("BTC", "ETH", "SOL"))
    opened.barrier.advance(START_MS + 50 * MINUTE_MS)
    return opened


def book(session: Session, coin: str = "BTC", **how: Any) -> Any:
    return session.queries.info(InfoBody(type="l2Book", coin=coin, **how), None)


def ordered(session: Session, order: PlaceOrder) -> Any:
    """Status of an order that was let in."""
    response: Any = session.venue.submit(0, order).response
    (status,) = response["data"]["statuses"]
    return status


def prices(levels: list[Any]) -> list[Decimal]:
    return [Decimal(level["px"]) for level in levels]


def total(levels: list[Any], worst: Decimal, side: int) -> Decimal:
    """Size at a price or better."""
    return sum(
        (
            Decimal(level["sz"])
            for level in levels
            if (Decimal(level["px"]) >= worst) == (side == BIDS) or Decimal(level["px"]) == worst
        ),
        Decimal(0),
    )


@pytest.mark.parametrize("coin", ["BTC", "ETH", "SOL"])
@pytest.mark.parametrize("bar", [0, 1, 7, 300])
def test_levels_are_on_the_grid_and_best_ones_are_the_engines(coin: str, bar: int) -> None:
    """Nothing is shown within the engine's touch, and nothing could be between both."""
    session = open_memory_world(random_source("BTC", "ETH", "SOL"))
    session.barrier.advance(START_MS + bar * MINUTE_MS)
    symbol = session.world.symbols[coin]
    instrument, engine = session.world.market.instruments[symbol], session.world.engine
    shown = book(session, coin)
    assert session.world.now_ms == shown["time"]
    touch = engine.book(symbol)
    bids, asks = (
        [instrument.parse_price(price) for price in prices(side)] for side in shown["levels"]
    )
    assert LEVELS == len(bids) == len(asks)
    assert all(instrument.price_is_valid(price) for price in bids + asks)
    assert sorted(bids, reverse=True) == bids
    assert sorted(asks) == asks
    assert bids[0] <= touch.bid < touch.ask <= asks[0]
    assert touch.bid - bids[0] < instrument.tick(touch.bid)
    assert asks[0] - touch.ask < instrument.tick(touch.ask)
    for level in itertools.chain(*shown["levels"]):
        assert instrument.parse_size(level["sz"]) > 0
        assert level["n"] > 0


@pytest.mark.parametrize("is_buy", [True, False])
@pytest.mark.parametrize("level", [0, 5, LEVELS - 1])
def test_order_at_a_shown_price_fills_at_it_or_better(
    session: Session, level: int, *, is_buy: bool
) -> None:
    """As an IOC through the venue; one tick before the best price it finds nobody."""
    shown = book(session, "ETH")["levels"][ASKS if is_buy else BIDS]
    price = Decimal(shown[level]["px"])
    ioc = OrderType(limit=LimitType(tif=Tif.IOC))
    order = PlaceOrder(coin="ETH", is_buy=is_buy, sz=Decimal("0.5"), limit_px=price, order_type=ioc)
    average = Decimal(ordered(session, order)["filled"]["avgPx"])
    assert average <= price if is_buy else average >= price
    tick = Decimal("0.1")
    before = PlaceOrder(
        coin="ETH",
        is_buy=is_buy,
        sz=Decimal("0.5"),
        limit_px=Decimal(shown[0]["px"]) + (-tick if is_buy else tick),
        order_type=ioc,
    )
    assert "could not immediately match" in ordered(session, before)["error"]


@pytest.mark.parametrize("figures", [2, 3, 4, 5])
def test_aggregated_levels_hold_what_the_finer_ones_do(session: Session, figures: int) -> None:
    """Each level is all that lies within it, so that depths agree wherever both are known."""
    fine, coarse = book(session), book(session, nSigFigs=figures)
    for side in (BIDS, ASKS):
        deepest = prices(fine["levels"][side])[-1]
        for price in prices(coarse["levels"][side]):
            if (price >= deepest) if side == BIDS else (price <= deepest):
                sizes = {total(b["levels"][side], price, side) for b in (fine, coarse)}
                assert 1 == len(sizes)
    bid, ask = (prices(fine["levels"][side])[0] for side in (BIDS, ASKS))
    assert ask - bid == Decimal(coarse["spread"])
    assert "spread" not in fine
    assert prices(coarse["levels"][BIDS])[0] <= bid
    assert prices(coarse["levels"][ASKS])[0] >= ask


@pytest.mark.parametrize("mantissa", [2, 5])
def test_mantissa_makes_levels_multiples_of_it(session: Session, mantissa: int) -> None:
    """Of the fifth figure."""
    shown = book(session, nSigFigs=5, mantissa=mantissa)
    for price in itertools.chain(*map(prices, shown["levels"])):
        assert price % mantissa == 0


@pytest.mark.parametrize(
    "how",
    [
        {"nSigFigs": 1},
        {"nSigFigs": 6},
        {"nSigFigs": 0},
        {"nSigFigs": 5, "mantissa": 1},
        {"nSigFigs": 5, "mantissa": 3},
        {"nSigFigs": 4, "mantissa": 2},
        {"mantissa": 5},
    ],
)
def test_levels_the_venue_has_not_are_refused(session: Session, how: dict[str, Any]) -> None:
    """With its 500 and `null`, not with a guess."""
    with pytest.raises(Unsupported):
        book(session, **how)


def test_depth_comes_from_the_last_closed_bar_alone() -> None:
    """The volume of the bar that starts now is not known yet."""
    bars = path_bars([(100.0, 101.0, 99.0, 100.0)] * 4)
    thin, thick = bars.volume.copy(), bars.volume.copy()
    thin[2:], thick[2:] = 1.0, 9000.0
    shown = []
    for volume in (thin, thick):
        source = random_source()
        source.bars["SOL"] = replace(bars, volume=volume)
        opened = open_memory_world(source)
        opened.barrier.advance(START_MS + 2 * MINUTE_MS)
        shown.append(book(opened, "SOL"))
        opened.barrier.advance(START_MS + 3 * MINUTE_MS)
        shown.append(book(opened, "SOL"))
    assert shown[0] == shown[2]
    assert 20 * total(shown[1]["levels"][BIDS], Decimal(0), BIDS) < total(
        shown[3]["levels"][BIDS], Decimal(0), BIDS
    )


@pytest.mark.parametrize("volume", [0, 1, 7, 1000, 10**12])
def test_depth_only_grows(volume: int) -> None:
    """However small it is, and however far: no level is empty."""
    depth = _Depth(name=f"{volume}", volume=volume, least=4)
    sizes = [depth.size(ticks) for ticks in range(2000)]
    orders = [depth.orders(ticks) for ticks in range(2000)]
    assert all(before < after for before, after in itertools.pairwise(sizes))
    assert all(1 <= after - before <= 3 for before, after in itertools.pairwise(orders))
    assert sizes[-1] <= 2 * volume + 4 * 2000


def test_levels_cross_a_power_of_ten_on_the_grid() -> None:
    """Where the tick changes, on both sides."""
    for price in (9999.95, 10000.0, 10000.4):
        source = random_source()
        source.bars["ETH"] = path_bars([(price, price, price, price)] * 3)
        shown = book(open_memory_world(source), "ETH")["levels"]
        for level in itertools.chain(*map(prices, shown)):
            assert level % (1 if level >= 10_000 else Decimal("0.1")) == 0
        assert len(set(prices(shown[ASKS]))) == LEVELS


def test_coin_that_does_not_trade_now_has_an_empty_book(session: Session) -> None:
    """At the end of the world; spot pairs never trade."""
    session.barrier.advance(session.world.to_ms)
    assert [[], []] == book(session)["levels"]
    assert "0.0" == book(session, nSigFigs=5)["spread"]
    for pair in ("PURR/USDC", "@1"):
        assert [[], []] == book(session, pair)["levels"]
    assert book(session, "NOPE") is None
