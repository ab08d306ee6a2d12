"""The work of the benchmarks, each strategy once for every driver.

(a) cross: SMA 20/100, always in the market, 0.1 BTC at the market at the next open.
(b) quotes: every bar cancel all, a bid and an ask of 0.01 BTC at close -/+ 0.05 %, position capped
    at 0.5 BTC.
(c) bracket: whenever flat, enter with the SMA-20 trend, take-profit and stop at 0.4 %, OCO.
(d) idle: nothing.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from perp_engine.callback import Callback
from perp_engine.commands import Advance, Deposit, NewOrder, PlaceOrders, Trigger
from perp_engine.engine import Engine
from perp_engine.jitted import Floats, Words, close, has_orders, helper, market, position, strategy
from perp_engine.jitted import bracket as bracket_order
from perp_engine.jitted import quotes as quote
from perp_engine.rules import Rules
from perp_engine.tape import CLOSE, Tape
from suite.enums import Grouping, Side, Tif, Tpsl
from suite.fixed import Price, Size, Usd, div_half_even
from suite.instrument import Instrument

FAST, SLOW, CROSS_SIZE = 20, 100, 10_000
HALF, QUOTE_SIZE, QUOTE_CAP = 5, 1_000, 50_000
TREND, DISTANCE, BRACKET_SIZE = 20, 40, 10_000
CROSS = (FAST, SLOW, CROSS_SIZE)
QUOTES = (HALF, QUOTE_SIZE, QUOTE_CAP)
BRACKET = (TREND, DISTANCE, BRACKET_SIZE)

share = helper(div_half_even)


def start(instrument: Instrument, tape: Tape, rules: Rules, **options: Any) -> Engine:
    """A funded engine of one account."""
    engine = Engine([instrument], tape, 1, rules, **options)
    engine.apply(Deposit(account=0, usd=Usd(10**12)))
    return engine


def profit(engine: Engine) -> float:
    """What was gained or lost so far, USD."""
    return float(int(engine.equities()[0]) - 10**12) / 1e6


# compiled


@strategy
def idle(_m: Words, _t: Words, _u: Words, _f: Floats, _bar: int) -> None:
    """Nothing."""


@strategy
def cross(m: Words, t: Words, u: Words, _f: Floats, bar: int) -> None:
    """u: fast, slow, size; sum fast, sum slow, previous signal."""
    if bar == 0:
        return
    fast, slow = u[0], u[1]
    last = close(m, t, 0, 1)
    fast_sum, slow_sum = u[3] + last, u[4] + last
    if bar > fast:
        fast_sum -= close(m, t, 0, fast + 1)
    if bar > slow:
        slow_sum -= close(m, t, 0, slow + 1)
    u[3], u[4] = fast_sum, slow_sum
    if bar < slow:
        return
    signal = 1 if fast_sum * slow > slow_sum * fast else -1
    if u[5] != 0 and signal != u[5]:
        change = signal * u[2] - position(m, 0, 0)
        market(m, t, 0, 0, 1 if change > 0 else -1, abs(change))
    u[5] = signal


@strategy
def quotes(m: Words, t: Words, u: Words, _f: Floats, bar: int) -> None:
    """u: half spread in 10^-4, size, cap."""
    if bar == 0:
        return
    held, last = position(m, 0, 0), close(m, t, 0, 1)
    bid, ask = share(last * (10_000 - u[0]), 10_000), share(last * (10_000 + u[0]), 10_000)
    quote(m, t, 0, 0, bid, u[1] if held < u[2] else 0, ask, u[1] if held > -u[2] else 0)


@strategy
def bracket(m: Words, t: Words, u: Words, _f: Floats, bar: int) -> None:
    """u: trend, distance in 10^-4, size; running sum."""
    if bar == 0:
        return
    last = close(m, t, 0, 1)
    u[3] += last
    if bar > u[0]:
        u[3] -= close(m, t, 0, u[0] + 1)
    if bar < u[0] or position(m, 0, 0) != 0 or has_orders(m, 0, 0):
        return
    side = 1 if last * u[0] > u[3] else -1
    take = share(last * (10_000 + side * u[1]), 10_000)
    stop = share(last * (10_000 - side * u[1]), 10_000)
    bracket_order(m, t, 0, 0, side, u[2], take, stop)


# called


def signals(tape: Tape) -> list[int]:
    """Side of the cross after each closed bar; 0 while the slow mean is not full."""
    closes = tape.bars[0, CLOSE]
    total = np.concatenate([[0], np.cumsum(closes)])
    found = np.zeros(len(closes), np.int64)
    fast = (total[SLOW:] - total[SLOW - FAST : -FAST]) * SLOW
    found[SLOW - 1 :] = np.where(fast > (total[SLOW:] - total[:-SLOW]) * FAST, 1, -1)
    return [int(side) for side in found]


def called_idle(_run: Callback) -> Callable[[int, int], None]:
    """Nothing."""
    return lambda _bar, _close: None


def called_cross(run: Callback) -> Callable[[int, int], None]:
    """The cross, its signal known beforehand."""
    sides, before = signals(run.engine.tape), 0

    def on_bar(bar: int, _close: int) -> None:
        nonlocal before
        side = sides[bar - 1] if bar else 0
        if side != before:
            if before:
                change = side * CROSS_SIZE - run.position
                run.market(1 if change > 0 else -1, abs(change))
            before = side

    return on_bar


def called_quotes(run: Callback) -> Callable[[int, int], None]:
    """Two fresh quotes a bar."""

    def on_bar(bar: int, close: int) -> None:
        if bar == 0:
            return
        held = run.position
        low, high = close * (10_000 - HALF), close * (10_000 + HALF)
        run.quotes(
            div_half_even(low, 10_000),
            QUOTE_SIZE if held < QUOTE_CAP else 0,
            div_half_even(high, 10_000),
            QUOTE_SIZE if held > -QUOTE_CAP else 0,
        )

    return on_bar


def called_bracket(run: Callback) -> Callable[[int, int], None]:
    """A bracket whenever flat."""
    closes, total = run.engine.tape.bars[0, CLOSE].tolist(), 0

    def on_bar(bar: int, close: int) -> None:
        nonlocal total
        total += close
        if bar > TREND:
            total -= closes[bar - TREND - 1]
        if bar < TREND or run.position or run.has_orders:
            return
        side = 1 if close * TREND > total else -1
        take = div_half_even(close * (10_000 + side * DISTANCE), 10_000)
        stop = div_half_even(close * (10_000 - side * DISTANCE), 10_000)
        run.bracket(side, BRACKET_SIZE, take=take, stop=stop)

    return on_bar


# woken


def woken_cross(engine: Engine) -> None:
    """The cross by commands: asleep until its signal turns."""
    sides, before = signals(engine.tape), 0
    for bar in range(1, engine.tape.length):
        side = sides[bar - 1]
        if side == before:
            continue
        if before:
            engine.apply(Advance(until_bar=bar))
            change = side * CROSS_SIZE - engine.position(0, 0).size
            order = NewOrder(
                symbol=0, side=Side(1 if change > 0 else -1), size=Size(abs(change)), tif=Tif.IOC
            )
            engine.apply(PlaceOrders(account=0, orders=(order,)))
        before = side
    engine.apply(Advance(until_bar=engine.tape.length))


def woken_bracket(engine: Engine) -> None:
    """The bracket by commands: asleep until it is flat."""
    closes = engine.tape.bars[0, CLOSE]
    total = np.concatenate([[0], np.cumsum(closes)]).tolist()
    engine.apply(Advance(until_bar=TREND))
    while not engine.finished:
        bar, last = engine.bar, int(closes[engine.bar - 1])
        if engine.position(0, 0).size or engine.open_orders(0):
            engine.apply(Advance(until_bar=engine.tape.length, stop_on_fill=frozenset({0})))
            continue
        side = 1 if last * TREND > total[bar] - total[bar - TREND] else -1
        legs = [
            NewOrder(
                symbol=0,
                side=Side(-side),
                size=Size(BRACKET_SIZE),
                trigger=Trigger(
                    price=Price(div_half_even(last * (10_000 + sign * side * DISTANCE), 10_000)),
                    tpsl=kind,
                    is_market=True,
                ),
                reduce_only=True,
            )
            for kind, sign in ((Tpsl.TAKE_PROFIT, 1), (Tpsl.STOP_LOSS, -1))
        ]
        entry = NewOrder(symbol=0, side=Side(side), size=Size(BRACKET_SIZE), tif=Tif.IOC)
        orders = PlaceOrders(account=0, orders=(entry, *legs), grouping=Grouping.NORMAL_TPSL)
        engine.apply(orders)
        engine.apply(Advance(until_bar=bar + 1))
