"""Keeping a trader's memory before each of its requests, and what happens where that fails."""

import asyncio
from dataclasses import dataclass
from typing import Final

import msgspec

from strategy_agent.application.delivery import adds_risk
from strategy_agent.application.parts import Parts
from strategy_agent.application.ports import Kept
from strategy_core.journal import DecisionRecord
from strategy_core.memory import TraderMemory
from strategy_core.remembering import digest_of_trader
from suite.contracts.clock import WaitReply, WaitRequest
from suite.contracts.trader import TraderSpec
from suite.contracts.venue import ActionReply
from suite.errors import StorageError

_HELD_BACK: Final = ActionReply(
    status="err", response="held back: the trader's memory cannot be kept"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What a turn began with.

    Attributes:
        picture: of the memory before the reply, as `MemoryStore.encode` made it; empty where the
            trader began with none.
        request: that the reply answers; None for a join.
        reply: of the venue.
    """

    picture: bytes
    request: WaitRequest | None
    reply: WaitReply


class MemoryKeeper:
    """Keeps one trader's memory.

    Where the disk refuses it in real time, what reduces or cancels goes out all the same: exits do
    not wait for a person to clear a disk. What adds risk is held back, as a crash now would forget
    it. In lockstep, where time waits, the run fails instead.

    Args:
        spec: the trader.
        parts: of the trader.
        memory: the loop's.
        kept: what it was read from, None for a fresh one.

    Attributes:
        memory: the loop's.
        fault: why the last request was not remembered, None when it was.
    """

    def __init__(
        self, spec: TraderSpec, parts: Parts, memory: TraderMemory, *, kept: Kept | None
    ) -> None:
        self.memory = memory
        self.fault: StorageError | None = None
        self._spec = spec
        self._digest = digest_of_trader(spec)
        self._parts = parts
        self._last = b"" if kept is None else parts.memory.encode(kept)
        self._asked: WaitRequest | None = None
        self._before = self._last, None if kept is None else kept.request
        self._unwritten = b""

    async def keep(self, request: WaitRequest, *, now_ms: int) -> WaitRequest:
        """Keep the memory; say what of the request may leave.

        Args:
            request: as the loop wants it.
            now_ms: the venue's time at its last reply.

        Raises:
            StorageError: it cannot be kept, and the world is in lockstep.
        """
        self._asked, self._last = request, self._picture(now_ms, request)
        self._before = self._last, request
        try:
            await self._write(self._last)
        except StorageError as error:
            if self._parts.clock.mode == "lockstep":
                raise
            self.fault = error
            orders = tuple(action for action in request.orders if not adds_risk(action))
            return msgspec.structs.replace(request, orders=orders)
        self.fault = None
        return request

    def scene(self, reply: WaitReply) -> Scene:
        """Say what the turn of a reply begins with."""
        picture, request = self._before
        return Scene(picture=picture, request=request, reply=reply)

    def leave(self) -> DecisionRecord | None:
        """Let go of the request whose answer never comes; the next run begins with a join.

        Whoever cancels orders past the loop must do so, or a reply from before that would be
        believed. `finish` writes it: the memory as it was with that request, for a run that ends in
        the middle of a turn may have half of it.

        Returns:
            The record of that turn, None where there is none.
        """
        pending = self.memory.run.give_up()
        if self._last:
            left = msgspec.json.decode(self._last, type=Kept)
            left.memory.run.give_up()
            left = msgspec.structs.replace(left, request=None)
            self._last = self._unwritten = self._parts.memory.encode(left)
        return pending

    async def finish(self) -> None:
        """Write what was left; nothing where nothing was, or where it is written already.

        Raises:
            StorageError: the disk does not take it; it may be called again.
        """
        if self._unwritten:
            await self._write(self._unwritten)
            self._unwritten = b""

    def forget(self) -> None:
        """Remove it: its world is over.

        Raises:
            StorageError: it cannot be removed.
        """
        self._last = b""
        self._parts.memory.forget()

    async def _write(self, content: bytes) -> None:
        """Write in a thread, and be back no sooner than it is: whoever writes next writes last."""
        if not content:  # nothing is to be kept, so no thread is woken for it in every turn
            return
        writing = asyncio.ensure_future(asyncio.to_thread(self._parts.memory.write, content))
        stopped: asyncio.CancelledError | None = None
        while not writing.done():
            try:
                await asyncio.wait((writing,))
            except asyncio.CancelledError as stop:
                stopped = stop
        fault = writing.exception()
        if stopped is not None:
            raise stopped
        if fault is not None:
            raise fault

    def _picture(self, now_ms: int, request: WaitRequest) -> bytes:
        parts = self._parts
        return parts.memory.encode(
            Kept(
                trader_id=self._spec.trader_id,
                account=self._spec.account_id,
                spec=self._digest,
                venue=parts.venue,
                world=parts.clock.world,
                now_ms=now_ms,
                memory=self.memory,
                request=request if parts.resumes_steps else None,
            )
        )

    def whole(self, reply: WaitReply) -> WaitReply:
        """Add the answers to what was held back, in their places."""
        asked, self._asked = self._asked, None
        if asked is None or self.fault is None:
            return reply
        given = iter(reply.results)
        if len(reply.results) != sum(not adds_risk(action) for action in asked.orders):
            return reply
        results = tuple(_HELD_BACK if adds_risk(action) else next(given) for action in asked.orders)
        return msgspec.structs.replace(reply, results=results)
