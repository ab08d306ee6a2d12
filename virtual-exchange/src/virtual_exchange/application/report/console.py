"""The leaderboard of a report, as a terminal shows it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from strategy_core.llm.cutoff import MEMORY
from suite.moments import format_moment

_COLUMNS = (
    "rank",
    "trader",
    "return",
    "95 % interval",
    "PnL USD",
    "drawdown",
    "Sharpe",
    "closed trades",
    "fills",
)


def leaderboard(report: Mapping[str, Any]) -> Table:
    """Lay out the leaderboard of a report, best first."""
    result = report["result"]
    market = ", ".join(result["coins"]) + (" · SYNTHETIC MARKET" if result["synthetic"] else "")
    table = Table(title=f"Leaderboard · {market}", title_justify="left", box=SIMPLE_HEAD)
    table.caption, table.caption_justify = result["leaderboard_note"], "left"
    for column in _COLUMNS:
        table.add_column(column, justify="left" if column == "trader" else "right")
    rows = report["charged"] or result["leaderboard"]
    billed = report["charged"] is not None  # a column of zeros would only take room
    if billed:
        table.add_column("model bill USD", justify="right")
    for row in rows:
        name = row["trader_id"]
        table.add_row(
            _rank(row),
            Text(name + _marks(row, report["guards"][name])),
            _percent(row["total_return"]),
            _interval(row["return_interval"]),
            _number(row["total_pnl"]),
            _percent(row["max_drawdown"]),
            "n/a" if row["sharpe"] is None else _number(row["sharpe"]),
            f"{row['total_trades']:,}",
            f"{len(result['traders'][name]['trades']):,}",
            *((_bill(report["models"].get(name)),) if billed else ()),
        )
    return table


def remarks(report: Mapping[str, Any]) -> Iterator[str]:
    """Say what a reader of the leaderboard would wonder at."""
    rows = report["charged"] or report["result"]["leaderboard"]
    if (pair := _overtaken(rows)) is not None:
        above, below = pair
        yield (
            f"A rank tells what is proven, not who earned most: {above['trader_id']} "
            f"({_percent(above['total_return'])}) stands above {below['trader_id']} "
            f"({_percent(below['total_return'])}), because luck may explain the first result, "
            "while the second trader is surely behind others."
        )
    for row in rows:
        guards = report["guards"][row["trader_id"]]
        if (stood := _standing(guards)) is not None:
            why = ", ".join(name.replace("_", " ") for name in stood["causes"])
            reason = ": ".join(filter(None, (why, stood["reason"]))) or "no reason is told"
            yield (
                f"{row['trader_id']} was {stood['status'].lower()} at the end, from "
                f"{format_moment(stood['from_ms'])} on: {reason}"
            )
    yield from _memory(report["models"])


def _bill(told: Mapping[str, Any] | None) -> str:
    """What models cost; a replay's is told as what it was."""
    if told is None or told["cost"] is None:
        return ""
    return f"{float(told['cost']):,.4f}{' (recorded)' if told['is_replayed'] else ''}"


def _memory(models: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """Say which models may have seen the prices, and which cannot."""
    for memory, said in MEMORY.items():
        names = [name for name, one in models.items() if one["memory"] == memory]
        if names:
            yield f"{', '.join(sorted(names))}: {said}"


def _overtaken(
    rows: Sequence[Mapping[str, Any]],
) -> tuple[Mapping[str, Any], Mapping[str, Any]] | None:
    """Find a trader of a higher rank that earned less than one of a lower, by the most."""
    ranked = [row for row in rows if row["rank"] is not None and row["total_return"] is not None]
    pairs = [
        (float(below["total_return"]) - float(above["total_return"]), above, below)
        for above in ranked
        for below in ranked
        if above["rank"] < below["rank"]
    ]
    most = max(pairs, key=lambda pair: pair[0], default=None)
    return None if most is None or most[0] <= 0 else most[1:]


def _standing(guards: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """Tell the pause or stop in which a trader was at the end."""
    stood: Sequence[Mapping[str, Any]] = guards["stood"] if guards else ()
    return stood[-1] if stood and stood[-1]["until_ms"] is None else None


def _marks(row: Mapping[str, Any], guards: Mapping[str, Any] | None) -> str:
    """What to know of a trader before its numbers are read."""
    stood = _standing(guards)
    marks = ("degraded" if row["degraded"] else "", stood["status"].lower() if stood else "")
    return "".join(f" ({mark})" for mark in marks if mark)


def _rank(row: Mapping[str, Any]) -> str:
    """Write it as the page does: tied traders share it, and a worse one may be the true one."""
    if row["rank"] is None:
        return "n/a"
    tied = "=" if row["tied_with"] else ""
    worst = f" to {row['rank_worst']}" if row["rank_worst"] > row["rank"] else ""
    return f"{tied}{row['rank']}{worst}"


def _interval(ends: Sequence[str | None] | None) -> str:
    if ends is None or None in ends:
        return "n/a"
    low, high = (_unsigned_zero(f"{100 * float(end or 0):+.1f}") for end in ends)
    return f"{low} to {high} %"


def _percent(share: str | None) -> str:
    return "n/a" if share is None else f"{_unsigned_zero(f'{100 * float(share):.2f}')} %"


def _number(text: str) -> str:
    return _unsigned_zero(f"{float(text):,.2f}")


def _unsigned_zero(text: str) -> str:
    return text if any(digit in text for digit in "123456789") else text.lstrip("+-")
