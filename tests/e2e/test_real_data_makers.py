"""Market makers over the real market: every fill audited, profits divided to the micro-dollar."""

from decimal import Decimal
from typing import Any

import pytest
from tests.support.audited_backtest import AuditedRun, audited_backtest
from tests.support.real_data import COINS, END, START, needs_real_data, real_markets

from suite.contracts.trader import StrategySpec, TraderSpec
from virtual_exchange.adapters.store_market import StoreMarkets
from virtual_exchange.application.report.building import build_report

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800), needs_real_data]
KINDS = ("fixed_spread", "funding_rate")
PARTS = ("spread", "inventory", "fees", "funding")
UNSTOPPED: dict[str, Any] = {
    "max_executions": 10_000_000,
    "max_day_loss": 0.5,
    "at_day_loss": "hold",
    "drawdown_pause": 0.9,
    "drawdown_stop": 0.95,
    "loss_streak": 100,
}
"""Limits that let a losing maker go on to the end: it is the market that is looked at."""


@pytest.fixture(scope="module")
def markets(tmp_path_factory: pytest.TempPathFactory) -> StoreMarkets:
    return real_markets(tmp_path_factory.mktemp("real"))


def makers(*, interval: str, spread: float) -> tuple[TraderSpec, ...]:
    return tuple(
        TraderSpec(
            trader_id=kind,
            strategy=StrategySpec(kind=kind, params={"spread": spread}),
            symbols=COINS,
            interval=interval,
            risk=UNSTOPPED,
        )
        for kind in KINDS
    )


def check(run: AuditedRun, *, fills: int) -> None:
    """No fault, nothing refused, nothing taken but by an exit, and parts that are the whole."""
    assert run.audited.faults == []
    assert run.audited.fills > fills
    assert run.record.finished
    result = build_report(run.record)["result"]
    for kind in KINDS:
        trader = result["traders"][kind]
        split = trader["profit_split"]
        parts = sum((Decimal(split[part]) for part in PARTS), Decimal(0))
        assert parts == Decimal(trader["final_equity"]) - Decimal(trader["initial_balance"])
        assert Decimal(split["spread"]) > 0 > Decimal(split["fees"])
        assert set(COINS) == set(split["coins"])
        assert [] == trader["liquidations"]
    for account in run.record.accounts:
        quotes = [f for f in account.fills if not f.is_taker and f.cause == "order"]
        assert len(quotes) > 0.98 * len(account.fills)
        # a quote that crossed is refused by the venue, and none may
        assert account.rejected_orders < 0.001 * len(account.orders)


def test_makers_of_thirteen_perpetuals_run_fifty_days_to_the_end(markets: StoreMarkets) -> None:
    """All the data, side by side in one world; 2 % wide and an hour between decisions."""
    who = makers(interval="1h", spread=0.02)
    run = audited_backtest(who, markets, from_=START, to=END, allow_partial=True)
    check(run, fills=2_000)
    days = (run.record.to_ms - run.record.from_ms) / 86_400_000
    assert days > 50
    assert all(account.funding for account in run.record.accounts)


def test_makers_that_decide_every_minute_have_no_faulty_fill(markets: StoreMarkets) -> None:
    """Half a day of default quotes, a tenth of a percent wide: thousands of fills."""
    who = makers(interval="1m", spread=0.001)
    run = audited_backtest(
        who, markets, from_="2025-05-26", to="2025-05-26T12:00", allow_partial=True
    )
    check(run, fills=5_000)
