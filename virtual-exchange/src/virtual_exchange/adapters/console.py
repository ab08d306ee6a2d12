"""The report in a terminal: the leaderboard, what it was made from, and the hash of it."""

from datetime import UTC, datetime
from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from suite.bars import DAY_MS

_COLUMNS = (
    "#",
    "trader",
    "return",
    "PnL USD",
    "Sharpe",
    "max drawdown",
    "win rate",
    "trades",
    "fees",
    "funding",
)


def render_summary(report: dict[str, Any]) -> RenderableType:
    """Lay out a report for a terminal, best trader first.

    Args:
        report: as `virtual_exchange.application.report.build_report` returns it.
    """
    result = report["result"]
    parts: list[RenderableType] = [_heading(result)]
    if result["synthetic"]:
        parts.append(
            Text(" SYNTHETIC MARKET ", style="bold black on yellow")
            + Text("  prices were generated, not recorded", style="yellow")
        )
    parts.append(_leaderboard(result["leaderboard"]))
    if any(row["sharpe"] is None for row in result["leaderboard"]):
        parts.append(Text("Sharpe needs 30 days of returns that vary.", style="dim"))
    parts.append(Text("sha256 ", style="dim").append(report["sha256"], style="not dim"))
    return Group(*parts)


def _heading(result: dict[str, Any]) -> Text:
    period = result["period"]
    days = (period["to_ms"] - period["from_ms"]) / DAY_MS
    text = Text("Backtest", style="bold")
    text.append(f"  {', '.join(result['coins'])}", style="not bold")
    text.append(
        f"  {_moment(period['from_ms'])} to {_moment(period['to_ms'])} UTC ({days:.4g} days)",
        style="not bold dim",
    )
    if not result["finished"]:
        text.append("  NOT FINISHED", style="bold red")
    return text


def _leaderboard(rows: list[dict[str, Any]]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in _COLUMNS:
        table.add_column(
            column,
            justify="left" if column == "trader" else "right",
            overflow="fold" if column == "trader" else "ellipsis",
            no_wrap=column != "trader",
        )
    for row in rows:
        name = Text(row["trader_id"], style="bold")
        if row["degraded"]:
            name.append(" degraded", style="red")
        table.add_row(
            str(row["rank"]),
            name,
            _signed(row["total_return"], percent=True),
            _signed(row["total_pnl"]),
            "n/a" if row["sharpe"] is None else f"{float(row['sharpe']):.2f}",
            _share(row["max_drawdown"]),
            _share(row["win_rate"]),
            str(row["total_trades"]),
            f"{float(row['fees']):,.2f}",
            _signed(row["funding"]),
        )
    return table


def _moment(ms: int) -> str:
    return f"{datetime.fromtimestamp(ms / 1000, UTC):%Y-%m-%d %H:%M}"


def _share(value: str | None) -> str:
    return "n/a" if value is None else f"{100 * float(value):.2f} %"


def _signed(value: str, *, percent: bool = False) -> Text:
    number = float(value)
    style = "green" if number > 0 else "red" if number < 0 else ""
    return Text(f"{100 * number:+.2f} %" if percent else f"{number:+,.2f}", style=style)
