"""A live view of the fleet in a terminal, or one table where there is none."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from rich.cells import cell_len
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from suite.errors import SuiteError
from suite.fixed import USD_ONE
from suite.moments import format_moment
from trader_manager.commands.fleet_client import FleetClient

_BARS: Final = "▁▂▃▄▅▆▇█"
_WIDTH: Final = 10
"""Samples of a PnL line."""
_GAP: Final = 2
_WORDS_MIN: Final = 16
"""Less of a text says nothing."""
_ROWS_MAX: Final = 40
"""Traders that are shown, best first: a terminal has no more lines."""
_PAUSE_S: Final = 1.0
_UNKNOWN: Final = "–"
_COLORS: Final = {"running": "green", "ended": "blue", "absent": "dim"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the view; what is not known is a dash, and not 0.

    Attributes:
        own_return: since its own start, as the equity beside it is.
        shared_return, drawdown: over the window of the board.
    """

    trader: str
    state: str
    equity: str
    own_return: str
    shared_return: str
    pnl: str
    drawdown: str
    position: str
    decision: str
    trouble: str


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """All of it, as of one look."""

    title: str
    rows: tuple[Row, ...]
    troubles: tuple[str, ...]


def monitor(client: FleetClient, *, once: bool, console: Console | None = None) -> None:
    """Show the fleet until Ctrl-C; once where that is wanted, or there is no terminal.

    Raises:
        SuiteError: the only look failed.
    """
    console = console or Console()
    if once or not console.is_terminal:
        console.print(drawn(look(client), width=console.width))
        return
    last = View(title=client.url, rows=(), troubles=())
    begun = drawn(last, width=console.width)
    with Live(begun, console=console, screen=True, auto_refresh=False) as live:
        try:
            while True:
                try:
                    last = look(client)
                    shown = last
                except SuiteError as error:  # it may begin anew: what was seen last stays
                    shown = View(title=last.title, rows=last.rows, troubles=(str(error),))
                live.update(drawn(shown, width=console.width), refresh=True)
                time.sleep(_PAUSE_S)
        except KeyboardInterrupt:
            return


def look(client: FleetClient) -> View:
    """Look at the fleet once.

    Raises:
        SuiteError: the manager does not answer, or refuses.
    """
    listed = client.get("/traders")
    troubles = [f"manager: {listed['trouble']}"] if listed["trouble"] else []
    board: Mapping[str, Any] = {}
    title = client.url
    try:
        answer = client.get("/leaderboard")
        board = {row["trader_id"]: row for row in answer["board"]["rows"]}
        title = f"{client.url}  world {answer['world']}  {format_moment(answer['now_ms'])} UTC"
        title += f"\n{_window(answer['board'])}"
        if answer["trouble"]:
            troubles.append(f"venue: {answer['trouble']}")
    except SuiteError as error:
        troubles.append(f"leaderboard: {error}")
    places = {name: place for place, name in enumerate(board)}
    traders = sorted(
        listed["traders"],
        key=lambda row: (places.get(row["trader_id"], len(places)), row["trader_id"]),
    )
    if len(traders) > _ROWS_MAX:
        troubles.append(f"{len(traders) - _ROWS_MAX} more traders are not shown")
    rows = tuple(
        _row(client, trader, board.get(trader["trader_id"], {})) for trader in traders[:_ROWS_MAX]
    )
    return View(title=title, rows=rows, troubles=tuple(troubles))


def _window(board: Mapping[str, Any]) -> str:
    """Say over what time the board compares, and which columns are of it."""
    own = "return: since the trader's own start"
    if board["from_ms"] is None or board["to_ms"] is None:
        return f"{own}; there is no time yet that traders share"
    begin, end = format_moment(board["from_ms"]), format_moment(board["to_ms"])
    return f"{own}; shared, drawdown: {begin} to {end} UTC"


def _row(client: FleetClient, trader: Mapping[str, Any], ranked: Mapping[str, Any]) -> Row:
    name, status = trader["trader_id"], trader["status"] or {}
    history = _or_nothing(client, f"/traders/{name}/history", points=_WIDTH)
    decided = _or_nothing(client, f"/traders/{name}/decisions", limit=1)
    held = status.get("positions") or {}
    return Row(
        trader=name,
        state=_state(trader, status),
        equity=_usd(history["equity_usd"][-1]) if history.get("equity_usd") else _UNKNOWN,
        own_return=_percent(history.get("total_return")),
        shared_return=_percent(ranked.get("total_return")),
        pnl=sparkline(_profits(history)),
        drawdown=_percent(ranked.get("max_drawdown")),
        position=", ".join(f"{size} {coin}" for coin, size in held.items())
        or ("flat" if status else _UNKNOWN),
        decision=_decision(decided.get("decisions") or ()),
        trouble=trader["problem"] or trader["reason"] or status.get("error", "") or _why(status),
    )


def _or_nothing(client: FleetClient, path: str, **query: int) -> Mapping[str, Any]:
    """Read what may not be known just now."""
    try:
        found: Mapping[str, Any] = client.get(path, **query)
    except SuiteError:
        return {}
    return found


def _state(trader: Mapping[str, Any], status: Mapping[str, Any]) -> str:
    step = "" if trader["step"] == "none" else f" → {trader['step']}"
    may = f" {status['status']}" if status.get("status", "LIVE") != "LIVE" else ""
    return f"{trader['actual']}{may}{step}"


def _why(status: Mapping[str, Any]) -> str:
    """Tell why one that runs does not trade as it should."""
    causes = ", ".join(status.get("causes") or ())
    told = (str(status.get(name, "")) for name in ("lost_reason", "model_fault", "last_fault"))
    return causes or next(filter(None, told), "")


def _decision(decisions: Sequence[Mapping[str, Any]]) -> str:
    if not decisions:
        return _UNKNOWN
    last = decisions[0]
    words = str(last.get("fault") or last.get("reasoning") or "").split("\n")[0]
    return f"{last['decision']}: {words}" if words else f"{last['decision']}"


def _profits(history: Mapping[str, Any]) -> list[int]:
    """Equity less what was paid in and what the models cost, micro-USD."""
    if not history:
        return []
    columns = (history["equity_usd"], history["net_deposits_usd"], history["llm_cost_usd"])
    return [equity - paid - cost for equity, paid, cost in zip(*columns, strict=True)]


def sparkline(values: Sequence[int]) -> str:
    """Draw values as bars between the lowest and the highest."""
    if not values:
        return _UNKNOWN
    low, high = min(values), max(values)
    span = high - low
    if not span:
        return _BARS[3] * len(values)
    return "".join(_BARS[(value - low) * (len(_BARS) - 1) // span] for value in values)


def _usd(micro_usd: int) -> str:
    return f"{micro_usd / USD_ONE:,.2f}"


def _percent(share: float | None) -> str:
    return _UNKNOWN if share is None else f"{100 * share:z.2f} %"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Column:
    """One column; those to the right go first where the terminal is narrow.

    Attributes:
        name: its head.
        cell: what it shows of a row.
        most: characters that it takes at most.
        right: figures, by their last digit.
        stays: it is shown however narrow the terminal is.
    """

    name: str
    cell: Callable[[Row], Text]
    most: int
    right: bool = False
    stays: bool = False


_TROUBLE: Final = _Column(name="trouble", cell=lambda row: Text(row.trouble, style="red"), most=32)
_COLUMNS: Final = (
    _Column(name="trader", cell=lambda row: Text(row.trader), most=18, stays=True),
    _Column(
        name="state",
        cell=lambda row: Text(row.state, style=_COLORS.get(row.state.split()[0], "red")),
        most=18,
        stays=True,
    ),
    _Column(name="equity", cell=lambda row: Text(row.equity), most=16, right=True, stays=True),
    _Column(name="return", cell=lambda row: Text(row.own_return), most=12, right=True, stays=True),
    _Column(name="shared", cell=lambda row: Text(row.shared_return), most=12, right=True),
    _Column(name="PnL", cell=lambda row: Text(row.pnl), most=_WIDTH),
    _Column(name="drawdown", cell=lambda row: Text(row.drawdown), most=9, right=True),
    _Column(name="position", cell=lambda row: Text(row.position), most=24),
    _TROUBLE,
)
_DECISION: Final = _Column(
    name="last decision", cell=lambda row: Text(row.decision), most=_WORDS_MIN
)
"""Behind all others, and as wide as they leave it."""


def drawn(view: View, *, width: int) -> Group:
    """Draw a view for a terminal of so many characters a line.

    What somebody looks for first stays whole; texts are cut, and have no column at all where there
    is no room for one. What is wrong with a trader is told below the table then.
    """
    table = Table(title=Text(view.title), title_justify="left", box=None, pad_edge=False)
    table.padding = (0, _GAP, 0, 0)
    columns = _fitting(view.rows, width)
    for column, wide in columns:
        table.add_column(
            column.name,
            justify="right" if column.right else "left",
            width=wide,
            no_wrap=True,
            overflow="ellipsis",
        )
    for row in view.rows:
        table.add_row(*(column.cell(row) for column, _ in columns))
    told = [] if any(column is _TROUBLE for column, _ in columns) else view.rows
    lines = (*(f"{row.trader}: {row.trouble}" for row in told if row.trouble), *view.troubles)
    return Group(table, *(Text(line, style="bold red") for line in lines))


def _fitting(rows: Sequence[Row], width: int) -> Sequence[tuple[_Column, int]]:
    """Choose the columns that a line has room for, and how wide each is."""
    fitting: list[tuple[_Column, int]] = []
    left = width
    for column in _COLUMNS:
        cells = [cell_len(column.cell(row).plain) for row in rows]
        if column is _TROUBLE and not any(cells):
            continue
        wide = min(column.most, max(cell_len(column.name), *cells, 0))
        if wide > left and not column.stays:
            return fitting
        fitting.append((column, wide))
        left -= wide + _GAP
    if left >= _DECISION.most:
        fitting.append((_DECISION, left))
    return fitting
