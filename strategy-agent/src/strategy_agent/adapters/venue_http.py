"""The venue contract over HTTP: one keep-alive session for one trader.

Every call here may be repeated without acting twice (a wait by its `step_seq`), so a lost
connection, a 5xx or a 429 is tried again until a window has passed.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Final

import msgspec

from strategy_agent.application.presence import Presence
from strategy_agent.application.venue_world import VenueWorld, WorldChanged
from suite import tracing
from suite.contracts.clock import (
    ClockState,
    JoinRequest,
    LeaveRequest,
    WaitReply,
    WaitRequest,
    WakeRequest,
    Want,
)
from suite.contracts.guards import GuardSummary
from suite.errors import SuiteError, UpstreamRefused, UpstreamTimeout
from suite.service.calls import ServiceCalls
from suite.service.clock import SystemClock

_LOOK_S: Final = 2.0
"""Between looks at a venue that takes long to answer a step: it may be asleep, or lost."""
_ANSWER_S: Final = 3.0
"""How long the answer to a look may take; a heartbeat likewise."""
_READ_S: Final = 10.0
"""How long the answer to a read may take; the session has no limit, for steps take long."""
_PAUSE_S: Final = 0.5
"""Before a step is asked for again whose request failed after its own tries."""


class VenueHttp:
    """A venue seen with one account's token.

    Args:
        calls: of the venue; its session has no limit on how long a wait may take.
        presence: is told whether the venue is there.
        lost_limit_s: how long a step is waited for at a venue that is lost.
    """

    def __init__(
        self, calls: ServiceCalls, *, presence: Presence | None = None, lost_limit_s: float = 30.0
    ) -> None:
        self.world: VenueWorld | None = None
        self._calls = calls
        self._presence = presence or Presence(SystemClock())
        self._lost_limit_s = lost_limit_s
        self._clock = msgspec.json.Decoder(ClockState)
        self._reply = msgspec.json.Decoder(WaitReply)
        self._any = msgspec.json.Decoder()
        self._step = 0
        self._fault: SuiteError | None = None
        self._waking: set[asyncio.Task[None]] = set()

    async def clock(self) -> ClockState:
        """`GET /clock`."""
        return await self._calls.read(
            "GET", "clock", None, self._clock, reason="clock", limit_s=_READ_S
        )

    async def connect(self) -> VenueWorld:
        """Ask which world the venue has; from now on it shall be no other."""
        self.world = VenueWorld(
            await self.clock(), ask=self._clock_at_once, presence=self._presence
        )
        return self.world

    async def meta(self) -> object:
        """`POST /info` of type `meta`."""
        return await self._calls.read(
            "POST", "info", {"type": "meta"}, self._any, reason="meta", limit_s=_READ_S
        )

    async def join(self, request: JoinRequest) -> WaitReply:
        """`POST /clock/join`; the venue counts steps from 1.

        A paced world that waits for others has frozen prices: it is joined anew once it has begun.

        Raises:
            WorldChanged: the venue has another world by now.
        """
        reply = await self._join(request)
        world = self.world
        if world is None or not world.began.waits_for:
            return reply
        if world.began.mode != "paced":
            await world.look()
            return reply
        await world.begun()
        return await self._join(request)

    async def _join(self, request: JoinRequest) -> WaitReply:
        reply = await self._answer("join", request)
        self._presence.back()
        return reply

    async def take_place(self) -> None:
        """Join and leave: time may begin, and waits for no step of this account."""
        await self._join(JoinRequest(want=Want(account=False, fills=False)))
        await self.leave(None)

    async def wait(self, request: WaitRequest) -> WaitReply:
        """`POST /clock/wait`; answered when the trader wakes.

        Raises:
            WorldChanged: the venue has another world by now.
        """
        self._step = request.step_seq
        try:
            with tracing.span("order", orders=len(request.orders)):
                reply = await self._answer("wait", request)
        except WorldChanged:
            raise
        except SuiteError as fault:
            if not fault.retryable:
                await self._refuse_another_world()
            raise
        finally:
            self._step = 0
        self._presence.back()
        if self.world is not None:
            self.world.told(reply.now_ms)
        return reply

    async def _answer(self, what: str, request: JoinRequest | WaitRequest) -> WaitReply:
        """Ask for the reply to a join or a step, and again where the venue was lost meanwhile.

        The connection may have died with it. A step acts once, however often it is asked for, and
        its reply stays the same; a join begins its steps anew each time.
        """
        while True:
            self._fault = None
            try:
                async with asyncio.timeout(None) as limit, self._looks(limit):
                    return await self._calls.read(
                        "POST", f"clock/{what}", request, self._reply, reason=what
                    )
            except TimeoutError:
                if self._fault is not None:
                    raise self._fault from None
            except SuiteError as fault:
                if not fault.retryable or self.world is None:
                    raise
                self._presence.lost(str(fault))
                if self._presence.lost_s() >= self._lost_limit_s:
                    raise
                await asyncio.sleep(_PAUSE_S)

    @contextlib.asynccontextmanager
    async def _looks(self, limit: asyncio.Timeout) -> AsyncIterator[None]:
        """Look at the venue while a step takes long; nothing before that, as most are quick."""
        if self.world is None:
            yield
            return
        looking: list[asyncio.Task[None]] = []
        world, loop = self.world, asyncio.get_running_loop()

        def begin() -> None:
            looking.append(asyncio.create_task(self._look(world, limit)))

        due = loop.call_later(_LOOK_S, begin)
        try:
            yield
        finally:
            due.cancel()
            for task in looking:
                task.cancel()

    async def _look(self, world: VenueWorld, limit: asyncio.Timeout) -> None:
        """End a request when the venue comes back, is lost for too long, or has another world."""
        now_s, was_lost = asyncio.get_running_loop().time, False
        while True:
            try:
                await world.look()
                if was_lost:
                    break
            except SuiteError as fault:
                was_lost = True
                if fault.retryable:
                    self._presence.lost(str(fault), silent_s=_ANSWER_S)
                if not fault.retryable or self._presence.lost_s() >= self._lost_limit_s:
                    self._fault = fault
                    break
            await asyncio.sleep(_LOOK_S)
        limit.reschedule(now_s())

    async def _refuse_another_world(self) -> None:
        """Raise where the reason of a refusal is that the venue has another world."""
        if self.world is not None:
            try:
                await self.world.look()
            except WorldChanged:
                raise
            except SuiteError:
                return

    async def _clock_at_once(self) -> ClockState:
        """`GET /clock`, one time and not for long."""
        answered = await self._at_once("GET", "clock", None)
        try:
            return self._clock.decode(answered)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise UpstreamRefused(
                f"the answer of {self._calls.url}/clock is not the venue contract's: {error}"
            ) from None

    async def _at_once(self, method: str, path: str, content: bytes | None) -> bytes:
        try:
            async with asyncio.timeout(_ANSWER_S):
                reason = path.rpartition("/")[2]
                return (await self._calls.once(method, path, content, reason=reason)).body
        except TimeoutError:
            raise UpstreamTimeout(
                f"{self._calls.name} at {self._calls.url} did not answer within {_ANSWER_S:g} s"
            ) from None

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
        try:
            await self._at_once("POST", "clock/heartbeat", b"{}")
        except SuiteError as fault:
            if fault.retryable:
                self._presence.lost(str(fault))
            raise
        self._presence.back()

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
