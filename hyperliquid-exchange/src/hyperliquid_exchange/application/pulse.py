"""The beat of this process, and an ear for that of its watchdog."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import structlog

from hyperliquid_exchange.application.own_pause import OwnPause
from hyperliquid_exchange.application.safety import KillLadder
from hyperliquid_exchange.domain.progress import Beat, Progress, ProgressRules
from suite.clock import Clock
from suite.errors import StorageError

WATCHDOG: Final = "watchdog"
BEAT_S: Final = 1.0

_log = structlog.get_logger(__name__)


class BeatStore(Protocol):
    """Where beats are told."""

    def write(self, beat: Beat) -> None:
        """Tell of this process.

        Raises:
            StorageError: it could not be written.
        """
        ...

    def read(self) -> Beat | None:
        """Read what another process told; None where there is nothing that can be read."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class PulseRules:
    """How the watchdog is listened for.

    Attributes:
        progress: what counts as progress.
        is_required: nothing may add risk before the watchdog was seen; where it is not, it is only
            missed once it was there.
    """

    progress: ProgressRules
    is_required: bool


class Pulse:
    """Tells that this process gets on, and pauses new risk while its watchdog does not.

    Args:
        mine, theirs: where this process's beat goes, and where the watchdog's comes from.
        ladder: told of a watchdog that is gone.
        ages_s: tells for each account how long ago the venue told it as a whole.
        clock: wall time.
        rules: see there.
        now_s: seconds of a clock that never goes back.

    Attributes:
        beat: the last one.
    """

    def __init__(
        self,
        *,
        mine: BeatStore,
        theirs: BeatStore,
        ladder: KillLadder,
        ages_s: Callable[[], Sequence[float]],
        clock: Clock,
        rules: PulseRules,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self.beat = Beat(number=0, at_ms=clock.now_ms())
        self._mine = mine
        self._theirs = theirs
        self._pause = OwnPause(ladder, clock, WATCHDOG)
        self._ages_s = ages_s
        self._clock = clock
        self._is_required = rules.is_required
        self._now_s = now_s
        self._watchdog = Progress(rules.progress, now_s())

    async def run(self) -> None:
        """Beat and listen, until canceled."""
        self.look()
        while True:
            before_s = self._now_s()
            await asyncio.sleep(BEAT_S)
            lag_s = self._now_s() - before_s - BEAT_S
            self.tick(max(0, round(lag_s * 1000)))
            self.look()

    def tick(self, lag_ms: int = 0) -> None:
        """Beat once."""
        ages = self._ages_s()
        self.beat = Beat(
            number=self.beat.number + 1,
            at_ms=self._clock.now_ms(),
            lag_ms=lag_ms,
            facts_age_ms=round(min(ages) * 1000) if ages else None,
        )
        try:
            self._mine.write(self.beat)
        except StorageError as fault:
            _log.warning("beat_not_written", reason=str(fault))

    @property
    def watchdog_silent_s(self) -> float | None:
        """Seconds since the watchdog got on; None while it never did."""
        watchdog = self._watchdog
        return watchdog.silent_s(self._now_s()) if watchdog.was_seen else None

    def look(self) -> None:
        """Listen once; a watchdog that is gone pauses new risk, one that is back allows it."""
        now_s, watchdog = self._now_s(), self._watchdog
        watchdog.look(self._theirs.read(), now_s)
        is_missing = watchdog.is_over(now_s) if watchdog.was_seen else self._is_required
        if is_missing:
            self._pause.hold("the watchdog is gone: start `hyperliquid-exchange watchdog`")
        else:
            self._pause.end()
