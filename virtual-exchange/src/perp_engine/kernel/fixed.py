"""The suite's arithmetic, compiled: the very functions of `suite.fixed`."""

from perp_engine.kernel.jit import jit
from suite import fixed

RATE_ONE = fixed.RATE_ONE

mul_div_floor = jit(fixed.mul_div_floor)
mul_div_ceil = jit(fixed.mul_div_ceil)
mul_div_half_even = jit(fixed.mul_div_half_even)
div_half_even = jit(fixed.div_half_even)
