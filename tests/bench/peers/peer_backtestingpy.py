"""backtesting.py: a Python class called at every bar."""

import warnings
from typing import Any

import numpy as np
from backtesting import Backtest, Strategy
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
    Prepare,
    Run,
    Series,
    around,
    mean,
    serve,
)

UNIT = 1_000
"""Sizes are whole numbers here, so the coin is 1/1000 BTC."""
SWEEP_RUNS = 5


def level(close: float, distance: int) -> float:
    return around(close * UNIT, distance) / UNIT


def average(close: Any, length: int) -> Any:
    return mean(np.rint(close * (10 * UNIT)), length) / (10 * UNIT)


class Cross(Strategy):
    fast, slow = FAST, SLOW
    sent = 0

    def init(self) -> None:
        self.quick = self.I(average, self.data.Close, self.fast)
        self.steady = self.I(average, self.data.Close, self.slow)
        self.before = 0

    def next(self) -> None:
        side = 1 if self.quick[-1] > self.steady[-1] else -1
        if self.before and side != self.before:
            size = round(abs(side * CROSS_SIZE * UNIT - self.position.size))
            (self.buy if side > 0 else self.sell)(size=size)
            Cross.sent += 1
        self.before = side


class Quotes(Strategy):
    sent = 0

    def init(self) -> None:
        pass

    def next(self) -> None:
        for order in self.orders:
            order.cancel()
        close, held = self.data.Close[-1], self.position.size
        if held < QUOTE_CAP * UNIT:
            self.buy(size=round(QUOTE_SIZE * UNIT), limit=level(close, -HALF_SPREAD))
            Quotes.sent += 1
        if held > -QUOTE_CAP * UNIT:
            self.sell(size=round(QUOTE_SIZE * UNIT), limit=level(close, HALF_SPREAD))
            Quotes.sent += 1


class Bracket(Strategy):
    sent = 0

    def init(self) -> None:
        self.trend = self.I(average, self.data.Close, TREND)

    def next(self) -> None:
        if self.position or self.orders:
            return
        close = self.data.Close[-1]
        side = 1 if close > self.trend[-1] else -1
        (self.buy if side > 0 else self.sell)(
            size=round(BRACKET_SIZE * UNIT),
            tp=level(close, side * DISTANCE),
            sl=level(close, -side * DISTANCE),
        )
        Bracket.sent += 3


class Idle(Strategy):
    sent = 0

    def init(self) -> None:
        pass

    def next(self) -> None:
        pass


def backtest(series: Series, strategy: type, fee: float) -> Backtest:
    frame = series.frame(UNIT)
    return Backtest(frame, strategy, cash=CASH, commission=fee, margin=0.05)


def fills_of(done: Strategy) -> int:
    """A turn closes one trade and opens another, and is one fill."""
    entries = len(done.closed_trades) + len(done.trades)
    return entries if isinstance(done, Cross) else entries + len(done.closed_trades)


def single(strategy: Any, fee: float) -> Prepare:
    def prepare(series: Series) -> Run:
        test = backtest(series, strategy, fee)

        def run() -> Outcome:
            strategy.sent = 0
            stats = test.run()
            profit = stats["Equity Final [$]"] - CASH
            return lambda: Outcome(strategy.sent, fills_of(stats["_strategy"]), profit)

        return run

    return prepare


def sweep(series: Series) -> Run:
    test = backtest(series, Cross, TAKER)

    def run() -> Outcome:
        for fast, slow in SWEEP[:SWEEP_RUNS]:
            test.run(fast=fast, slow=slow)
        return Outcome(share=SWEEP_RUNS / len(SWEEP))

    return run


if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    serve(
        "backtesting",
        {
            "a": single(Cross, TAKER),
            "b": single(Quotes, MAKER),
            "c": single(Bracket, TAKER),
            "d": single(Idle, TAKER),
            "e": sweep,
        },
    )
