"""The final size: the worked example, each limit in turn, and the heat of all positions."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategy_core.sizing.reasons import SkipReason
from strategy_core.sizing.stop_distance import (
    Costs,
    Liquidity,
    OpenRisk,
    RiskSizing,
    SizePlan,
    heat_allows,
    loss_per_unit,
    plan_size,
    portfolio_heat,
    remaining_risk,
)
from suite.fixed import Usd
from suite.instrument import Instrument, MarginTier

ETH = Instrument(
    coin="ETH", sz_decimals=3, tiers=(MarginTier(lower_bound_usd=Usd(0), max_leverage=25),)
)
COSTS = Costs(taker_fee=Decimal("0.00045"), slippage=Decimal("0.0002"))
RULES = RiskSizing()


def size(
    *,
    price: str = "2000",
    notional: str = "750",
    equity: str = "10000",
    distance: str = "0.01",
    volume: str | None = None,
    largest: str | None = None,
) -> SizePlan:
    return plan_size(
        ETH,
        price=Decimal(price),
        notional=Decimal(notional),
        equity=Decimal(equity),
        stop_distance=Decimal(distance),
        costs=COSTS,
        liquidity=Liquidity(
            minute_volume=Decimal(volume) if volume else None,
            venue_max=Decimal(largest) if largest else None,
        ),
        rules=RULES,
    )


def test_the_worked_example_to_the_digit() -> None:
    """Margin 250 at leverage 3: Kelly binds at 0.375, and the stop costs 8.325 USD."""
    plan = size()
    assert (Decimal("0.375"), "kelly") == (plan.size, plan.bound)
    assert Decimal("0.375") == plan.limits["kelly"]
    assert Decimal("2.252") == round(plan.limits["risk"], 3)
    loss = plan.size * loss_per_unit(Decimal(2000), Decimal("0.01"), COSTS)
    assert Decimal("8.325") == loss


def test_a_wide_stop_makes_risk_the_limit() -> None:
    plan = size(distance="0.1")
    assert ("risk", Decimal("0.247")) == (plan.bound, plan.size)


@pytest.mark.parametrize(
    ("options", "bound", "expected"),
    [({"volume": "0.2"}, "liquidity", "0.2"), ({"largest": "0.1"}, "venue", "0.1")],
)
def test_market_and_venue_limit_too(options: dict[str, str], bound: str, expected: str) -> None:
    """Twenty slices of 5 percent of a minute are one minute's volume."""
    plan = size(**options)
    assert (bound, Decimal(expected)) == (plan.bound, plan.size)
    assert 3 == len(plan.limits)


def test_a_size_is_never_raised_to_the_least_notional() -> None:
    """A margin of 9.99 USD buys nothing; one of 10 buys the least there is."""
    assert SkipReason.BELOW_MIN_NOTIONAL == size(notional="9.99").skip
    assert SkipReason.BELOW_MIN_NOTIONAL == size(equity="0").skip
    assert Decimal("0.005") == size(notional="10").size


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"price": "0"}, SkipReason.NO_PRICE),
        ({"price": "NaN"}, SkipReason.NO_PRICE),
        ({"distance": "0"}, SkipReason.NO_RANGE),
    ],
)
def test_nonsense_is_refused_by_name(options: dict[str, str], reason: SkipReason) -> None:
    assert reason == size(**options).skip


amounts = st.decimals("0.01", "100000", places=4)
few = st.decimals("0.01", "1000", places=4)


@given(few, amounts, amounts, st.decimals("0.002", "0.05", places=4), amounts, amounts)
def test_a_size_is_within_each_limit_and_costs_no_more_than_the_risk(
    price: Decimal,
    notional: Decimal,
    equity: Decimal,
    distance: Decimal,
    volume: Decimal,
    largest: Decimal,
) -> None:
    plan = plan_size(
        ETH,
        price=price,
        notional=notional,
        equity=equity,
        stop_distance=distance,
        costs=COSTS,
        liquidity=Liquidity(minute_volume=volume, venue_max=largest),
        rules=RULES,
    )
    assert all(plan.size <= limit for limit in plan.limits.values())
    assert 4 == len(plan.limits)
    loss = plan.size * loss_per_unit(price, distance, COSTS)
    assert loss <= Decimal("0.005") * equity * (1 + Decimal("1e-20"))
    assert plan.size == round(plan.size, 3)
    assert (plan.skip is None) == (plan.size * price >= 10)


def test_heat_adds_up_what_the_stops_would_cost() -> None:
    """A long and a short both count; break-even counts for nothing; no stop for everything."""
    long = OpenRisk(Decimal("0.375"), Decimal(2000), Decimal(1980))
    short = OpenRisk(Decimal(-2), Decimal(100), Decimal(110))
    safe = OpenRisk(Decimal(1), Decimal(100), Decimal(101))
    naked = OpenRisk(Decimal(1), Decimal(100), None)
    assert Decimal("7.5") == remaining_risk(long)
    assert Decimal(20) == remaining_risk(short)
    assert Decimal("27.5") == portfolio_heat([long, short, safe])
    assert Decimal(100) == portfolio_heat([naked])


def test_heat_is_at_most_three_percent_of_equity() -> None:
    """At 10,000 the stops of all positions may cost 300."""
    held = [OpenRisk(Decimal(1), Decimal(1000), Decimal(750))]
    equity = Decimal(10_000)
    assert heat_allows(held, Decimal(50), equity=equity, rules=RULES)
    assert not heat_allows(held, Decimal("50.01"), equity=equity, rules=RULES)
    assert not heat_allows([], Decimal(1), equity=Decimal(-1), rules=RULES)
