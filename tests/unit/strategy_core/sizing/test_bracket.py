"""Stop and target of an entry, step by step, and stops that only move in favor."""

from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategy_core.sizing.bracket import (
    Bracket,
    BracketRules,
    BracketState,
    break_even_stop,
    leverage_beyond_stop,
    plan_bracket,
    structure_stop,
    tighter,
    trailing_stop,
)
from strategy_core.sizing.reasons import SkipReason
from strategy_core.sizing.stop_distance import Costs
from suite.enums import Side
from suite.fixed import Usd
from suite.instrument import Instrument, MarginTier

ETH = Instrument(
    coin="ETH", sz_decimals=3, tiers=(MarginTier(lower_bound_usd=Usd(0), max_leverage=25),)
)
COSTS = Costs(taker_fee=Decimal("0.00045"), slippage=Decimal("0.0002"))
ENTRY = Decimal(2000)
MMR = Decimal("0.005")


def bracket(
    *,
    atr: str | None = "4",
    side: Side = Side.BUY,
    support: str | None = None,
    opposing: tuple[str, ...] = (),
    entry: Decimal = ENTRY,
    **rules: float | bool,
) -> Bracket:
    state = BracketState(
        atr=None if atr is None else Decimal(atr),
        costs=COSTS,
        maintenance_rate=MMR,
        support=None if support is None else Decimal(support),
        opposing=tuple(map(Decimal, opposing)),
    )
    made = msgspec.convert(rules, BracketRules)
    return plan_bracket(state, side, entry, rules=made, instrument=ETH)


@pytest.mark.parametrize(
    ("side", "stop", "target"), [(Side.BUY, 1976, 2024), (Side.SELL, 2024, 1976)]
)
def test_stop_and_target_stand_six_ranges_away(side: Side, stop: int, target: int) -> None:
    """A range of 4 USD at 2,000: 1.2 percent each way."""
    made = bracket(side=side)
    assert [stop, target, Decimal("0.012")] == [made.stop, made.target, made.distance]


@pytest.mark.parametrize(
    ("atr", "stop"),
    [
        ("0.1", "1994.8"),  # 4 * (0.045 % + 0.02 %) = 0.26 % is more than 0.2 %
        ("50", "1900"),  # never beyond 5 %
    ],
)
def test_the_distance_of_a_stop_is_clamped(atr: str, stop: str) -> None:
    assert Decimal(stop) == bracket(atr=atr, reward_risk=3.0).stop


@pytest.mark.parametrize(
    ("support", "stop"),
    [
        ("1970", "1969"),  # farther than 1,976: more room
        ("1980", "1976"),  # nearer: the volatility stop is the farther
        ("1960", "1976"),  # 41 away, beyond 1.5 times 24: ignored
        ("1995", "1976"),  # 6 away, within half of 24: ignored
    ],
)
def test_the_farther_of_two_stops_is_chosen(support: str, stop: str) -> None:
    """A swing counts with a quarter of a range below it, within 0.5 to 1.5 of the other."""
    assert Decimal(stop) == bracket(support=support, structure_stop=True).stop


def test_structure_is_looked_at_only_where_it_is_switched_on() -> None:
    assert bracket() == bracket(support="1970", opposing=("2020",))


@pytest.mark.parametrize(
    ("opposing", "target"),
    [
        (("2020",), "2019"),  # a quarter of a range before it
        (("2023", "2018"), "2017"),  # the nearer obstacle
        (("2014.4",), "2014.4"),  # never nearer than 0.6 of the stop's distance
        (("2010",), "2024"),  # before 0.6 of the way: not an obstacle
        (("2030",), "2024"),  # beyond the target
    ],
)
def test_an_obstacle_pulls_the_target_in(opposing: tuple[str, ...], target: str) -> None:
    assert Decimal(target) == bracket(opposing=opposing, pull_in=True).target


def test_a_target_that_does_not_pay_its_costs_is_no_trade() -> None:
    """0.3 percent is below three times 0.11 percent; 0.4 percent is above."""
    assert SkipReason.TARGET_BELOW_COST == bracket(atr="1").skip
    assert bracket(atr="1.35").skip is None


@pytest.mark.parametrize(
    ("atr", "entry", "reason"),
    [
        (None, ENTRY, SkipReason.NO_RANGE),
        ("0", ENTRY, SkipReason.NO_RANGE),
        ("NaN", ENTRY, SkipReason.NO_RANGE),
        ("4", Decimal(0), SkipReason.NO_PRICE),
        ("0.00001", Decimal("0.002"), SkipReason.BELOW_TICK),
    ],
)
def test_without_range_price_or_ticks_there_is_no_bracket(
    atr: str | None, entry: Decimal, reason: SkipReason
) -> None:
    assert reason == bracket(atr=atr, entry=entry).skip


def test_rounding_goes_towards_the_entry() -> None:
    """At 2,000 prices have one decimal; nothing is farther away than it was asked to be."""
    long, short = bracket(atr="4.011"), bracket(atr="4.011", side=Side.SELL)
    assert (Decimal(1976), Decimal(2024)) == (long.stop, long.target)
    assert (Decimal(2024), Decimal(1976)) == (short.stop, short.target)


def test_liquidation_lies_beyond_the_stop_or_the_leverage_is_lower() -> None:
    """A distance of 1 percent allows 39: 1 / (2 * 0.01 * 1.005 + 0.005) is 39.8."""
    assert 39 == leverage_beyond_stop(Decimal("0.01"), MMR)
    assert 1 == leverage_beyond_stop(Decimal("0.05"), Decimal("0.9"))


@given(st.decimals("0.002", "0.05", places=4), st.decimals("0.0025", "0.2", places=4))
def test_liquidation_is_one_more_distance_beyond_the_stop(distance: Decimal, rate: Decimal) -> None:
    """By the venue's own formula, for both sides, wherever leverage above 1 is allowed."""
    leverage = leverage_beyond_stop(distance, rate)
    for side in Side:
        liquidation = (1 - side / Decimal(leverage)) / (1 - side * rate)
        away = side * (1 - liquidation)
        assert away >= 2 * distance * (1 - Decimal("1e-20")) or leverage == 1


@given(
    st.decimals("0.5", "60", places=2),
    st.decimals("1000", "3000", places=1),
    st.floats(0.5, 3),
)
def test_brackets_stay_within_their_bounds_and_mirror(
    atr: Decimal, entry: Decimal, reward: float
) -> None:
    """Distances of a short are those of a long, but for a tick of rounding."""
    long = bracket(atr=str(atr), entry=entry, reward_risk=reward)
    short = bracket(atr=str(atr), entry=entry, reward_risk=reward, side=Side.SELL)
    assert long.skip == short.skip
    if long.skip is None:
        tick = Decimal("0.1")
        assert Decimal("0.0026") - tick / entry <= long.distance <= Decimal("0.05")
        assert long.stop < entry < long.target
        assert abs((entry - long.stop) - (short.stop - entry)) <= tick
        assert abs((long.target - entry) - (entry - short.target)) <= tick


def test_a_stop_at_break_even_pays_two_fees_and_the_slippage() -> None:
    assert Decimal("2002.2") == break_even_stop(Side.BUY, ENTRY, COSTS)
    assert Decimal("1997.8") == break_even_stop(Side.SELL, ENTRY, COSTS)


def test_a_trailing_stop_keeps_its_distance_from_the_best_mark() -> None:
    """The larger of two ranges and half the initial risk of a unit."""
    best = Decimal(2031)
    half = trailing_stop(Side.BUY, best, atr=Decimal("1.6"), unit_risk=Decimal(20))
    ranges = trailing_stop(Side.SELL, best, atr=Decimal(6), unit_risk=Decimal(20))
    assert (Decimal(2021), Decimal(2043)) == (half, ranges)
    assert trailing_stop(Side.BUY, best, atr=None, unit_risk=None) is None


def test_a_stop_behind_a_swing_keeps_a_quarter_of_a_range() -> None:
    assert Decimal(1999) == structure_stop(Side.BUY, ENTRY, Decimal(4))
    assert Decimal(2001) == structure_stop(Side.SELL, ENTRY, Decimal(4))


@given(
    st.sampled_from(Side),
    st.lists(st.one_of(st.none(), st.decimals("1", "9999", places=1)), min_size=1),
)
def test_a_stop_never_moves_against_the_position(
    side: Side, candidates: list[Decimal | None]
) -> None:
    """Whatever is offered, each stop is at least as good as the one before."""
    stop: Decimal | None = None
    for candidate in candidates:
        moved = tighter(side, stop, candidate)
        if stop is not None:
            assert moved is not None
            assert side * (moved - stop) >= 0
        stop = moved


@pytest.mark.parametrize(
    "raw",
    [
        {"reward_risk": 3.5},
        {"distance_max": 0.06},
        {"distance_min": 0.001},
        {"distance_min": 0.04, "distance_max": 0.03},
    ],
)
def test_configuration_cannot_exceed_the_hard_limits(raw: dict[str, float]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(raw, BracketRules)
