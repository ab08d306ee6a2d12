"""What the processes of a stack hold while they run for hours: own memory and open descriptors."""

import csv
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import linear_regression
from typing import Final

import psutil

MIB: Final = 2**20
HOUR_S: Final = 3600.0
SAMPLE_S: Final = 15.0
SERVICES: Final = (
    *("virtual-exchange", "hyperliquid-exchange", "data-collector"),
    *("trader-manager", "strategy-agent", "portfolio-service"),
)
OTHERS: Final = "database"


@dataclass(frozen=True, slots=True)
class Level:
    """How level one kind of process stayed.

    Attributes:
        memory_mib: own memory of all processes of the kind at the end.
        slope_mib_h: of a straight line through it after the warm-up, MiB an hour.
        descriptors: the fewest and the most that were open after the warm-up.
    """

    memory_mib: float
    slope_mib_h: float
    descriptors: tuple[int, int]


@dataclass(slots=True)
class Soak:
    """Samples of all processes below this one, and of those in a folder.

    Attributes:
        rows: seconds since the begin, kind, own memory in bytes, open descriptors, processes.
    """

    folders: tuple[Path, ...]
    rows: list[tuple[float, str, int, int, int]] = field(default_factory=list)

    def watch(self, seconds: float, kept: Path, ask: Callable[[], None]) -> None:
        """Sample for so long, and keep each sample at once.

        Args:
            seconds: of the wall.
            kept: file of the samples, CSV.
            ask: called again and again between them.
        """
        begin_s = time.monotonic()
        kept.parent.mkdir(parents=True, exist_ok=True)
        with kept.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(("second", "kind", "memory", "descriptors", "processes"))
            while (now_s := time.monotonic() - begin_s) < seconds:
                for row in self._sample(now_s):
                    self.rows.append(row)
                    writer.writerow(row)
                file.flush()
                while time.monotonic() - begin_s < now_s + SAMPLE_S:
                    ask()

    def level(self, warm_s: float) -> dict[str, Level]:
        """Say how level each kind stayed after the warm-up."""
        found = {}
        for kind in sorted({row[1] for row in self.rows}):
            rows = [row for row in self.rows if row[1] == kind and row[0] >= warm_s]
            slope = linear_regression([row[0] for row in rows], [row[2] for row in rows]).slope
            counts = [row[3] for row in rows]
            found[kind] = Level(rows[-1][2] / MIB, slope * HOUR_S / MIB, (min(counts), max(counts)))
        return found

    def _sample(self, now_s: float) -> list[tuple[float, str, int, int, int]]:
        found: dict[str, tuple[int, int, int]] = {}
        for process in psutil.process_iter():
            try:
                if not self._is_ours(process):
                    continue
                memory, open_files = process.memory_full_info().uss, process.num_fds()
            except (psutil.NoSuchProcess, psutil.AccessDenied):
                continue
            kind = _kind(process)
            before = found.get(kind, (0, 0, 0))
            found[kind] = (before[0] + memory, before[1] + open_files, before[2] + 1)
        return [(round(now_s, 1), kind, *sums) for kind, sums in found.items()]

    def _is_ours(self, process: psutil.Process) -> bool:
        at = Path(process.cwd())
        return any(at.is_relative_to(folder) for folder in self.folders)


def _kind(process: psutil.Process) -> str:
    try:
        words = " ".join(process.cmdline())
    except psutil.Error:
        return OTHERS
    return next((name for name in SERVICES if name in words), OTHERS)
