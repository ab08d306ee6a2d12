"""Tells at the end how many planted bugs were caught."""

from typing import Any


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Count the reports, on whichever worker they ran."""
    caught, missed = (
        sum("planted_bug" in report.nodeid for report in terminalreporter.stats.get(kind, []))
        for kind in ("passed", "failed")
    )
    if caught or missed:
        terminalreporter.write_line(f"planted bugs caught: {caught} of {caught + missed}")
