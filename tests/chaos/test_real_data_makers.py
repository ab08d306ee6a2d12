"""Market makers over all of the real market there is: every fill audited."""

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.support.audited_backtest import audited_backtest
from tests.support.real_data import END, START, needs_real_data, real_markets
from tests.support.real_makers import check, makers

from suite.bars import DAY_MS

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800), needs_real_data]


def test_makers_of_thirteen_perpetuals_run_fifty_days_to_the_end(
    tmp_path: Path, figure: Callable[[str, str], None]
) -> None:
    """All the data, side by side in one world; 2 % wide and an hour between decisions."""
    who = makers(interval="1h", spread=0.02)
    run = audited_backtest(who, real_markets(tmp_path), from_=START, to=END, allow_partial=True)
    check(run, fills=2_000)
    days = (run.record.to_ms - run.record.from_ms) / DAY_MS
    assert days > 50
    figure("L2", f"13 real perpetuals, {days:.0f} days, two market makers: every fill audited")
    assert all(account.funding for account in run.record.accounts)
