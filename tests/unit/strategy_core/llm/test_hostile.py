"""A model that does all that an attacker wants: the limits hold, and it costs what it may."""

from decimal import Decimal

from tests.support.hostile_model import CALL_USD, be_hostile

from strategy_core.risk.limits import RiskLimits


def test_a_hostile_model_breaks_no_limit() -> None:
    """The day ends at its loss, but for what the market moves in one bar."""
    done = be_hostile(steps=600, seed=3)
    assert [] == done.seen.breaches
    assert [] == done.seen.faults
    assert done.model.calls > 50
    assert {outcome.split()[0] for outcome in done.seen.verdicts} == {
        "accepted",
        "clamped",
        "rejected",
    }
    one_bar = Decimal("0.02")  # at the highest leverage, in a market that moves 0.2 % at most
    assert done.seen.worst_day <= Decimal(str(RiskLimits().max_day_loss)) + one_bar


def test_a_hostile_model_costs_no_more_than_it_may() -> None:
    """Then it is asked no more, and everything is closed."""
    cap_usd = 40 * CALL_USD
    done = be_hostile(steps=200, seed=4, cap_usd=cap_usd, risk={"max_day_loss": 0.5})
    assert cap_usd == done.model.spent
    assert [] == done.seen.breaches


def test_the_look_at_limits_can_fail() -> None:
    """With an idea of stricter ones it finds breaches."""
    strict = be_hostile(steps=60, seed=3)
    strict.seen.limits = RiskLimits(max_order_notional=0.0001)
    assert [] == strict.seen.breaches
    again = be_hostile(steps=60, seed=3, seen=strict.seen)
    assert again.seen.breaches != []
