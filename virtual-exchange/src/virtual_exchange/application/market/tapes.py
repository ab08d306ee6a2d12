"""Bars of floats onto the engine's grid of integers: rows of the tape, and the path inside them."""

import re
from dataclasses import dataclass

import numpy as np

from perp_engine.tape import NO_BAR, Detail, Tape
from suite.bars import F64, I64, Bars, resample
from suite.errors import StorageError
from suite.fixed import quantize_half_even
from suite.instrument import Instrument
from suite.moments import format_moment

_PLACE = re.compile(
    r"(?P<what>(?:detail of )?bar) (?P<bar>\d+) of symbol (?P<symbol>\d+) (?P<how>.+)"
)


@dataclass(slots=True)
class Counts:
    """How many values were not on their lattice."""

    prices: int = 0
    volumes: int = 0


def longer(bars: Bars, step: int) -> Bars:
    """Bars of another length, made of these; themselves when it is theirs."""
    return bars if step == bars.interval_ms else resample(bars, step)[0]


def write_row(
    row: I64, instrument: Instrument, bars: Bars, *, from_ms: int, counts: Counts
) -> None:
    """Write one coin's bars into its row of the tape.

    Args:
        row: shape (5, bars).
        instrument: of the coin; its lattice.
        bars: of the tape's length, inside its range.
        from_ms: open time of the tape's first bar.
        counts: added to.

    Raises:
        StorageError: a price is below the smallest unit.
    """
    at = (bars.open_time_ms - from_ms) // bars.interval_ms
    row[:4], row[4] = 0, NO_BAR
    for index, column in enumerate((bars.open, bars.high, bars.low, bars.close)):
        units, changed = quantize(column, instrument.price_decimals)
        row[index, at] = units
        counts.prices += changed
    volume, changed = floor_volumes(bars.volume, instrument.sz_decimals)
    row[4, at] = volume
    counts.volumes += changed
    if (row[:4, at] <= 0).any():
        raise StorageError(f"{instrument.coin}: a price is below the smallest price unit")
    last = np.maximum.accumulate(np.where(row[4] == NO_BAR, -1, np.arange(row.shape[1])))
    lost = (row[4] == NO_BAR) & (last >= 0)
    row[:4, lost] = row[3, last[lost]]


def path_inside(
    instruments: tuple[Instrument, ...],
    bars: tuple[Bars, ...],
    *,
    from_ms: int,
    to_ms: int,
    step: int,
) -> Detail:
    """Bars as the path inside longer ones.

    Args:
        instruments: a coin each.
        bars: theirs, all inside the range.
        from_ms, to_ms: range of the tape.
        step: length of its bars, ms.
    """
    edges = np.arange(from_ms, to_ms + 1, step)
    rows, first, at = [], [], 0
    for instrument, own in zip(instruments, bars, strict=True):
        columns = (own.open, own.high, own.low, own.close)
        units = [quantize(column, instrument.price_decimals)[0] for column in columns]
        rows.append(np.stack(units, axis=1))
        first.append(at + np.searchsorted(own.open_time_ms, edges))
        at += len(own)
    return Detail(np.ascontiguousarray(np.concatenate(rows)), np.ascontiguousarray(np.stack(first)))


def new_tape(
    names: tuple[str, ...],
    start_ms: int,
    step: int,
    table: I64,
    funding: tuple[I64, ...],
    detail: Detail | None = None,
) -> Tape:
    """Make a tape.

    Args:
        names: coin of each symbol, to name what is wrong.
        start_ms, step, table, funding, detail: as of `Tape`.

    Raises:
        StorageError: a bar that cannot be; the coin and the time are named.
    """
    try:
        return Tape(start_ms, step, table, funding, detail)
    except ValueError as error:
        place = _PLACE.fullmatch(str(error))
        if place is None:
            raise StorageError(f"the stored market cannot be played: {error}") from None
        coin = names[int(place["symbol"])]
        moment = format_moment(start_ms + int(place["bar"]) * step)
        text = f"{coin}: the stored {place['what']} at {moment} {place['how']}"
        raise StorageError(text) from None


def quantize(values: F64, decimals: int) -> tuple[I64, int]:
    """Bring values onto a lattice as `suite.fixed.quantize_half_even` does, in columns.

    Returns:
        The units, and how many values were not on the lattice.
    """
    scale = 10.0**decimals
    scaled = values * scale
    units = np.rint(scaled).astype(np.int64)
    off = units / scale != values
    near_half = off & (np.abs(np.abs(scaled - units) - 0.5) < 1e-3)
    for index in np.flatnonzero(near_half):
        units[index] = quantize_half_even(float(values[index]), decimals)
    return units, int(off.sum())


def floor_volumes(values: F64, decimals: int) -> tuple[I64, int]:
    """Bring volumes down onto a lattice.

    Returns:
        The units, and how many values were not on the lattice.
    """
    scale = 10.0**decimals
    units = np.rint(values * scale).astype(np.int64)
    off = units / scale != values
    units[off] = np.floor(values[off] * scale).astype(np.int64)
    return units, int(off.sum())
