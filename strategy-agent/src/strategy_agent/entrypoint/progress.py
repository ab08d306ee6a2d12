"""What the traders of a process are doing, on a screen: a table, or lines where there is none."""

import asyncio
import contextlib
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from strategy_agent.application.alpha_loop import AlphaLoop
from strategy_agent.application.status import Status

if TYPE_CHECKING:
    from rich.table import Table

_LOOK_S: Final = 0.5
_LINES_EVERY_S: Final = 30.0
_COLUMNS: Final = (
    "trader", "state", "time", "equity", "position", "decisions", "fills", "last verdict", "alert"
)  # fmt: skip


async def show_progress(alpha: AlphaLoop, ended: asyncio.Event) -> None:
    """Show until the event is set: a table on a terminal, else a line when something changes."""
    if sys.stdout.isatty():
        await _table(alpha, ended)
    else:
        await _lines(alpha, ended)


def outcome_of(alpha: AlphaLoop) -> list[str]:
    """Say how each run ended, a line for each that came to its end."""
    return [
        f"{result.trader_id}: ended at {result.ended_ms}, {result.decisions} decisions, "
        f"{result.actions_sent} actions, {result.fills} fills, equity {result.equity} USD"
        for instance in alpha.instances
        if (result := instance.result) is not None and instance.status.state == "ended"
    ]


def line_of(status: Status) -> str:
    """Write what one trader is doing in a line."""
    said = [_state(status), _time(status.now_ms)]
    if status.equity:
        said.append(f"equity {status.equity} USD")
    said += [_positions(status), f"{status.decisions} decisions", f"{status.fills} fills"]
    if status.last_verdict:
        said.append(f"last verdict {status.last_verdict}")
    if status.alert:
        said.append(status.alert)
    return f"{status.trader_id}: {', '.join(text for text in said if text)}"


async def _lines(alpha: AlphaLoop, ended: asyncio.Event) -> None:
    seen: dict[str, tuple[str, str, str]] = {}
    clock = asyncio.get_running_loop().time
    due = clock() + _LINES_EVERY_S
    while not ended.is_set():
        now = clock()
        for status in _statuses(alpha):
            mark = (status.state, status.status, status.alert)
            news = mark != seen.get(status.trader_id) and status.state == "running"
            seen[status.trader_id] = mark
            if news or (now >= due and status.state == "running"):
                print(line_of(status), flush=True)  # noqa: T201  the commands speak to people
        due = due if now < due else now + _LINES_EVERY_S
        await _pause(ended)


async def _table(alpha: AlphaLoop, ended: asyncio.Event) -> None:
    from rich.live import Live

    with Live(_drawn(_statuses(alpha)), auto_refresh=False, transient=True) as live:
        while not ended.is_set():
            live.update(_drawn(_statuses(alpha)), refresh=True)
            await _pause(ended)


def _drawn(statuses: Sequence[Status]) -> "Table":
    from rich.table import Table
    from rich.text import Text

    table = Table(*_COLUMNS, box=None, pad_edge=False)
    for status in statuses:
        cells = (
            status.trader_id,
            _state(status),
            _time(status.now_ms),
            status.equity,
            _positions(status),
            str(status.decisions),
            str(status.fills),
            status.last_verdict,
            status.alert,
        )
        table.add_row(*(Text(cell, overflow="ellipsis", no_wrap=True) for cell in cells))
    return table


def _statuses(alpha: AlphaLoop) -> list[Status]:
    return [instance.status for instance in alpha.instances]


def _state(status: Status) -> str:
    return status.status if status.state == "running" else status.state


def _positions(status: Status) -> str:
    held = (f"{size} {coin}" for coin, size in status.positions.items())
    return " ".join(held) or "flat"


def _time(now_ms: int) -> str:
    if not now_ms:
        return ""
    return datetime.fromtimestamp(now_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")


async def _pause(ended: asyncio.Event) -> None:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(ended.wait(), _LOOK_S)
