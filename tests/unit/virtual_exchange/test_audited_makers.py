"""What is promised of the market makers, on a generated market, every event audited."""

from decimal import Decimal
from typing import Any

import pytest
from tests.support.audited_backtest import AuditedRun, audited_backtest
from tests.support.worlds import START_MS, MemorySource

from data_collector.domain.synthetic import draw_shared, generate
from suite.bars import HOUR_MS
from suite.contracts.trader import StrategySpec, TraderSpec
from suite.fixed import USD_ONE
from virtual_exchange.application.report.building import build_report

COINS = ("BTC", "DOGE", "ETH")
KINDS = ("fixed_spread", "funding_rate")
ORDER, MOST = 100, 500


def generated(hours: int) -> MemorySource:
    """Coins of 94,000 and of 0.2 USD, with funding every eight hours."""
    shared = draw_shared(11, start_ms=START_MS, end_ms=START_MS + hours * HOUR_MS)
    made = {coin: generate(coin, 11, shared) for coin in COINS}
    return MemorySource(
        {coin: one.bars for coin, one in made.items()},
        {coin: (one.funding_time_ms, one.funding_rate) for coin, one in made.items()},
    )


@pytest.fixture(scope="module")
def run() -> AuditedRun:
    """Nine hours at a decision a minute, with two levels; funding is due after eight."""
    params: dict[str, Any] = {
        "order_notional": ORDER,
        "max_inventory": MOST,
        "levels": 2,
        "level_decay": 0.8,
        "spread": 0.0006,
    }
    traders = tuple(
        TraderSpec(
            trader_id=kind,
            strategy=StrategySpec(kind=kind, params=params),
            symbols=COINS,
            interval="1m",
        )
        for kind in KINDS
    )
    return audited_backtest(traders, generated(9))


def test_no_fill_has_a_fault_and_the_run_goes_to_its_end(run: AuditedRun) -> None:
    """Prices, sizes, fees, funding and money are what the rules make of the tape."""
    assert run.audited.faults == []
    assert run.audited.fills > 200
    assert run.audited.funding > 0
    assert run.record.finished


def test_profits_are_divided_to_the_micro_usd(run: AuditedRun) -> None:
    """Quotes earn their distance, fees cost, and the four parts are the whole."""
    for trader in build_report(run.record)["result"]["traders"].values():
        split = trader["profit_split"]
        parts = (Decimal(split[part]) for part in ("spread", "inventory", "fees", "funding"))
        assert Decimal(trader["total_pnl"]) == sum(parts, Decimal(0))
        assert Decimal(split["spread"]) > 0 > Decimal(split["fees"])
        assert set(COINS) == set(split["coins"])


def test_quotes_never_take_and_none_is_refused(run: AuditedRun) -> None:
    """Post-only, a tick inside: the venue has nothing to say against any of them."""
    for account in run.record.accounts:
        assert 0 == account.rejected_orders
        assert not any(fill.is_taker for fill in account.fills if account.account_id == KINDS[0])


def test_inventory_stays_within_its_limit(run: AuditedRun) -> None:
    """At the price of the fill; 2 % more for what the coin has risen since it was quoted."""
    for account in run.record.accounts:
        held = [0] * len(COINS)
        for fill in account.fills:
            held[fill.symbol] += int(fill.side) * fill.size
            assert abs(held[fill.symbol]) * fill.price <= 1.02 * MOST * USD_ONE


def test_coins_of_any_price_are_quoted_alike(run: AuditedRun) -> None:
    """An order is worth what was asked for, at 0.2 as at 94,000 USD."""
    for account in run.record.accounts:
        for symbol in range(len(COINS)):
            worth = [
                order.size * order.limit_price / USD_ONE
                for order in account.orders
                if order.symbol == symbol and order.limit_price
            ]
            assert 0.93 * ORDER < max(worth) <= 1.01 * ORDER
