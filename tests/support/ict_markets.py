"""Markets for the features: generated ones of every temper, and the recorded ones."""

from collections.abc import Sequence
from typing import Final

import numpy as np
import pyarrow.parquet
from tests.support.real_data import PERPS

from strategy_core.ict.features import batch
from strategy_core.ict.kernel import layout
from strategy_core.ict.structures import event_log
from suite.bars import F64, MINUTE_MS, Bars

Row = tuple[int, float, float, float, float, float]
"""Open time, open, high, low, close, volume."""

TEMPERS: Final = ("calm", "wild", "coarse", "gappy", "flat", "spiking", "trending")

WORKED: Final = [
    *[(100, 100.5, 99.5, 100, 100)] * 5,
    (100, 102, 99.8, 101, 100),
    *[(100.5, 101, 99.6, 100, 100)] * 5,
    (100, 100.4, 98, 99, 100),
    *[(99.5, 100.5, 98.8, 100, 100)] * 5,
    (100, 102.6, 99.9, 101.2, 300),
    (101.2, 101.3, 100.4, 100.6, 100),
    (100.6, 103.2, 100.5, 103, 800),
    (103, 104, 102.6, 103.8, 300),
    (103.8, 103.9, 101, 101.6, 200),
    (101.6, 101.7, 99.9, 100.2, 400),
]
"""The 23 bars of docs/features.md: open, high, low, close, volume."""


def market(seed: int, count: int, temper: str = "calm") -> Bars:
    """Generate bars of a minute, lasting long enough to hold every structure.

    Args:
        seed: the same gives the same bars.
        count: rows.
        temper: one of `TEMPERS`; "gappy" has holes, short ones and one too long to be filled,
            "trending" legs without a swing, so long that whatever can expire does.
    """
    rng = np.random.default_rng(seed)
    bar_range = {"wild": 0.01, "flat": 0.0002}.get(temper, 0.001)
    path = np.cumsum(rng.normal(0, bar_range, (count, 4)).ravel()).reshape(count, 4)
    if temper == "trending":
        path = _legs(rng, count)
    if temper == "spiking":
        path += np.where(rng.random((count, 1)) < 0.01, rng.normal(0, 0.05, (count, 4)), 0)
    tick = {"coarse": 0.5, "flat": 0.2}.get(temper, 0.01)
    price = np.maximum(np.round(100 * np.exp(path) / tick), 1) * tick
    volume = np.round(rng.lognormal(3, 1.5, count), 3) * (rng.random(count) > 0.02)
    if temper == "flat":
        still = rng.random(count) < 0.5
        price[still] = price[still, :1]
        volume[still] = 0
    times = np.arange(count) * MINUTE_MS + 1_700_000_040_000 // MINUTE_MS * MINUTE_MS
    if temper == "gappy":
        holes = np.where(rng.random(count) < 0.02, rng.integers(1, 61, count), 0)
        holes[count // 4] = 61
        times += np.cumsum(holes) * MINUTE_MS
    return Bars(MINUTE_MS, times, price[:, 0], price.max(1), price.min(1), price[:, 3], volume)


def _legs(rng: np.random.Generator, count: int) -> F64:
    """Logarithms of prices, shape (count, 4): up and down in legs of 60 to 450 bars."""
    turns = np.cumsum(rng.integers(60, 450, count // 60 + 1))
    sign = 1 - 2 * (np.searchsorted(turns, np.arange(count), side="right") % 2)
    drift = np.cumsum(sign * 2e-4)
    drift += np.cumsum(np.where(rng.random(count) < 0.02, sign * 2e-3, 0))  # leaps leave gaps
    return drift[:, None] + rng.normal(0, 2.2e-4, (count, 4))


def rows(bars: Bars) -> list[Row]:
    """Bars as plain rows: open time, open, high, low, close, volume."""
    columns = (bars.open_time_ms, bars.open, bars.high, bars.low, bars.close, bars.volume)
    return list(zip(*(column.tolist() for column in columns), strict=True))


def bars_of(table: Sequence[tuple[float, ...]], first_ms: int = 0) -> Bars:
    """Bars of a minute from rows of open, high, low, close, volume."""
    columns = np.array(table, np.float64).T
    times = first_ms + np.arange(len(table)) * MINUTE_MS
    return Bars(MINUTE_MS, times, *columns)


def recorded(coin: str) -> Bars:
    """The recorded minutes of a perpetual; for tests that `needs_real_data` marks."""
    table = pyarrow.parquet.read_table(PERPS / f"{coin}USDT-1m.parquet")
    names = ("open", "high", "low", "close", "volume")
    return Bars(
        MINUTE_MS, table["timestamp"].to_numpy(), *(table[name].to_numpy() for name in names)
    )


def spliced(bars: Bars, other: Bars, cut: int) -> Bars:
    """Keep the rows before `cut` and take those of another market from there on."""
    names = ("open", "high", "low", "close", "volume")
    columns = (
        np.concatenate([getattr(bars, name)[:cut], getattr(other, name)[cut : len(bars)]])
        for name in names
    )
    return Bars(bars.interval_ms, bars.open_time_ms, *columns)


def poisoned_bytes(bars: Bars, other: Bars, cuts: Sequence[int]) -> int:
    """Count bytes of the past that another future changes: features, ATR and known events.

    Args:
        bars, other: two markets of the same length at least; the second is the poison.
        cuts: rows from which on the future is another.
    """
    told, log, changed = batch(bars), event_log(bars), 0
    for cut in cuts:
        poison = spliced(bars, other, cut)
        now, later = batch(poison), event_log(poison)
        known = int(bars.open_time_ms[cut - 1]) + bars.interval_ms
        pairs = (
            (told.values[:cut], now.values[:cut]),
            (told.atr[:cut], now.atr[:cut]),
            (log[log[:, layout.KNOWN] <= known], later[later[:, layout.KNOWN] <= known]),
        )
        for before, after in pairs:
            if before.shape != after.shape:
                changed += abs(before.nbytes - after.nbytes)
            else:
                mine, theirs = (np.ascontiguousarray(x).view(np.uint8) for x in (before, after))
                changed += int((mine != theirs).sum())
    return changed
