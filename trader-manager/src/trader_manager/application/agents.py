"""The port to the control APIs of running traders."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal, Protocol

from trader_manager.application.runtime import Launch, Sighting

Command = Literal["run-once", "pause", "resume", "flatten", "stop", "start"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """Decisions that a process tells of one run of a trader.

    Attributes:
        world: that they were taken in, as the venue names it; empty where money is real.
        rows: newest first.
    """

    world: str
    rows: Sequence[Mapping[str, Any]]


class AgentHost(Protocol):
    """Puts traders into processes that host them."""

    async def host(self, launch: Launch, sighting: Sighting) -> None:
        """Put a trader into its process, with its secrets.

        Args:
            launch: the trader.
            sighting: of the process.

        Raises:
            UpstreamUnavailable: the process does not answer.
            SuiteError: it refuses, in its words.
        """
        ...


class AgentControl(Protocol):
    """Looks at running traders, and tells them what to do.

    Every call may raise `UpstreamUnavailable`: its process does not answer, or has no control API
    yet; what is asked of it is then unknown, never nothing. One that tells it something may raise
    `UpstreamTimeout`: it was told, and whether it does it is not known.
    """

    async def status(self, trader_id: str, sighting: Sighting) -> Mapping[str, Any]:
        """Read the row of one trader in the status of its process."""
        ...

    async def leave(self, trader_id: str, sighting: Sighting) -> None:
        """Say that its next end is for good, so that no venue's time waits for it any more."""
        ...

    async def decisions(
        self, trader_id: str, sighting: Sighting, *, limit: int, before: int | None = None
    ) -> Decided:
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

    async def allocate(
        self, trader_id: str, sighting: Sighting, usd: Decimal | None, *, reason: str
    ) -> Mapping[str, Any]:
        """Let it use so much of its account, USD, or all of it; the answer is what became of it.

        Raises:
            Conflict: the trader refuses, with its reason.
        """
        ...

    async def preview(self, trader_id: str, sighting: Sighting) -> Mapping[str, Any]:
        """Ask what it would decide now; nothing of it is carried out.

        Raises:
            Conflict: the trader refuses, with its reason.
        """
        ...

    async def execute(
        self,
        trader_id: str,
        sighting: Sighting,
        decision: Mapping[str, Any],
        *,
        reason: str,
    ) -> Mapping[str, Any]:
        """Have a decision carried out, after the trader's guards; the answer is its record.

        Raises:
            BadRequest: it is no decision.
            Conflict: the trader refuses, with its reason.
        """
        ...
