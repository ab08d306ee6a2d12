"""hftbacktest: compiled strategies over ticks.

A minute is four trades (open, nearer extreme, other extreme, close) and a book of one tick around
the close, which is what the strategy sees.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from common import (
    HALF_SPREAD,
    MAKER,
    MINUTE_MS,
    QUOTE_CAP,
    QUOTE_SIZE,
    TAKER,
    Outcome,
    Prepare,
    Run,
    Series,
    serve,
)
from hftbacktest import (
    BUY_EVENT,
    DEPTH_EVENT,
    EXCH_EVENT,
    GTX,
    LIMIT,
    LOCAL_EVENT,
    SELL_EVENT,
    TRADE_EVENT,
    BacktestAsset,
    HashMapMarketDepthBacktest,
    event_dtype,
)
from numba import njit

TICK = 0.1
SECOND = 1_000_000_000
MINUTE = 60 * SECOND


def events_of(series: Series) -> Any:
    """Eight events a minute: four trades, then the old book out and the new one in."""
    rising = series.high - series.open < series.open - series.low
    points = (
        series.open,
        np.where(rising, series.high, series.low),
        np.where(rising, series.low, series.high),
        series.close,
    )
    start = series.time_ms * (MINUTE // MINUTE_MS)
    events = np.zeros((series.bars, 8), event_dtype)
    before = series.open
    for column, price in enumerate(points):
        side = np.where(price <= before, SELL_EVENT, BUY_EVENT)
        fill(events, column, TRADE_EVENT | side, price, 1.0, start + (10 * column + 10) * SECOND)
        before = price
    last = np.concatenate([series.close[:1], series.close[:-1]])
    book = (
        (BUY_EVENT, last, 0.0),
        (SELL_EVENT, last + TICK, 0.0),
        (BUY_EVENT, series.close, 10.0),
        (SELL_EVENT, series.close + TICK, 10.0),
    )
    for column, (side, price, size) in enumerate(book, len(points)):
        fill(events, column, DEPTH_EVENT | side, price, size, start + 50 * SECOND)
    events["exch_ts"][0, 0] -= 5 * SECOND  # its clock starts here: no minute ends on an event
    events["local_ts"] = events["exch_ts"]
    return events.reshape(-1)


def fill(events: Any, column: int, kind: Any, price: Any, size: float, time_ns: Any) -> None:
    events["ev"][:, column] = EXCH_EVENT | LOCAL_EVENT | kind
    events["px"][:, column], events["qty"][:, column] = price, size
    events["exch_ts"][:, column] = time_ns


@njit
def idle_nb(hbt: Any) -> int:
    while hbt.elapse(MINUTE) == 0:
        pass
    return 0


@njit
def quotes_nb(hbt: Any) -> int:
    oid = 1
    while hbt.elapse(MINUTE) == 0:
        hbt.clear_inactive_orders(0)
        resting = hbt.orders(0).values()
        while resting.has_next():
            order = resting.get()
            if order.cancellable:
                hbt.cancel(0, order.order_id, False)
        ticks, held = np.rint(hbt.depth(0).best_bid * 10), hbt.position(0)
        if held < QUOTE_CAP - 1e-9:
            bid = np.rint(ticks * (10_000 - HALF_SPREAD) / 10_000) / 10
            hbt.submit_buy_order(0, oid, bid, QUOTE_SIZE, GTX, LIMIT, False)
            oid += 1
        if held > -QUOTE_CAP + 1e-9:
            ask = np.rint(ticks * (10_000 + HALF_SPREAD) / 10_000) / 10
            hbt.submit_sell_order(0, oid, ask, QUOTE_SIZE, GTX, LIMIT, False)
            oid += 1
    return oid - 1


def work(strategy: Callable[[Any], int]) -> Prepare:
    def prepare(series: Series) -> Run:
        events = events_of(series)

        def run() -> Outcome:
            asset = (
                BacktestAsset()
                .data([events])
                .linear_asset(1.0)
                .constant_order_latency(0, 0)
                .risk_adverse_queue_model()
                .no_partial_fill_exchange()
                .trading_value_fee_model(MAKER, TAKER)
                .tick_size(TICK)
                .lot_size(0.001)
            )
            hbt = HashMapMarketDepthBacktest([asset])
            orders = strategy(hbt)
            state = hbt.state_values(0)
            profit = state.balance + state.position * series.close[-1] - state.fee
            outcome = Outcome(orders=int(orders), fills=int(state.num_trades), profit=float(profit))
            hbt.close()
            return outcome

        return run

    return prepare


if __name__ == "__main__":
    serve("hftbacktest", {"b": work(quotes_nb), "d": work(idle_nb)})
