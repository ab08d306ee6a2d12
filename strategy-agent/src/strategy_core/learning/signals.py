"""Which bars propose a trade, and on which side; a model then judges the proposal.

Every condition is read on the features mirrored to the side, so it says "in favor":

strict    structure > 0, trend > 0.2 and agreement of time frames > 0.5; and at least one of
          sweep > 0.3, institutional candle > 0.15, order blocks > 0.2 below the middle
relaxed   two of structure, trend, swings > 0; and at least one of
          sweep > 0.3, institutional candle > 0.1, fair value gaps > 0.3

A proposal is the first bar on which a rule holds for a side; where it begins to hold for both at
once, there is none.
"""

from typing import Final, NamedTuple

import numpy as np

from strategy_core.ict.schema import MIRROR, NAMES
from strategy_core.learning.events import I8
from strategy_core.learning.rules import SignalMode
from suite.bars import F64, BoolArray

_PLACE: Final = {name: index for index, name in enumerate(NAMES)}
_STRUCTURE: Final = _PLACE["market_structure"]
_BLOCKS: Final = _PLACE["order_blocks"]
_CANDLE: Final = _PLACE["institutional_candle"]
_SWEEP: Final = _PLACE["liquidity_grab"]
_GAPS: Final = _PLACE["fair_value_gaps"]
_TREND: Final = _PLACE["trend_alignment"]
_SWINGS: Final = _PLACE["structure_integrity"]
_AGREEMENT: Final = _PLACE["timeframe_convergence"]
_PLACE_IN_RANGE: Final = _PLACE["liquidity_context"]
_MIRROR: Final = np.array(MIRROR, np.float64)
SIDES: Final = (1, -1)


class Held(NamedTuple):
    """Whether the rule held at the bar before, for a long and for a short."""

    long: bool = False
    short: bool = False


def mirrored_rows(values: F64, side: I8) -> F64:
    """Turn each row to its side.

    Args:
        values: shape (n, 12).
        side: shape (n,), 1 or -1.
    """
    return np.where(side[:, None] > 0, values, values * _MIRROR + 0.0)


def holds(values: F64, side: int, mode: SignalMode) -> BoolArray:
    """Whether the rule holds, a row each; rows of NaN never do.

    Args:
        values: shape (n, 12), as the features are.
        side: 1 or -1.
        mode: of the rule.
    """
    x = values if side > 0 else values * _MIRROR + 0.0
    columns = x.T
    if mode is SignalMode.STRICT:
        bias = (columns[_STRUCTURE] > 0) & (columns[_TREND] > 0.2) & (columns[_AGREEMENT] > 0.5)
        discount = (columns[_BLOCKS] > 0.2) & (columns[_PLACE_IN_RANGE] < 0)
        trigger = (columns[_SWEEP] > 0.3) | (columns[_CANDLE] > 0.15) | discount
        return np.asarray(bias & trigger, np.bool_)
    votes = sum((columns[row] > 0).astype(np.int8) for row in (_STRUCTURE, _TREND, _SWINGS))
    trigger = (columns[_SWEEP] > 0.3) | (columns[_CANDLE] > 0.1) | (columns[_GAPS] > 0.3)
    return np.asarray((np.asarray(votes) >= 2) & trigger, np.bool_)


def proposals(values: F64, mode: SignalMode) -> I8:
    """Find the bars that propose a trade.

    Args:
        values: shape (n, 12), features of consecutive bars.
        mode: of the rule.

    Returns:
        Shape (n,): 1 long, -1 short, 0 none.
    """
    begins = []
    for side in SIDES:
        now = holds(values, side, mode)
        before = np.concatenate([[False], now[:-1]])
        begins.append((now & ~before).astype(np.int8))
    found: I8 = begins[0] - begins[1]
    return found


def proposal(values: F64, before: Held, mode: SignalMode) -> tuple[int, Held]:
    """Look at the next bar alone; the same as `proposals`, bar by bar.

    Args:
        values: shape (12,).
        before: of the bar before.
        mode: of the rule.

    Returns:
        The side, 0 for none, and what to hand to the next bar.
    """
    row = values[None, :]
    now = Held(*(bool(holds(row, side, mode)[0]) for side in SIDES))
    side = int(now.long and not before.long) - int(now.short and not before.short)
    return side, now
