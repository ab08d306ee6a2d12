"""`fixed_spread`: its parameters, and its turns."""

from typing import Any

import numpy as np
import pytest
from tests.support.quoting import ETH, START_MS, D, filled, resting, seen, snapshot

from strategy_core.building import Setup
from strategy_core.port import Decision, Needs
from strategy_core.registry import KINDS, read_params
from strategy_core.strategies.fixed_spread import FixedSpread
from suite.bars import MINUTE_MS
from suite.contracts.venue import CancelOrder, ModifyOrder, PlaceOrder
from suite.enums import Tif


def problems(**params: Any) -> list[str]:
    return read_params(KINDS["fixed_spread"], params)[1]


def maker(*, interval_ms: int = MINUTE_MS, **params: Any) -> FixedSpread:
    """A maker of ETH: 100 USD a quote, 500 USD at most, a minute between decisions, no book."""
    values = {"order_notional": 100, "max_inventory": 500, "book": False, **params}
    read, found = read_params(KINDS["fixed_spread"], values)
    assert found == []
    setup = Setup(
        trader_id="t",
        symbols=("ETH",),
        instruments={"ETH": ETH},
        interval_ms=interval_ms,
        generator=np.random.default_rng(0),
    )
    return FixedSpread(setup, read)


def sides(decision: Decision) -> list[tuple[str, bool, Any, Any]]:
    """Kind, side, price and size of each order, post-only all of them."""
    found = []
    for action in decision.actions:
        if isinstance(action, PlaceOrder | ModifyOrder):
            assert action.order_type.limit is not None
            assert Tif.ALO == action.order_type.limit.tif
            assert not action.reduce_only
            kind = "place" if isinstance(action, PlaceOrder) else "modify"
            found.append((kind, action.is_buy, action.limit_px, action.sz))
    return found


def canceled(decision: Decision) -> list[int | None]:
    return [action.oid for action in decision.actions if isinstance(action, CancelOrder)]


BOTH = [("place", True, D("1999.0"), D("0.05")), ("place", False, D("2001.0"), D("0.05"))]
BID = resting("1999.0", "0.05", is_buy=True, oid=1)
ASK = resting("2001.0", "0.05", is_buy=False, oid=2)


# ---- parameters ---------------------------------------------------------------------------------


def test_a_spread_below_cost_is_refused_with_the_number() -> None:
    """2 * 1.5 bp + 2 * 1 bp = 5 bp; 4 bp would lose with every round trip."""
    (problem,) = problems(spread=0.0004)
    assert "SPREAD_BELOW_COST" in problem
    assert "0.0004" in problem
    assert "0.0005" in problem
    assert [] == problems(spread=0.0005)
    assert [] == problems(spread=0.0004, maker_fee=0.0001)
    assert [] == problems(spread=0.0004, maker_fee=-0.0001)


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"order_notional": "much"}, "neither USD"),
        ({"order_notional": 0}, "not positive"),
        ({"max_inventory": "-5%"}, "not positive"),
        ({"order_notional": "6%", "max_inventory": "5%"}, "must not be above"),
        ({"weighted_mid": True, "book": False}, "weighted_mid needs book"),
        ({"inventory_skew": 1.5}, "inventory_skew"),
        ({"levels": 0}, "levels"),
        ({"spraed": 0.001}, "did you mean spread"),
    ],
)
def test_a_wrong_parameter_is_named(params: dict[str, Any], said: str) -> None:
    """Before anything runs."""
    assert any(said in problem for problem in problems(**params)), problems(**params)


def test_what_is_asked_of_the_venue_is_what_is_used() -> None:
    """No snapshot without need; the cheapest block for the book alone."""
    assert Needs() == maker().needs
    assert Needs(snapshots=("ETH",), intervals=("1440",), bars=1) == maker(book=True).needs
    assert (
        Needs(snapshots=("ETH",), intervals=("5",))
        == maker(volatility_factor=1.0, volatility_minutes=5).needs
    )


# ---- turns --------------------------------------------------------------------------------------


def test_both_sides_are_quoted_at_first() -> None:
    """A dollar from the mid, 100 USD each, woken by the next minute or a fill."""
    decision = maker().decide(seen(now_ms=START_MS + 1))
    assert BOTH == sides(decision)
    assert START_MS + MINUTE_MS == decision.until_ms
    assert decision.wake_on.fill


def test_good_quotes_are_left_alone_and_a_moved_mid_moves_them() -> None:
    """Five cents within tolerance, fifty beyond it."""
    strategy, later = maker(), START_MS + MINUTE_MS
    strategy.decide(seen())
    assert () == strategy.decide(seen("2000.05", now_ms=later, orders=(BID, ASK))).actions
    moved = strategy.decide(seen("2000.5", now_ms=later + MINUTE_MS, orders=(BID, ASK)))
    assert [("modify", True), ("modify", False)] == [row[:2] for row in sides(moved)]


def test_size_follows_equity_where_it_is_a_share_of_it() -> None:
    """1 % of 10,000 and of 40,000 USD."""
    strategy = maker(order_notional="1%", max_inventory="5%")
    assert BOTH == sides(strategy.decide(seen()))
    richer = strategy.decide(seen(equity="40000", now_ms=START_MS + MINUTE_MS))
    assert [D("0.2"), D("0.2")] == [row[3] for row in sides(richer)]


def test_a_full_inventory_takes_the_quotes_of_its_side_away() -> None:
    """0.25 ETH are 500 USD; the ask stands a tick above the mid, to get rid of them."""
    strategy = maker()
    decision = strategy.decide(seen(held="0.25", orders=(BID, ASK)))
    assert [1] == canceled(decision)
    assert [("modify", False, D("2000.1"), D("0.05"))] == sides(decision)


def test_a_filled_side_waits_and_the_other_does_not() -> None:
    """Two seconds: whoever traded with the quote may know why."""
    strategy, now = maker(), START_MS + MINUTE_MS
    strategy.decide(seen())
    fill = filled(is_buy=True, time_ms=now - 1)
    decision = strategy.decide(seen(now_ms=now, held="0.05", orders=(ASK,), fills=(fill,)))
    assert [("modify", False)] == [row[:2] for row in sides(decision)]
    assert now - 1 + 2_000 == decision.until_ms
    again = strategy.decide(seen(now_ms=now + 1_999, held="0.05", orders=(ASK,)))
    assert [("place", True)] == [row[:2] for row in sides(again) if row[1]]


def test_a_taker_fill_delays_nothing() -> None:
    """It was an exit, not a quote that was hit."""
    now = START_MS + MINUTE_MS
    fill = filled(is_buy=True, time_ms=now - 1, crossed=True)
    assert BOTH == sides(maker().decide(seen(now_ms=now, fills=(fill,))))


def test_quotes_change_at_most_once_a_second() -> None:
    """The venue's action budget is spent on moves that matter; cancels are free of it."""
    strategy = maker()
    strategy.decide(seen())
    soon = strategy.decide(seen("2001.5", now_ms=START_MS + 999, orders=(BID, ASK)))
    assert [2] == canceled(soon)  # the mid has reached the ask
    assert [] == sides(soon)
    assert START_MS + 1_000 == soon.until_ms
    after = strategy.decide(seen("2001.5", now_ms=START_MS + 1_000, orders=(BID,)))
    assert [("modify", True), ("place", False)] == [row[:2] for row in sides(after)]


def test_a_jump_takes_everything_away() -> None:
    """More than three half-spreads, 15 bp, in five seconds; then quotes come back."""
    strategy = maker()
    strategy.decide(seen())
    jumped = strategy.decide(seen("2003.1", now_ms=START_MS + 5_000, orders=(BID, ASK)))
    assert [1, 2] == canceled(jumped)
    assert [] == sides(jumped)
    assert "jumped" in jumped.reasoning
    calm = strategy.decide(seen("2003.1", now_ms=START_MS + 10_000))
    assert [True, False] == [row[1] for row in sides(calm)]


def test_a_jump_is_judged_by_the_time_it_took() -> None:
    """Over a minute prices may go sqrt(12) times as far: 52 bp."""
    later = START_MS + MINUTE_MS
    for mid, quoted in (("2010.3", True), ("2010.5", False)):
        strategy = maker()
        strategy.decide(seen())
        assert quoted is bool(sides(strategy.decide(seen(mid, now_ms=later))))


def test_a_fill_of_another_coin_moves_nothing() -> None:
    """Five minutes between decisions: woken in between, quotes stay unless the mid reaches them."""
    strategy = maker(interval_ms=5 * MINUTE_MS)
    assert START_MS + 5 * MINUTE_MS == strategy.decide(seen()).until_ms
    woken = strategy.decide(seen("2000.5", now_ms=START_MS + MINUTE_MS, orders=(BID, ASK)))
    assert ((), START_MS + 5 * MINUTE_MS) == (woken.actions, woken.until_ms)
    reached = strategy.decide(seen("2001", now_ms=START_MS + 2 * MINUTE_MS, orders=(BID, ASK)))
    assert ([2], 2) == (canceled(reached), len(sides(reached)))
    due = strategy.decide(seen("2000.5", now_ms=START_MS + 5 * MINUTE_MS, orders=(BID, ASK)))
    assert 2 == len(sides(due))


def test_orders_that_only_reduce_are_left_to_their_owner() -> None:
    """Stops and exits are none of the maker's."""
    stop = resting("1900.0", "0.05", is_buy=False, oid=9, reduceOnly=True)
    assert [] == canceled(maker().decide(seen(orders=(stop,))))


def test_nothing_is_quoted_without_a_price_or_money() -> None:
    """What rests is taken away."""
    strategy = maker(order_notional="1%", max_inventory="5%")
    assert [1] == canceled(strategy.decide(seen("0", orders=(BID,))))
    assert [1] == canceled(strategy.decide(seen(equity="-5", orders=(BID,))))


# ---- with a book --------------------------------------------------------------------------------


def test_the_touch_is_kept_clear_by_a_tick() -> None:
    """With the touch known, a skewed quote may go beyond the mid, not to the other side's best."""
    decision = maker(book=True).decide(seen(held="-0.25", shown=snapshot(half=0.5)))
    assert [("place", True, D("1999.9"), D("0.05"))] == sides(decision)
    near = maker(book=True).decide(seen(held="-0.25", shown=snapshot(1999.4, half=0.5)))
    assert [("place", True, D("1999.8"), D("0.05"))] == sides(near)


@pytest.mark.parametrize(
    "shown",
    [
        None,
        snapshot(as_of_ms=START_MS - 2_001),
        {**snapshot(), "common_info": {"order_book": None}},
        snapshot(half=-0.5),
    ],
    ids=["no snapshot", "two seconds old", "no book", "crossed"],
)
def test_a_book_that_cannot_be_trusted_takes_the_quotes_away(shown: Any) -> None:
    """Stale, missing or crossed."""
    decision = maker(book=True).decide(seen(orders=(BID, ASK), shown=shown))
    assert ([1, 2], []) == (canceled(decision), sides(decision))
    assert "no fresh book" in decision.reasoning


def test_a_book_that_tells_its_own_age_is_believed_by_that() -> None:
    """Live it is of this moment, while the bars of a snapshot are of the last minute."""
    for snapshot_ms, book_ms, quoted in ((-30_000, -2_000, True), (0, -2_001, False)):
        shown = snapshot(half=0.5, as_of_ms=START_MS + snapshot_ms)
        shown["common_info"]["order_book"]["as_of_ms"] = START_MS + book_ms
        assert quoted is bool(sides(maker(book=True).decide(seen(shown=shown))))


def test_a_weighted_mid_leans_to_the_thin_side() -> None:
    """Three times as much bid as offered: 0.25 above the middle of a spread of one."""
    strategy = maker(book=True, weighted_mid=True)
    decision = strategy.decide(seen(shown=snapshot(half=0.5, volumes=(3.0, 1.0))))
    assert [D("1999.2"), D("2001.3")] == [row[2] for row in sides(decision)]


def test_volatility_widens_the_quotes() -> None:
    """An ATR of 4 on 2,000 is 20 bp a side; without history nothing is quoted by it."""
    strategy = maker(volatility_factor=1.0)
    wide = strategy.decide(seen(shown=snapshot(atr=4.0)))
    assert [D(1996), D(2004)] == [row[2] for row in sides(wide)]
    assert BOTH == sides(maker(volatility_factor=1.0).decide(seen(shown=snapshot())))


def test_nothing_rests_around_a_funding_stamp_where_that_is_asked_for() -> None:
    """Two seconds before and after; the wake-ups come in time."""
    strategy = maker(stamp_pause_ms=2_000, funding_hours=8)
    hours = 3_600_000
    shown = snapshot(rate_hourly=0.0, settled_at_ms=START_MS - 8 * hours)
    stamp = START_MS  # eight hours after the last one
    before = strategy.decide(seen(now_ms=stamp - 3_000, shown=shown))
    assert BOTH == sides(before)
    assert stamp - 2_000 == before.until_ms
    around = strategy.decide(seen(now_ms=stamp - 2_000, shown=shown, orders=(BID, ASK)))
    assert [1, 2] == canceled(around)
    assert stamp == around.until_ms  # the minute
    settled = snapshot(rate_hourly=0.0, settled_at_ms=stamp)
    inside = strategy.decide(seen(now_ms=stamp + 2_000, shown=settled))
    assert ([], stamp + 2_001) == (sides(inside), inside.until_ms)
    assert BOTH == sides(strategy.decide(seen(now_ms=stamp + 2_001, shown=settled)))
