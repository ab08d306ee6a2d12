"""What every child of the comparison shares: the series, the parameters of the work, the protocol.

A child is started as `python peer_NAME.py SERIES WORK` and prints one JSON line when it is ready.
Every line it then reads is a request to measure once, and is answered by one JSON line. It ends
with its input. Only numpy is needed here.
"""

import json
import re
import statistics
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

CASH = 1_000_000.0
TAKER, MAKER = 0.0005, 0.0002
FAST, SLOW, CROSS_SIZE = 20, 100, 0.1
HALF_SPREAD, QUOTE_SIZE, QUOTE_CAP = 5, 0.01, 0.5
TREND, DISTANCE, BRACKET_SIZE = 20, 40, 0.1
"""Half spread and distance are in 10^-4 of the last close, sizes in BTC."""
SWEEP = tuple((fast, slow) for fast in range(5, 55, 5) for slow in range(60, 260, 20))

WARM_BARS = 3_000
BATCH_SECONDS = 0.2
"""Work shorter than this is repeated up to it, and a measurement is the median of those runs."""

MINUTE_MS = 60_000
START_MS = 1_746_372_780_000


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run of the work did.

    Attributes:
        orders: sent; None where the engine does not say.
        fills: a turn of a position is one fill, as its order is.
        profit: open position valued at the last close, USD; None in the sweep.
        share: part of the work that was done, by which its time is scaled.
    """

    orders: int | None = None
    fills: int | None = None
    profit: float | None = None
    share: float = 1.0


class Series:
    """Minute bars, as float64 columns in USD and BTC.

    Attributes:
        ticks: shape (5, n): open, high, low, close in 0.1 USD and volume in 10^-5 BTC.
    """

    def __init__(self, ticks: Any) -> None:
        self.ticks = ticks
        self.open, self.high, self.low, self.close = np.ascontiguousarray(ticks[:4] / 10)
        self.volume = ticks[4] / 1e5
        self.bars = ticks.shape[1]
        self.time_ms = START_MS + MINUTE_MS * np.arange(self.bars, dtype=np.int64)

    def head(self, bars: int) -> "Series":
        """The first bars."""
        return Series(self.ticks[:, :bars])

    def frame(self, unit: float = 1.0) -> Any:
        """A pandas frame with capital column names, prices divided by the unit."""
        import pandas as pd

        names = ("Open", "High", "Low", "Close")
        columns = {name: getattr(self, name.lower()) / unit for name in names}
        index = pd.to_datetime(self.time_ms, unit="ms")
        return pd.DataFrame({**columns, "Volume": self.volume}, index=index)


Run = Callable[[], Outcome | Callable[[], Outcome]]
"""What is timed. It gives the outcome, or what reads it, where reading is not part of the work."""
Prepare = Callable[[Series], Run]
"""Makes ready what is not timed: the bars in the engine's own form."""


def around(close: float, distance: int) -> float:
    """A price a distance in 10^-4 away from a close, on the grid, half to even."""
    return round(round(close * 10) * (10_000 + distance) / 10_000) / 10


def mean(ticks: Any, length: int) -> Any:
    """Simple moving average of closes in ticks, NaN until it is full."""
    total = np.concatenate([[0], np.cumsum(ticks)])
    out = np.full(len(ticks), np.nan)
    out[length - 1 :] = (total[length:] - total[:-length]) / length
    return out


class RunningMean:
    """The same, fed one close in USD at a time."""

    def __init__(self, length: int) -> None:
        self._length = length
        self._ticks: list[int] = []
        self._total = 0

    def add(self, close: float) -> float | None:
        """Take a close; None until the mean is full."""
        ticks = round(close * 10)
        self._ticks.append(ticks)
        self._total += ticks
        if len(self._ticks) < self._length:
            return None
        if len(self._ticks) > self._length:
            self._total -= self._ticks[-self._length - 1]
        return self._total / self._length / 10


def turns(series: Series, pairs: Iterable[tuple[int, int]]) -> list[tuple[Any, Any]]:
    """Of each pair of lengths, the closes at which the fast mean rises above the slow, or falls."""
    means: dict[int, Any] = {}
    found = []
    for pair in pairs:
        for length in pair:
            if length not in means:
                means[length] = mean(series.ticks[3], length)
        fast, slow = (means[length] for length in pair)
        above, turned = fast > slow, np.zeros(series.bars, bool)
        turned[1:] = (above[1:] != above[:-1]) & ~np.isnan(slow[:-1])
        found.append((turned & above, turned & ~above))
    return found


def serve(package: str, works: dict[str, Prepare]) -> None:
    """Answer requests to measure until the input ends; `package` gives its version."""
    series, prepare = Series(np.load(sys.argv[1])), works[sys.argv[2]]
    _outcome(prepare(series.head(WARM_BARS))())
    run = prepare(series)
    _say(version=version(package))
    for _ in sys.stdin:
        seconds, outcome = _measure(run)
        _say(seconds=seconds / outcome.share, memory_mb=_peak_mb(), **asdict(outcome))


def _measure(run: Run) -> tuple[float, Outcome]:
    taken: list[float] = []
    while True:
        began = time.perf_counter()
        result = run()
        taken.append(time.perf_counter() - began)
        if sum(taken) >= BATCH_SECONDS:
            return statistics.median(taken), _outcome(result)


def _outcome(result: Outcome | Callable[[], Outcome]) -> Outcome:
    return result if isinstance(result, Outcome) else result()


def _peak_mb() -> int | None:
    status = Path("/proc/self/status")
    found = re.search(r"VmHWM:\s+(\d+)", status.read_text()) if status.exists() else None
    return int(found[1]) // 1024 if found else None


def _say(**answer: object) -> None:
    print(json.dumps(answer), flush=True)
