"""Holds this machine's clock against the venue's while traders trade.

Nonces and expiries are this machine's time: where it is wrong, the venue refuses what should leave,
or takes what should have expired. Nonces grow whatever the clock does.
"""

import asyncio
from collections.abc import Callable
from time import monotonic
from typing import Final

import msgspec
import structlog

from hyperliquid_exchange.application.budgets import Budgets
from hyperliquid_exchange.application.own_pause import OwnPause
from hyperliquid_exchange.application.ports import Safety, Upstream
from hyperliquid_exchange.application.venue_time import VenueTime
from hyperliquid_exchange.domain.skew import SKEW_FAIL_MS, SKEW_WARN_MS, Skew, skew_of
from suite.clock import Clock
from suite.errors import SuiteError

CLOCK: Final = "clock"
"""Who has set a cause because of the clock."""
_TICK_S: Final = 1.0
_TICKS: Final = 60
"""Between two looks at the venue's clock, where ours does not jump."""
_RETRY_TICKS: Final = 5
_OK: Final = 200
_KIND: Final = "exchangeStatus"
_QUESTION: Final = msgspec.json.encode({"type": _KIND})
_log = structlog.get_logger(__name__)


class _Status(msgspec.Struct):
    time: int


_status: Final = msgspec.json.Decoder(_Status)


class ClockWatch:
    """Warns of a clock that is wrong, and pauses new risk while it is wrong by a second.

    It asks once a minute, and at once when our clock jumps against one that never goes back. A
    venue that does not answer proves nothing, and changes nothing.

    Args:
        upstream: the venue.
        budgets: of what it may be asked.
        ladder: told of a clock that is wrong.
        tell: tells people.
        clock: wall time.
        time: the time at the venue: that of one that owns its time is never ours.
        now_s: seconds of a clock that never goes back.

    Attributes:
        skew: as it was last found; None while it is not known, or means nothing.
    """

    def __init__(
        self,
        *,
        upstream: Upstream,
        budgets: Budgets,
        ladder: Safety,
        tell: Callable[[str, str], None],
        clock: Clock,
        time: VenueTime,
        now_s: Callable[[], float] = monotonic,
    ) -> None:
        self.skew: Skew | None = None
        self._upstream = upstream
        self._budgets = budgets
        self._pause = OwnPause(ladder, clock, CLOCK)
        self._tell = tell
        self._clock = clock
        self._time = time
        self._now_s = now_s
        self._is_warned = False

    @property
    def trouble(self) -> str:
        """What people should know; empty where the clock is right or not known to be wrong."""
        skew = self.skew
        return "" if skew is None or abs(skew.proven_ms) < SKEW_WARN_MS else skew.text

    async def run(self) -> None:
        """Look, until canceled."""
        while True:
            offset_ms = self._offset_ms()
            is_known = await self.look()
            for _ in range(_TICKS if is_known else _RETRY_TICKS):
                await asyncio.sleep(_TICK_S)
                if abs(self._offset_ms() - offset_ms) >= SKEW_WARN_MS:
                    break

    async def look(self) -> bool:
        """Ask the venue once; whether it has told its time."""
        if self._budgets.read_refusal(_KIND):
            return False
        self._budgets.read_left(_KIND)
        begun_s = self._now_s()
        try:
            status, body = await self._upstream.info(_QUESTION)
            answered_ms, took_s = self._clock.now_ms(), self._now_s() - begun_s
            told = _status.decode(body) if status == _OK else None
            is_ours = (await self._time.state()).mode == "wall"
        except (SuiteError, msgspec.DecodeError, UnicodeDecodeError) as fault:
            _log.info("clock_not_told", reason=type(fault).__name__)
            return False
        if told is None:
            return False
        skew = skew_of(told.time, answered_ms=answered_ms, took_ms=round(took_s * 1000))
        self._take(skew if is_ours else None)
        return True

    def _take(self, skew: Skew | None) -> None:
        self.skew = skew
        trouble = self.trouble
        if trouble and not self._is_warned:
            self._tell(CLOCK, f"{trouble}: let chrony or systemd-timesyncd set it")
        self._is_warned = bool(trouble)
        if skew is not None and abs(skew.proven_ms) >= SKEW_FAIL_MS:
            self._pause.hold(f"{trouble}: let chrony or systemd-timesyncd set it")
        else:
            self._pause.end()

    def _offset_ms(self) -> int:
        """Our time less that of the clock that never goes back: what changes when ours jumps."""
        return self._clock.now_ms() - round(self._now_s() * 1000)
