"""What all lines of the checklist together say, and whether that still counts."""

from dataclasses import dataclass
from typing import Final, Literal

import msgspec

from suite.checklist import Line, is_green

FRESH_MS: Final = 15 * 60_000
"""How old a result may be when trading begins."""


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
        return is_green(self.lines)


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """What is about to trade: a result counts only for the very same."""

    network: str
    config_hash: str
    build_hash: str
    accounts: dict[str, str]


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
