"""Which quotes stay, move, or are taken away."""

from typing import Any

import pytest
from tests.support.quoting import START_MS, D, market, resting

from strategy_core.quoting.prices import Quote
from strategy_core.quoting.refreshing import POST_ONLY, Judge, Resting, Tolerance
from suite.contracts.venue import CancelOrder, ModifyOrder, PlaceOrder

LATER = START_MS + 60_000


def judge(mid: str = "2000", **changes: Any) -> Judge:
    """Half-spread 5 bp (a dollar), 15 % of it and 10 % of the size tolerated, for 300 s."""
    values: dict[str, Any] = {
        "market": market(mid),
        "half": D("0.0005"),
        "least": D("0.000275"),
        "tolerance": Tolerance(price=D("0.15"), size=D("0.1"), age_ms=300_000),
        "now_ms": LATER,
        **changes,
    }
    return Judge(**values)


def order(price: str = "1999", size: str = "1", **more: Any) -> Resting:
    return Resting.read(resting(price, size, is_buy=True, **more))


@pytest.mark.parametrize(
    ("price", "size", "kept"),
    [
        ("1999.1", "1", True),  # a tick; 15 % of a dollar is 0.15
        ("1999.2", "1", False),
        ("1998.9", "1.1", True),
        ("1999", "1.11", False),
        ("1999", "0.89", False),
    ],
)
def test_price_and_size_are_tolerated_together(price: str, size: str, *, kept: bool) -> None:
    """Both relative, each of them enough to move the quote."""
    assert kept is judge().keeps(order(), Quote(D(price), D(size)))


def test_a_tick_is_always_tolerated() -> None:
    """Where a tick is more than the tolerance, the quote would follow every print."""
    assert judge(half=D("0.00001")).keeps(order("1999"), Quote(D("1998.9"), D(1)))


def test_an_old_quote_is_placed_anew() -> None:
    """After five minutes, whatever its price."""
    fresh = judge(now_ms=START_MS + 300_000)
    old = judge(now_ms=START_MS + 300_001)
    assert fresh.keeps(order(), Quote(D(1999), D(1)))
    assert not old.keeps(order(), Quote(D(1999), D(1)))


def test_a_quote_too_near_to_the_mid_is_moved_within_tolerance() -> None:
    """Nearer than cost, and nearer than intended: 0.5 from the mid, where 0.55 is due."""
    assert not judge().keeps(order("1999.5"), Quote(D("1999.4"), D(1)))
    # an inventory may want it there: then it stays
    assert judge().keeps(order("1999.5"), Quote(D("1999.5"), D(1)))


def test_a_quote_that_the_mid_reached_is_canceled_before_it_is_placed_anew() -> None:
    """A modification that the venue refuses would leave the old one standing."""
    changes = judge("1998.9").changes(
        [order()], [Quote(D("1997.9"), D(1))], is_buy=True, movable=True
    )
    assert (CancelOrder(coin="ETH", oid=1),) == changes.cancels
    (placed,) = changes.moves
    assert isinstance(placed, PlaceOrder)
    assert (D("1997.9"), POST_ONLY) == (placed.limit_px, placed.order_type)


def test_what_is_not_wanted_is_canceled_even_when_nothing_may_move() -> None:
    """Taking away is never forbidden; the rest waits."""
    quotes = [Quote(D("1990"), D(1))]
    changes = judge().changes([order(), order("1998", oid=2)], quotes, is_buy=True, movable=False)
    assert ((CancelOrder(coin="ETH", oid=2),), (), 1) == (
        changes.cancels,
        changes.moves,
        changes.kept,
    )


def test_levels_are_compared_from_the_mid_outwards() -> None:
    """The first stays, the second moves, the third is new."""
    quotes = [Quote(D(price), D(1)) for price in ("1999", "1998", "1997")]
    changes = judge().changes([order(), order("1997.5", oid=2)], quotes, is_buy=True, movable=True)
    moved, placed = changes.moves
    assert isinstance(moved, ModifyOrder)
    assert isinstance(placed, PlaceOrder)
    assert (2, D(1998), POST_ONLY) == (moved.oid, moved.limit_px, moved.order_type)
    assert (D(1997), True, 1) == (placed.limit_px, placed.is_buy, changes.kept)


def test_an_ask_is_compared_on_its_own_side() -> None:
    """Crossed from below, too near from above."""
    ask = Resting.read(resting("2001", "1", is_buy=False))
    assert ask.crossed_by(D("2001"))
    assert not ask.crossed_by(D("2000.9"))
    assert not judge("2000.5").keeps(ask, Quote(D("2001.1"), D(1)))
