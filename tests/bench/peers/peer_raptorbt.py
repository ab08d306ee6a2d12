"""raptorbt, arrays of signals into its compiled loop.

A run takes one direction, so the work is the long half; sizes are shares of the capital, so the
outcome is what its trades would be at the size of the work.
"""

from collections.abc import Callable, Iterable
from typing import Any

import raptorbt
from common import (
    CASH,
    CROSS_SIZE,
    FAST,
    SLOW,
    SWEEP,
    TAKER,
    Outcome,
    Run,
    Series,
    serve,
    turns,
)

LONG = 1
BATCH = 20
"""Pairs of the sweep in one call; each keeps its curves."""


def config() -> raptorbt.BacktestConfig:
    return raptorbt.BacktestConfig(initial_capital=CASH, fees=TAKER, fill_timing="next_bar_open")


def columns(series: Series) -> tuple[Any, ...]:
    prices = (series.open, series.high, series.low, series.close)
    return (series.time_ms * 1_000_000, *prices, series.volume)


def outcome_of(trades: Iterable[Any]) -> Outcome:
    """What the engine closes at the end is no order of the work, nor is its fee."""
    profit, fills = 0.0, 0
    for trade in trades:
        signaled = trade.exit_reason == "Signal"
        turnover = trade.entry_price + trade.exit_price * signaled
        profit += CROSS_SIZE * (trade.exit_price - trade.entry_price - TAKER * turnover)
        fills += 1 + signaled
    return Outcome(orders=fills, fills=fills, profit=profit)


def cross(series: Series) -> Run:
    bars = columns(series)

    def run() -> Callable[[], Outcome]:
        [(up, down)] = turns(series, [(FAST, SLOW)])
        done = raptorbt.run_single_backtest(*bars, up, down, LONG, 1.0, "BTC", config())
        return lambda: outcome_of(done.trades())

    return run


def sweep(series: Series) -> Run:
    bars = columns(series)

    def run() -> Outcome:
        for first in range(0, len(SWEEP), BATCH):
            items = [
                raptorbt.BatchSingleItem("pair", up, down, LONG)
                for up, down in turns(series, SWEEP[first : first + BATCH])
            ]
            raptorbt.batch_single_backtest(*bars, items, config())
        return Outcome()

    return run


if __name__ == "__main__":
    serve("raptorbt", {"a": cross, "e": sweep})
