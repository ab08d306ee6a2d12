"""Strategies that are compiled into the engine's loop: the fastest way to run one.

    from perp_engine.jitted import Floats, Words, close, market, position, run_jitted, strategy

    @strategy
    def momentum(m: Words, t: Words, u: Words, f: Floats, bar: int) -> None:
        if bar > u[0]:
            side = 1 if close(m, t, 0, 1) > close(m, t, 0, u[0]) else -1
            change = side * u[1] - position(m, 0, 0)
            if change:
                market(m, t, 0, 0, 1 if change > 0 else -1, abs(change))

    result = run_jitted(engine, momentum, ints=[60, 100])

The function is called at every boundary, before the bar that starts there. It reads closed bars by
their age and sees nothing else of the tape; numbers are integers in the engine's units. It is
compiled once (about a second) and kept on disk. Write it, with the functions it calls, in a file.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from perp_engine import decoding
from perp_engine.engine import Engine
from perp_engine.events import Event
from perp_engine.kernel import layout
from perp_engine.kernel.jit import Floats, Words, handle, jit
from perp_engine.kernel.run import NEEDS_ROOM
from perp_engine.kernel.strategy import (
    bracket,
    cancel_all,
    close,
    equity,
    free_margin,
    has_orders,
    high,
    limit,
    low,
    mark,
    market,
    opened,
    position,
    quotes,
    run_strategy,
    strategy,
    volume,
)
from suite.bars import F64, I64

__all__ = [
    "Floats",
    "JittedRun",
    "Words",
    "bracket",
    "cancel_all",
    "close",
    "equity",
    "free_margin",
    "has_orders",
    "helper",
    "high",
    "limit",
    "low",
    "mark",
    "market",
    "opened",
    "position",
    "quotes",
    "run_jitted",
    "strategy",
    "sweep",
    "volume",
]

helper = jit
"""Compile a function that strategies call."""


@dataclass(frozen=True, slots=True)
class JittedRun:
    """What a compiled strategy left behind.

    Attributes:
        ints, floats: its numbers, as it left them.
        logs: rows of what happened to money, in parts; `events` reads them.
    """

    ints: I64
    floats: F64
    logs: tuple[I64, ...]

    @property
    def fills(self) -> int:
        """How many trades there were."""
        return sum(int((log[:, 0] == layout.EVENT_FILL).sum()) for log in self.logs)

    def events(self) -> tuple[Event, ...]:
        """Fills, funding, liquidations and transfers, in order."""
        return tuple(decoding.decode(row) for log in self.logs for row in log.tolist())


def run_jitted(
    engine: Engine,
    on_bar: Any,
    *,
    ints: Sequence[int] | I64 = (),
    floats: Sequence[float] | F64 = (),
    until_bar: int | None = None,
) -> JittedRun:
    """Run a compiled strategy from where the engine stands.

    Args:
        engine: funded; what it did before stays.
        on_bar: a function made by `strategy`.
        ints, floats: parameters, and room for whatever it keeps; at least 16 of each are given.
        until_bar: boundary at which to stop; None is the end.

    Raises:
        InvariantViolated: the books do not add up: a bug of the engine.
    """
    own_ints, own_floats = _padded(ints, np.int64), _padded(floats, np.float64)
    end = engine.tape.length if until_bar is None else min(until_bar, engine.tape.length)
    world, tape, _ = engine.for_driver(trades_only=True)
    logs: list[I64] = []
    while True:
        reply = run_strategy(on_bar, handle(world), handle(tape), handle(own_ints), own_floats, end)
        logs.append(engine.take_log().copy())
        if reply != NEEDS_ROOM:
            break
    engine.prove()
    engine.for_driver(trades_only=False)
    return JittedRun(own_ints, own_floats, tuple(logs))


def sweep(engine: Engine, on_bar: Any, ints: I64, floats: F64 | None = None) -> I64:
    """Run a compiled strategy once for every row of parameters, each time from the same state.

    Args:
        engine: funded; it is left as it was.
        ints: shape (runs, parameters).
        floats: shape (runs, parameters); None is none.

    Returns:
        Final equity of every account in every run, shape (runs, accounts), micro-USD.
    """
    engine.for_driver(trades_only=False)
    start = engine.snapshot()
    final = np.empty((len(ints), engine.accounts), np.int64)
    for run, row in enumerate(ints):
        run_jitted(engine, on_bar, ints=row, floats=() if floats is None else floats[run])
        final[run] = engine.equities()
        engine.restore(start)
    return final


def _padded(values: Any, kind: Any) -> Any:
    given = np.asarray(values, kind).reshape(-1)
    return np.concatenate([given, np.zeros(16, kind)])
