"""Trades from flat to flat, and what a report says of them, by worked examples."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.support.records import fills_of, funding_of, run_of, stop_of
from tests.support.runs import random_run

from perp_engine.events import Fill, FundingPaid
from suite.bars import HOUR_MS
from virtual_exchange.application.report.building import build_report
from virtual_exchange.domain.record import OrderRecord, RunRecord
from virtual_exchange.domain.trades import trades_of

LONG = fills_of(
    (1, 10, "0.375", "2000", "0.3375", "0"),
    (3, 11, "-0.187", "2020", "0.17", "3.74"),
    (5, 12, "-0.188", "2021", "0.171", "3.948"),
)


def trades_in(
    fills: list[Fill],
    funding: list[FundingPaid] | None = None,
    orders: list[OrderRecord] | None = None,
) -> list[dict[str, Any]]:
    report = build_report(run_of(fills, funding, orders))
    closed: list[dict[str, Any]] = report["result"]["traders"]["trader"]["completed_trades"]
    return closed


def test_partial_exits_belong_to_one_trade() -> None:
    """Bought once, sold in two parts: one trade, net of fees and funding, 0.93 of its risk."""
    (trade,) = trades_in(LONG, [funding_of(2, "0.375", "-0.02")], [stop_of(13, 10, "1980")])
    assert (trade["entry_fills"], trade["exit_fills"]) == (1, 2)
    assert (trade["qty"], trade["side"], trade["pair"]) == ("0.375", "long", "ETH-USD")
    assert (trade["entry_time"], trade["exit_time"]) == (HOUR_MS, 5 * HOUR_MS)
    assert (trade["fees"], trade["funding"]) == ("0.6785", "-0.02")
    assert (trade["pnl_before_fees"], trade["pnl"]) == ("7.688", "6.9895")
    assert trade["initial_sl_price"] == "1980.0"
    assert trade["r_multiple"] == "0.9319333333"
    assert trade["avg_exit_price"] == "2020.5013"


def test_a_moved_stop_does_not_change_the_risk_of_its_trade() -> None:
    """A stop is moved by an order in its place; R counts from the first one."""
    moved = [stop_of(13, 10, "1980"), stop_of(14, 10, "2015", hour=2)]
    (trade,) = trades_in(LONG, orders=moved)
    assert trade["initial_sl_price"] == "1980.0"


def test_a_flip_ends_one_trade_and_begins_the_next() -> None:
    """Its fee is divided by size, and its stop protects the new trade only."""
    fills = fills_of(
        (1, 10, "1", "2000", "0.9", "0"),
        (2, 11, "-3", "2010", "2.7", "10"),
        (3, 12, "2", "2005", "1.8", "10"),
    )
    long, short = trades_in(fills, orders=[stop_of(13, 11, "2020")])
    assert (long["fees"], short["fees"]) == ("1.8", "3.6")
    assert (long["side"], short["side"]) == ("long", "short")
    assert (long["exit_time"], short["entry_time"]) == (2 * HOUR_MS, 2 * HOUR_MS)
    assert (long["r_multiple"], long["initial_sl_price"]) == (None, None)
    assert short["initial_sl_price"] == "2020.0"


def test_a_trade_without_a_stop_has_no_r_multiple() -> None:
    """A stop of another entry is not its own, nor is one that stands alone."""
    others = [stop_of(13, 99, "1980"), stop_of(14, 0, "1980")]
    (trade,) = trades_in(LONG, orders=others)
    assert (trade["r_multiple"], trade["initial_sl_price"]) == (None, None)


@given(st.integers(0, 10_000))
@example(420)  # a backstop, and insurance that paid
def test_open_profit_is_what_the_last_prices_say(seed: int) -> None:
    """The bridge's open profit, which closes the sum, is also position times mark less cost."""
    record = random_run(seed)
    report = build_report(record)
    for account in record.accounts:
        value = 0
        for trade in trades_of(account.fills, account.funding).open:
            size = trade.entry_size - trade.exit_size
            market = record.markets[trade.symbol]
            worth = size * int(market.close[market.volume > 0][-1])  # a missing bar has no price
            cash = trade.direction * (trade.exit_value - trade.entry_value)
            value += trade.direction * worth + cash - trade.realized_usd
        told = report["result"]["traders"][account.account_id]["bridge"]["unrealized"]
        assert Decimal(value) / 10**6 == Decimal(told)


def test_defect_5_report_times_are_world_times_and_ids_are_the_venues() -> None:
    """No wall clock: every time lies inside the run, every oid is the one the engine gave."""
    record: RunRecord = random_run(11)
    for account in record.accounts:
        trader = build_report(record)["result"]["traders"][account.account_id]
        told = [(fill["time"], fill["oid"], fill["tid"]) for fill in trader["trades"]]
        assert [(fill.time_ms, fill.oid, fill.tid) for fill in account.fills] == told
        times = [fill["time"] for fill in trader["trades"]]
        times += [trade["entry_time"] for trade in trader["completed_trades"]]
        times += [trade["exit_time"] for trade in trader["completed_trades"]]
        times += [order["placed"] for order in trader["orders"]]
        assert times
        assert all(record.from_ms <= time <= record.to_ms for time in times)


def test_the_manifest_says_what_a_run_can_be_made_again_of() -> None:
    """Data, strategies, engine, fees and slippage, in one block."""
    block = build_report(run_of(LONG))["manifest"]["reproducibility"]
    assert set(block) >= {"data_hash", "strategy_config", "engine_version", "data_file_count"}
    assert block["data_file_count"] == 2
    assert block["fee_rate"] == {"taker_fee": "0.00045", "maker_fee": "0.00015"}
    assert block["slippage_model"]["slippage"] == "0.0001"
    assert block["strategy_config"]["trader"]["kind"] == "example"


def test_metrics_of_trades_are_net_of_all_costs() -> None:
    """One trade, one win; costs in basis points of what was traded."""
    report = build_report(
        run_of(LONG, [funding_of(2, "0.375", "-0.02")], [stop_of(13, 10, "1980")])
    )
    metrics = report["result"]["traders"]["trader"]["portfolio_metrics"]
    assert (metrics["win_count"], metrics["loss_count"], metrics["win_rate"]) == (1, 0, "1")
    assert (metrics["avg_win"], metrics["expectancy"]) == ("6.9895", "6.9895")
    assert (metrics["profit_factor"], metrics["payoff"]) == (None, None)
    assert metrics["avg_r_multiple"] == "0.9319333333"
    assert metrics["traded"] == "1507.688"
    assert float(metrics["fees_bps"]) == pytest.approx(0.6785 / 1507.688 * 1e4, rel=1e-9)
