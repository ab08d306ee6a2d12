"""Copies of a kline store whose future, from some time on, is another one."""

import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from suite.bars import F64, I64, INTERVAL_MS, MINUTE_MS, BoolArray
from suite.errors import StorageError

_SERIES: Final = ("klines", "funding", "open_interest")
_PRICES: Final = ("open", "high", "low", "close")
_FACTOR: Final = 1.7
_WOBBLE: Final = 0.04
_DECIMALS_MAX: Final = 10


def copy_store(
    store: Path, target: Path, coins: Iterable[str], *, cut_ms: int | None, upward: bool = True
) -> None:
    """Copy what a store holds of coins, with another future.

    Every bar that closes after the cut has other prices and another volume, and every later rate
    of funding and open interest another value. What is known at the cut stays: a rate that is
    settled then, and the opening print of the bar that begins. What is earlier is the same, to the
    byte.

    Args:
        store: a folder.
        target: the copy; made.
        coins: canonical names.
        cut_ms: from when on; None for a true copy.
        upward: which way prices go.

    Raises:
        StorageError: a file is damaged, or the disk refuses.
    """
    folders = {f"symbol={coin}" for coin in coins}
    for file in sorted(store.rglob("*")):
        place = file.relative_to(store)
        if not file.is_file() or file.name.startswith(".") or "revisions" in place.parts:
            continue
        names = {part.removesuffix(".json") for part in place.parts}
        if not names & folders:
            continue
        copy = target / place
        copy.parent.mkdir(parents=True, exist_ok=True)
        is_series = place.parts[0] in _SERIES and file.suffix == ".parquet"
        if cut_ms is None or not is_series or not _poison(file, copy, cut_ms, upward):
            _copy(file, copy)


def rises(store: Path, coin: str, cut_ms: int, horizon_ms: int) -> bool:
    """Whether the price of a coin is higher a while after a time than at it."""
    opened: dict[int, float] = {}
    last = 0.0
    for file in sorted((store / "klines").rglob("*.parquet")):
        if f"symbol={coin}" not in file.parts or "interval=1m" not in file.parts:
            continue
        table = pq.read_table(file, columns=["open_time_ms", "open", "close"])
        times = table["open_time_ms"].to_numpy()
        inside = (times >= cut_ms) & (times < cut_ms + horizon_ms)
        if inside.any():
            rows = np.flatnonzero(inside)
            opened[int(times[rows[0]])] = float(table["open"][int(rows[0])].as_py())
            last = float(table["close"][int(rows[-1])].as_py())
    return bool(opened) and last > opened[min(opened)]


def _poison(file: Path, copy: Path, cut_ms: int, upward: bool) -> bool:  # noqa: FBT001
    """Write a file with another future; False where it has none."""
    try:
        table = pq.read_table(file)
    except (OSError, pa.ArrowException) as error:
        raise StorageError(f"{file} is damaged: {str(error).splitlines()[0]}") from None
    stamp = "open_time_ms" if "open_time_ms" in table.column_names else "time_ms"
    times: I64 = table[stamp].to_numpy()
    lasts = _interval_of(file) if "close" in table.column_names else 0
    late = times + lasts > cut_ms
    if not late.any():
        return False
    columns = {name: table[name].to_numpy().copy() for name in table.column_names if name != stamp}
    if "close" in columns:
        _change_bars(columns, times, late, cut_ms, upward)
    else:
        factor = -3.0 if "rate" in columns else 2.0
        for values in columns.values():
            values[late] *= factor
    changed = [pa.array(values) for values in (times, *columns.values())]
    pq.write_table(pa.table(changed, names=[stamp, *columns]), copy)
    return True


def _change_bars(
    columns: dict[str, F64],
    times: I64,
    late: BoolArray,
    cut_ms: int,
    upward: bool,  # noqa: FBT001
) -> None:
    """Give late bars other prices, on the same grid of decimals."""
    decimals = _decimals(np.concatenate([columns[name][:200] for name in _PRICES]))
    bar = times[late] // MINUTE_MS
    factor = (_FACTOR if upward else 1 / _FACTOR) * (1 + _WOBBLE * np.where(bar % 2, 1.0, -1.0))
    known = columns["open"][late].copy()
    begun = times[late] <= cut_ms
    for name in _PRICES:
        least = 10.0**-decimals
        columns[name][late] = np.maximum(np.round(columns[name][late] * factor, decimals), least)
    columns["open"][late] = np.where(begun, known, columns["open"][late])
    prices = np.array([columns[name][late] for name in _PRICES])
    columns["high"][late], columns["low"][late] = prices.max(axis=0), prices.min(axis=0)
    columns["volume"][late] = np.round(columns["volume"][late] * 3 + 1, 3)


def _decimals(prices: F64) -> int:
    """Decimals that prices are written with."""
    for digits in range(_DECIMALS_MAX):
        if np.array_equal(np.round(prices, digits), prices):
            return digits
    return _DECIMALS_MAX


def _interval_of(file: Path) -> int:
    for part in file.parts:
        if part.startswith("interval="):
            return INTERVAL_MS.get(part.removeprefix("interval="), MINUTE_MS)
    return MINUTE_MS


def _copy(file: Path, copy: Path) -> None:
    """Copy a file; never share its bytes, for a strategy may write."""
    try:
        shutil.copyfile(file, copy)
    except OSError as error:
        raise StorageError(f"cannot copy {file}: {error.strerror}") from None
