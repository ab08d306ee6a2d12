"""The port to the control APIs of running traders."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Protocol

from trader_manager.application.runtime import Sighting

Command = Literal["run-once", "pause", "resume", "flatten", "stop", "start"]


class AgentControl(Protocol):
    """Looks at running traders, and tells them what to do.

    Every call may raise `UpstreamUnavailable`: its process does not answer, or has no control API
    yet; what is asked of it is then unknown, never nothing.
    """

    async def status(self, trader_id: str, sighting: Sighting) -> Mapping[str, Any]:
        """Read the row of one trader in the status of its process."""
        ...

    async def decisions(
        self, trader_id: str, sighting: Sighting, *, limit: int, before: int | None = None
    ) -> Sequence[Mapping[str, Any]]:
        """Read its decisions, newest first."""
        ...

    async def tell(
        self, trader_id: str, sighting: Sighting, command: Command, *, reason: str
    ) -> Mapping[str, Any]:
        """Give a command; the answer is what became of it.

        Raises:
            Conflict: the trader refuses, with its reason.
        """
        ...
