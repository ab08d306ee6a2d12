"""What accounts have traded: added up as their fills come, so that a read costs what is new."""

from bisect import bisect_left
from dataclasses import dataclass, field

from suite.bars import DAY_MS
from suite.enums import FillCause
from suite.fixed import Usd
from virtual_exchange.application.book import AccountBook
from virtual_exchange.application.world import World

_TRADED = (FillCause.ORDER, FillCause.LIQUIDATION)
"""What a backstop or a settlement moves is not trading."""


@dataclass(slots=True)
class DayVolume:
    """Notional of one UTC day, micro-USD, as taker and as maker."""

    taker_usd: int = 0
    maker_usd: int = 0


@dataclass(slots=True)
class Activity:
    """What one account has traded.

    Attributes:
        days: by number of days since the epoch.
        times_ms, totals_usd: time of each trade, and the notional up to and with it, micro-USD.
        read: how many of its fills are in it.
    """

    days: dict[int, DayVolume] = field(default_factory=dict)
    times_ms: list[int] = field(default_factory=list)
    totals_usd: list[int] = field(default_factory=list)
    read: int = 0

    @property
    def total_usd(self) -> Usd:
        """Notional ever traded, micro-USD."""
        return Usd(self.totals_usd[-1] if self.totals_usd else 0)

    def since_usd(self, from_ms: int) -> Usd:
        """Notional traded at or after a time, micro-USD."""
        first = bisect_left(self.times_ms, from_ms)
        return Usd(self.total_usd - (self.totals_usd[first - 1] if first else 0))

    def add(self, book: AccountBook) -> None:
        """Take the fills that have come since the last time."""
        for fill in book.fills[self.read :]:
            if fill.cause not in _TRADED:
                continue
            notional = fill.size * fill.price
            day = self.days.setdefault(fill.time_ms // DAY_MS, DayVolume())
            if fill.is_taker:
                day.taker_usd += notional
            else:
                day.maker_usd += notional
            self.times_ms.append(fill.time_ms)
            self.totals_usd.append(self.total_usd + notional)
        self.read = len(book.fills)


class Activities:
    """What the accounts of one world have traded."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._by_account: dict[int, Activity] = {}

    def of(self, account: int) -> Activity:
        """What an account has traded by now."""
        activity = self._by_account.setdefault(account, Activity())
        activity.add(self._world.books[account])
        return activity
