"""How much the properties have tried, told at the end of a run."""

from typing import Any


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Add up what the tests recorded, on whichever worker they ran."""
    reports = [report for kind in terminalreporter.stats.values() for report in kind]
    total = sum(
        int(value)
        for report in reports
        if getattr(report, "when", "") == "call"
        for name, value in report.user_properties
        if name == "sequences"
    )
    if total:
        terminalreporter.write_line(f"sequences run against the oracle: {total}")
