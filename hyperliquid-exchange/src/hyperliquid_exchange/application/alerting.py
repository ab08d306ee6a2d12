"""Alerts: in the log at once, to people when a channel takes them, and never in anybody's way."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import structlog

from suite.clock import Clock
from suite.errors import SuiteError, one_line

MOST: Final = 1_000
"""Alerts that wait at the most; beyond, the oldest that is not critical goes."""
AGAIN_S: Final = 5.0
"""Before one that is critical is tried again."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """Something that a person must hear of.

    Attributes:
        kind: of it, a word.
        text: in one line.
        at_ms: wall time.
        is_critical: it is told until a channel has taken it.
    """

    kind: str
    text: str
    at_ms: int
    is_critical: bool = False


class Channel(Protocol):
    """A way to people."""

    async def send(self, alert: Alert) -> None:
        """Tell one.

        Raises:
            SuiteError: it was not taken.
        """
        ...


class Alerts:
    """Tells people without ever waiting for them.

    Args:
        channels: tried in order, until one has taken the alert.
        clock: wall time.
        pause: waits, seconds.

    Attributes:
        dropped: alerts that nobody was told of.
        failing: the last alert was taken by no channel.
    """

    def __init__(
        self,
        channels: Sequence[Channel],
        clock: Clock,
        *,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.dropped = 0
        self.failing = False
        self._channels = tuple(channels)
        self._clock = clock
        self._pause = pause
        self._waiting: deque[Alert] = deque()
        self._woken = asyncio.Event()

    def tell(self, kind: str, text: str, *, is_critical: bool = False) -> None:
        """Tell people; returns at once. What waits already is not told twice."""
        text = one_line(text)
        log = _log.error if is_critical else _log.warning
        log("alert", kind=kind, text=text)
        if not self._channels or any((one.kind, one.text) == (kind, text) for one in self._waiting):
            return
        if len(self._waiting) >= MOST:
            self._drop()
        self._waiting.append(
            Alert(kind=kind, text=text, at_ms=self._clock.now_ms(), is_critical=is_critical)
        )
        self._woken.set()

    async def run(self) -> None:
        """Tell what waits, until canceled."""
        while True:
            while self._waiting:
                alert = self._waiting[0]
                is_taken = await self._send(alert)
                self.failing = not is_taken
                if not is_taken and alert.is_critical:
                    await self._pause(AGAIN_S)
                    continue
                self.dropped += not is_taken
                if self._waiting and self._waiting[0] is alert:
                    self._waiting.popleft()
            self._woken.clear()
            await self._woken.wait()

    async def _send(self, alert: Alert) -> bool:
        for channel in self._channels:
            try:
                await channel.send(alert)
            except SuiteError as error:
                _log.warning("alert_not_taken", kind=alert.kind, reason=str(error))
            else:
                return True
        return False

    def _drop(self) -> None:
        for one in self._waiting:
            if not one.is_critical:
                self._waiting.remove(one)
                break
        else:
            self._waiting.popleft()
        self.dropped += 1
