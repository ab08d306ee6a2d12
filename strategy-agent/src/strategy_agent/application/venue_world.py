"""The world that a run has begun in: whether the venue still has it, and whether it has begun.

A simulated venue that was restarted has another world: its time begins anew, and no account in it
holds what a trader remembers. What it tells is not believed; the run ends, and another one begins.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from strategy_agent.application.presence import Presence
from suite.contracts.clock import ClockState
from suite.errors import SuiteError

BEGIN_LOOK_S: Final = 1.0
"""Between looks at a world that has not begun."""


class WorldChanged(SuiteError):
    """The venue has another world than the one that the run began in."""

    code = "world_changed"


class VenueWorld:
    """One world at a venue.

    Args:
        began: the venue's clock at the connection.
        ask: asks for it; may raise a `SuiteError`.
        presence: is told that the venue answers, and for whom its world waits.
    """

    def __init__(
        self, began: ClockState, *, ask: Callable[[], Awaitable[ClockState]], presence: Presence
    ) -> None:
        self.began = began
        self.presence = presence
        self._told_ms = began.now_ms
        self._ask = ask

    def told(self, now_ms: int) -> None:
        """Note a time that the venue has told by another way; one that moves has begun."""
        self._told_ms = max(self._told_ms, now_ms)
        if now_ms > self.began.now_ms:
            self.presence.waits(())

    async def look(self) -> ClockState:
        """Ask the venue for its clock.

        Raises:
            WorldChanged: it has another world by now.
            SuiteError: it does not answer.
        """
        told_ms = self._told_ms  # an answer that was on its way may be older than what came since
        state = await self._ask()
        if change := self._change(state, told_ms):
            raise WorldChanged(f"the venue has begun another world: {change}")
        self._told_ms = max(self._told_ms, state.now_ms)
        self.presence.waits(state.waits_for)
        self.presence.back()
        return state

    async def begun(self) -> ClockState:
        """Wait until the world has begun; each look keeps what the presence says true.

        Raises:
            SuiteError: as of a look.
        """
        state = await self.look()
        while state.waits_for:
            await asyncio.sleep(BEGIN_LOOK_S)
            state = await self.look()
        return state

    def _change(self, state: ClockState, told_ms: int) -> str:
        began = self.began
        if state.world != began.world:
            return f"it was {began.world or 'a real one'} and is {state.world or 'a real one'}"
        if began.mode != "wall" and state.now_ms < told_ms:
            return f"its time went back from {told_ms} to {state.now_ms}"
        return ""
