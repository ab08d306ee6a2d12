"""Market makers over random markets, inventories and settings: what must hold in all of them."""

from decimal import Decimal
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.quoting import ETH, START_MS, TIER, D, seen, snapshot

from strategy_core.building import Setup
from strategy_core.port import Observation, Strategy
from strategy_core.quoting.prices import (
    Inventory,
    Market,
    Quotes,
    Terms,
    half_spread,
    least_spread,
    quotes_of,
)
from strategy_core.registry import KINDS, read_params
from strategy_core.sizing.targets import MIN_NOTIONAL
from suite.bars import MINUTE_MS
from suite.contracts.hyperliquid_info import OpenOrder
from suite.contracts.venue import CancelOrder, ModifyOrder, PlaceOrder
from suite.instrument import Instrument

MANY = settings(max_examples=400, deadline=None)


def fractions(low: str, high: str, places: int = 6) -> st.SearchStrategy[Decimal]:
    return st.decimals(D(low), D(high), places=places, allow_nan=False, allow_infinity=False)


@st.composite
def markets(draw: st.DrawFn) -> Market:
    """A coin of any price from a thousandth of a cent to 200,000 USD, and a touch around its mid.

    Prices have five to seven figures, as recorded ones do: finer than an order's.
    """
    sz_decimals = draw(st.integers(0, 5))
    instrument = Instrument(coin="X", sz_decimals=sz_decimals, tiers=TIER)
    units = draw(st.integers(5_000, 2_000_000))
    decimals = instrument.price_decimals
    mid = Decimal(units).scaleb(-decimals)
    below, above = draw(fractions("0", "0.002")), draw(fractions("0", "0.002"))
    return Market(instrument=instrument, mid=mid, bid=mid * (1 - below), ask=mid * (1 + above))


@st.composite
def terms(draw: st.DrawFn) -> Terms:
    fee, adverse = draw(fractions("-0.0002", "0.0005")), draw(fractions("0", "0.0005"))
    least = max(D("0.00001"), least_spread(maker_fee=fee, adverse=adverse))
    return Terms(
        spread=least + draw(fractions("0", "0.02")),
        maker_fee=fee,
        adverse=adverse,
        skew=draw(fractions("0", "1", 2)),
        levels=draw(st.integers(1, 5)),
        level_step=draw(fractions("0.01", "3", 2)),
        level_decay=draw(fractions("0.1", "1.5", 2)),
    )


@st.composite
def inventories(draw: st.DrawFn, mid: Decimal) -> Inventory:
    """Up to 50 % beyond the limit: equity may have fallen since."""
    limit = draw(fractions("50", "50000", 2)) / mid
    return Inventory(
        size=limit * draw(fractions("-1.5", "1.5", 3)),
        limit=limit,
        target=limit * draw(fractions("-0.5", "0.5", 3)),
    )


@st.composite
def cases(draw: st.DrawFn) -> tuple[Terms, Market, Inventory, Decimal, Decimal]:
    market, rules = draw(markets()), draw(terms())
    base = draw(fractions("1", "5000", 2)) / market.mid
    lean = half_spread(rules, market) * draw(fractions("-0.8", "0.8", 3))
    return rules, market, draw(inventories(market.mid)), base, lean


def made(case: tuple[Terms, Market, Inventory, Decimal, Decimal]) -> Quotes:
    rules, market, inventory, base, lean = case
    return quotes_of(rules, market, inventory, base=base, lean=lean)


@MANY
@given(cases())
def test_bids_are_below_asks_and_nothing_crosses(case: Any) -> None:
    """A tick inside the other side's best at least, each level beyond the last one."""
    market, quotes = case[1], made(case)
    bids, asks = [q.price for q in quotes.bids], [q.price for q in quotes.asks]
    assert all(0 < price <= market.ask - market.tick for price in bids)
    assert all(price >= market.bid + market.tick for price in asks)
    assert sorted(set(bids), reverse=True) == bids
    assert sorted(set(asks)) == asks
    assert not (bids and asks) or bids[0] < asks[0]


@MANY
@given(cases())
def test_every_quote_is_one_the_venue_takes(case: Any) -> None:
    """On the grid of prices and sizes, and no smaller than the smallest order."""
    instrument, quotes = case[1].instrument, made(case)
    for quote in (*quotes.bids, *quotes.asks):
        assert instrument.price_is_valid(instrument.parse_price(quote.price))
        assert instrument.parse_size(quote.size) > 0
        assert quote.price * quote.size >= MIN_NOTIONAL


@MANY
@given(cases())
def test_fills_of_all_quotes_stay_within_the_inventory_limit(case: Any) -> None:
    """However many levels: the side that adds is cut to the room there is."""
    inventory, quotes = case[2], made(case)
    bought, sold = (sum((q.size for q in side), D(0)) for side in (quotes.bids, quotes.asks))
    assert not bought or inventory.size + bought <= inventory.limit
    assert not sold or inventory.size - sold >= -inventory.limit
    if inventory.size >= inventory.limit:
        assert () == quotes.bids
    if inventory.size <= -inventory.limit:
        assert () == quotes.asks


@MANY
@given(cases(), st.integers(1, 4))
def test_a_coin_ten_times_as_dear_has_quotes_ten_times_as_dear(case: Any, digits: int) -> None:
    """0.17 or 60,000 USD: with lattices moved alike, quotes move alike, to the last digit."""
    rules, market, inventory, base, lean = case
    shift = min(digits, 5 - market.instrument.sz_decimals)
    dearer = Market(
        instrument=Instrument(
            coin="X", sz_decimals=market.instrument.sz_decimals + shift, tiers=TIER
        ),
        mid=market.mid.scaleb(shift),
        bid=market.bid.scaleb(shift),
        ask=market.ask.scaleb(shift),
    )
    if dearer.tick != market.tick.scaleb(shift):
        return  # whole dollars are always valid, so very dear coins have a finer grid
    scaled = Inventory(
        size=inventory.size.scaleb(-shift),
        limit=inventory.limit.scaleb(-shift),
        target=inventory.target.scaleb(-shift),
    )
    base_quotes = quotes_of(rules, market, inventory, base=base, lean=lean)
    dear_quotes = quotes_of(rules, dearer, scaled, base=base.scaleb(-shift), lean=lean)
    for one, other in (
        (base_quotes.bids, dear_quotes.bids),
        (base_quotes.asks, dear_quotes.asks),
    ):
        assert [(q.price.scaleb(shift), q.size.scaleb(-shift)) for q in one] == [
            (q.price, q.size) for q in other
        ]


@MANY
@given(cases())
def test_no_quote_of_a_flat_maker_is_nearer_than_its_cost(case: Any) -> None:
    """Fee and adverse move are earned by every fill, whatever the lattice."""
    rules, market, inventory, base, _ = case
    flat = Inventory(size=D(0), limit=inventory.limit)
    quotes = quotes_of(rules, market, flat, base=base)
    cost = max(D(0), rules.maker_fee + rules.adverse)
    for quote in quotes.bids:
        assert (market.mid - quote.price) / market.mid >= cost
    for quote in quotes.asks:
        assert (quote.price - market.mid) / market.mid >= cost


@MANY
@given(fractions("0.00001", "0.01"), fractions("-0.001", "0.002"), fractions("0", "0.002"))
def test_a_spread_is_refused_exactly_when_it_is_below_cost(
    spread: Decimal, fee: Decimal, adverse: Decimal
) -> None:
    """At configuration, with the code and the number."""
    raw = {"spread": float(spread), "maker_fee": float(fee), "adverse": float(adverse)}
    found = read_params(KINDS["fixed_spread"], raw)[1]
    assert (spread < 2 * (fee + adverse)) is any("SPREAD_BELOW_COST" in text for text in found)


@MANY
@given(fractions("-0.02", "0.02", 9), st.sampled_from([1, 2, 4, 8]), fractions("-2", "2"))
def test_equal_rates_by_the_hour_give_equal_quotes_whatever_the_interval(
    rate: Decimal, hours: int, held: Decimal
) -> None:
    """Away from a stamp only the rate of an hour counts; floats of the division do not show."""
    units = int(rate.scaleb(9))

    def answer(interval: int) -> Any:
        shown = snapshot(rate_hourly=units * interval / 10**9 / interval)
        size = (held / 8).quantize(D("0.0001"))
        return maker("funding_rate", book=True, funding_hours=interval).decide(
            seen(now_ms=START_MS, held=str(size), shown=shown)
        )

    assert answer(1) == answer(hours)


# ---- whole turns --------------------------------------------------------------------------------


ORDERS = st.lists(
    st.tuples(st.booleans(), st.integers(150_000, 250_000), st.integers(1, 5_000)), max_size=8
)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(1, 90_000), st.integers(-2_000, 2_000), fractions("-2", "2"), ORDERS),
        min_size=1,
        max_size=6,
    ),
    st.integers(1, 4),
)
def test_after_any_turn_only_good_quotes_rest(steps: Any, levels: int) -> None:
    """Whatever rests, is held and has happened: nothing beyond the mid, no more than the levels.

    What stays at the venue when cancels, moves and placements have been carried out is looked at.
    """
    strategy, now_ms, cents = maker("fixed_spread", book=False, levels=levels), START_MS, 200_000
    for wait_ms, move, held, orders in steps:
        now_ms, cents = now_ms + wait_ms, cents + move
        mid = Decimal(cents).scaleb(-2)
        observation = seen(
            str(mid),
            now_ms=now_ms,
            held=str((held * 250 / mid).quantize(D("0.0001"))),
            orders=tuple(resting_of(oid, order, now_ms - 1000) for oid, order in enumerate(orders)),
        )
        left = carried_out(observation, strategy.decide(observation).actions)
        bids = [price for is_buy, price, _ in left if is_buy]
        asks = [price for is_buy, price, _ in left if not is_buy]
        assert all(price < mid for price in bids)
        assert all(price > mid for price in asks)
        assert max(len(bids), len(asks)) <= levels
        assert all(size > 0 for _, _, size in left)
        limit = D(500) / mid
        assert not (bids and observation.size_of("ETH") >= limit)
        assert not (asks and observation.size_of("ETH") <= -limit)


def maker(kind: str, **params: Any) -> Strategy:
    """100 USD a quote of ETH, 500 USD at most."""
    values = {"order_notional": 100, "max_inventory": 500, **params}
    read, found = read_params(KINDS[kind], values)
    assert found == []
    setup = Setup(
        trader_id="t",
        symbols=("ETH",),
        instruments={"ETH": ETH},
        interval_ms=MINUTE_MS,
        generator=np.random.default_rng(0),
    )
    return KINDS[kind].make(setup, read)


def resting_of(oid: int, order: tuple[bool, int, int], placed_ms: int) -> OpenOrder:
    is_buy, cents, lots = order
    price, size = Decimal(cents).scaleb(-2), Decimal(lots).scaleb(-4)
    return OpenOrder(
        coin="ETH",
        side="B" if is_buy else "A",
        limitPx=str(price),
        sz=str(size),
        oid=oid,
        timestamp=placed_ms,
        origSz=str(size),
    )


def carried_out(
    observation: Observation, actions: tuple[Any, ...]
) -> list[tuple[bool, Decimal, Decimal]]:
    """What rests once a decision was carried out: side, price and size."""
    book = {
        order.oid: (order.side == "B", D(order.limitPx), D(order.sz))
        for order in observation.open_orders
    }
    for number, action in enumerate(actions):
        if isinstance(action, CancelOrder | ModifyOrder):
            assert action.oid is not None
            del book[action.oid]
        if isinstance(action, ModifyOrder | PlaceOrder):
            book[1000 + number] = (action.is_buy, action.limit_px, action.sz)
    return list(book.values())
