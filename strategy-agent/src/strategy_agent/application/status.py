"""What a trader is doing, for those who look at the process."""

from dataclasses import asdict, dataclass
from typing import Any, Literal


@dataclass(slots=True)
class Status:
    """One trader of the process; written by its task only.

    Attributes:
        now_ms: the venue's time of the last decision, 0 before it.
        equity: USD then, as text.
        missed_heartbeats: heartbeats that did not get through.
        error: why it failed, empty otherwise.
    """

    trader_id: str
    kind: str
    state: Literal["starting", "running", "ended", "failed"] = "starting"
    decisions: int = 0
    now_ms: int = 0
    equity: str = ""
    missed_heartbeats: int = 0
    error: str = ""

    def as_dict(self) -> dict[str, Any]:
        """The same as plain values."""
        return asdict(self)
