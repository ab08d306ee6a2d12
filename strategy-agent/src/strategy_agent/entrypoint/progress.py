"""What the traders of a process are doing, on a screen: a table, or lines where there is none."""

import asyncio
import contextlib
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from strategy_agent.application.alpha_loop import AlphaLoop
from strategy_agent.application.instance import StrategyInstance
from strategy_agent.application.status import Status
from suite.clock import Clock

if TYPE_CHECKING:
    from rich.table import Table

_LOOK_S: Final = 0.5
_NEWS_MS: Final = 60_000
_LINES_EVERY_S: Final = 30.0
_LONG_MS: Final = 5_000
"""After which a decision that is not made yet is news."""
_COLUMNS: Final = (
    "trader", "state", "time", "equity", "position", "decisions", "fills", "last verdict", "alert"
)  # fmt: skip


class Progress:
    """Shows the traders of a process while they run, and how they ended.

    Args:
        alpha: the traders.
        wall: the machine's clock.
        control_url: of the control API, empty without one.
    """

    def __init__(self, alpha: AlphaLoop, *, wall: Clock, control_url: str = "") -> None:
        self._alpha = alpha
        self._wall = wall
        self._control_url = control_url
        self._seen: dict[str, tuple[object, ...]] = {}

    async def show(self, ended: asyncio.Event) -> None:
        """Show until the event is set: a table on a terminal, else a line for each change."""
        if sys.stdout.isatty():
            await self._table(ended)
        else:
            await self._lines(ended)

    def outcome(self) -> list[str]:
        """Say how each trader ended, a line for each; why one failed is told as its fault."""
        return [line for one in self._alpha.instances if (line := self._outcome_of(one))]

    def news(self) -> Iterator[str]:
        """Write a line for each trader of which something has changed since the last time."""
        for status in self._statuses():
            deciding_ms = self._deciding_ms(status)
            mark = (
                status.state,
                status.connection,
                status.status,
                status.alert,
                status.deciding_since_ms if deciding_ms >= _LONG_MS else 0,
            )
            before = self._seen.get(status.trader_id)
            self._seen[status.trader_id] = mark
            if mark != before and self._is_news(status, before):
                yield self.line_of(status)

    def line_of(self, status: Status) -> str:
        """Write what one trader is doing in a line."""
        said = [_doing(status), _time(status.now_ms)]
        deciding_s = self._deciding_ms(status) // 1000
        if deciding_s:
            said.append(f"deciding since {deciding_s} s")
        if status.equity:
            said.append(f"equity {status.equity} USD")
        if status.now_ms:
            said += [_positions(status), f"{_counts(status)} since the start"]
        if status.last_verdict:
            said.append(f"last verdict {status.last_verdict}")
        if status.state == "failed":
            said.append(f"{status.error}{self._way_out()}")
        elif alert := self._alert(status):
            said.append(alert)
        return f"{status.trader_id}: {', '.join(text for text in said if text)}"

    def _alert(self, status: Status) -> str:
        """The last alert while it is news; what lasts is in the state."""
        return status.alert if self._wall.now_ms() - status.alert_ms < _NEWS_MS else ""

    async def _lines(self, ended: asyncio.Event) -> None:
        clock = asyncio.get_running_loop().time
        due = clock() + _LINES_EVERY_S
        while not ended.is_set():
            lines = list(self.news())
            if clock() >= due:
                due = clock() + _LINES_EVERY_S
                lines = [
                    self.line_of(status)
                    for status in self._statuses()
                    if status.state not in {"idle", "ended", "failed"}
                ]
            for line in lines:
                print(line, flush=True)  # noqa: T201  the commands speak to people
            await _pause(ended)

    async def _table(self, ended: asyncio.Event) -> None:
        from rich.live import Live

        with Live(self._drawn(), auto_refresh=False, transient=True) as live:
            while not ended.is_set():
                live.update(self._drawn(), refresh=True)
                await _pause(ended)

    def _drawn(self) -> "Table":
        from rich.table import Table
        from rich.text import Text

        table = Table(*_COLUMNS, box=None, pad_edge=False)
        for status in self._statuses():
            deciding_s = self._deciding_ms(status) // 1000
            cells = (
                status.trader_id,
                f"{_state(status)}, deciding since {deciding_s} s"
                if deciding_s
                else _state(status),
                _time(status.now_ms),
                status.equity,
                _positions(status),
                str(status.decisions),
                str(status.fills),
                status.last_verdict,
                status.error if status.state == "failed" else self._alert(status),
            )
            table.add_row(*(Text(cell, overflow="ellipsis", no_wrap=True) for cell in cells))
        return table

    def _is_news(self, status: Status, before: tuple[object, ...] | None) -> bool:
        """Whether a change is worth a line; how a trader ends is told by its outcome."""
        if status.state == "failed":
            return bool(self._control_url)  # without a control API the process ends, and tells it
        if status.state == "starting":
            return status.connection == "connected"
        return status.state in {"running", "retrying"} or (
            status.state == "ended" and before is not None and bool(self._control_url)
        )

    def _outcome_of(self, one: StrategyInstance) -> str:
        status, result = one.status, one.result
        if status.state == "ended" and result is not None:
            return (
                f"{status.trader_id}: ended at {_time(result.ended_ms)}, {_counts(status)}, "
                f"{result.actions_sent} actions, equity {result.equity} USD"
            )
        if status.state == "idle" and status.now_ms:
            said = ["stopped", _positions(status), f"{_counts(status)} since the start"]
            if status.equity:
                said.append(f"equity {status.equity} USD")
            if status.stopped:
                said.append(status.stopped)
            return f"{status.trader_id}: {', '.join(said)}"
        if status.state == "idle":
            return f"{status.trader_id}: stopped before its first turn"
        return ""

    def _way_out(self) -> str:
        if not self._control_url:
            return ""
        return f"; POST {self._control_url}/start tries again, Ctrl-C or SIGTERM ends the process"

    def _statuses(self) -> Sequence[Status]:
        return [instance.status for instance in self._alpha.instances]

    def _deciding_ms(self, status: Status) -> int:
        since_ms = status.deciding_since_ms
        return self._wall.now_ms() - since_ms if since_ms else 0


def _counts(status: Status) -> str:
    decisions, fills = status.decisions, status.fills
    return (
        f"{decisions} decision{'' if decisions == 1 else 's'}, "
        f"{fills} fill{'' if fills == 1 else 's'}"
    )


def _doing(status: Status) -> str:
    if status.state == "starting" and status.connection == "connected":
        return "connected, waits for its account"
    return _state(status)


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
