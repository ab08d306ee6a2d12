"""Ours, by two drivers: strategies compiled into the loop, and strategies called at every bar."""

from collections.abc import Callable
from typing import Any

import numpy as np
from common import MAKER, SWEEP, TAKER, Outcome, Prepare, Run, Series, serve
from tests.bench import workloads
from tests.bench.series import INSTRUMENT, peer_rules, tape_of

from perp_engine.callback import Callback
from perp_engine.events import Event, Fill
from perp_engine.jitted import run_jitted
from perp_engine.jitted import sweep as sweep_jitted
from perp_engine.tape import Tape

RULES = peer_rules(round(TAKER * 1e9), round(MAKER * 1e9))

Called = Callable[[Callback], Callable[[int, int], None]]


class Counting(Callback):
    """Knows how many orders were sent."""

    sent = 0

    def market(self, side: int, size: int) -> int:
        self.sent += 1
        return super().market(side, size)

    def quotes(self, bid: int, bid_size: int, ask: int, ask_size: int) -> None:
        self.sent += (bid_size > 0) + (ask_size > 0)
        super().quotes(bid, bid_size, ask, ask_size)

    def bracket(self, side: int, size: int, *, take: int, stop: int) -> int:
        self.sent += 3
        return super().bracket(side, size, take=take, stop=stop)


def fills_of(events: tuple[Event, ...]) -> int:
    return sum(isinstance(event, Fill) for event in events)


def jitted(strategy: Any, ints: tuple[int, ...] = ()) -> Prepare:
    def prepare(series: Series) -> Run:
        tape = tape_of(series.ticks)

        def run() -> Callable[[], Outcome]:
            engine = workloads.start(INSTRUMENT, tape, RULES)
            done = run_jitted(engine, strategy, ints=ints)
            return lambda: Outcome(fills=done.fills, profit=workloads.profit(engine))

        return run

    return prepare


def called(strategy: Called) -> Prepare:
    def prepare(series: Series) -> Run:
        tape = tape_of(series.ticks)
        sent: list[int] = []

        def run() -> Callable[[], Outcome]:
            driver = Callback(workloads.start(INSTRUMENT, tape, RULES))
            driver.run(strategy(driver))
            return lambda: outcome_of(driver)

        def outcome_of(driver: Callback) -> Outcome:
            if not sent:
                sent.append(orders_of(strategy, tape))
            profit = workloads.profit(driver.engine)
            return Outcome(sent[0], fills_of(driver.events()), profit)

        return run

    return prepare


def orders_of(strategy: Called, tape: Tape) -> int:
    """Orders of one more run, which is not timed."""
    driver = Counting(workloads.start(INSTRUMENT, tape, RULES))
    driver.run(strategy(driver))
    return driver.sent


def sweep(series: Series) -> Run:
    tape = tape_of(series.ticks)
    pairs = np.array([(fast, slow, workloads.CROSS_SIZE) for fast, slow in SWEEP], np.int64)

    def run() -> Outcome:
        sweep_jitted(workloads.start(INSTRUMENT, tape, RULES), workloads.cross, pairs)
        return Outcome()

    return run


if __name__ == "__main__":
    serve(
        "virtual-exchange",
        {
            "a jitted": jitted(workloads.cross, workloads.CROSS),
            "b jitted": jitted(workloads.quotes, workloads.QUOTES),
            "c jitted": jitted(workloads.bracket, workloads.BRACKET),
            "d jitted": jitted(workloads.idle),
            "e jitted": sweep,
            "a callback": called(workloads.called_cross),
            "b callback": called(workloads.called_quotes),
            "c callback": called(workloads.called_bracket),
            "d callback": called(workloads.called_idle),
        },
    )
