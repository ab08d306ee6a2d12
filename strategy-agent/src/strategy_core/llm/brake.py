"""Holds a model that suddenly behaves otherwise: it may close and protect, and opens nothing.

Limits of risk are the gate's and hold for any model. This looks at the model itself: one that was
changed behind its name, or that somebody else speaks for, shows in entries that keep changing sides
and in one that is far larger than all before.
"""

import statistics
from decimal import Decimal
from typing import Annotated, Final

import msgspec

from strategy_core.port import ZERO
from suite.bars import DAY_MS, INTERVAL_MS
from suite.contracts.clock import Interval

_ENTRIES_MAX: Final = 100


class Brake(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When a model is held, and for how long.

    Attributes:
        flips: entries of a day that each changed the side of the entry before in their coin, from
            which on it is held if they are most of the day's; see `flip_rate`.
        flip_rate: share of a day's entries that change sides.
        size_jump: how many times as large, as a share of equity, an entry may be as is usual.
        least: entries before anything is usual.
        pause: how long it opens nothing.
    """

    flips: Annotated[int, msgspec.Meta(ge=2, le=_ENTRIES_MAX)] = 8
    flip_rate: Annotated[float, msgspec.Meta(gt=0, le=1)] = 0.8
    size_jump: Annotated[float, msgspec.Meta(gt=1, le=1000)] = 10.0
    least: Annotated[int, msgspec.Meta(ge=1, le=_ENTRIES_MAX)] = 5
    pause: Interval = "4h"


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """An entry that was asked for.

    Attributes:
        side: 1 long, -1 short; share: notional over equity.
    """

    at_ms: int
    coin: str
    side: int
    share: Decimal


class Drift(msgspec.Struct, kw_only=True):
    """What is kept of a model's behavior.

    Attributes:
        entries: the latest, oldest first.
        until_ms: it is held until then; why: in words, empty where it is not.
    """

    entries: list[Entry] = []
    until_ms: int = 0
    why: str = ""

    def holds(self, at_ms: int) -> str:
        """Say why the model is held at a time; empty where it is not."""
        return self.why if at_ms < self.until_ms else ""

    def take(self, entry: Entry, brake: Brake) -> str:
        """Take in an entry that is asked for; held ones are forgotten, so that it begins anew.

        Returns:
            Why it may not be; empty where it may.
        """
        if why := self.holds(entry.at_ms):
            return why
        self.why = ""
        why = self._jump(entry, brake)
        self.entries.append(entry)
        del self.entries[:-_ENTRIES_MAX]
        why = why or self._flips(entry.at_ms, brake)
        if why:
            self.why, self.until_ms = why, entry.at_ms + INTERVAL_MS[brake.pause]
            self.entries.clear()
        return why

    def _jump(self, entry: Entry, brake: Brake) -> str:
        if len(self.entries) < brake.least:
            return ""
        usual = statistics.median(one.share for one in self.entries)
        if usual <= ZERO or entry.share <= Decimal(str(brake.size_jump)) * usual:
            return ""
        return (
            f"the model drifts: an entry of {entry.share:.2f} times equity, where "
            f"{usual:.2f} is usual"
        )

    def _flips(self, now_ms: int, brake: Brake) -> str:
        last: dict[str, int] = {}
        pairs, flips = 0, 0
        for one in self.entries:
            if one.at_ms > now_ms - DAY_MS and one.coin in last:
                pairs += 1
                flips += last[one.coin] != one.side
            last[one.coin] = one.side
        if flips < brake.flips or flips < brake.flip_rate * pairs:
            return ""
        return f"the model drifts: {flips} of {pairs} entries of a day changed sides"
