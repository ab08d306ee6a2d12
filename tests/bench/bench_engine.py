"""How fast the engine is: `make bench`, or `python tests/bench/bench_engine.py [--bars N]`.

Figures are medians of five runs in one process; compare ratios, not machines.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np

from perp_engine.commands import Advance, Deposit, NewOrder, PlaceOrders
from perp_engine.engine import Engine
from perp_engine.rules import Rules
from perp_engine.tape import Tape
from suite.enums import Side, Tif
from suite.fixed import Size, Usd
from suite.instrument import default_instrument

RUNS = 5
YEAR = 525_600
BTC = default_instrument("BTC", 1)


def tape_of(bars: int, symbols: int) -> Tape:
    """A random walk, the same each time."""
    rng = np.random.default_rng(1)
    table = np.empty((symbols, 5, bars), np.int64)
    for symbol in range(symbols):
        close = (1_000_000 * np.exp(np.cumsum(rng.normal(0, 5e-4, bars)))).astype(np.int64)
        opened = np.concatenate([[1_000_000], close[:-1]])
        table[symbol] = [
            opened,
            np.maximum(opened, close) + rng.integers(0, 500, bars),
            np.minimum(opened, close) - rng.integers(0, 500, bars),
            close,
            np.full(bars, 10**7),
        ]
    return Tape(0, 60_000, table, (np.zeros((0, 2), np.int64),) * symbols)


def start(tape: Tape, accounts: int) -> Engine:
    """A funded engine."""
    engine = Engine([BTC] * tape.symbols, tape, accounts, Rules())
    for account in range(accounts):
        engine.apply(Deposit(account=account, usd=Usd(10**12)))
    return engine


def quiet(tape: Tape) -> int:
    """Nobody trades: bars a second."""
    start(tape, 4).apply(Advance(until_bar=tape.length))
    return tape.length


def resting(tape: Tape) -> int:
    """Four accounts with an order far away in every coin: bars a second."""
    engine = start(tape, 4)
    for account in range(4):
        for symbol in range(tape.symbols):
            price = BTC.parse_price("50000")
            order = NewOrder(symbol=symbol, side=Side.BUY, size=Size(100), limit_price=price)
            engine.apply(PlaceOrders(account=account, orders=(order,)))
    engine.apply(Advance(until_bar=tape.length))
    return tape.length


def trading(tape: Tape) -> int:
    """Four accounts trade at market every 15 bars: orders a second."""
    engine, orders = start(tape, 4), 0
    for bar in range(0, tape.length, 15):
        side = Side.BUY if bar % 2 else Side.SELL
        for account in range(4):
            order = NewOrder(symbol=bar % tape.symbols, side=side, size=Size(50), tif=Tif.IOC)
            engine.apply(PlaceOrders(account=account, orders=(order,)))
            orders += 1
        engine.apply(Advance(until_bar=bar + 15))
    return orders


def measure(work: Callable[[Tape], int], tape: Tape) -> float:
    """Median count a second."""
    rates = []
    for _ in range(RUNS):
        begin = time.perf_counter()
        count = work(tape)
        rates.append(count / (time.perf_counter() - begin))
    return statistics.median(rates)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bars", type=int, default=YEAR)
    bars = parser.parse_args().bars
    print(f"engine, {bars} bars, 4 accounts, full rules")
    for symbols in (1, 3):
        tape = tape_of(bars, symbols)
        print(f"  {symbols} coin(s)")
        print(f"    quiet                {measure(quiet, tape) / 1e6:8.1f} M bars/s")
        print(f"    an order each rests  {measure(resting, tape) / 1e6:8.1f} M bars/s")
        print(f"    market orders        {measure(trading, tape) / 1e3:8.1f} k orders/s")


if __name__ == "__main__":
    main()
