"""Checks of what stops a trader, 24 and 37 to 41: each is tried, and nothing leaves."""

from collections.abc import Mapping, Sequence
from typing import Final

from hyperliquid_exchange.domain.safety import Cause, Level
from suite.checklist import Line, failed, judged, passed, skipped

BEAT_MS: Final = 10_000
MUST_REFUSE: Final = ("oversize", "off_collar", "wrong_symbol", "duplicate", "flipping")
"""Orders that the gate is tried with."""


def check_journal(files: int | None, fault: str) -> Line:
    """24: the journal of intents is whole from end to end."""
    fix = "keep the file, look at docs/runbooks/incident.md; never edit it"
    if files is None:
        return failed(24, "journal", fault, fix)
    return passed(24, "journal", f"whole from end to end, {files} files")


def check_latch(causes: Sequence[Cause]) -> Line:
    """37: nothing has been stopped that nobody has allowed again.

    What this check itself has set, because it was not green, does not count against it.
    """
    faults = [
        f"{cause.level.name} {cause.scope or 'all'} by {cause.by}: {cause.reason}"
        for cause in causes
        if cause.level > Level.LIVE and cause.by != "preflight"
    ]
    return judged(
        37,
        "kill latch",
        faults,
        "nothing is stopped",
        "find out why; then hyperliquid-exchange resume",
    )


def check_watchdog(beat_age_ms: int | None, *, other_key: bool | None) -> Line:
    """38: another process watches, with a key of its own.

    Args:
        beat_age_ms: since its last beat; None where there is none.
        other_key: its key is none of the traders'; None where it has none.
    """
    name, fix = "watchdog", "start `hyperliquid-exchange watchdog` beside the service"
    if beat_age_ms is None:
        return failed(38, name, "no beat", fix)
    if beat_age_ms >= BEAT_MS:
        return failed(38, name, f"its last beat is {beat_age_ms // 1000} s old", fix)
    if other_key is False:
        return failed(38, name, "it signs with a trader's key", "approve an agent of its own")
    return passed(38, name, f"beat {beat_age_ms} ms ago")


def check_alerts(channels: int, fault: str | None = "") -> Line:
    """39: somebody hears of it.

    Args:
        channels: that are configured.
        fault: why a test message was not taken; empty where it was, None where none was sent.
    """
    if channels and fault:
        return failed(39, "alerts", fault, "look at HYPERLIQUID_EXCHANGE_ALERT_WEBHOOK_URL")
    if channels and fault is None:
        return passed(39, "alerts", f"{channels} channel, not tried: preflight sends a message")
    if channels:
        return passed(39, "alerts", "a test message was taken")
    return skipped(
        39,
        "alerts",
        "no channel is configured: what is stopped is told in the log alone",
        "watch the log, or configure a channel",
        required=False,
    )


def check_gate(refusals: Mapping[str, str | None], fault: str = "") -> Line:
    """40: the gate refuses what it is there for; dry, nothing is signed.

    Args:
        refusals: what it said of each of `MUST_REFUSE`, and of an order that is `good`; None where
            it let it through.
        fault: why it could not be tried.
    """
    name, fix = "risk gate", "report it: a bug; or the limits are so wide that nothing is refused"
    if fault:
        return failed(40, name, fault, fix)
    faults = [f"{what} would leave" for what in MUST_REFUSE if refusals.get(what) is None]
    if refusals.get("good") is not None:
        faults.append(f"a good order would not leave: {refusals['good']}")
    return judged(40, name, faults, f"refuses {', '.join(MUST_REFUSE)}", fix)


def check_actions(refused: Mapping[str, bool]) -> Line:
    """41: money cannot leave: no action that moves it is signed.

    Args:
        refused: by name of the action, whether it was refused, dry.
    """
    faults = [f"{name} would be signed" for name, was in sorted(refused.items()) if not was]
    if not refused:
        faults.append("nothing was tried")
    told = f"{len(refused)} actions that move money are refused"
    return judged(41, "list of actions", faults, told, "report it: a bug")
