"""Leverage: the reference table, its bounds, and what makes it fall."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategy_core.sizing.leverage import LeveragePlan, LeverageRules, Record, plan_leverage

RULES = LeverageRules()


def plan(record: Record, confidence: float = 0.75, **facts: float) -> LeveragePlan:
    return plan_leverage(
        record,
        confidence,
        volatility=facts.get("volatility", 0.5),
        stop_distance=facts.get("stop_distance", 0.01),
        maintenance_rate=facts.get("maintenance_rate", 0.005),
        venue_max=int(facts.get("venue_max", 40)),
        rules=RULES,
    )


@pytest.mark.parametrize(
    ("record", "confidence", "facts", "expected"),
    [
        (Record(wins=60, trades=100), 0.75, {}, (0.583, 1.83, 1.83, 40.0, 1)),
        (Record(wins=240, trades=400), 0.90, {}, (0.595, 2.52, 2.52, 40.0, 2)),
        (
            Record(wins=700, trades=1000),
            1.00,
            {"stop_distance": 0.004, "maintenance_rate": 0.0125},
            (0.696, 4.92, 4.92, 48.8, 4),
        ),
        (
            Record(wins=60, trades=100, drawdown=0.10, loss_streak=4),
            0.75,
            {"volatility": 0.9, "stop_distance": 0.03},
            (0.583, 1.83, 0.39, 15.4, 1),
        ),
        (Record(wins=9, trades=10), 0.90, {}, (0.633, 3.13, 3.13, 40.0, 1)),
    ],
)
def test_leverage_follows_the_table(
    record: Record,
    confidence: float,
    facts: dict[str, float],
    expected: tuple[float, float, float, float, int],
) -> None:
    """Win rate, earned, after risk, by liquidation, and the whole number set."""
    made = plan(record, confidence, **facts)
    shown = (
        round(made.win_rate, 3),
        round(made.earned, 2),
        round(made.allowed, 2),
        round(made.by_liquidation, 1),
        made.leverage,
    )
    assert expected == shown


@pytest.mark.parametrize(("trades", "leverage"), [(19, 1), (20, 2), (49, 2), (50, 3)])
def test_a_short_record_earns_little(trades: int, leverage: int) -> None:
    """Winning everything does not help before there are 20, then 50 trades."""
    assert leverage == plan(Record(wins=trades, trades=trades), 0.8).leverage


def test_a_win_rate_is_judged_by_what_its_brackets_need() -> None:
    """Sixty percent is no edge where two thirds only break even, and much where a third does."""
    record = Record(wins=120, trades=200, break_even=2 / 3)
    assert 1.0 == plan(record).earned
    generous = Record(wins=120, trades=200, break_even=1 / 3)
    assert plan(generous).earned > plan(Record(wins=120, trades=200)).earned


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_numbers_that_are_none_give_no_leverage(bad: float) -> None:
    strong = Record(wins=190, trades=200)
    assert 1 == plan(strong, math.nan).leverage
    assert 1 == plan(strong, 1.0, volatility=bad).leverage
    assert 1 == plan(Record(wins=190, trades=200, drawdown=bad), 1.0).leverage


records = st.builds(
    Record,
    wins=st.integers(0, 200),
    trades=st.integers(200, 400),
    drawdown=st.floats(0, 1),
    loss_streak=st.integers(0, 30),
)
facts_of = st.fixed_dictionaries(
    {
        "volatility": st.floats(0.01, 5),
        "stop_distance": st.floats(0.002, 0.05),
        "maintenance_rate": st.floats(0.001, 0.2),
        "venue_max": st.integers(1, 50),
    }
)


@given(records, st.floats(0, 1), facts_of)
def test_leverage_stays_within_its_bounds(
    record: Record, confidence: float, facts: dict[str, float]
) -> None:
    leverage = plan(record, confidence, **facts).leverage
    assert 1 <= leverage <= min(RULES.leverage_max, facts["venue_max"])


@given(
    records,
    st.floats(0.5, 1),
    facts_of,
    st.sampled_from(["volatility", "stop_distance", "drawdown", "loss_streak"]),
    st.floats(1, 3),
)
def test_leverage_never_rises_with_risk(
    record: Record, confidence: float, facts: dict[str, float], which: str, factor: float
) -> None:
    """More volatility, a wider stop, a deeper drawdown or more losses: at most as much."""
    before = plan(record, confidence, **facts).leverage
    worse, more = record, dict(facts)
    if which == "drawdown":
        worse = Record(
            wins=record.wins,
            trades=record.trades,
            drawdown=record.drawdown * factor,
            loss_streak=record.loss_streak,
        )
    elif which == "loss_streak":
        worse = Record(
            wins=record.wins,
            trades=record.trades,
            drawdown=record.drawdown,
            loss_streak=record.loss_streak + int(factor),
        )
    else:
        more[which] *= factor
    assert plan(worse, confidence, **more).leverage <= before
