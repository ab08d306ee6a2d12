"""What the application needs from outside."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from suite.contracts.backtest import BacktestRequest, JobState
from virtual_exchange.domain.market import Market


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketQuery:
    """Which market to load.

    Attributes:
        coins: names as asked, by any venue's convention.
        from_ms, to_ms: range, to exclusive; None for the edge of what all coins have.
        allow_partial: accept coins that do not cover the range.
    """

    coins: tuple[str, ...]
    from_ms: int | None
    to_ms: int | None
    interval: str = "1m"
    allow_partial: bool = False


class MarketSource(Protocol):
    """Where worlds get their market from."""

    def load(self, query: MarketQuery) -> Market:
        """Read and quantise the bars and funding of a range.

        Raises:
            DataGap: nothing, or not the whole range, is stored; says what is.
            StorageError: a file is damaged.
            BadRequest: a coin has no name.
        """
        ...


class Snapshots(Protocol):
    """The indicators of one coin at any past boundary, as the data contract shows them."""

    def intervals_data(self, as_of_ms: int, intervals: tuple[str, ...]) -> dict[str, Any]:
        """Blocks by minutes (`"15"`); all intervals when none is named."""
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


class JobListener(Protocol):
    """Told of each change of a job."""

    def __call__(self, state: JobState) -> None:
        """Take note."""
        ...
