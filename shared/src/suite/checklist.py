"""A line of a checklist before live trading, and how lines are shown to people.

Numbers are those of the checklist in `docs/runbooks/go-live.md`; each program decides its own.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, Literal

import msgspec

Status = Literal["PASS", "WARN", "FAIL", "SKIP"]
_STATUSES: Final[tuple[Status, ...]] = ("PASS", "WARN", "FAIL", "SKIP")


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One check of one thing.

    Attributes:
        number: of the checklist.
        name: what was looked at.
        status: `FAIL` where live trading must not begin; a `SKIP` of what is required is a `FAIL`.
        reason: what was found, in one line.
        fix: what to do about it; empty where nothing has to be done.
    """

    number: int
    name: str
    status: Status
    reason: str
    fix: str = ""


def passed(number: int, name: str, reason: str) -> Line:
    """Say that all is well."""
    return Line(number=number, name=name, status="PASS", reason=reason)


def warned(number: int, name: str, reason: str, fix: str) -> Line:
    """Say what should be looked at."""
    return Line(number=number, name=name, status="WARN", reason=reason, fix=fix)


def failed(number: int, name: str, reason: str, fix: str) -> Line:
    """Say why live trading must not begin."""
    return Line(number=number, name=name, status="FAIL", reason=reason, fix=fix)


def skipped(number: int, name: str, reason: str, fix: str, *, required: bool) -> Line:
    """Say why a check could not be made; one that is required has failed by that."""
    status: Status = "FAIL" if required else "SKIP"
    return Line(number=number, name=name, status=status, reason=reason, fix=fix)


def judged(number: int, name: str, faults: Iterable[str], good: str, fix: str) -> Line:
    """Fail with all faults in one line, or pass."""
    found = tuple(faults)
    if found:
        return failed(number, name, "; ".join(found), fix)
    return passed(number, name, good)


def is_green(lines: Iterable[Line]) -> bool:
    """Whether no line failed."""
    return all(line.status != "FAIL" for line in lines)


def told(lines: Sequence[Line], of: str) -> Iterator[str]:
    """Lay lines out for a terminal: what to do below each, a verdict over all at the end.

    Args:
        lines: in their order.
        of: what was looked at, which the verdict begins with.
    """
    for line in lines:
        yield f"{line.status:4} {line.number:2} {line.name}: {line.reason}"
        if line.fix and line.status != "PASS":
            yield f"        {line.fix}"
    counts = [sum(line.status == one for line in lines) for one in _STATUSES]
    sums = ", ".join(f"{count} {name}" for count, name in zip(counts, _STATUSES, strict=True))
    yield f"{of}: {'green' if is_green(lines) else 'NOT green'} ({sums})"
