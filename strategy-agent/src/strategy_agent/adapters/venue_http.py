"""The venue contract over HTTP: one keep-alive session for one trader.

Every call here may be repeated without acting twice (a wait by its `step_seq`), so a lost
connection, a 5xx or a 429 is tried again until a window has passed.
"""

import asyncio
from typing import Final

import msgspec

from suite.contracts.clock import ClockState, JoinRequest, WaitReply, WaitRequest, Want
from suite.errors import Conflict
from suite.service.calls import ServiceCalls

_INTERRUPTED: Final = "joined again"
"""What the venue says to a wait that a join has ended, and whose orders it had carried out."""


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
        self._first = 0
        self._joining: asyncio.Task[WaitReply] | None = None
        self._want: Want | None = None

    async def clock(self) -> ClockState:
        """`GET /clock`."""
        return await self._calls.read("GET", "clock", None, self._clock, reason="clock")

    async def meta(self) -> object:
        """`POST /info` of type `meta`."""
        return await self._calls.read("POST", "info", {"type": "meta"}, self._any, reason="meta")

    async def join(self, request: JoinRequest) -> WaitReply:
        """`POST /clock/join`; the venue counts steps from 1 again."""
        reply = await self._calls.read("POST", "clock/join", request, self._reply, reason="join")
        self._first = 0
        return reply

    async def wait(self, request: WaitRequest) -> WaitReply:
        """`POST /clock/wait`; answered when the trader wakes."""
        self._want = request.want
        try:
            return await self._wait(request)
        finally:
            self._want = None

    def wake(self) -> None:
        """Join again, which ends the wait at the venue."""
        if self._want is not None and self._joining is None:
            self._joining = asyncio.create_task(self._join_again(self._want))

    async def _wait(self, request: WaitRequest) -> WaitReply:
        """Wait; where a wake-up came between, what it brought is the newer state."""
        reply: WaitReply | None = None
        while reply is None:
            self._first = self._first or request.step_seq
            number = request.step_seq - self._first + 1
            step = msgspec.structs.replace(request, step_seq=number)
            try:
                reply = await self._calls.read(
                    "POST", "clock/wait", step, self._reply, reason="wait"
                )
            except Conflict as fault:
                if (joining := self._taken()) is None:
                    raise
                joined = await joining
                if _INTERRUPTED in str(fault):
                    return joined
                # The wake-up was there before this step, none of whose orders has been looked at.
        if (joining := self._taken()) is not None:
            return msgspec.structs.replace(await joining, results=reply.results)
        return msgspec.structs.replace(reply, step_seq=request.step_seq)

    async def _join_again(self, want: Want) -> WaitReply:
        reply = await self.join(JoinRequest(want=want))
        return msgspec.structs.replace(reply, woke_by=("asked",))

    def _taken(self) -> "asyncio.Task[WaitReply] | None":
        joining, self._joining = self._joining, None
        return joining

    async def heartbeat(self) -> None:
        """`POST /clock/heartbeat`, once: the next one is not far."""
        await self._calls.once("POST", "clock/heartbeat", b"{}", reason="heartbeat")

    async def leave(self) -> None:
        """`POST /clock/leave`: time need not wait for this account any more."""
        await self._calls.once("POST", "clock/leave", b"{}", reason="leave")

    @property
    def trouble(self) -> tuple[str, ...]:
        """None: every reply of this venue is the whole account at the venue's own time."""
        return ()

    async def close(self) -> None:
        """Close the connections."""
        if (joining := self._taken()) is not None:
            joining.cancel()
        await self._calls.close()
