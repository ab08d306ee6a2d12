"""Where quotes stand: the tables of the specification, and the edges."""

from decimal import Decimal

import pytest
from tests.support.quoting import D, market, terms

from strategy_core.quoting.prices import (
    Inventory,
    Quote,
    Quotes,
    cost_of_side,
    half_spread,
    least_spread,
    quotes_of,
)


def quotes(share: str, *, base: str = "1", **changes: object) -> Quotes:
    """Quotes with a share of the largest inventory held, of which 100 are allowed."""
    inventory = Inventory(size=D(share) * 100, limit=D(100))
    return quotes_of(terms(**changes), market(), inventory, base=D(base))


@pytest.mark.parametrize(
    ("share", "bid", "ask", "bid_size", "ask_size"),
    [
        ("0", "1999.0", "2001.0", "1.0", "1.0"),
        ("0.5", "1998.5", "2000.5", "0.5", "1.0"),
        ("-1", "1999.9", "2002.1", "1.0", "0"),
    ],
)
def test_table_of_the_inventory_skew(
    share: str, bid: str, ask: str, bid_size: str, ask_size: str
) -> None:
    """Mid 2,000, spread 10 bp, full skew, tick 0.1: prices and sizes move with the inventory."""
    made = quotes(share)
    assert (Quote(D(bid), D(bid_size)),) == made.bids
    # at the limit there is no ask: its size is 0
    assert ((Quote(D(ask), D(ask_size)),) if D(ask_size) else ()) == made.asks


def test_an_ask_rounds_up_and_a_bid_down() -> None:
    """Both away from the mid; a published maker rounds both down and gives the ask away."""
    made = quotes_of(terms(), market("2000.07"), Inventory(size=D(0), limit=D(100)), base=D(1))
    # 1,999.069965 and 2,001.070035
    assert (D("1999.0"), D("2001.1")) == (made.bids[0].price, made.asks[0].price)


def test_a_quote_never_stands_at_the_other_side() -> None:
    """A tick inside the touch, however far the skew would push it."""
    wide = market(bid=D("1990.0"), ask=D("1999.3"))
    made = quotes_of(terms(), wide, Inventory(size=D(-100), limit=D(100)), base=D(1))
    assert D("1999.2") == made.bids[0].price
    made = quotes_of(terms(), wide, Inventory(size=D(100), limit=D(100)), base=D(1))
    assert D("1999.1") < made.asks[0].price
    high = market(bid=D("2005.7"), ask=D("2006.0"))
    made = quotes_of(terms(), high, Inventory(size=D(0), limit=D(100)), base=D(1))
    assert D("2005.8") == made.asks[0].price


def test_levels_step_out_and_shrink() -> None:
    """Level i stands at half * (1 + i * step) with base * decay ** i."""
    made = quotes("0", levels=3, level_step=D("0.5"), level_decay=D("0.5"))
    assert [D("1999.0"), D("1998.5"), D("1998.0")] == [quote.price for quote in made.bids]
    assert [D("2001.0"), D("2001.5"), D("2002.0")] == [quote.price for quote in made.asks]
    assert [D(1), D("0.5"), D("0.25")] == [quote.size for quote in made.bids]


def test_levels_together_stay_within_the_limit() -> None:
    """Three bids of 40 with 70 held of 100: 12 each by the skew, the last one trimmed."""
    made = quotes("0.7", base="40", levels=4)
    assert [D(12), D(12), D(6)] == [quote.size for quote in made.bids]
    assert [D(40)] * 4 == [quote.size for quote in made.asks]


def test_levels_closer_than_a_tick_stand_on_ticks_of_their_own() -> None:
    """Two orders at one price would be one level with two fees of attention."""
    made = quotes("0", levels=3, level_step=D("0.00001"))
    assert [D("1999.0"), D("1998.9"), D("1998.8")] == [quote.price for quote in made.bids]


def test_a_quote_below_the_smallest_order_is_left_out() -> None:
    """9.99 USD are not rounded up to 10."""
    made = quotes("0", base="0.004999")
    assert () == made.asks
    assert 1 == len(quotes("0", base="0.0051").bids)


def test_the_half_spread_is_the_largest_of_three() -> None:
    """The spread's, what a side costs, and the volatility's."""
    assert D("0.0005") == half_spread(terms(), market())
    # 1.5 bp + 1 bp + half a tick of 0.1 at 2,000
    assert D("0.000275") == cost_of_side(terms(), market())
    assert D("0.000275") == half_spread(terms(spread=D("0.0005")), market())
    assert D("0.003") == half_spread(terms(volatility_factor=D("1.5")), market(atr=D(4)))


def test_a_rebate_never_makes_the_cost_of_a_side_negative() -> None:
    """Half a tick is always due."""
    assert D("0.000025") == cost_of_side(terms(maker_fee=D("-0.0003")), market())


def test_least_spread_of_the_default_venue() -> None:
    """2 * 1.5 bp + 2 * 1 bp."""
    assert D("0.0005") == least_spread(maker_fee=D("0.00015"), adverse=D("0.0001"))


def test_a_wanted_inventory_is_the_new_centre() -> None:
    """Holding what is wanted, prices stand around the mid, and sizes are full on both sides."""
    held = Inventory(size=D(-30), limit=D(100), target=D(-30))
    made = quotes_of(terms(), market(), held, base=D(1))
    assert (D("1999.0"), D("2001.0")) == (made.bids[0].price, made.asks[0].price)
    assert (Decimal(1), Decimal(1)) == (made.bids[0].size, made.asks[0].size)
