"""`funding_rate`: where it leans, when it stops, how it gets out."""

from typing import Any

import numpy as np
import pytest
from tests.support.quoting import ETH, START_MS, D, resting, seen, snapshot

from strategy_core.building import Setup
from strategy_core.port import Decision, Needs
from strategy_core.registry import KINDS, read_params
from strategy_core.strategies.funding_rate import FundingRate
from suite.bars import HOUR_MS, MINUTE_MS
from suite.contracts.venue import CancelOrder, PlaceOrder

STAMP = START_MS + 8 * HOUR_MS
BID = resting("1999.0", "0.05", is_buy=True, oid=1)
ASK = resting("2001.0", "0.05", is_buy=False, oid=2)


def maker(**params: Any) -> FundingRate:
    """100 USD a quote, 500 USD at most, funding every 8 hours until shown otherwise."""
    values = {"order_notional": 100, "max_inventory": 500, "funding_hours": 8, **params}
    read, found = read_params(KINDS["funding_rate"], values)
    assert found == []
    setup = Setup(
        trader_id="t",
        symbols=("ETH",),
        instruments={"ETH": ETH},
        interval_ms=MINUTE_MS,
        generator=np.random.default_rng(0),
    )
    return FundingRate(setup, read)


def turn(
    strategy: FundingRate, hourly: float | None, *, now_ms: int = START_MS, **more: Any
) -> Decision:
    settled_ms = more.pop("settled_ms", START_MS)
    shown = snapshot(as_of_ms=now_ms, rate_hourly=hourly, settled_at_ms=settled_ms)
    return strategy.decide(seen(now_ms=now_ms, shown=shown, **more))


def placed(decision: Decision) -> dict[bool, tuple[Any, Any]]:
    """Price and size of each side's quote."""
    return {
        order.is_buy: (order.limit_px, order.sz)
        for order in decision.actions
        if isinstance(order, PlaceOrder) and not order.reduce_only
    }


def exits(decision: Decision) -> list[tuple[bool, Any]]:
    return [
        (order.is_buy, order.sz)
        for order in decision.actions
        if isinstance(order, PlaceOrder) and order.reduce_only
    ]


def test_it_always_asks_for_the_funding() -> None:
    """Which is in the snapshot, book or not."""
    assert Needs(snapshots=("ETH",), intervals=("1440",), bars=1) == maker(book=False).needs


def test_without_funding_it_is_a_fixed_spread() -> None:
    """Unknown or zero."""
    both = {True: (D("1999.0"), D("0.05")), False: (D("2001.0"), D("0.05"))}
    assert both == placed(turn(maker(), None))
    assert both == placed(turn(maker(), 0.0))


def test_positive_funding_lowers_both_quotes_and_offers_more() -> None:
    """0.03 % in 8 h: lean -1.5 bp, wanted -37.5 % of the limit, so the shift is -1.875 bp more.

    r = 2000 * (1 - 0.0001875 - 0.00015) = 1999.325; bids are cut by 37.5 %.
    """
    quotes = placed(turn(maker(), 0.0003 / 8))
    assert {True: (D("1998.3"), D("0.0312")), False: (D("2000.4"), D("0.05"))} == quotes
    mirrored = placed(turn(maker(), -0.0003 / 8))
    assert {True: (D("1999.6"), D("0.05")), False: (D("2001.7"), D("0.0312"))} == mirrored


def test_eight_hours_and_one_hour_with_the_same_hourly_rate_give_the_same_quotes() -> None:
    """The published maker multiplies the raw rate: 0.03 % moves it by 3 %."""
    eight, one = maker(), maker(funding_hours=1)
    now = START_MS + 10 * MINUTE_MS
    assert placed(turn(eight, 0.0003 / 8, now_ms=now)) == placed(turn(one, 0.0000375, now_ms=now))


@pytest.mark.parametrize("hourly", [0.00051, -0.02])
def test_nothing_is_quoted_under_stress(hourly: float) -> None:
    """A rate at the venue's limit is a warning, not an income."""
    decision = turn(maker(), hourly, orders=(BID, ASK))
    assert {} == placed(decision)
    assert [1, 2] == [order.oid for order in decision.actions if isinstance(order, CancelOrder)]
    assert "stress" in decision.reasoning


def test_a_flip_against_the_position_is_left_passively() -> None:
    """Short while longs paid; now shorts pay: only bids, until it is flat."""
    strategy = maker()
    assert {True, False} == set(placed(turn(strategy, 0.00002, held="-0.05")))
    flipped = turn(strategy, -0.00002, held="-0.05", now_ms=START_MS + MINUTE_MS)
    assert {True} == set(placed(flipped))
    assert [] == exits(flipped)
    still = turn(strategy, -0.00002, held="-0.02", now_ms=START_MS + 2 * MINUTE_MS)
    assert {True} == set(placed(still))
    flat = turn(strategy, -0.00002, now_ms=START_MS + 3 * MINUTE_MS)
    assert {True, False} == set(placed(flat))


def test_a_flip_back_ends_the_leaving() -> None:
    """The position is paid again."""
    strategy = maker()
    turn(strategy, 0.00002, held="-0.05")
    turn(strategy, -0.00002, held="-0.05", now_ms=START_MS + MINUTE_MS)
    back = turn(strategy, 0.00002, held="-0.05", now_ms=START_MS + 2 * MINUTE_MS)
    assert {True, False} == set(placed(back))


def test_a_position_that_never_was_paid_is_not_left_for_a_flip() -> None:
    """Inventory of a fill that pays a little is quoted as ever; its skew sells it."""
    assert {True, False} == set(placed(turn(maker(), 0.00002, held="0.05")))


def test_a_dear_stamp_is_not_waited_for() -> None:
    """0.1 % within five minutes costs more than crossing: out, with nothing left resting."""
    rate, near = 0.001 / 8, STAMP - 5 * MINUTE_MS
    strategy = maker()
    before = turn(strategy, rate, held="0.05", now_ms=near - 1)
    assert ([], near) == (exits(before), before.until_ms)
    decision = turn(strategy, rate, held="0.05", now_ms=near, orders=(BID, ASK))
    assert ([(False, D("0.05"))], {}) == (exits(decision), placed(decision))
    assert [1, 2] == [order.oid for order in decision.actions if isinstance(order, CancelOrder)]
    assert [] == exits(turn(maker(), rate, held="-0.05", now_ms=near))


@pytest.mark.parametrize(
    ("rate", "quoted"), [(0.0003, {True, False}), (0.0005, {False})], ids=["3 bp", "5 bp"]
)
def test_what_is_paid_is_held_over_a_stamp_only_where_it_pays(
    rate: float, quoted: set[bool]
) -> None:
    """Beyond 4 bp the bid, which would close the short, waits until the stamp has passed."""
    strategy = maker()
    near = turn(strategy, rate / 8, held="-0.05", now_ms=STAMP - MINUTE_MS)
    assert quoted == set(placed(near))
    after = turn(strategy, rate / 8, held="-0.05", now_ms=STAMP, settled_ms=STAMP)
    assert {True, False} == set(placed(after))


def test_stress_does_not_keep_a_position_that_pays() -> None:
    """2 % an hour: what pays is closed before the stamp, though nothing is quoted."""
    decision = turn(maker(funding_hours=1), 0.02, held="0.05", now_ms=START_MS + 56 * MINUTE_MS)
    assert [(False, D("0.05"))] == exits(decision)
