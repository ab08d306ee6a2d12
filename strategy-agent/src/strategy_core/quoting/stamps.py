"""When funding is due next, as the venue's own stamps tell it."""

from decimal import Decimal
from typing import Any

import msgspec

from strategy_core.port import ZERO
from suite.bars import HOUR_MS


class FundingStamps:
    """What one coin's snapshots have told of its funding.

    The interval is the distance of the last two stamps that were seen, so a venue that changes it
    is followed; until there are two, `assumed_hours` holds.
    """

    def __init__(self, assumed_hours: int) -> None:
        self.hours = assumed_hours
        self.rate_hourly = ZERO
        self._settled_ms: int | None = None

    def remember(self) -> "StampsState":
        """Tell what is known."""
        return StampsState(
            hours=self.hours, rate_hourly=self.rate_hourly, settled_ms=self._settled_ms
        )

    def recall(self, state: "StampsState") -> None:
        """Know it again."""
        self.hours, self.rate_hourly = state.hours, state.rate_hourly
        self._settled_ms = state.settled_ms

    def see(self, snapshot: Any) -> None:
        """Read a snapshot; one without funding changes nothing."""
        funding = snapshot and snapshot.get("funding")
        if not funding:
            return
        # a settled rate has 9 decimals; what float division adds beyond that is noise
        self.rate_hourly = Decimal(repr(round(float(funding["rate_hourly"]), 13)))
        settled_ms = int(funding["settled_at_ms"])
        if self._settled_ms is not None and settled_ms > self._settled_ms:
            # stamps jitter by some milliseconds
            self.hours = max(1, round((settled_ms - self._settled_ms) / HOUR_MS))
        self._settled_ms = settled_ms

    @property
    def rate(self) -> Decimal:
        """Rate of a whole interval, taking the last settled one for the coming one."""
        return self.rate_hourly * self.hours

    def next_ms(self, now_ms: int) -> int | None:
        """Time of the next stamp, None while nothing is known."""
        if self._settled_ms is None:
            return None
        step = self.hours * HOUR_MS
        return self._settled_ms + ((now_ms - self._settled_ms) // step + 1) * step


class StampsState(msgspec.Struct, frozen=True, kw_only=True):
    """Funding of one coin as far as it is known.

    Attributes:
        hours: between two stamps.
        rate_hourly: of the last one.
        settled_ms: when that was; None before the first.
    """

    hours: int
    rate_hourly: Decimal
    settled_ms: int | None
