"""What managing a fleet needs from outside.

Every call of the store may raise `UpstreamUnavailable` (the database is away; nothing half-written,
the same call may be repeated: whatever was stored the first time is found and left as it is),
`UpstreamTimeout` (the same, it answers too slowly) or `StorageError` (it refuses).
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from suite.ids import TraderId, WorldId
from trader_manager.domain.records import (
    Batch,
    Decision,
    EquitySeries,
    FundingPayment,
    ModelBill,
    News,
    Positions,
    Progress,
    Reached,
    Trade,
    TraderPerformance,
)
from trader_manager.domain.traders import (
    Claim,
    Crash,
    DesiredState,
    Lease,
    StoredTrader,
    WantedTrader,
)


class TraderStore(Protocol):
    """The traders as they are wanted."""

    async def save_trader(
        self, trader: WantedTrader, *, generation: int | None = None
    ) -> StoredTrader:
        """Add a trader, or change one.

        Args:
            trader: as it shall be; one that is so already is returned as it stands.
            generation: of the one to be changed; None to add one that is not there.

        Raises:
            Conflict: it is there already and differs, was changed meanwhile, or its account is
                another trader's.
            NotFound: the one to be changed is not there.
            BadRequest: its spec is not JSON.
        """
        ...

    async def get_trader(self, trader_id: TraderId) -> StoredTrader:
        """Read one that is not removed.

        Raises:
            NotFound: there is none.
        """
        ...

    async def list_traders(self, *, with_removed: bool = False) -> tuple[StoredTrader, ...]:
        """Read all, by id."""
        ...

    async def set_desired(
        self, trader_ids: Sequence[TraderId], desired: DesiredState
    ) -> tuple[StoredTrader, ...]:
        """Want some to run or to stop, all or none of them; one that does keeps its generation.

        Raises:
            NotFound: one of them is not there.
        """
        ...

    async def remove_trader(self, trader_id: TraderId) -> StoredTrader:
        """Forget a trader that nobody holds; its records stay, its account is free.

        Returns:
            The trader; also where it was removed before.

        Raises:
            NotFound: there never was one.
            Conflict: somebody holds it, and may trade until that lease has run out.
        """
        ...


class LeaseStore(Protocol):
    """Who may run which trader."""

    async def claim_trader(
        self,
        holder: str,
        *,
        ttl_ms: int,
        trader_id: TraderId | None = None,
        runtime: str | None = None,
        passed_over: Collection[str] = (),
    ) -> Claim | None:
        """Take a trader that should run and that nobody holds; no two callers get the same one.

        Args:
            holder: who takes it; a holder's own live lease on `trader_id` is given again, renewed.
            ttl_ms: how long the lease lasts without being renewed.
            trader_id: which one; any free one when not given.
            runtime: only of this runtime.
            passed_over: none of these.

        Returns:
            None when no such trader is free.
        """
        ...

    async def renew_lease(self, lease: Lease, *, ttl_ms: int, runtime: str | None = None) -> Claim:
        """Keep a lease, also one that ran out while nobody took a trader that still shall run.

        Args:
            lease: by trader, holder and fence.
            ttl_ms: how long it lasts from now on.
            runtime: one that ran out is kept only where the trader is of this runtime yet.

        Returns:
            The lease, and the trader as wanted at present: it may have changed, or shall stop.

        Raises:
            LeaseLost: somebody else has it, or may: it ran out, and the trader shall stop or has
                moved.
            NotFound: the trader was removed, so nobody has it.
        """
        ...

    async def release_lease(self, lease: Lease) -> None:
        """Give a trader back; nothing where the lease was lost."""
        ...

    async def list_leases(self) -> tuple[Lease, ...]:
        """Read those that have not run out, by trader."""
        ...


class CrashStore(Protocol):
    """Ends of runs, for the guard against crash loops."""

    async def save_crash(self, crash: Crash) -> Crash:
        """Note a crash; one noted before is returned as it stands."""
        ...

    async def list_crashes(self, trader_id: TraderId, *, window_ms: int) -> tuple[Crash, ...]:
        """Read those of the last `window_ms` by the database's clock, oldest first."""
        ...


class RecordStore(Protocol):
    """What traders did, written."""

    async def save_records(self, batch: Batch, *, lease: Lease | None = None) -> int:
        """Store rows together or not at all; those that are there and equal are left alone.

        Args:
            batch: the rows; positions older than those stored are passed over.
            lease: in whose name; None for the manager itself.

        Returns:
            How many rows are new.

        Raises:
            Conflict: a row is there and differs; none of the batch is stored.
            LeaseLost: somebody else may run the trader by now; none of the batch is stored.
            BadRequest: a row is of another trader than the lease, or cannot be stored.
        """
        ...

    async def save_trade(self, trade: Trade, *, lease: Lease | None = None) -> int:
        """Store one fill, as `save_records` does."""
        ...


class RecordReader(Protocol):
    """What traders did, read."""

    async def get_trades(
        self,
        world: WorldId,
        trader_id: TraderId,
        *,
        since_ms: int | None = None,
        until_ms: int | None = None,
    ) -> tuple[Trade, ...]:
        """Read fills by time and `tid`; `since_ms` is included, `until_ms` is not."""
        ...

    async def get_funding(
        self,
        world: WorldId,
        trader_id: TraderId,
        *,
        since_ms: int | None = None,
        until_ms: int | None = None,
    ) -> tuple[FundingPayment, ...]:
        """Read funding payments by time and coin; `since_ms` is included, `until_ms` is not."""
        ...

    async def get_positions(self, world: WorldId) -> Mapping[TraderId, Positions]:
        """Read the latest positions of all traders of a world."""
        ...

    async def get_decisions(
        self, world: WorldId, trader_id: TraderId, *, after: int = -1, limit: int = 1000
    ) -> tuple[Decision, ...]:
        """Read decisions with a number above `after`, in order."""
        ...

    async def get_model_bill(self, world: WorldId, trader_id: TraderId) -> ModelBill:
        """Sum up what its recorded decisions cost at language models."""
        ...


class BoardReader(Protocol):
    """What the leaderboard and a restart need of a whole world."""

    async def get_trader_performance(
        self, world: WorldId, trader_id: TraderId
    ) -> TraderPerformance:
        """Sum up one trader; one of which nothing is recorded has no samples and no fills."""
        ...

    async def list_performance(self, world: WorldId) -> Mapping[TraderId, TraderPerformance]:
        """Sum up all traders of which something is recorded in the world."""
        ...

    async def get_equity_series(
        self,
        world: WorldId,
        *,
        trader_id: TraderId | None = None,
        since_ms: int | None = None,
        until_ms: int | None = None,
    ) -> Mapping[TraderId, EquitySeries]:
        """Read the samples of all traders, or of one.

        `since_ms` is included, `until_ms` is not.
        """
        ...

    async def read_on(
        self, world: WorldId, after: Mapping[TraderId, Reached]
    ) -> Mapping[TraderId, News]:
        """Read all traders of a world on from where they were read, as of one moment.

        Args:
            world: of them.
            after: how far they were read; those that are not among them are read as a whole.
        """
        ...

    async def get_progress(self, world: WorldId) -> Mapping[TraderId, Progress]:
        """Read how far each trader is recorded, to go on from there."""
        ...

    async def replaying(self, world: WorldId, names: Sequence[TraderId]) -> frozenset[TraderId]:
        """Find those of some traders whose latest answer of a model came from a cassette."""
        ...


class Store(TraderStore, LeaseStore, CrashStore, RecordStore, RecordReader, BoardReader, Protocol):
    """All of it, as one database has it."""

    async def open(self) -> None:
        """Connect and bring the tables up to date.

        Raises:
            ConfigError: the database is of another version, or its address is wrong.
        """
        ...

    async def close(self) -> None:
        """Let go of the connections."""
        ...
