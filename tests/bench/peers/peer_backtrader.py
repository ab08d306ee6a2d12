"""backtrader: a Python class called at every bar."""

from typing import Any

import backtrader as bt
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
    serve,
)

SWEEP_RUNS = 2


class Base(bt.Strategy):
    params = (("fast", FAST), ("slow", SLOW))

    def __init__(self) -> None:
        self.sent = self.filled = 0

    def notify_order(self, order: Any) -> None:
        self.filled += order.status == order.Completed


class Cross(Base):
    def __init__(self) -> None:
        super().__init__()
        self.quick = bt.ind.SMA(self.data.close, period=self.p.fast)
        self.steady = bt.ind.SMA(self.data.close, period=self.p.slow)
        self.before = 0

    def next(self) -> None:
        side = 1 if self.quick[0] > self.steady[0] else -1
        if self.before and side != self.before:
            change = side * CROSS_SIZE - self.position.size
            (self.buy if change > 0 else self.sell)(size=abs(change))
            self.sent += 1
        self.before = side


class Quotes(Base):
    def __init__(self) -> None:
        super().__init__()
        self.resting = []

    def next(self) -> None:
        for order in self.resting:
            if order.alive():
                self.cancel(order)
        close, held, self.resting = self.data.close[0], self.position.size, []
        if held < QUOTE_CAP - 1e-9:
            self.quote(self.buy, around(close, -HALF_SPREAD))
        if held > -QUOTE_CAP + 1e-9:
            self.quote(self.sell, around(close, HALF_SPREAD))

    def quote(self, send: Any, price: float) -> None:
        self.resting.append(send(size=QUOTE_SIZE, exectype=bt.Order.Limit, price=price))
        self.sent += 1


class Bracket(Base):
    def __init__(self) -> None:
        super().__init__()
        self.trend = bt.ind.SMA(self.data.close, period=TREND)
        self.resting = []

    def next(self) -> None:
        self.resting = [order for order in self.resting if order.alive()]
        if self.position or self.resting:
            return
        close = self.data.close[0]
        side = 1 if close > self.trend[0] else -1
        self.resting = (self.buy_bracket if side > 0 else self.sell_bracket)(
            size=BRACKET_SIZE,
            exectype=bt.Order.Market,
            limitprice=around(close, side * DISTANCE),
            stopprice=around(close, -side * DISTANCE),
        )
        self.sent += 3


class Idle(Base):
    def next(self) -> None:
        pass


def play(frame: Any, strategy: type, fee: float, **parameters: int) -> Outcome:
    cerebro = bt.Cerebro(stdstats=False)
    cerebro.adddata(bt.feeds.PandasData(dataname=frame))
    cerebro.addstrategy(strategy, **parameters)
    cerebro.broker.setcash(CASH)
    cerebro.broker.setcommission(commission=fee, leverage=20)
    done = cerebro.run()[0]
    profit = cerebro.broker.getvalue() - CASH
    return Outcome(orders=done.sent, fills=done.filled, profit=profit)


def single(strategy: type, fee: float) -> Prepare:
    def prepare(series: Series) -> Run:
        frame = series.frame()
        return lambda: play(frame, strategy, fee)

    return prepare


def sweep(series: Series) -> Run:
    frame = series.frame()

    def run() -> Outcome:
        for fast, slow in SWEEP[:SWEEP_RUNS]:
            play(frame, Cross, TAKER, fast=fast, slow=slow)
        return Outcome(share=SWEEP_RUNS / len(SWEEP))

    return run


if __name__ == "__main__":
    serve(
        "backtrader",
        {
            "a": single(Cross, TAKER),
            "b": single(Quotes, MAKER),
            "c": single(Bracket, TAKER),
            "d": single(Idle, TAKER),
            "e": sweep,
        },
    )
