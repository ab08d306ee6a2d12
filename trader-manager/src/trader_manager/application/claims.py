"""Traders that replicas run: agents that were started without one claim a free one, and hold it.

A claim is a lease that ends by itself. Who holds one renews it long before; who cannot stops taking
risk before the lease is over, so that two never trade for one trader. The leases are in the store;
how a holder can be reached is told with each renewal and known here only until it ends.
"""

import asyncio
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from pydantic import SecretStr

from suite.clock import Clock
from suite.errors import Conflict, SuiteError, UpstreamUnavailable
from suite.ids import TraderId
from trader_manager.application.access import Access
from trader_manager.application.ports import LeaseStore, TraderStore
from trader_manager.application.runtime import Ending, Launch, Sighting
from trader_manager.domain.traders import Claim, Lease, StoredTrader

REPLICAS: Final = "replicas"
"""Name of the runtime of traders that are claimed; this service starts none of them."""
_TRIES: Final = 5
"""Traders that one question is answered with at most, where they cannot be started."""
_AGAIN_MS: Final = 10_000
"""Until one that could not be started is tried again."""
_LAUNCH_SHARE: Final = 3
"""Of its lease that finding out how a trader is started may take."""


class _EndsElsewhere(Conflict):
    """It is not given yet, by no fault of its own."""


class ClaimedStore(TraderStore, LeaseStore, Protocol):
    """What is wanted, and who has it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """Who asks for a trader.

    Attributes:
        name: of one place of one process; no two have the same.
        control_url: of its control API.
        control_token: for the writes there.
    """

    name: str
    control_url: str
    control_token: SecretStr


@dataclass(frozen=True, slots=True, kw_only=True)
class Granted:
    """A claim, with what its trader is started with.

    Attributes:
        decided: highest number of a decision of it that is recorded; 0 where none is known.
    """

    claim: Claim
    launch: Launch
    decided: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """What a holder has told.

    Attributes:
        lease: as it was last renewed.
        holder: how it can be reached.
        generation: of the configuration that it runs.
        since_ms, renewed_ms: epoch ms.
    """

    lease: Lease
    holder: Holder
    generation: int
    since_ms: int
    renewed_ms: int


class Claims:
    """Gives traders of the runtime `replicas` to who asks; a `Runtime` that starts nobody.

    Args:
        store: of traders and leases.
        access: the way to the venue.
        wall: the machine's clock.
        ttl_s: how long a lease lasts without being renewed.

    Attributes:
        settled: says whether a trader, as it is wanted at present, runs nowhere else.
        decided: tells the highest number of a trader's decision that is recorded.
    """

    def __init__(self, *, store: ClaimedStore, access: Access, wall: Clock, ttl_s: float) -> None:
        self._store = store
        self._access = access
        self._wall = wall
        self._known: dict[TraderId, _Known] = {}
        self._reasons: dict[TraderId, str] = {}
        self._failed: dict[TraderId, int] = {}
        self.ttl_ms = int(ttl_s * 1000)
        self.settled: Callable[[StoredTrader], bool] = lambda _: True
        self.decided: Callable[[TraderId], int] = lambda _: 0

    # what agents ask

    async def claim(self, holder: Holder, *, passed_over: Collection[str] = ()) -> Granted | None:
        """Give a free trader away; one that cannot be started keeps nobody from another.

        Args:
            holder: who asks.
            passed_over: those that it could not run of late.

        Returns:
            None when there is none.

        Raises:
            UpstreamUnavailable: the venue does not answer, so that none can be given.
        """
        now_ms = self._wall.now_ms()
        self._failed = {name: until for name, until in self._failed.items() if until > now_ms}
        over = {*passed_over, *self._failed}
        for _ in range(_TRIES):
            claim = await self._store.claim_trader(
                holder.name, ttl_ms=self.ttl_ms, runtime=REPLICAS, passed_over=over
            )
            if claim is None:
                break
            name = claim.trader.trader_id
            over.add(name)
            try:
                launch = await self._launch(claim.trader)
            except SuiteError as error:
                await self._store.release_lease(claim.lease)
                self._reasons[name] = str(error)
                if error.retryable:  # so it is with all others
                    raise
                if not isinstance(error, _EndsElsewhere):
                    self._failed[name] = now_ms + _AGAIN_MS
                continue
            self._note(claim, holder, generation=claim.trader.generation)
            return Granted(claim=claim, launch=launch, decided=self.decided(name))
        return None

    async def _launch(self, trader: StoredTrader) -> Launch:
        """Say what a trader is started with, once it is nowhere else.

        Raises:
            UpstreamUnavailable: the venue does not answer.
            SuiteError: it cannot be started, and why.
        """
        if not self.settled(trader):
            raise _EndsElsewhere(f"{trader.trader_id} may run elsewhere yet: it is ended first")
        try:
            async with asyncio.timeout(self.ttl_ms / 1000 / _LAUNCH_SHARE):
                return await self._access.launch(trader, with_secrets=False)
        except TimeoutError:
            raise UpstreamUnavailable("the venue does not answer in time") from None

    async def renew(self, lease: Lease, holder: Holder, *, generation: int) -> StoredTrader:
        """Keep a lease.

        Args:
            lease: by trader, holder and fence.
            holder: who has it.
            generation: of the configuration that it runs.

        Returns:
            The trader as it is wanted: where it shall stop, or is another, its holder ends it.

        Raises:
            LeaseLost: somebody else has it; or it ran out, and the trader shall stop or runs
                elsewhere.
            NotFound: it was removed, so nobody has it.
        """
        claim = await self._store.renew_lease(lease, ttl_ms=self.ttl_ms, runtime=REPLICAS)
        self._note(claim, holder, generation=generation)
        return claim.trader

    async def release(self, lease: Lease, *, reason: str = "") -> None:
        """Take a trader back whose run has come to its end.

        Args:
            lease: by trader, holder and fence.
            reason: why it cannot be run; empty where it can.
        """
        await self._store.release_lease(lease)
        known = self._known.get(lease.trader_id)
        if known is not None and known.lease.fence == lease.fence:
            del self._known[lease.trader_id]
            if reason:
                self._reasons[lease.trader_id] = reason

    def _note(self, claim: Claim, holder: Holder, *, generation: int) -> None:
        name, now_ms = claim.trader.trader_id, self._wall.now_ms()
        before = self._known.get(name)
        same = before is not None and before.lease.fence == claim.lease.fence
        self._reasons.pop(name, None)
        self._known[name] = _Known(
            lease=claim.lease,
            holder=holder,
            generation=generation,
            since_ms=before.since_ms if before is not None and same else now_ms,
            renewed_ms=now_ms,
        )

    # what the supervisor asks

    async def start(self, launch: Launch) -> None:
        """Start nobody: whoever is free claims the trader."""

    async def stop(self, trader_id: str) -> None:
        """Leave it to the holder, which is told with its next renewal and ends its trader then.

        Raises:
            Ending: it still has it.
        """
        lease = (await self._live()).get(TraderId(trader_id))
        if lease is not None:
            raise Ending(
                f"{lease.holder} has {trader_id} and ends it with its next renewal, or with its "
                f"lease, {max(0, lease.expires_ms - self._wall.now_ms()) / 1000:.0f} s from now"
            )

    async def look(self, trader_id: str) -> Sighting:
        """See who has a trader."""
        return self._seen(TraderId(trader_id), await self._live())

    def _seen(self, name: TraderId, live: Mapping[TraderId, Lease]) -> Sighting:
        lease, known = live.get(name), self._known.get(name)
        if lease is None:
            return Sighting(actual="claimable", reason=self._reasons.get(name, ""))
        if known is None or known.lease.fence != lease.fence:  # told to an earlier manager
            return Sighting(actual="claimable", holder=lease.holder)
        return Sighting(
            actual="running",
            generation=known.generation,
            started_ms=known.since_ms,
            control_url=known.holder.control_url,
            control_token=known.holder.control_token,
            holder=lease.holder,
            lease_age_ms=self._wall.now_ms() - known.renewed_ms,
        )

    async def look_all(self) -> Mapping[str, Sighting]:
        """See who has which trader, and which may be claimed."""
        traders = await self._store.list_traders()
        names = {one.trader_id for one in traders if one.runtime == REPLICAS}
        live = await self._live()
        return {name: self._seen(name, live) for name in sorted(names | set(live))}

    async def forget(self, trader_id: str) -> None:
        """Let go of a trader that nobody holds."""
        self._known.pop(TraderId(trader_id), None)
        self._reasons.pop(TraderId(trader_id), None)
        self._failed.pop(TraderId(trader_id), None)

    async def _live(self) -> dict[TraderId, Lease]:
        """Read the leases that have not run out; what is noted meanwhile is newer.

        Never kept: a trader that somebody has claimed since may not start elsewhere.

        Raises:
            SuiteError: the store is away.
        """
        before = dict(self._known)
        live = {lease.trader_id: lease for lease in await self._store.list_leases()}
        for name, known in self._known.items():
            if known is not before.get(name):
                live[name] = known.lease
        return live


def lease_of(trader_id: str, *, holder: str, fence: int) -> Lease:
    """Name a lease as its holder knows it."""
    return Lease(trader_id=TraderId(trader_id), holder=holder, fence=fence, expires_ms=0)
