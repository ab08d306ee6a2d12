"""Moments as people, programs and files of other venues write them."""

from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from suite.bars import I64

LATEST_MS = 253_402_300_800_000


def parse_moment(text: str) -> int:
    """Read `2025-05-05`, `2025-05-05T12:30`, or epoch ms; without an offset it is UTC.

    Raises:
        ValueError: it is none of these.
    """
    text = text.strip()
    if text.isdigit() and len(text) > 8:
        moment_ms = int(text)
    else:
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            raise ValueError(f"not a date: {text[:40]!r}; write 2025-05-05") from None
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        moment_ms = round(moment.timestamp() * 1000)
    if not 0 <= moment_ms < LATEST_MS:
        raise ValueError(f"not a moment between 1970 and 9999: {text[:40]!r}")
    return moment_ms


def parse_timestamp(text: str) -> int:
    """Read a timestamp of the data contract: above 1e11 it is ms, else seconds.

    Raises:
        ValueError: not a number of that kind.
    """
    try:
        value = float(text) if "." in text else int(text)
    except ValueError:
        raise ValueError(f"not a timestamp: {text[:40]!r}") from None
    if not 0 <= value < LATEST_MS:
        raise ValueError(f"timestamp out of range: {text[:40]!r}")
    return int(value) if value > 1e11 else int(value * 1000)


def format_moment(time_ms: int) -> str:
    """Write a moment for people: a date where it is midnight UTC, else with minutes."""
    moment = datetime.fromtimestamp(time_ms / 1000, UTC)
    midnight = (moment.hour, moment.minute, moment.second) == (0, 0, 0)
    return moment.strftime("%Y-%m-%d" if midnight else "%Y-%m-%d %H:%M")


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
