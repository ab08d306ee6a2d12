"""What driving a trader needs from outside."""

from typing import Protocol

from strategy_core.journal import DecisionRecord, TraderResult
from suite.contracts.clock import ClockState, JoinRequest, WaitReply, WaitRequest


class Venue(Protocol):
    """The venue contract, as one account sees it. Every call may raise a `SuiteError`."""

    async def clock(self) -> ClockState:
        """Ask what time it is and how it moves."""
        ...

    async def meta(self) -> object:
        """Ask what can be traded: the venue's `meta`, decoded."""
        ...

    async def join(self, request: JoinRequest) -> WaitReply:
        """Take part from now on."""
        ...

    async def wait(self, request: WaitRequest) -> WaitReply:
        """Carry out orders and sleep until woken."""
        ...

    async def heartbeat(self) -> None:
        """Say that a decision is still being made."""
        ...


class Journal(Protocol):
    """Where decisions are kept."""

    def started(self, trader_id: str, kind: str, venue: str) -> None:
        """Begin a run."""
        ...

    def decided(self, record: DecisionRecord) -> None:
        """Keep one decision."""
        ...

    def ended(self, result: TraderResult) -> None:
        """End a run."""
        ...
