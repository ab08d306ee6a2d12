"""What the application needs from outside."""

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from suite.bars import Bars
from suite.contracts.backtest import BacktestRequest
from suite.errors import BadRequest
from suite.feeds import FeedListener
from suite.instrument import Instrument
from virtual_exchange.domain.live import LiveEvent
from virtual_exchange.domain.market import Market


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketQuery:
    """Which market to load.

    Attributes:
        coins: canonical names, each once.
        from_ms, to_ms: range, to exclusive; None for the edge of what all coins have.
        interval: of the tape; it is made of the stored minutes.
        detail: keep those minutes as the path inside longer bars.
        allow_partial: accept coins that do not cover the range.
        minutes_max: how many may be read, of all coins together and with those before the range;
            None for any number. It is no part of what the market is.
    """

    coins: tuple[str, ...]
    from_ms: int | None
    to_ms: int | None
    interval: str = "1m"
    detail: bool = False
    allow_partial: bool = False
    minutes_max: int | None = field(default=None, compare=False)

    def check_minutes(self, minutes: int) -> None:
        """Refuse what is too large to be read.

        Args:
            minutes: of all coins together.

        Raises:
            BadRequest: says what there is room for.
        """
        if self.minutes_max is not None and minutes > self.minutes_max:
            coins = len(self.coins)
            raise BadRequest(
                f"{minutes // coins} minutes of {coins} coins are too many for one world: at most "
                f"{self.minutes_max // coins} minutes; take a shorter range or fewer coins"
            )


class MarketSource(Protocol):
    """Where worlds get their market from."""

    def version(self, query: MarketQuery) -> Hashable:
        """Name the present state of what `load` would read: it changes when that does."""
        ...

    def load(self, query: MarketQuery) -> Market:
        """Read and quantise the bars and funding of a range.

        Raises:
            BadRequest: that is more than the query allows.
            DataGap: nothing, or not the whole range, is stored; says what is.
            StorageError: a file is damaged.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedTime:
    """The clock of a live market.

    Attributes:
        now_ms: its time.
        wall_ms: wall time at that moment.
        speed: its seconds per second of wall time; 1 unless it is simulated.
        late_ms: how old, by it, what is told as new may be.
    """

    now_ms: int
    wall_ms: int
    speed: float = 1.0
    late_ms: int = 10_000

    def at(self, wall_ms: float) -> int:
        """Its time at a wall time."""
        return self.now_ms + int((wall_ms - self.wall_ms) * self.speed)

    def wall_at(self, time_ms: int) -> float:
        """Wall time, ms, at which it comes to a time."""
        return self.wall_ms + (time_ms - self.now_ms) / self.speed


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedCoin:
    """What a feed knows of a coin at the start.

    Attributes:
        bars: closed minutes, up to now; there may be none.
        hourly_rates: the latest settled funding rates by the hour, fractions, oldest first.
    """

    instrument: Instrument
    bars: Bars
    hourly_rates: tuple[float, ...] = ()


class LiveFeed(Protocol):
    """A live market.

    Attributes:
        name: for people: its address.
    """

    name: str

    async def opening(self, coins: Sequence[str]) -> tuple[FeedTime, tuple[FeedCoin, ...]]:
        """Read what it knows of coins now.

        Raises:
            SuiteError: it cannot be reached, knows a coin not, or its time stands still.
        """
        ...

    async def minutes(self, coin: str, from_ms: int) -> Bars:
        """Closed minutes that opened at a time or later, as far back as it has them.

        Raises:
            SuiteError: it cannot be reached.
        """
        ...

    async def hourly_rate(self, coin: str) -> float | None:
        """The last settled funding rate by the hour, None where it has none.

        Raises:
            SuiteError: it cannot be reached.
        """
        ...

    async def follow(self, coins: Sequence[str], listener: FeedListener[LiveEvent]) -> None:
        """Tell what happens until cancelled; connections that end are made again."""
        ...


class JobRunner(Protocol):
    """Runs backtests outside the event loop."""

    async def run(
        self, job_id: str, request: BacktestRequest, on_progress: Callable[[float], None]
    ) -> tuple[bytes, str]:
        """Run one to its end.

        Returns:
            The canonical report and its SHA-256.

        Raises:
            SuiteError: it failed, with the reason.
        """
        ...


class WorldJournal(Protocol):
    """Where what came to one world is written down.

    Attributes:
        place: what a person is told to look at.
    """

    place: str

    def append(self, content: bytes) -> None:
        """Write a record; on return it survives the end of the process.

        Raises:
            StorageError: it was not written, and nothing of it will be read.
        """
        ...

    def read(self) -> Iterator[bytes]:
        """Read all records back, oldest first, before anything is appended.

        Raises:
            StorageError: one was damaged; says which, and what to do.
        """
        ...

    def close(self) -> None:
        """Let others have it."""
        ...


class WorldJournals(Protocol):
    """Journals of the worlds of a process."""

    def begin(self, world_id: str) -> WorldJournal:
        """Begin one.

        Raises:
            InUse: another process has it.
            StorageError: it cannot be made.
        """
        ...

    def kept(self) -> Iterator[WorldJournal]:
        """Open those of earlier lives, oldest world first; others' are left out."""
        ...

    def remove(self, world_id: str) -> None:
        """Forget a world."""
        ...
