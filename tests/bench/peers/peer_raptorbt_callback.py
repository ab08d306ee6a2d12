"""raptorbt, a Python class called at every bar."""

from typing import Any

import raptorbt
from common import (
    BRACKET_SIZE,
    CASH,
    CROSS_SIZE,
    DISTANCE,
    FAST,
    SLOW,
    TAKER,
    TREND,
    Outcome,
    Prepare,
    Run,
    RunningMean,
    Series,
    around,
    serve,
)
from raptorbt.strategy.orders import Market


class Base(raptorbt.Strategy):
    def __init__(self) -> None:
        super().__init__()
        self.sent = self.filled = 0

    def on_order_filled(self, ctx: Any, event: Any) -> None:
        self.filled += 1


class Cross(Base):
    """An order against a position only closes it, so a turn is two orders; it counts as one."""

    def __init__(self) -> None:
        super().__init__()
        self.quick, self.steady = RunningMean(FAST), RunningMean(SLOW)
        self.before = 0

    def on_bar(self, ctx: Any) -> None:
        close = ctx.bar.close
        quick, steady = self.quick.add(close), self.steady.add(close)
        if steady is None:
            return
        side = 1 if quick > steady else -1
        if self.before and side != self.before:
            way = "buy" if side > 0 else "sell"
            if not ctx.is_flat:
                self.submit_order(Market(side=way))
                self.filled -= 1
            self.submit_order(Market(side=way, units=CROSS_SIZE))
            self.sent += 1
        self.before = side


class Bracket(Base):
    def __init__(self) -> None:
        super().__init__()
        self.trend = RunningMean(TREND)
        self.waiting = False

    def on_order_filled(self, ctx: Any, event: Any) -> None:
        super().on_order_filled(ctx, event)
        self.waiting = False

    def on_bar(self, ctx: Any) -> None:
        close = ctx.bar.close
        trend = self.trend.add(close)
        if trend is None or self.waiting or not ctx.is_flat:
            return
        side = 1 if close > trend else -1
        self.submit_bracket(
            Market(side="buy" if side > 0 else "sell", units=BRACKET_SIZE),
            stop_trigger=around(close, -side * DISTANCE),
            target_price=around(close, side * DISTANCE),
        )
        self.sent += 3
        self.waiting = True


class Idle(Base):
    def on_bar(self, ctx: Any) -> None:
        pass


def single(strategy: type[Base]) -> Prepare:
    def prepare(series: Series) -> Run:
        prices = (series.open, series.high, series.low, series.close)
        bars = (series.time_ms * 1_000_000, *prices, series.volume)
        config = raptorbt.BacktestConfig(
            initial_capital=CASH, fees=TAKER, fill_timing="next_bar_open"
        )

        def run() -> Outcome:
            mine = strategy()
            done = raptorbt.run_strategy_backtest(
                mine, *bars, symbol="BTC", config=config, account_type="margin", leverage=20.0
            )
            profit = done.metrics.end_value - CASH
            return Outcome(orders=mine.sent, fills=mine.filled, profit=profit)

        return run

    return prepare


if __name__ == "__main__":
    serve("raptorbt", {"a": single(Cross), "c": single(Bracket), "d": single(Idle)})
