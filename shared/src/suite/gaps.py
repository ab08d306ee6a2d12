"""The gap ledger of a series: what is stored of it, and why the rest is missing.

Kept as runs, rows of [first open time, end) with every bar between, it grows with a write without
another look at the bars that were stored before.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np

from suite.bars import I64
from suite.klines import UNKNOWN, Gap


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """What is stored of one series, and what was found out about what is not.

    Attributes:
        interval_ms: length of a bar.
        runs: shape (n, 2), open time of the first bar and end of the last of each unbroken run,
            rising, epoch ms.
        notes: ranges whose reason is known, rising, apart from each other and from the runs. They
            may lie before the first and after the last run.
    """

    interval_ms: int
    runs: I64
    notes: tuple[Gap, ...] = ()

    @classmethod
    def of(cls, open_time_ms: I64, interval_ms: int) -> Self:
        """Describe bars.

        Args:
            open_time_ms: shape (n,), strictly rising multiples of the interval.
            interval_ms: length of a bar.
        """
        breaks = np.flatnonzero(np.diff(open_time_ms) > interval_ms)
        firsts = open_time_ms[np.concatenate([[0], breaks + 1])] if len(open_time_ms) else []
        lasts = open_time_ms[np.concatenate([breaks, [-1]])] if len(open_time_ms) else []
        runs = np.stack([np.asarray(firsts, np.int64), np.asarray(lasts, np.int64) + interval_ms])
        return cls(interval_ms=interval_ms, runs=np.ascontiguousarray(runs.T))

    @property
    def bars(self) -> int:
        """How many are stored."""
        return int((self.runs[:, 1] - self.runs[:, 0]).sum()) // self.interval_ms

    @property
    def first_open_ms(self) -> int | None:
        """Open time of the first bar."""
        return int(self.runs[0, 0]) if len(self.runs) else None

    @property
    def end_ms(self) -> int | None:
        """Close time of the last bar, exclusive."""
        return int(self.runs[-1, 1]) if len(self.runs) else None

    @property
    def gaps(self) -> tuple[Gap, ...]:
        """What is missing between the runs, in pieces where the reason changes."""
        holes = zip(self.runs[:-1, 1].tolist(), self.runs[1:, 0].tolist(), strict=True)
        if not self.notes:
            return tuple(Gap(start, end) for start, end in holes)
        starts = [note.start_ms for note in self.notes]
        ends = [note.end_ms for note in self.notes]
        return tuple(
            piece
            for start, end in holes
            for piece in _pieces(
                start, end, self.notes[bisect_right(ends, start) : bisect_left(starts, end)]
            )
        )

    @property
    def outside(self) -> tuple[Gap, ...]:
        """What is known to be missing before the first run and after the last."""
        edges = np.array([[self.first_open_ms, self.end_ms]]) if len(self.runs) else self.runs
        return tuple(_without(self.notes, edges))

    def with_bars(self, open_time_ms: I64) -> Self:
        """Add bars, stored before or not; what was missing and came is no gap any more."""
        new = Ledger.of(open_time_ms, self.interval_ms).runs
        runs = np.concatenate([self.runs, new])
        runs = runs[np.argsort(runs[:, 0], kind="stable")]
        ends = np.maximum.accumulate(runs[:, 1]) if len(runs) else runs[:, 1]
        starts_new = np.append(True, runs[1:, 0] > ends[:-1])[: len(runs)]
        last = np.append(starts_new[1:], True)[: len(runs)]
        runs = np.stack([runs[starts_new, 0], ends[last]], axis=1)
        return replace(self, runs=runs, notes=_without(self.notes, new))

    def with_note(self, gap: Gap) -> Self:
        """Say why bars are missing; of a range that is partly stored, the rest is meant."""
        step = self.interval_ms
        start, end = gap.start_ms // step * step, -(-gap.end_ms // step) * step
        told = [replace(gap, start_ms=start, end_ms=end)] if start < end else []
        others = _without(self.notes, np.array([[start, end]], np.int64))
        return replace(self, notes=tuple(sorted([*others, *_without(told, self.runs)], key=_start)))

    def as_dict(self) -> dict[str, Any]:
        """As it is stored."""
        gaps = self.gaps
        return {
            "interval_ms": self.interval_ms,
            "first_open_ms": self.first_open_ms,
            "end_ms": self.end_ms,
            "bars": self.bars,
            "missing_bars": sum(gap.bars(self.interval_ms) for gap in gaps),
            "gaps": [_as_dict(gap) for gap in gaps],
            "outside": [_as_dict(gap) for gap in self.outside],
        }

    @classmethod
    def parse(cls, stored: Mapping[str, Any]) -> Self:
        """Read what `as_dict` wrote.

        Raises:
            ValueError, KeyError, TypeError: it is something else.
        """
        gaps = [Gap(**item) for item in stored["gaps"]]
        notes = [gap for gap in gaps if gap.reason != UNKNOWN or gap.asked_ms is not None]
        notes += [Gap(**item) for item in stored["outside"]]
        cuts = [stored["first_open_ms"], stored["end_ms"]]
        if cuts == [None, None]:
            cuts = []
        else:
            cuts[1:1] = [cut for gap in gaps for cut in (gap.start_ms, gap.end_ms)]
        runs = np.array(cuts, np.int64).reshape(-1, 2)
        runs = runs[runs[:, 0] < runs[:, 1]]  # between the pieces of one gap there is nothing
        return cls(
            interval_ms=int(stored["interval_ms"]),
            runs=runs,
            notes=tuple(sorted(notes, key=_start)),
        )


def _start(gap: Gap) -> int:
    return gap.start_ms


def _as_dict(gap: Gap) -> dict[str, Any]:
    return {
        "start_ms": gap.start_ms,
        "end_ms": gap.end_ms,
        "reason": gap.reason,
        "asked_ms": gap.asked_ms,
    }


def _pieces(start: int, end: int, notes: Iterable[Gap]) -> Iterator[Gap]:
    """Cut a hole where the notes in it begin and end; neighbors that say the same are one piece."""
    last: Gap | None = None
    for note in [*notes, Gap(end, end)]:
        inside = replace(note, start_ms=max(start, note.start_ms), end_ms=min(end, note.end_ms))
        for piece in (Gap(start if last is None else last.end_ms, inside.start_ms), inside):
            if piece.start_ms >= piece.end_ms:
                continue
            if last is not None and (last.reason, last.asked_ms) == (piece.reason, piece.asked_ms):
                last = replace(last, end_ms=piece.end_ms)
            else:
                if last is not None:
                    yield last
                last = piece
    if last is not None:
        yield last


def _without(gaps: Iterable[Gap], runs: I64) -> tuple[Gap, ...]:
    """Leave of ranges what no run covers."""
    left = []
    starts, ends = runs[:, 0].tolist(), runs[:, 1].tolist()
    for gap in gaps:
        start = gap.start_ms
        inside = slice(bisect_right(ends, gap.start_ms), bisect_left(starts, gap.end_ms))
        for run_start, run_end in zip(starts[inside], ends[inside], strict=True):
            if start < run_start:
                left.append(replace(gap, start_ms=start, end_ms=run_start))
            start = run_end
        if start < gap.end_ms:
            left.append(replace(gap, start_ms=start))
    return tuple(left)
