"""Keeping a trader's memory before each of its requests, and what happens where that fails."""

import asyncio
import contextlib
from typing import Final

import msgspec

from strategy_agent.application.delivery import adds_risk
from strategy_agent.application.parts import Parts
from strategy_agent.application.ports import Kept
from strategy_core.journal import DecisionRecord
from strategy_core.memory import TraderMemory
from suite.contracts.clock import WaitReply, WaitRequest
from suite.contracts.venue import ActionReply
from suite.errors import StorageError

_HELD_BACK: Final = ActionReply(
    status="err", response="held back: the trader's memory cannot be kept"
)


class Keeper:
    """Keeps one trader's memory.

    Where the disk refuses it in real time, what reduces or cancels goes out all the same: exits do
    not wait for a person to clear a disk. What adds risk is held back, as a crash now would forget
    it. A simulated run fails instead.

    Args:
        trader_id: whose it is.
        parts: of the trader.
        memory: the loop's.

    Attributes:
        fault: why the last request was not remembered, None when it was.
    """

    def __init__(self, trader_id: str, parts: Parts, memory: TraderMemory) -> None:
        self._trader_id = trader_id
        self._parts = parts
        self._memory = memory
        self._resumes = parts.clock.mode == "lockstep"
        self._now_ms: int | None = None
        self._asked: WaitRequest | None = None
        self.fault: StorageError | None = None

    async def keep(self, request: WaitRequest, *, now_ms: int) -> WaitRequest:
        """Keep the memory; say what of the request may leave.

        Args:
            request: as the loop wants it.
            now_ms: the venue's time at its last reply.

        Raises:
            StorageError: it cannot be kept, and the world is a simulated one.
        """
        self._asked = request
        try:
            await asyncio.to_thread(self._parts.memory.write, self._picture(now_ms, request))
        except StorageError as error:
            if self._parts.clock.mode != "wall":
                raise
            self.fault = error
            orders = tuple(action for action in request.orders if not adds_risk(action))
            return msgspec.structs.replace(request, orders=orders)
        self.fault = None
        self._now_ms = now_ms
        return request

    def leave(self, *, stopped: bool) -> DecisionRecord | None:
        """End a run whose last request has no answer.

        A lockstep world still has it for the next run, unless the trader was stopped: then its
        entries are canceled, and the next run begins with a join.

        Args:
            stopped: in order, because that was wanted.

        Returns:
            The record of that turn; None where there is none, or a later run will have it.
        """
        pending = self._memory.run.pending
        if self._resumes and not stopped:
            return None
        if self._resumes and self._now_ms is not None:
            self._memory.run.pending = None
            with contextlib.suppress(StorageError):  # a run that is resumed instead does no harm
                self._parts.memory.write(self._picture(self._now_ms, None))
        return pending

    def _picture(self, now_ms: int, request: WaitRequest | None) -> bytes:
        return self._parts.memory.encode(
            Kept(
                trader_id=self._trader_id,
                venue=self._parts.venue,
                world=self._parts.clock.world,
                now_ms=now_ms,
                memory=self._memory,
                request=request if self._resumes else None,
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
