"""Shows how far an arena is: a bar on a terminal, else a line now and then."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from typing import Final

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from trader_manager.application.arena.parts import ArenaProgress

_LOOK_S: Final = 0.25
_LINE_S: Final = 10.0


@contextlib.asynccontextmanager
async def shown(progress: ArenaProgress) -> AsyncIterator[None]:
    """Show it while the context is open, on stderr."""
    console = Console(stderr=True)
    follow = _bar if console.is_terminal else _lines
    task = asyncio.create_task(follow(progress, console))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def summary(progress: ArenaProgress, began_s: float) -> str:
    """Say it in a line.

    Args:
        progress: of the arena.
        began_s: when its parts began, on the monotonic clock.
    """
    return (
        f"{progress.finished} of {progress.traders} traders, {100 * progress.share:.1f} %, "
        f"{progress.rates(began_s, time.monotonic())}"
    )


async def _lines(progress: ArenaProgress, _console: Console) -> None:
    def say(began_s: float) -> None:
        typer.echo(f"arena: {summary(progress, began_s)}", err=True)

    await _follow(say, _LINE_S)


async def _bar(progress: ArenaProgress, console: Console) -> None:
    columns = (
        TextColumn("arena {task.fields[traders]}"),
        BarColumn(),
        TextColumn("{task.percentage:>5.1f} %  {task.fields[rates]}"),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("arena", total=1.0, traders="", rates="")

        def show(began_s: float) -> None:
            bar.update(
                task,
                completed=progress.share,
                traders=f"{progress.finished}/{progress.traders}",
                rates=str(progress.rates(began_s, time.monotonic())),
            )

        await _follow(show, _LOOK_S)


async def _follow(show: Callable[[float], None], every_s: float) -> None:
    began_s = time.monotonic()
    while True:
        await asyncio.sleep(every_s)
        show(began_s)
