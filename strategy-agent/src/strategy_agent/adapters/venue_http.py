"""The venue contract over HTTP: one keep-alive session for one trader.

Every call here may be repeated without acting twice (a wait by its `step_seq`), so a lost
connection, a 5xx or a 429 is tried again until a window has passed.
"""

import asyncio
from contextlib import suppress

import msgspec

from suite.contracts.clock import (
    ClockState,
    JoinRequest,
    LeaveRequest,
    WaitReply,
    WaitRequest,
    WakeRequest,
)
from suite.contracts.guards import GuardSummary
from suite.errors import SuiteError
from suite.service.calls import ServiceCalls


class VenueHttp:
    """A venue seen with one account's token.

    Args:
        calls: of the venue; its session has no limit on how long a wait may take.
    """

    def __init__(self, calls: ServiceCalls) -> None:
        self._calls = calls
        self._clock = msgspec.json.Decoder(ClockState)
        self._reply = msgspec.json.Decoder(WaitReply)
        self._any = msgspec.json.Decoder()
        self._step = 0
        self._waking: set[asyncio.Task[None]] = set()

    async def clock(self) -> ClockState:
        """`GET /clock`."""
        return await self._calls.read("GET", "clock", None, self._clock, reason="clock")

    async def meta(self) -> object:
        """`POST /info` of type `meta`."""
        return await self._calls.read("POST", "info", {"type": "meta"}, self._any, reason="meta")

    async def join(self, request: JoinRequest) -> WaitReply:
        """`POST /clock/join`; the venue counts steps from 1."""
        return await self._calls.read("POST", "clock/join", request, self._reply, reason="join")

    async def wait(self, request: WaitRequest) -> WaitReply:
        """`POST /clock/wait`; answered when the trader wakes."""
        self._step = request.step_seq
        try:
            return await self._calls.read("POST", "clock/wait", request, self._reply, reason="wait")
        finally:
            self._step = 0

    def wake(self) -> None:
        """`POST /clock/wake`: end the wait at the venue, on its way or there already."""
        if self._step:
            task = asyncio.create_task(self._wake(self._step))
            self._waking.add(task)
            task.add_done_callback(self._waking.discard)

    async def _wake(self, step_seq: int) -> None:
        request = WakeRequest(step_seq=step_seq)
        with suppress(SuiteError):  # a wait that cannot be ended ends by itself
            await self._calls.read("POST", "clock/wake", request, self._clock, reason="wake")

    async def heartbeat(self) -> None:
        """`POST /clock/heartbeat`, once: the next one is not far."""
        await self._calls.once("POST", "clock/heartbeat", b"{}", reason="heartbeat")

    async def leave(self, guards: GuardSummary | None) -> None:
        """`POST /clock/leave`: time need not wait for this account any more."""
        body = msgspec.json.encode(LeaveRequest(guards=guards))
        await self._calls.once("POST", "clock/leave", body, reason="leave")

    @property
    def trouble(self) -> tuple[str, ...]:
        """None: every reply of this venue is the whole account at the venue's own time."""
        return ()

    @property
    def account_age_ms(self) -> int:
        """Nothing: a reply is as old as its time."""
        return 0

    @property
    def market_age_ms(self) -> int:
        """Nothing: a reply is as old as its time."""
        return 0

    async def close(self) -> None:
        """Close the connections."""
        for task in tuple(self._waking):
            task.cancel()
        await self._calls.close()
