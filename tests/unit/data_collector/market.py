"""Small markets for the tests of the collector."""

import gzip
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from suite.bars import MINUTE_MS, Bars
from suite.klines import COLUMNS

START_MS = 1_746_403_200_000
"""2025-05-05 00:00 UTC."""
NOW_MS = START_MS + 400 * 86_400_000

HEADER = "timestamp,open,high,low,close,volume"
BINANCE_HEADER = (
    "open_time,open,high,low,close,volume,close_time,quote_volume,count,"
    "taker_buy_volume,taker_buy_quote_volume,ignore"
)


def make_bars(
    count: int = 5,
    *,
    start_ms: int = START_MS,
    step_ms: int = MINUTE_MS,
    price: float = 100.0,
    skip: Sequence[int] = (),
) -> Bars:
    """Bars that rise by one tick each; rows of `skip` are missing."""
    rows = np.array([row for row in range(count) if row not in skip], np.int64)
    close = np.asarray(np.round(price + rows / 10, 1), np.float64)
    opened = np.asarray(np.round(close - 0.1, 1), np.float64)
    times = start_ms + rows * step_ms
    return Bars(
        step_ms, times, opened, close + 0.5, opened - 0.5, close, np.asarray(rows + 1, float)
    )


def generic_csv(bars: Bars, header: str = HEADER) -> str:
    """The plain form: a line of names, times in ms."""
    return header + "\n" + "".join(f"{line}\n" for line in _lines(bars, 1))


def binance_csv(bars: Bars, *, header: bool, unit: int = 1) -> str:
    """Binance's twelve columns; `unit` 1000 makes microseconds of the times."""
    lines = [BINANCE_HEADER] if header else []
    for line, opened in zip(_lines(bars, unit), bars.open_time_ms, strict=True):
        closed = (int(opened) + bars.interval_ms) * unit - 1
        lines.append(f"{line},{closed},1000.5,12,0.5,500.25,0")
    return "\n".join(lines) + "\n"


def write_zip(path: Path, text: str) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(path.with_suffix(".csv").name, text)
    return path


def write_gzip(path: Path, text: str) -> Path:
    path.write_bytes(gzip.compress(text.encode()))
    return path


def _lines(bars: Bars, unit: int) -> list[str]:
    columns = [(bars.open_time_ms * unit).tolist()]
    columns += [getattr(bars, name).tolist() for name in COLUMNS[1:]]
    return [",".join(repr(cell) for cell in row) for row in zip(*columns, strict=True)]
