"""Checks, a line each, and what they mean for the exit code."""

from collections.abc import Iterable
from dataclasses import dataclass

from rich.console import Console
from rich.text import Text

from suite.errors import one_line
from suite.service.cli import EXIT_FAILURE, EXIT_OK


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One finding.

    Attributes:
        name: of what was looked at.
        problem: what is wrong, and what to do; empty where nothing is.
        told: what was found where nothing is wrong.
    """

    name: str
    problem: str = ""
    told: str = ""


def tell(checks: Iterable[Check]) -> int:
    """Print checks as they come; the exit code: a failure where there is a problem."""
    console, problems, count = Console(highlight=False, soft_wrap=True), 0, 0
    for check in checks:
        count += 1
        problems += bool(check.problem)
        mark = Text("PROBLEM" if check.problem else "ok", style="red" if check.problem else "green")
        mark.pad_right(9 - len(mark))
        console.print(
            mark, Text(f"{check.name:<22} {one_line(check.problem or check.told)}"), sep=""
        )
    told = (
        f"{problems} of {count} checks found a problem" if problems else f"{count} checks, all ok"
    )
    console.print(told)
    return EXIT_FAILURE if problems else EXIT_OK
