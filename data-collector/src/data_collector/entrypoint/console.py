"""Tables and progress for people at a terminal; plain lines where there is none."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from typing import Any, TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from data_collector.application.importing import Outcome
from data_collector.domain.findings import Findings
from suite.bars import INTERVAL_MS
from suite.klines import UNKNOWN, Coverage
from suite.moments import format_moment

T = TypeVar("T")

_WIDTH = 170
_COLORS = {"unknown": "yellow", "failed": "red"}
_FOUND = (
    ("duplicates", "duplicates"),
    ("conflicts", "conflicting duplicates"),
    ("out_of_order", "out of order"),
    ("ohlc_violations", "OHLC violations"),
    ("not_positive", "NaN or not positive"),
    ("off_grid", "off the grid"),
    ("ragged", "of another width"),
    ("unfinished", "not closed yet"),
    ("off_lattice", "finer than the price unit"),
)


def make_console() -> Console:
    """Make a console for stdout: as wide as the terminal, or as the tables when there is none."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=_WIDTH)


def follow(items: Iterable[T], total: int, what: str) -> Iterator[T]:
    """Pass items through, with a progress bar on stderr when that is a terminal."""
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
    )  # fmt: skip
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        task = bar.add_task(what, total=total)
        for item in items:
            bar.advance(task)
            yield item


def import_table(outcomes: Sequence[Outcome]) -> Table:
    """What became of each file."""
    table = _table("file", "", "coin", "of", "interval", "rows", "new", "same", "gaps", "found")
    for item in outcomes:
        found, result = item.findings or Findings(), item.result
        table.add_row(
            item.name,
            f"[{_COLORS[item.status]}]{item.status}[/]" if item.status in _COLORS else item.status,
            item.coin,
            item.source,
            item.interval or item.kind,
            _count(found.rows) if item.findings else "",
            _count(result.added) if result else "",
            _count(result.same) if result else "",
            f"{found.gaps} ({found.missing_bars} bars)" if found.gaps else "",
            "; ".join(_found(item)),
        )
    return table


def _found(item: Outcome) -> Iterator[str]:
    if item.reason:
        yield item.reason.replace("[", "\\[")
    if item.findings is not None:
        for name, label in _FOUND:
            if count := getattr(item.findings, name):
                yield f"{count:,} {label}"
    if item.result is not None and item.result.revised:
        yield f"{item.result.revised:,} stored values revised"


def coverage_table(rows: Iterable[tuple[Coverage, str, dict[str, Any]]]) -> Table:
    """What is stored."""
    table = _table(
        "coin", "interval", "of", "from", "to", "bars", "gaps", "why", "synthetic", "source"
    )
    for held, coin, record in rows:
        missing = sum(gap.bars(INTERVAL_MS[held.interval]) for gap in held.gaps)
        table.add_row(
            coin,
            held.interval,
            str(held.source),
            format_moment(held.first_open_ms),
            format_moment(held.end_ms),
            _count(held.bars),
            f"{len(held.gaps)} ({missing} bars)" if missing else "none",
            _reasons(held).replace("[", "\\["),
            "synthetic" if record.get("synthetic") else "no",
            str(record.get("source", "")).replace("[", "\\["),
        )
    return table


def coverage_entry(held: Coverage, coin: str, record: dict[str, Any]) -> dict[str, Any]:
    """What is stored of one series, for programs."""
    step = INTERVAL_MS[held.interval]
    return {
        "coin": coin,
        "interval": held.interval,
        "source": str(held.source),
        "first_open_ms": held.first_open_ms,
        "end_ms": held.end_ms,
        "bars": held.bars,
        "missing_bars": sum(gap.bars(step) for gap in held.gaps),
        "gaps": [asdict(gap) for gap in held.gaps],
        "outside": [asdict(gap) for gap in held.outside],
        "synthetic": bool(record.get("synthetic", False)),
    }


def _reasons(held: Coverage) -> str:
    """How many bars are missing for which reason, the most first; empty where none is known."""
    lost: Counter[str] = Counter()
    step = INTERVAL_MS[held.interval]
    for gap in held.gaps:
        lost[gap.reason] += gap.bars(step)
    for gap in held.outside:
        lost[f"{gap.reason} {'before' if gap.end_ms <= held.first_open_ms else 'after'}"] += (
            gap.bars(step)
        )
    if set(lost) <= {UNKNOWN}:
        return ""
    return ", ".join(f"{reason} {count:,}" for reason, count in lost.most_common())


def _table(*names: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in names:
        is_number = name in {"rows", "new", "same", "bars", "gaps", "first price", "last price"}
        is_text = name in {"found", "source", "why"}
        table.add_column(
            name,
            justify="right" if is_number else "left",
            no_wrap=not is_text,
            overflow="fold" if is_text else "ellipsis",
        )
    return table


def _count(number: int) -> str:
    return f"{number:,}"
