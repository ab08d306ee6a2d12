"""Columns of times as files of other venues write them."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from suite.bars import I64


def to_epoch_ms(values: NDArray[Any]) -> I64:
    """Bring a column of times to epoch ms.

    Numbers are told apart by their size: below 1e11 seconds, below 1e14 milliseconds, below 1e17
    microseconds, else nanoseconds; so every unit covers the years 1973 to 5138.

    Args:
        values: shape (n,), integers, floats or `datetime64`.

    Returns:
        Shape (n,), epoch ms, rounded down; -1 where there is no number.
    """
    if values.dtype.kind == "M":
        epoch_ms: I64 = values.astype("datetime64[ms]").astype(np.int64)
        return np.where(np.isnat(values), -1, epoch_ms)
    if values.dtype.kind == "f":
        bad = ~(np.isfinite(values) & (np.abs(values) < 2**62))
        seconds = ~bad & (np.abs(values) < 1e11)
        scaled = np.where(seconds, np.round(values * 1000.0), np.where(bad, -1.0, values))
        whole = np.where(seconds, scaled, np.floor(scaled)).astype(np.int64)
        return np.where(seconds | bad, whole, _by_size(whole))
    return _by_size(values.astype(np.int64))


def _by_size(values: I64) -> I64:
    size = np.abs(values)
    return np.select(
        [size < 10**11, size < 10**14, size < 10**17],
        [values * 1000, values, values // 1000],
        values // 1_000_000,
    )
