"""Coverage as a picture: a line a series, a column a day, colored by the share that is stored.

Plain SVG without scripts, for light and dark pages; a cell says its days when pointed at.
"""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

import numpy as np

from suite.bars import DAY_MS, INTERVAL_MS
from suite.klines import UNKNOWN, Coverage
from suite.moments import format_moment

_CELLS_PX: Final = 960
_CELL_MAX_PX: Final = 18.0
_ROW_PX: Final = 24
_BAR_PX: Final = 16
_TOP_PX: Final = 84
_TEXT_PX: Final = 7.2
_LEAST_PX: Final = 2.5
"""A day with a gap is drawn at least so wide: it may not vanish among two years of whole days."""

_LINED_PX: Final = 4
"""Days that are so wide have a line between them."""
_SKIP_DAYS: Final = 31
"""A longer stretch without anything is left out."""
_BREAK_PX: Final = 14

_CLASSES: Final = (
    ("whole", "all bars"),
    ("most", "99 % or more"),
    ("part", "half or more"),
    ("few", "less than half"),
    ("none", "no bars"),
)
_STYLE: Final = """
svg { background: #ffffff; font: 12px ui-sans-serif, system-ui, "Segoe UI", sans-serif }
text { fill: #1d2530 } .soft { fill: #5c6773 } .title { font-size: 16px; font-weight: 600 }
.number { text-anchor: end; font-variant-numeric: tabular-nums }
.grid { stroke: #dfe4ea } .rail { fill: #f1f4f7 }
.whole { fill: #2b6cb0 } .most { fill: #8cb8e0 } .part { fill: #f2b134 }
.few { fill: #e0701f } .none { fill: #c0262d }
@media (prefers-color-scheme: dark) {
  svg { background: #12161c } text { fill: #e6ebf1 } .soft { fill: #98a4b2 }
  .grid { stroke: #2a323d } .rail { fill: #1b212a }
  .whole { fill: #3d7fc4 } .most { fill: #a9cdef } .part { fill: #f2b134 }
  .few { fill: #ea7f33 } .none { fill: #ef5157 }
}
"""


@dataclass(frozen=True, slots=True)
class _Span:
    """Days that look the same: [first, end) since the epoch."""

    first: int
    end: int
    kind: str
    stored: int
    due: int
    reasons: tuple[str, ...]


class _Axis:
    """Where days are: stretches of time that no series reaches into are left out.

    Args:
        rows: what is drawn.
        left: where the first day begins.
    """

    def __init__(self, rows: Sequence[tuple[Coverage, str]], left: float) -> None:
        self.stretches: list[tuple[int, int]] = []
        for first, end in sorted(_days(held) for held, _ in rows):
            last = self.stretches[-1] if self.stretches else (first, first)
            if self.stretches and first <= last[1] + _SKIP_DAYS:
                self.stretches[-1] = (last[0], max(last[1], end))
            else:
                self.stretches.append((first, end))
        breaks = (len(self.stretches) - 1) * _BREAK_PX
        days = sum(end - first for first, end in self.stretches)
        self.left = left
        self.cell = min(_CELL_MAX_PX, (_CELLS_PX - breaks) / days)
        self.right = left + breaks + days * self.cell

    def at(self, day: int) -> float:
        """Where a day begins, or the one before it ends."""
        place = self.left
        for first, end in self.stretches:
            if day <= end:
                return place + (day - first) * self.cell
            place += (end - first) * self.cell + _BREAK_PX
        return self.right


def coverage_picture(rows: Sequence[tuple[Coverage, str]]) -> str:
    """Draw what is stored.

    Args:
        rows: coverage and coin of each series, top to bottom; at least one.
    """
    labels = _labels(rows)
    axis = _Axis(rows, 24 + _TEXT_PX * max(len(label) for label in labels))
    width, bottom = max(axis.right + 150, 640), _TOP_PX + _ROW_PX * len(rows)
    first, end = axis.stretches[0][0], axis.stretches[-1][1]
    days = f"{format_moment(first * DAY_MS)} to {format_moment((end - 1) * DAY_MS)}"
    about = f"{len(rows)} series, {sum(held.bars for held, _ in rows):,} bars, {days} (UTC)"
    head = _TOP_PX - 8
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" {_size(width, bottom + 56)}>',
        f"<title>Stored bars by day</title><desc>{escape(about)}</desc>",
        f"<style>{_STYLE}</style>",
        '<text class="title" x="16" y="28">Stored bars by day</text>',
        f'<text class="soft" x="16" y="48">{escape(about)}</text>',
        f'<text class="soft number" x="{axis.right + 72:.1f}" y="{head}">stored</text>',
        f'<text class="soft number" x="{axis.right + 126:.1f}" y="{head}">gaps</text>',
        *_months(axis, bottom),
    ]
    for place, ((held, _), label) in enumerate(zip(rows, labels, strict=True)):
        lines += _row(held, label, axis, _TOP_PX + _ROW_PX * place)
    lines += [*_legend(16, bottom + 26), "</svg>"]
    return "\n".join(lines) + "\n"


def _days(held: Coverage) -> tuple[int, int]:
    return held.first_open_ms // DAY_MS, -(-held.end_ms // DAY_MS)


def _size(width: float, height: int) -> str:
    return f'width="{width:.0f}" height="{height}" viewBox="0 0 {width:.0f} {height}"'


def _labels(rows: Sequence[tuple[Coverage, str]]) -> list[str]:
    """Coin and interval, and the source where there are several."""
    several = len({held.source for held, _ in rows}) > 1
    return [
        f"{coin} {held.interval}" + (f" {held.source}" if several else "") for held, coin in rows
    ]


def _row(held: Coverage, label: str, axis: _Axis, top: int) -> Iterator[str]:
    text = top + _BAR_PX - 3
    missing = sum(gap.bars(INTERVAL_MS[held.interval]) for gap in held.gaps)
    share = held.bars / (held.bars + missing)
    yield f'<text x="16" y="{text}">{escape(label)}</text>'
    for first, end in axis.stretches:
        yield f'<rect class="rail" {_box(axis.at(first), top, (end - first) * axis.cell)}/>'
    # What is whole is drawn first, so that the least width of a gap is not painted over.
    for span in sorted(_spans(held), key=lambda span: span.kind != "whole"):
        wide = axis.cell * (span.end - span.first)
        at = axis.at(span.end) - wide
        if span.kind != "whole" and wide < _LEAST_PX:
            at, wide = min(at, axis.right - _LEAST_PX), _LEAST_PX
        elif axis.cell >= _LINED_PX:
            wide -= 1
        title = f"<title>{escape(_told(label, span))}</title>"
        yield f'<rect class="{span.kind}" {_box(at, top, wide)}>{title}</rect>'
    shown = "100 %" if missing == 0 else f"{min(share, 0.9999):.2%}".replace("%", " %")
    yield f'<text class="number" x="{axis.right + 72:.1f}" y="{text}">{shown}</text>'
    yield f'<text class="number" x="{axis.right + 126:.1f}" y="{text}">{len(held.gaps):,}</text>'


def _box(at: float, top: int, wide: float) -> str:
    return f'x="{at:.2f}" y="{top}" width="{wide:.2f}" height="{_BAR_PX}"'


def _spans(held: Coverage) -> list[_Span]:
    """The days of a series; neighbors that are whole, or empty for the same reason, are one."""
    step = INTERVAL_MS[held.interval]
    first, end = held.first_open_ms // DAY_MS, -(-held.end_ms // DAY_MS)
    edges = np.arange(first, end + 1, dtype=np.int64) * DAY_MS
    due = np.diff(np.clip(edges, held.first_open_ms, held.end_ms)) // step
    missing = np.zeros(len(due), np.int64)
    reasons: list[set[str]] = [set() for _ in due]
    for gap in held.gaps:
        inside = np.clip(edges, gap.start_ms, gap.end_ms)
        missing += (inside[1:] - inside[:-1]) // step
        for day in range(gap.start_ms // DAY_MS, -(-gap.end_ms // DAY_MS)):
            reasons[day - first].add(gap.reason)
    spans: list[_Span] = []
    for day, (wanted, lost, why) in enumerate(
        zip(due.tolist(), missing.tolist(), reasons, strict=True), first
    ):
        told = tuple(sorted(why - {UNKNOWN}))
        span = _Span(day, day + 1, _kind(wanted, lost), wanted - lost, wanted, told)
        last = spans[-1] if spans else span
        same = (last.kind, last.reasons, last.end) == (span.kind, span.reasons, day)
        if same and span.kind in {"whole", "none"}:
            spans[-1] = _Span(
                last.first, span.end, span.kind, last.stored + span.stored, last.due + wanted, told
            )
        else:
            spans.append(span)
    return spans


def _kind(due: int, missing: int) -> str:
    share = (due - missing) / due if due else 1.0
    limits = zip((1.0, 0.99, 0.5, 1e-9), (name for name, _ in _CLASSES), strict=False)
    return next((name for limit, name in limits if share >= limit), "none")


def _told(label: str, span: _Span) -> str:
    days = format_moment(span.first * DAY_MS)
    if span.end - span.first > 1:
        days += f" to {format_moment((span.end - 1) * DAY_MS)}"
    why = f" ({', '.join(span.reasons)})" if span.reasons else ""
    return f"{label}, {days}: {span.stored:,} of {span.due:,} bars{why}"


def _months(axis: _Axis, bottom: int) -> Iterator[str]:
    """Lines where months begin, named where there is room; a stretch without one has its day."""
    free = 0.0
    for first, end in axis.stretches:
        days = np.arange(first, end).astype("datetime64[D]")
        begins = days == days.astype("datetime64[M]").astype("datetime64[D]")
        marks = [(place, str(days[place])[:7]) for place in np.flatnonzero(begins).tolist()]
        for place, label in marks or [(0, str(days[0]))]:
            at, wide = axis.at(first + place), _TEXT_PX * len(label)
            if place == 0 and at > axis.left:
                at = axis.at(end) - (end - first) * axis.cell
            line = f'x1="{at:.1f}" y1="{_TOP_PX - 4}" x2="{at:.1f}" y2="{bottom}"'
            yield f'<line class="grid" {line}/>'
            if free <= at <= axis.right - wide / 2:
                yield f'<text class="soft" x="{at:.1f}" y="{_TOP_PX - 8}">{label}</text>'
                free = at + wide + _TEXT_PX


def _legend(left: float, top: int) -> Iterator[str]:
    widths = itertools.accumulate((34 + _TEXT_PX * len(text) for _, text in _CLASSES), initial=left)
    for at, (kind, text) in zip(widths, _CLASSES, strict=False):
        yield f'<rect class="{kind}" x="{at:.1f}" y="{top - 10}" width="12" height="12"/>'
        yield f'<text class="soft" x="{at + 18:.1f}" y="{top}">{text}</text>'
