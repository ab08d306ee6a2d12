"""Fills that count once, however often and in whatever order they are told."""

from bisect import insort
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Final, TypeAlias

from suite.contracts.hyperliquid_info import UserFill
from suite.fixed import parse_decimal

KEPT: Final = 10_000
"""Identities that are remembered: as many fills as the venue itself still finds by time."""
SHOWN: Final = 500
"""Fills that are kept whole."""

Identity: TypeAlias = tuple[int, str, int]


class FillBook:
    """The fills of one account.

    A fill is known by time, coin and trade id: an id alone is a hash. One that is older than all
    that is remembered has been told before, or the venue itself would not find it any more.

    Args:
        kept: how many identities are remembered.
        shown: how many fills are kept whole.

    Attributes:
        applied: fills that counted.
        repeated: tellings of one that had counted.
        expired: tellings of one older than all that is remembered.
        conflicts: identities that were told with another price, size or side, newest last; what
            was told first counts.
        recent: the latest ones, oldest first.
    """

    def __init__(self, *, kept: int = KEPT, shown: int = SHOWN) -> None:
        self.applied = 0
        self.repeated = 0
        self.expired = 0
        self.conflicts: deque[Identity] = deque(maxlen=100)
        self.recent: tuple[UserFill, ...] = ()
        self._kept = kept
        self._shown = shown
        self._known: dict[Identity, int] = {}
        self._order: deque[Identity] = deque()
        self._horizon_ms = -1
        self._latest: list[UserFill] = []

    @property
    def identities(self) -> Iterable[Identity]:
        """Time, coin and trade id of all that is remembered, in the order they were told."""
        return self._order

    @property
    def newest_ms(self) -> int:
        """Time of the newest fill; 0 without one."""
        return self._latest[-1].time if self._latest else 0

    def add(self, fills: Sequence[UserFill]) -> list[UserFill]:
        """Take fills in.

        Args:
            fills: in any order; what is told newest first is turned round.

        Returns:
            Those that were not known, oldest first.

        Raises:
            ValueError: a price or size is no number; nothing has been taken in.
        """
        marks = [_mark(fill) for fill in fills]
        told = list(zip(fills, marks, strict=True))
        if len(fills) > 1 and fills[0].time > fills[-1].time:
            told.reverse()
        new = [fill for fill, mark in told if self._is_new(fill, mark)]
        if new:
            new.sort(key=_time_of)
            self._show(new)
        return new

    def _is_new(self, fill: UserFill, mark: int) -> bool:
        identity = (fill.time, fill.coin, fill.tid)
        known = self._known.get(identity)
        if known is not None:
            self.repeated += 1
            if known != mark:
                self.conflicts.append(identity)
            return False
        if fill.time <= self._horizon_ms:
            self.expired += 1
            return False
        self._known[identity] = mark
        self._order.append(identity)
        self.applied += 1
        if len(self._order) > self._kept:
            oldest = self._order.popleft()
            del self._known[oldest]
            self._horizon_ms = max(self._horizon_ms, oldest[0])
        return True

    def _show(self, new: list[UserFill]) -> None:
        latest = self._latest
        for fill in new:
            if latest and fill.time < latest[-1].time:
                insort(latest, fill, key=_time_of)
            else:
                latest.append(fill)
        if len(latest) > self._shown:
            del latest[: -self._shown]
        self.recent = tuple(latest)


def _mark(fill: UserFill) -> int:
    """What two tellings of a fill must have in common."""
    numbers = (fill.px, fill.sz, fill.fee, fill.startPosition)
    return hash((fill.side, *map(parse_decimal, numbers)))


def _time_of(fill: UserFill) -> int:
    return fill.time
