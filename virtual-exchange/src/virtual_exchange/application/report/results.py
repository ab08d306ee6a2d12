"""The report of a run, in the forms in which it is compared, read and looked at."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from suite.errors import StorageError
from virtual_exchange.domain.record import RunRecord

if TYPE_CHECKING:
    from rich.table import Table


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """What was written.

    Attributes:
        sha256: of the canonical result.
        summary: the leaderboard, for the console.
        path: the page to look at.
    """

    sha256: str
    summary: "Table"
    path: Path


def canonical_report(record: RunRecord) -> tuple[bytes, str]:
    """Write a run's report as canonical JSON.

    Returns:
        The report, and the SHA-256 of its `result`.
    """
    from virtual_exchange.application.report import building as report

    built = report.build_report(record)
    built["manifest"]["commit"] = commit()
    return report.encode_report(built), built["sha256"]


def write_results(record: RunRecord, out_dir: Path) -> Results:
    """Write report.json and report.html; the page takes its numbers from the report.

    Raises:
        StorageError: the folder cannot be written.
    """
    from virtual_exchange.application.report import building as report
    from virtual_exchange.application.report.page import render_page

    built = report.build_report(record)
    built["manifest"]["commit"] = commit()
    page = out_dir / "report.html"
    make_folder(out_dir)
    try:
        (out_dir / "report.json").write_bytes(report.encode_report(built))
        page.write_text(render_page(built), encoding="utf-8")
    except OSError as error:
        raise StorageError(f"cannot write the report to {out_dir}: {error.strerror}") from error
    return Results(sha256=built["sha256"], summary=leaderboard(built), path=page)


def make_folder(out_dir: Path) -> None:
    """Make the folder of a report.

    Raises:
        StorageError: it cannot be made or written.
    """
    try:
        out_dir.mkdir(parents=True, exist_ok=True)
        probe = out_dir / ".writable"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise StorageError(f"cannot write to {out_dir}: {error.strerror}") from error


def commit() -> str | None:
    """Commit of the checkout that this program runs from, None outside of one."""
    folder = next((path for path in Path(__file__).parents if (path / ".git").is_dir()), None)
    if folder is None:
        return None
    head = (folder / ".git" / "HEAD").read_text().strip()
    if not head.startswith("ref: "):
        return head
    ref = folder / ".git" / head.removeprefix("ref: ")
    if ref.exists():
        return ref.read_text().strip()
    packed = folder / ".git" / "packed-refs"
    lines = packed.read_text().splitlines() if packed.exists() else []
    name = head.removeprefix("ref: ")
    return next((line.split()[0] for line in lines if line.endswith(f" {name}")), None)


def leaderboard(report: dict[str, Any]) -> "Table":
    """Lay out the leaderboard of a report for the console, best first."""
    from rich.table import Table
    from rich.text import Text

    result = report["result"]
    market = ", ".join(result["coins"]) + (" · SYNTHETIC MARKET" if result["synthetic"] else "")
    table = Table(title=f"Leaderboard · {market}", title_justify="left")
    table.caption, table.caption_justify = result["leaderboard_note"], "left"
    for column in ("rank", "trader", "return", "PnL USD", "max drawdown", "Sharpe", "trades"):
        table.add_column(column, justify="left" if column == "trader" else "right")
    for row in result["leaderboard"]:
        table.add_row(
            "n/a" if row["rank"] is None else str(row["rank"]),
            Text(row["trader_id"] + _marks(row, report["guards"][row["trader_id"]])),
            _percent(row["total_return"]),
            f"{float(row['total_pnl']):,.2f}",
            _percent(row["max_drawdown"]),
            "n/a" if row["sharpe"] is None else f"{float(row['sharpe']):.2f}",
            str(row["total_trades"]),
        )
    return table


def _marks(row: dict[str, Any], guards: dict[str, Any] | None) -> str:
    """What to know of a trader before its numbers are read."""
    stood = guards["stood"] if guards else []
    ended = stood[-1]["status"].lower() if stood and stood[-1]["until_ms"] is None else ""
    marks = ("degraded" if row["degraded"] else "", ended)
    return "".join(f" ({mark})" for mark in marks if mark)


def _percent(share: str | None) -> str:
    return "n/a" if share is None else f"{100 * float(share):.2f} %"
