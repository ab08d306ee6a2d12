"""The report of a run, in the forms in which it is compared, read and looked at."""

from dataclasses import dataclass
from pathlib import Path

from virtual_exchange.domain.record import RunRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """What was written.

    Attributes:
        sha256: of the canonical result.
        summary: for the console.
    """

    sha256: str
    summary: str


def canonical_report(record: RunRecord) -> tuple[bytes, str]:
    """Write a run's report as canonical JSON.

    Returns:
        The report, and the SHA-256 of its `result`.
    """
    from virtual_exchange.application import report

    built = report.build_report(record)
    return report.encode_report(built), built["sha256"]


def write_results(record: RunRecord, out_dir: Path) -> Results:
    """Write report.json and report.html."""
    from virtual_exchange.application import report

    built = report.build_report(record)
    out_dir.mkdir(parents=True, exist_ok=True)
    (out_dir / "report.json").write_bytes(report.encode_report(built))
    return Results(sha256=built["sha256"], summary="")
