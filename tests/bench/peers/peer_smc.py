"""smartmoneyconcepts: its structures over the bars of a file, timed, and what it takes back.

    python peer_smc.py BARS.npy MOMENTS

Prints one line of JSON: seconds by function, and of so many live moments, one bar after the other,
how often a reading of a bar that had been read before was another one.
"""

import json
import sys
import time
from collections.abc import Callable

import numpy as np
import pandas as pd  # noqa: TID253 - this process is for nothing else
from smartmoneyconcepts.smc import smc

WING = 5
WINDOW = 3000
"""Bars before a live moment: enough for every structure of this wing."""

Parts = dict[str, Callable[[pd.DataFrame, pd.DataFrame], pd.DataFrame]]
PARTS: Parts = {
    "swings": lambda bars, _: smc.swing_highs_lows(bars, swing_length=WING),
    "gaps": lambda bars, _: smc.fvg(bars),
    "breaks": smc.bos_choch,
    "blocks": smc.ob,
    "liquidity": smc.liquidity,
}
READ = {
    "swings": ("HighLow",),
    "gaps": ("FVG",),
    "breaks": ("BOS", "CHOCH"),
    "blocks": ("OB",),
    "liquidity": ("Liquidity",),
}
"""What is read: whether something is there. Columns that say how it ended may change by right."""


def timed(bars: pd.DataFrame) -> dict[str, float]:
    """Seconds of each function over all bars."""
    swings = PARTS["swings"](bars, bars)
    told = {}
    for name, work in PARTS.items():
        begin = time.perf_counter()
        work(bars, swings)
        told[name] = time.perf_counter() - begin
    return told


def readings(bars: pd.DataFrame) -> dict[str, np.ndarray]:
    """What each function says of each bar: shape (bars, columns), 0 for nothing."""
    swings = PARTS["swings"](bars, bars)
    return {
        name: np.nan_to_num(work(bars, swings)[list(READ[name])].to_numpy(float))
        for name, work in PARTS.items()
    }


def rewritten(bars: pd.DataFrame, moments: int) -> dict[str, int]:
    """Readings of bars that had been read, and were other ones at the next moment."""
    told = dict.fromkeys(PARTS, 0)
    before: dict[str, np.ndarray] = {}
    for now in range(WINDOW, WINDOW + moments):
        after = readings(bars.iloc[:now].reset_index(drop=True))
        for name, old in before.items():
            told[name] += int((old != after[name][: len(old)]).any(axis=1).sum())
        before = after
    return told


def main() -> None:
    table, moments = np.load(sys.argv[1]), int(sys.argv[2])
    bars = pd.DataFrame(table.T, columns=["open", "high", "low", "close", "volume"])
    readings(bars.iloc[:500])  # what it compiles
    print(json.dumps({"seconds": timed(bars), "rewritten": rewritten(bars, moments)}))


if __name__ == "__main__":
    main()
