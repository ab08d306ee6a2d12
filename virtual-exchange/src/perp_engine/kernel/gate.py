"""Doing and waiting: the two things that can happen to a world, each behind one function."""

from perp_engine.kernel.jit import Words, apart
from perp_engine.kernel.latency import perform, send
from perp_engine.kernel.layout import BAR, LATENCY, REQUEST_WORDS, boundary_ms
from perp_engine.kernel.path import play_bars
from perp_engine.kernel.tape import sync
from perp_engine.kernel.timers import arrive


@apart
def reach(m: Words, t: Words) -> None:
    """Reach the present boundary."""
    arrive(m, t)


@apart
def play(m: Words, t: Words) -> None:
    """Play the bar that starts now, and reach its end."""
    sync(m, t)
    bar = m[BAR]
    play_bars(m, t, bar, boundary_ms(m, bar + 1) - 1)
    m[BAR] = bar + 1
    arrive(m, t)


@apart
def submit(
    m: Words, t: Words, q: Words, r: int, kind: int, account: int, oid: int, count: int,
    grouping: int, expires_ms: int,
) -> int:  # fmt: skip
    """Carry out an action on orders now or, in a world with latency, later."""
    sync(m, t)
    if m[LATENCY]:
        return send(m, kind, account, oid, q, r, count, grouping, expires_ms)
    now = boundary_ms(m, m[BAR])
    return perform(m, t, kind, account, oid, q, r, REQUEST_WORDS, count, grouping, expires_ms, now)
