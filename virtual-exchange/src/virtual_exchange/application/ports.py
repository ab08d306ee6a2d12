"""What the application needs from outside."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Protocol

from suite.contracts.backtest import BacktestRequest
from suite.errors import BadRequest
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
