"""Market makers over the recorded market, and what holds of every run of them."""

from decimal import Decimal
from typing import Any, Final

from tests.support.audited_backtest import AuditedRun
from tests.support.real_data import COINS

from suite.contracts.trader import StrategySpec, TraderSpec
from virtual_exchange.application.report.building import build_report

KINDS: Final = ("fixed_spread", "funding_rate")
PARTS: Final = ("spread", "inventory", "fees", "funding")
UNSTOPPED: Final[dict[str, Any]] = {
    "max_executions": 10_000_000,
    "max_day_loss": 0.5,
    "at_day_loss": "hold",
    "drawdown_pause": 0.9,
    "drawdown_stop": 0.95,
    "loss_streak": 100,
}
"""Limits that let a losing maker go on to the end: it is the market that is looked at."""


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
