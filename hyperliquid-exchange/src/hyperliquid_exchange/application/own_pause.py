"""A pause of all traders that a part of this service sets, and takes back itself."""

import structlog

from hyperliquid_exchange.application.ports import Safety
from hyperliquid_exchange.domain.safety import EVERYBODY, Cause, Level
from suite.clock import Clock
from suite.errors import SuiteError

_log = structlog.get_logger(__name__)


class OwnPause:
    """What one part forbids to all.

    Args:
        ladder: the kill ladder.
        clock: wall time.
        by: name of the part.
    """

    def __init__(self, ladder: Safety, clock: Clock, by: str) -> None:
        self._ladder = ladder
        self._clock = clock
        self._by = by

    def hold(self, reason: str) -> None:
        """Forbid new risk to all."""
        self._ladder.engage(
            Cause(
                scope=EVERYBODY,
                level=Level.PAUSED,
                by=self._by,
                reason=reason,
                since_ms=self._clock.now_ms(),
            )
        )

    def end(self) -> None:
        """Allow it again, as far as this part is concerned; that of an earlier process too."""
        try:
            self._ladder.release(EVERYBODY, self._by)
        except SuiteError as fault:  # it cannot be written down, or a person has to clear it
            _log.debug("own_pause_stays", by=self._by, reason=str(fault))
