"""Time, one bar further: the function that reaches most of the kernel, compiled by itself."""

from perp_engine.kernel.jit import Words, apart
from perp_engine.kernel.layout import BAR, NOW_MS, boundary_ms
from perp_engine.kernel.path import play_bars
from perp_engine.kernel.tape import sync
from perp_engine.kernel.timers import arrive


@apart
def play(m: Words, t: Words) -> None:
    """Play the bar that starts now, and reach its end."""
    sync(m, t)
    bar = m[BAR]
    m[NOW_MS] = boundary_ms(m, bar + 1) - 1
    play_bars(m, t, bar)
    m[BAR] = bar + 1
    arrive(m, t)
