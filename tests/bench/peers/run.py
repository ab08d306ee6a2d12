"""Run rival engines and ours side by side: `python tests/bench/peers/run.py [--help]`.

Every rival lives in an environment of its own under `var/peers`, is driven through its public
interface and does the same work on the same bars. A round measures our drivers and then the rival,
so a ratio is taken within seconds on the same machine; single thread, medians of the rounds.
"""

import argparse
import os
import statistics
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
from children import OURS, RIVALS, Child, ChildFailedError, Rival
from common import SWEEP, Outcome, Series
from environments import NotInstalledError, install
from tables import Measured, print_agreement, print_speed, rate, times

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "var" / "peers"
BARS = (45_000, 525_600)
LIMIT_SECONDS = 20.0
PATIENCE_SECONDS = 600.0
"""What a measurement may take on the first series; on the others it is three times the limit."""
ENOUGH_SECONDS = 30.0
"""No further round when a rival has taken this long."""

Slow = Callable[[Rival, str, int], Measured | None]
"""The row of a rival that is too slow for a series, else None."""


def series_file(folder: Path, data: Path | None, bars: int) -> Path:
    """The bars of every child, as a file."""
    sys.path.append(str(ROOT))
    from tests.bench.series import load

    path = folder / f"series-{'real' if data else 'synthetic'}-{bars}.npy"
    np.save(path, load(data, bars))
    return path


def installed(rivals: Sequence[Rival], folder: Path) -> dict[str, Path]:
    """Interpreters by environment; what cannot be installed is told in a line and left out."""
    found: dict[str, Path] = {}
    failed: dict[str, str] = {}
    for name in dict.fromkeys(rival.environment for rival in rivals):
        try:
            found[name] = install(name, folder)
        except NotInstalledError as error:
            failed[name] = str(error)
    if not found:
        print(
            f"peers: nothing is compared, no rival can be installed: {next(iter(failed.values()))}"
        )
        return found
    for name, reason in failed.items():
        print(f"peers: without {name}, it cannot be installed: {reason}", flush=True)
    return found


class Comparison:
    """All measurements on one series.

    Attributes:
        rows: what was measured, or why not.
        ours: what our drivers did, by driver and work.
    """

    def __init__(self, series: Path, bars: int, rounds: int, patience_s: float) -> None:
        self._series, self._bars = series, bars
        self._rounds, self._patience_s = rounds, patience_s
        self.rows: list[Measured] = []
        self.ours: dict[tuple[str, str], Outcome] = {}

    def do(
        self, work: str, rivals: Sequence[Rival], pythons: Mapping[str, Path], slow: Slow
    ) -> None:
        """Measure every rival that can do a work, unless it is too slow for this series."""
        with ExitStack() as stack:
            drivers = self._drivers(work, stack)
            for rival in rivals:
                if work not in rival.works or rival.environment not in pythons:
                    continue
                row = slow(rival, work, self._bars)
                if row is None:
                    row = self._measured(rival, work, pythons[rival.environment], drivers)
                self.rows.append(row)
                print(f"peers: {self._bars:,} bars {progress_of(row)}", flush=True)

    def _drivers(self, work: str, stack: ExitStack) -> dict[str, Child]:
        found = {}
        for driver, works in OURS.items():
            if work not in works:
                continue
            try:
                child = Child(Path(sys.executable), "ours.py", self._series, f"{work} {driver}")
                found[driver] = stack.enter_context(child)
            except ChildFailedError as error:
                print(f"peers: ({work}) ours, {driver}: {error}", flush=True)
        return found

    def _measured(
        self, rival: Rival, work: str, python: Path, drivers: Mapping[str, Child]
    ) -> Measured:
        try:
            with Child(python, rival.script, self._series, work) as child:
                return self._rounds_of(rival, work, child, drivers)
        except ChildFailedError as error:
            return Measured(rival.name, work, remark=str(error))

    def _rounds_of(
        self, rival: Rival, work: str, child: Child, drivers: Mapping[str, Child]
    ) -> Measured:
        taken: list[float] = []
        spent = 0.0
        mine: dict[str, list[float]] = {driver: [] for driver in drivers}
        while len(taken) < self._rounds and spent < ENOUGH_SECONDS:
            for driver, own in drivers.items():
                answer = own.measure(self._patience_s)
                mine[driver].append(answer["seconds"])
                self.ours[driver, work] = outcome_of(answer)
            answer = child.measure(self._patience_s)
            taken.append(answer["seconds"])
            spent += answer["seconds"] * answer["share"]
        bars = count_of(work, self._bars)
        return Measured(
            name=rival.name,
            work=work,
            version=child.version,
            rate=bars / statistics.median(taken),
            ours={driver: bars / statistics.median(own) for driver, own in mine.items()},
            ratios={driver: ratio_of(taken, own) for driver, own in mine.items()},
            memory_mb=answer["memory_mb"],
            rounds=len(taken),
            outcome=outcome_of(answer),
        )


def count_of(work: str, bars: int) -> int:
    """Bars of a work; those of every run in the sweep."""
    return bars * (len(SWEEP) if work == "e" else 1)


def ratio_of(theirs: Sequence[float], ours: Sequence[float]) -> float:
    """How many times faster ours was: of each round, then the median."""
    return statistics.median(t / o for t, o in zip(theirs, ours, strict=True))


def outcome_of(answer: Mapping[str, Any]) -> Outcome:
    """What a child says it did."""
    return Outcome(**{field.name: answer[field.name] for field in fields(Outcome)})


def progress_of(row: Measured) -> str:
    """One measurement in one line."""
    head = f"({row.work}) {row.name} {row.version}".rstrip()
    if not row.rounds:
        return f"{head}: {row.remark}"
    ratios = [f"{driver} {times(ratio)}" for driver, ratio in (row.ratios or {}).items()]
    return f"{head}: {rate(row.rate)} bars/s; ours {', '.join(ratios)}"


def too_slow(before: Sequence[Measured], limit: float) -> Slow:
    """Leave out what would take longer than the limit, judged by the shorter series."""
    rates = {(row.name, row.work): row.rate for row in before if row.rounds}

    def judge(rival: Rival, work: str, bars: int) -> Measured | None:
        known = rates.get((rival.name, work))
        seconds = count_of(work, bars) / known if known else 0.0
        if seconds <= limit:
            return None
        return Measured(rival.name, work, remark=f"not run, it would take about {seconds:,.0f} s")

    return judge


def options() -> argparse.Namespace:
    """What to do."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    names = [rival.name for rival in RIVALS]
    parser.add_argument("--data", type=Path, default=os.environ.get("DATA") or None,
                        help="folder with BTCUSDT-1m.parquet and its neighbors")  # fmt: skip
    parser.add_argument("--work", default="abcde")
    parser.add_argument("--bars", type=int, nargs="+", default=BARS)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", nargs="+", choices=names, default=names, metavar="NAME",
                        help=f"of {', '.join(names)}")  # fmt: skip
    parser.add_argument("--limit", type=float, default=LIMIT_SECONDS,
                        help="seconds a rival may take on any series but the first")  # fmt: skip
    return parser.parse_args()


def main() -> None:
    """Print progress, then both tables of each series."""
    wanted = options()
    rivals = [rival for rival in RIVALS if rival.name in wanted.only]
    FOLDER.mkdir(parents=True, exist_ok=True)
    pythons = installed(rivals, FOLDER)
    if not pythons:
        return
    before: list[Measured] = []
    for bars in wanted.bars:
        path = series_file(FOLDER, wanted.data, bars)
        patience_s = 3 * wanted.limit if before else PATIENCE_SECONDS
        comparison = Comparison(path, bars, wanted.rounds, patience_s)
        for work in wanted.work:
            comparison.do(work, rivals, pythons, too_slow(before, wanted.limit))
        kind = "real bars" if wanted.data else "synthetic bars (seeded random walk, see --data)"
        print_speed(comparison.rows, f"{bars:,} {kind}")
        print_agreement(comparison.rows, comparison.ours, Series(np.load(path)))
        before = comparison.rows


if __name__ == "__main__":
    main()
