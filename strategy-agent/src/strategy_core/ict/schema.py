"""Names of the features, how they are mirrored for a short, and the hash that a model is bound to.

Nothing here loads the compiler.
"""

import hashlib
import json
from typing import Final

import numpy as np

from strategy_core.ict.kernel import layout
from suite.bars import F64

SCHEMA: Final = "smc12"
VERSION: Final = 1
"""Of the kernel: raised with every change of a value at any bar."""

NAMES: Final = (
    "market_structure",
    "order_blocks",
    "institutional_candle",
    "liquidity_grab",
    "order_flow",
    "fair_value_gaps",
    "trend_alignment",
    "swing_distance",
    "structure_integrity",
    "institutional_participation",
    "timeframe_convergence",
    "liquidity_context",
)
"""The order of the columns."""

COUNT: Final = len(NAMES)
WARM_UP: Final = layout.WARM_UP
"""Bars before the first vector that is not NaN."""

MIRROR: Final = (-1, -1, -1, -1, -1, -1, -1, 1, -1, 1, 1, -1)
"""What a short multiplies each feature by: -1 for those that flip with the chart, else 1."""

DTYPE: Final = "float32"
"""What a model is given; the features themselves are float64."""

PARAMETERS: Final[dict[str, int | float | tuple[int, ...]]] = {
    "K": layout.WING,
    "A": layout.ATR_BARS,
    "AF": layout.ATR_FLOOR,
    "SWX": layout.SWING_EXPIRY,
    "MSX": layout.STRUCTURE_EXPIRY,
    "NOB": layout.BLOCKS,
    "OBX": layout.BLOCK_EXPIRY,
    "OBS": layout.BLOCK_SEARCH,
    "GMIN": layout.GAP_SMALLEST,
    "NFG": layout.GAPS,
    "FGX": layout.GAP_EXPIRY,
    "SWD": layout.SWEEP_MEMORY,
    "WF": layout.FLOW_BARS,
    "WV": layout.VOLUME_BARS,
    "TF": layout.FRAMES,
    "HL": layout.FRAME_CLOSES,
    "WARM": layout.WARM_UP,
    "TIE": layout.TIE,
    "FILL": layout.MOST_FILLED,
}


def schema_hash(interval_ms: int) -> str:
    """Hash everything that decides a value: 16 hexadecimal digits.

    Args:
        interval_ms: length of a bar; the same numbers of longer bars are other features.
    """
    content = {
        "schema": SCHEMA,
        "version": VERSION,
        "names": NAMES,
        "parameters": PARAMETERS,
        "mirror": MIRROR,
        "dtype": DTYPE,
        "interval_ms": interval_ms,
    }
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def mirrored(values: F64, side: int) -> F64:
    """See the features from a side: as they are for a long (1), mirrored for a short (-1).

    Args:
        values: shape (..., 12).
        side: 1 or -1.
    """
    if side == 1:
        return values
    turned: F64 = values * np.array(MIRROR, np.float64) + 0.0  # no negative zero
    return turned
