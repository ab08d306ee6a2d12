"""Ten thousand calls of a hostile model, with the usual limits and with wide ones."""

from collections.abc import Callable
from decimal import Decimal

from tests.support.hostile_model import CALL_USD, be_hostile

CALLS = 10_000
WIDE = {"max_day_loss": 0.5, "drawdown_pause": 0.9, "drawdown_stop": 0.95}


def test_ten_thousand_hostile_calls_break_no_limit(figure: Callable[[str, str], None]) -> None:
    """No breach, no fault; the worst day and the money are told."""
    calls = seed = 0
    worst = Decimal(0)
    while calls < CALLS:
        seed += 1
        done = be_hostile(steps=1_500, seed=seed, risk=WIDE if seed % 3 else None)
        assert [] == done.seen.breaches, f"seed {seed}"
        assert [] == done.seen.faults, f"seed {seed}"
        assert done.model.calls * CALL_USD == done.model.spent
        if not seed % 3:
            worst = max(worst, done.seen.worst_day)
            assert done.seen.worst_day <= Decimal("0.05"), f"seed {seed}"
        calls += done.model.calls
    figure(
        "S9",
        f"{calls:,} calls of a hostile model: 0 limits broken, worst day {100 * worst:.1f} % where "
        "3 % are allowed",
    )
