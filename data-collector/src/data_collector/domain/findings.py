"""What a look at a file of market data found."""

from dataclasses import asdict, dataclass
from typing import Any, Final

MOST_REJECTED: Final = 1000
"""Rows of one file that are kept with their reason; of the others only the count is."""


class NotUnderstood(ValueError):
    """A file whose name or layout is not known: nothing is wrong with it, but it is not for us."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """One row that cannot be true.

    Attributes:
        line: where it is in the file, from 1; of Parquet, its row.
        row: its cells, separated by commas.
    """

    line: int
    reason: str
    row: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """Counts of one file; rows that cannot be true are left out, nothing is repaired.

    Attributes:
        rows: in the file.
        kept: bars, or funding stamps, that came out.
        gaps, missing_bars: holes between the kept bars, and how many bars they lack.
        duplicates: rows that repeat an earlier one with equal values; left out.
        conflicts: rows that repeat a time with other values; the last one is kept.
        out_of_order: rows older than one before them; sorted.
        ohlc_violations: high below, or low above, another price of the bar; left out.
        not_positive: a price that is not a positive number, or a negative volume; left out.
        off_grid: times that are no multiple of the interval; left out.
        unfinished: bars that had not closed yet; left out.
        ragged: rows with another number of cells than the others; left out.
        off_lattice: prices finer than the coin's price unit; kept, the venue quantizes them.
        price_decimals: digits after the point seen in prices.
    """

    rows: int = 0
    kept: int = 0
    gaps: int = 0
    missing_bars: int = 0
    duplicates: int = 0
    conflicts: int = 0
    out_of_order: int = 0
    ohlc_violations: int = 0
    not_positive: int = 0
    off_grid: int = 0
    unfinished: int = 0
    ragged: int = 0
    off_lattice: int = 0
    price_decimals: int | None = None

    @property
    def dropped(self) -> int:
        """Rows left out because they cannot be true."""
        false = self.ohlc_violations + self.not_positive + self.off_grid + self.ragged
        return false + self.unfinished

    @property
    def faults(self) -> str:
        """What was wrong with rows that were left out, for people; empty where nothing was."""
        counts = {
            "off the grid of the interval, or no time": self.off_grid,
            "not a positive price, or no number": self.not_positive,
            "high or low that is not": self.ohlc_violations,
            "not closed yet": self.unfinished,
            "another number of cells": self.ragged,
        }
        return ", ".join(f"{count} {what}" for what, count in counts.items() if count)

    def as_dict(self) -> dict[str, Any]:
        """As it goes into a report."""
        return asdict(self)
