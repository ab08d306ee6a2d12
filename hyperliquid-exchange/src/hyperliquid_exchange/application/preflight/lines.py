"""A line of the checklist, and what all of them together say."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

import msgspec

Status = Literal["PASS", "WARN", "FAIL", "SKIP"]
FRESH_MS: Final = 15 * 60_000
"""How old a result may be when trading begins."""


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


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What a run of the checklist found, as it is kept.

    Attributes:
        mode: `live`, or `offline` for those checks that need no venue.
        network: that would be traded on.
        as_of_ms: wall time.
        config_hash: of the settings and the accounts file.
        build_hash: of the code.
        accounts: trader by trader, the address.
        lines: by number.
    """

    mode: Literal["live", "offline"]
    network: str
    as_of_ms: int
    config_hash: str
    build_hash: str
    accounts: dict[str, str]
    lines: tuple[Line, ...]

    @property
    def green(self) -> bool:
        """Whether no line failed."""
        return all(line.status != "FAIL" for line in self.lines)


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """What is about to trade: a result counts only for the very same."""

    network: str
    config_hash: str
    build_hash: str
    accounts: dict[str, str]


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


def refusal(result: Result | None, running: Running, now_ms: int) -> str | None:
    """Tell why a kept result does not let live trading begin; None where it does.

    Args:
        result: the last that was kept, None where there is none.
        running: what is about to trade.
        now_ms: wall time.
    """
    command = "run `hyperliquid-exchange preflight`"
    if result is None:
        return f"there is no preflight: {command}"
    if result.mode != "live":
        return f"the last check was offline: {command}"
    if not result.green:
        numbers = ", ".join(str(line.number) for line in result.lines if line.status == "FAIL")
        return f"the last preflight failed at {numbers}: {command} and do what it says"
    if result.as_of_ms > now_ms + FRESH_MS:
        return f"the last preflight is of the future: set the clock, and {command}"
    if now_ms - result.as_of_ms >= FRESH_MS:
        minutes = (now_ms - result.as_of_ms) // 60_000
        return f"the last preflight is {minutes} minutes old, at most 15 are allowed: {command}"
    for what, kept, present in (
        ("network", result.network, running.network),
        ("configuration", result.config_hash, running.config_hash),
        ("build", result.build_hash, running.build_hash),
        ("list of accounts", result.accounts, running.accounts),
    ):
        if kept != present:
            return f"the last preflight was of another {what}: {command}"
    return None
