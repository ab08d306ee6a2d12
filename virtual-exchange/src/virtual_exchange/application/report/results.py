"""The report of a run, in the forms in which it is compared, read and looked at."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

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
        remarks: what to know before it is read, a line each.
        path: the page to look at.
    """

    sha256: str
    summary: "Table"
    remarks: tuple[str, ...]
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
    from virtual_exchange.application.report.console import leaderboard, remarks
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
    return Results(
        sha256=built["sha256"],
        summary=leaderboard(built),
        remarks=tuple(remarks(built)),
        path=page,
    )


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
