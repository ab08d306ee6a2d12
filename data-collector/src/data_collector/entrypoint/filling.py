"""A backfill for people at a terminal: a bar for each coin while it runs, a table at the end."""

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from data_collector.application.backfilling import Filled
from data_collector.entrypoint.console import make_console

_COLORS = {"filled": "green", "failed": "red"}


class FillProgress:
    """Shows the bars on stderr, when that is a terminal, and keeps what became of each coin.

    Args:
        coins: how many there are; where they are more than fit, those at work are shown.
    """

    def __init__(self, coins: int) -> None:
        console = Console(stderr=True)
        columns = (
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
            TextColumn("{task.fields[unit]}"), TimeElapsedColumn(),
            TextColumn("left"), TimeRemainingColumn(),
        )  # fmt: skip
        self._bars = Progress(
            *columns, console=console, transient=True, disable=not console.is_terminal
        )
        self._all = self._bars.add_task("all", total=coins, unit="coins")
        self._tasks: dict[str, TaskID] = {}
        self.outcomes: list[Filled] = []

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self._bars.stop()

    def progress(self, coin: str, done: int, total: int) -> None:
        """Move the bar of a coin."""
        if coin not in self._tasks:
            self._tasks[coin] = self._bars.add_task(coin, unit="bars")
        self._bars.update(self._tasks[coin], completed=done, total=total)

    def finished(self, filled: Filled) -> None:
        """Keep what became of a coin."""
        self.outcomes.append(filled)
        self._bars.advance(self._all)
        if filled.coin in self._tasks:
            self._bars.remove_task(self._tasks.pop(filled.coin))

    def show(self) -> None:
        """Print the table, and a line for each reason."""
        console = make_console()
        console.print(_table(self.outcomes))
        for item in self.outcomes:
            if item.reason:
                sign = "FAILED " if item.status == "failed" else ""
                console.print(f"{sign}{item.coin}: {item.reason}", markup=False, soft_wrap=True)


def _table(outcomes: list[Filled]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("coin", "", "new bars", "revised", "missing", "new funding"):
        table.add_column(name, justify="left" if name in {"coin", ""} else "right", no_wrap=True)
    for item in sorted(outcomes, key=lambda item: item.coin):
        color = _COLORS.get(item.status)
        numbers = (item.added, item.revised, item.missing, item.funding_added)
        table.add_row(
            item.coin,
            f"[{color}]{item.status}[/]" if color else item.status,
            *(f"{number:,}" for number in numbers),
        )
    return table
