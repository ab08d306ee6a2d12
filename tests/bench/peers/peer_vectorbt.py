"""vectorbt: whole arrays of signals, and a compiled order function for the quotes."""

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import vectorbt as vbt
from common import (
    BRACKET_SIZE,
    CASH,
    CROSS_SIZE,
    DISTANCE,
    FAST,
    HALF_SPREAD,
    MAKER,
    QUOTE_CAP,
    QUOTE_SIZE,
    SLOW,
    SWEEP,
    TAKER,
    TREND,
    Outcome,
    Run,
    Series,
    mean,
    serve,
    turns,
)
from numba import njit
from vectorbt.portfolio.nb import order_nb, order_nothing_nb

BATCH = 20
"""Pairs of the sweep in one call; all at once would take 6 GB over a year."""


def later(signals: Any) -> Any:
    """Signals of a close, for the next open."""
    moved = np.zeros_like(signals)
    moved[1:] = signals[:-1]
    return moved


def crossed(series: Series, pairs: Sequence[tuple[int, int]]) -> Any:
    sides = turns(series, pairs)
    return vbt.Portfolio.from_signals(
        series.close.reshape(-1, 1),
        entries=later(np.column_stack([up for up, _ in sides])),
        short_entries=later(np.column_stack([down for _, down in sides])),
        price=series.open.reshape(-1, 1),
        size=CROSS_SIZE,
        fees=TAKER,
        init_cash=CASH,
        upon_opposite_entry="reverse",
        freq="1min",
    )


def cross(series: Series) -> Run:
    def run() -> Outcome:
        done = crossed(series, [(FAST, SLOW)])
        count = int(np.sum(done.orders.count()))
        return Outcome(orders=count, fills=count, profit=float(np.ravel(done.total_profit())[0]))

    return run


def sweep(series: Series) -> Run:
    def run() -> Outcome:
        for first in range(0, len(SWEEP), BATCH):
            crossed(series, SWEEP[first : first + BATCH]).total_profit()
        return Outcome()

    return run


def bracket(series: Series) -> Run:
    def run() -> Outcome:
        trend = mean(series.ticks[3], TREND)
        above, full = series.ticks[3] > trend, ~np.isnan(trend)
        done = vbt.Portfolio.from_signals(
            series.close,
            entries=above & full,
            short_entries=~above & full,
            open=series.open,
            high=series.high,
            low=series.low,
            sl_stop=DISTANCE / 10_000,
            tp_stop=DISTANCE / 10_000,
            size=BRACKET_SIZE,
            fees=TAKER,
            init_cash=CASH,
            upon_opposite_entry="ignore",
            freq="1min",
        )
        return Outcome(fills=int(done.orders.count()), profit=float(done.total_profit()))

    return run


@njit
def quote_nb(c: Any, opened: Any, high: Any, low: Any, close: Any, held: Any) -> Any:
    """Match the two quotes of the bar before; `held` keeps the position they were made with."""
    bar = c.i
    if bar == 0 or c.call_idx > 1:
        return -1, order_nothing_nb()
    if c.call_idx == 0:
        held[0] = c.last_position[0]
    ticks = np.rint(close[bar - 1] * 10)
    if c.call_idx == 0:
        bid = np.rint(ticks * (10_000 - HALF_SPREAD) / 10_000) / 10
        if low[bar] <= bid and held[0] < QUOTE_CAP - 1e-9:
            return 0, order_nb(size=QUOTE_SIZE, price=min(bid, opened[bar]), fees=MAKER)
        return 0, order_nothing_nb()
    ask = np.rint(ticks * (10_000 + HALF_SPREAD) / 10_000) / 10
    if high[bar] >= ask and held[0] > -QUOTE_CAP + 1e-9:
        return 0, order_nb(size=-QUOTE_SIZE, price=max(ask, opened[bar]), fees=MAKER)
    return 0, order_nothing_nb()


def quotes(series: Series) -> Run:
    def run() -> Outcome:
        done = vbt.Portfolio.from_order_func(
            series.close,
            quote_nb,
            series.open,
            series.high,
            series.low,
            series.close,
            np.zeros(1),
            flexible=True,
            max_orders=2 * series.bars,
            init_cash=CASH,
            freq="1min",
        )
        return Outcome(fills=int(done.orders.count()), profit=float(done.total_profit()))

    return run


if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    serve("vectorbt", {"a": cross, "b": quotes, "c": bracket, "e": sweep})
