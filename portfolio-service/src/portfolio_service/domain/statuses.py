"""What a trader is: LIVE while it runs, STOPPED while not, PAUSED until it is resumed, or unknown.

Source: risk and execution reference 10; the source design's portfolio sync.
"""

from dataclasses import dataclass
from typing import Final, Literal

Status = Literal["LIVE", "PAUSED", "STOPPED", "unknown"]

_SAYS: Final[dict[str, Status]] = {"LIVE": "LIVE", "PAUSED": "PAUSED", "STOPPED": "STOPPED"}


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenTrader:
    """What the manager says of a trader.

    Attributes:
        desired: `running` or `stopped`.
        actual: what is seen of its process.
        state: of its task; empty where its process does not answer.
        says: what it says that it may do; empty likewise.
        trouble: what is wrong, in words; empty for nothing.
    """

    desired: str
    actual: str
    state: str = ""
    says: str = ""
    trouble: str = ""


def status_of(seen: SeenTrader, before: Status) -> tuple[Status, str]:
    """Say what a trader is, and why, where that is not plain.

    Args:
        seen: now.
        before: what it was; `unknown` at first.
    """
    if seen.state in {"ended", "failed"}:
        return "STOPPED", seen.trouble or f"its run has {seen.state}"
    if seen.says:
        return _SAYS.get(seen.says, "unknown"), seen.trouble
    if seen.actual == "running":
        return "unknown", seen.trouble or "its process does not answer"
    if seen.desired == "running" and seen.actual != "ended":
        why = seen.trouble or f"it is to run, and seen {seen.actual}"
        return ("PAUSED" if before == "PAUSED" else "STOPPED"), why
    return "STOPPED", seen.trouble
