"""How fast the engine is: `make bench`, or `python tests/bench/bench_engine.py [--data DIR]`.

One thread, full rules at work: integer ledger, funding, margin, liquidation guards. Figures are
medians of rounds in which all work is done in turn; on a shared machine compare ratios. With a
folder of real bars (`--data`) a year is chained from them, else it is a seeded random walk.
"""

import argparse
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from tests.bench import series, workloads

from perp_engine.callback import Callback
from perp_engine.commands import Advance, Deposit, NewOrder, PlaceOrders
from perp_engine.engine import Engine
from perp_engine.jitted import run_jitted, sweep
from perp_engine.rules import Rules
from perp_engine.tape import CLOSE, Tape
from suite.enums import Side, Tif
from suite.fixed import Price, Size, Usd
from suite.instrument import default_instrument

CROSS_RULES, QUOTE_RULES, BRACKET_RULES = (
    series.peer_rules(500_000, 500_000),
    series.peer_rules(200_000, 200_000),
    series.peer_rules(500_000, 200_000),
)
TARGETS = {
    "a compiled": 100,
    "b compiled": 8,
    "c compiled": 60,
    "d called": 5,
    "a called": 2.5,
    "b called": 0.5,
}
"""Million bars a second that a year of minutes shall reach."""

Work = Callable[[Tape], float]
"""Does the work once; returns the seconds that the run itself took."""


def compiled(strategy: object, parameters: tuple[int, ...], rules: Rules) -> Work:
    """A jitted strategy over the whole tape."""

    def work(tape: Tape) -> float:
        engine = workloads.start(series.INSTRUMENT, tape, rules)
        begin = time.perf_counter()
        run_jitted(engine, strategy, ints=parameters)
        return time.perf_counter() - begin

    return work


def called(make: Callable[[Callback], Callable[[int, int], None]], rules: Rules) -> Work:
    """A Python callback over the whole tape."""

    def work(tape: Tape) -> float:
        run = Callback(workloads.start(series.INSTRUMENT, tape, rules))
        on_bar = make(run)
        begin = time.perf_counter()
        run.run(on_bar)
        return time.perf_counter() - begin

    return work


def woken(drive: Callable[[Engine], None], rules: Rules) -> Work:
    """Commands, and sleep in between."""

    def work(tape: Tape) -> float:
        engine = workloads.start(series.INSTRUMENT, tape, rules)
        begin = time.perf_counter()
        drive(engine)
        return time.perf_counter() - begin

    return work


WORKS: dict[str, Work] = {
    "a compiled": compiled(workloads.cross, workloads.CROSS, CROSS_RULES),
    "b compiled": compiled(workloads.quotes, workloads.QUOTES, QUOTE_RULES),
    "c compiled": compiled(workloads.bracket, workloads.BRACKET, BRACKET_RULES),
    "d compiled": compiled(workloads.idle, (), CROSS_RULES),
    "a called": called(workloads.called_cross, CROSS_RULES),
    "b called": called(workloads.called_quotes, QUOTE_RULES),
    "c called": called(workloads.called_bracket, BRACKET_RULES),
    "d called": called(workloads.called_idle, CROSS_RULES),
    "a woken": woken(workloads.woken_cross, CROSS_RULES),
    "c woken": woken(workloads.woken_bracket, BRACKET_RULES),
}


def speeds(tape: Tape, rounds: int) -> dict[str, float]:
    """Million bars a second of each work, the median of interleaved rounds."""
    seconds: dict[str, list[float]] = {name: [] for name in WORKS}
    for name, work in WORKS.items():
        work(tape)  # once for the caches
        seconds[name].clear()
    for _ in range(rounds):
        for name, work in WORKS.items():
            seconds[name].append(work(tape))
    return {name: tape.length / statistics.median(taken) / 1e6 for name, taken in seconds.items()}


def sweep_seconds(tape: Tape) -> float:
    """100 parameter pairs of (a)."""
    engine = workloads.start(series.INSTRUMENT, tape, CROSS_RULES)
    rows = np.array(
        [
            [fast, slow, workloads.CROSS_SIZE]
            for fast in range(5, 25, 2)
            for slow in range(50, 150, 10)
        ]
    )
    begin = time.perf_counter()
    sweep(engine, workloads.cross, rows)
    return time.perf_counter() - begin


def burst(rounds: int) -> tuple[float, float]:
    """1,000 accounts x 20 coins, 3,000 orders at one close: seconds to place, and of the bar."""
    accounts, coins, bars = 1_000, 20, 40 + rounds
    walks = series.synthetic(3_000 * coins + bars)
    table = np.stack([walks[:, 3_000 * coin : 3_000 * coin + bars] for coin in range(coins)])
    instruments = [default_instrument(f"C{coin:02}", 1) for coin in range(coins)]
    stamps = (series.stamps(bars),) * coins
    tape = Tape(series.START_MS, series.MINUTE_MS, np.ascontiguousarray(table), stamps)
    engine = Engine(instruments, tape, accounts, Rules())
    for account in range(accounts):
        engine.apply(Deposit(account=account, usd=Usd(10**12)))
    draw, placing, playing = np.random.default_rng(7), [], []
    for bar in range(1, 20 + rounds):
        engine.apply(Advance(until_bar=bar))
        commands = []
        for account in range(accounts):
            orders = []
            for _ in range(3):
                coin, side = int(draw.integers(coins)), Side(1 if draw.random() < 0.5 else -1)
                close = int(tape.bars[coin, CLOSE, bar - 1])
                taking = draw.random() < 1 / 3
                price = 0 if taking else (close - side * int(draw.integers(400))) // 10 * 10
                orders.append(
                    NewOrder(
                        symbol=coin,
                        side=side,
                        size=Size(int(draw.integers(1, 500))),
                        limit_price=Price(price),
                        tif=Tif.IOC if taking else Tif.GTC,
                    )
                )
            commands.append(PlaceOrders(account=account, orders=tuple(orders)))
        begin = time.perf_counter()
        for command in commands:
            engine.apply(command)
        placed = time.perf_counter()
        engine.apply(Advance(until_bar=bar + 1))
        if bar >= 20:
            placing.append(placed - begin)
            playing.append(time.perf_counter() - placed)
    return statistics.median(placing), statistics.median(playing)


STRATEGY = """
from perp_engine.jitted import Floats, Words, close, market, position, strategy

@strategy
def fresh(m: Words, t: Words, u: Words, f: Floats, bar: int) -> None:
    if bar > 2 and position(m, 0, 0) == 0 and close(m, t, 0, 1) > close(m, t, 0, 2) + {number}:
        market(m, t, 0, 0, 1, u[0])
"""


def start_up() -> tuple[float, float]:
    """Seconds of a whole process that opens an engine, and of compiling a strategy never seen."""
    opening = "from perp_engine.exercise import exercise; exercise()"
    subprocess.run([sys.executable, "-c", opening], check=True)
    begin = time.perf_counter()
    subprocess.run([sys.executable, "-c", opening], check=True)
    process = time.perf_counter() - begin
    with tempfile.TemporaryDirectory() as folder:
        number = time.time_ns() % 1_000_000
        (Path(folder) / "fresh.py").write_text(STRATEGY.format(number=number))
        code = (
            "import perp_engine.jitted, time; begin = time.perf_counter(); import fresh; "
            "print(time.perf_counter() - begin)"
        )
        shown = subprocess.run(
            [sys.executable, "-c", code], check=True, cwd=folder, capture_output=True, text=True
        ).stdout
    return process, float(shown)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bars", type=int, default=series.YEAR)
    parser.add_argument("--data", type=Path, help="folder with BTCUSDT-1m.parquet and neighbours")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    bars = series.load(options.data, options.bars)
    tape = series.tape_of(bars, series.stamps(options.bars))
    kind = "real bars, chained" if options.data else "synthetic bars"
    print(f"engine, {options.bars} {kind}, {len(tape.funding[0])} funding stamps, one thread")
    print("  (a) SMA cross  (b) two fresh quotes a bar  (c) bracket with OCO  (d) idle")
    for name, rate in speeds(tape, options.rounds).items():
        wanted = f"   target {TARGETS[name]:g}" if name in TARGETS else ""
        print(f"  {name:<12} {rate:8.2f} M bars/s{wanted}")
    taken = min(sweep_seconds(tape) for _ in range(3))
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"  (e) 100 runs {taken:8.2f} s, process {memory:.0f} MB   target 0.5 s, 500 MB")
    placing, playing = burst(10)
    print(f"  3,000 orders of 1,000 accounts: {placing * 1e3:.1f} ms   target 50 ms")
    print(f"  the bar after them, 20 coins:   {playing * 1e3:.1f} ms")
    process, fresh = start_up()
    print(f"  process start, compiled before: {process:.2f} s   target 1 s")
    print(f"  a strategy never seen:          {fresh:.2f} s   target 1 s")


if __name__ == "__main__":
    main()
