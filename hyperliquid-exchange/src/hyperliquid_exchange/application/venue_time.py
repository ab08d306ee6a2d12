"""What time it is at the venue: wall time where the market is real, a stand-in's own otherwise."""

from typing import Protocol

import msgspec

from suite.clock import Clock
from suite.contracts.clock import ClockState


class StandInClock(Protocol):
    """A stand-in that owns its time."""

    async def clock(self) -> ClockState | None:
        """Ask for it; None where it has none.

        Raises:
            UpstreamTimeout, UpstreamUnavailable: it does not answer.
        """
        ...


class VenueTime:
    """Tells the time that traders go by.

    A simulated venue may run many times faster than life; its traders sleep by its time, or they
    would miss most of it. Nobody is woken here, whoever tells the time.

    Args:
        clock: wall time.
        stand_in: the venue where it is simulated; None where it is Hyperliquid.
    """

    def __init__(self, clock: Clock, stand_in: StandInClock | None = None) -> None:
        self._clock = clock
        self._stand_in = stand_in

    async def state(self) -> ClockState:
        """Tell the time.

        Raises:
            UpstreamTimeout, UpstreamUnavailable: a stand-in does not tell it.
        """
        told = None if self._stand_in is None else await self._stand_in.clock()
        if told is None:
            return ClockState(mode="wall", now_ms=self._clock.now_ms(), speed=1.0, wakes=False)
        return msgspec.structs.replace(told, wakes=False, account="", address="")
