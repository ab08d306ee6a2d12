"""Leases against a model of them: whatever is done in whatever order, one holder at a time."""

import asyncio
from dataclasses import dataclass, field

from hypothesis import settings, strategies
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)
from tests.support.stored_traders import trade, wanted

from suite.errors import Conflict, NotFound
from suite.ids import TraderId
from trader_manager.adapters.postgres import PostgresStore
from trader_manager.domain.traders import Claim, DesiredState, Lease, LeaseLost

NAMES = tuple(TraderId(name) for name in "abc")
HOLDERS = ("h1", "h2", "h3")
RUNTIMES = ("process", "replicas")
LONG = 3_600_000


@dataclass
class Known:
    """What the model knows of one trader."""

    there: bool = False
    desired: DesiredState = DesiredState.STOPPED
    runtime: str = "process"
    lease: Lease | None = None
    is_live: bool = False
    fences: list[int] = field(default_factory=list)

    @property
    def is_free(self) -> bool:
        return self.there and self.desired == DesiredState.RUNNING and not self.is_live


class Leases(RuleBasedStateMachine):
    """Every rule does the same to the store and to the model.

    Args:
        address: of a database with empty tables.
    """

    leases = Bundle("leases")

    def __init__(self, address: str) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.store = PostgresStore(address)
        self.known = {name: Known() for name in NAMES}
        self.tid = 0
        self.runner.run(self._begin())

    async def _begin(self) -> None:
        await self.store.open()
        await self._execute("TRUNCATE traders, leases, crashes")
        await self._execute("TRUNCATE trader_trades")

    async def _execute(self, statement: str, *args: object) -> None:
        async with self.store._database.transaction() as connection:
            await connection.execute(statement, *args)

    def teardown(self) -> None:
        self.runner.run(self.store.close())
        self.runner.close()

    @rule(name=strategies.sampled_from(NAMES))
    def add(self, name: TraderId) -> None:
        known = self.known[name]
        if not known.there:
            self.runner.run(self.store.save_trader(wanted(name)))
            known.there, known.desired = True, DesiredState.RUNNING
            known.runtime = "process"

    @rule(name=strategies.sampled_from(NAMES), runtime=strategies.sampled_from(RUNTIMES))
    def move(self, name: TraderId, runtime: str) -> None:
        known = self.known[name]
        if known.there and known.runtime != runtime:
            self.runner.run(self._move(name, runtime))
            known.runtime = runtime
            known.lease = known.lease if known.is_live else None

    async def _move(self, name: TraderId, runtime: str) -> None:
        there = await self.store.get_trader(name)
        moved = wanted(name, desired=there.desired, runtime=runtime)
        await self.store.save_trader(moved, generation=there.generation)

    @rule(name=strategies.sampled_from(NAMES), desired=strategies.sampled_from(DesiredState))
    def want(self, name: TraderId, desired: DesiredState) -> None:
        if self.known[name].there:
            self.runner.run(self.store.set_desired([name], desired))
            self.known[name].desired = desired

    @rule(name=strategies.sampled_from(NAMES))
    def remove(self, name: TraderId) -> None:
        known = self.known[name]
        if not known.there:
            return
        try:
            self.runner.run(self.store.remove_trader(name))
        except Conflict:
            assert known.is_live
        else:
            assert not known.is_live
            known.there, known.desired = False, DesiredState.STOPPED
            known.lease = None

    @rule(target=leases, holder=strategies.sampled_from(HOLDERS))
    def claim_any(self, holder: str) -> object:
        free = [name for name, known in self.known.items() if known.is_free]
        claim = self.runner.run(self.store.claim_trader(holder, ttl_ms=LONG))
        assert free[:1] == ([] if claim is None else [claim.trader.trader_id])
        return multiple() if claim is None else self._taken(claim)

    @rule(
        target=leases,
        name=strategies.sampled_from(NAMES),
        holder=strategies.sampled_from(HOLDERS),
    )
    def claim_one(self, name: TraderId, holder: str) -> object:
        known = self.known[name]
        before = known.lease
        runs = known.there and known.desired == DesiredState.RUNNING
        is_own = known.is_live and before is not None and before.holder == holder
        claim = self.runner.run(self.store.claim_trader(holder, ttl_ms=LONG, trader_id=name))
        assert (known.is_free or (runs and is_own)) == (claim is not None)
        if claim is None:
            return multiple()
        if is_own and before is not None:
            assert before.fence == claim.lease.fence
            known.lease = claim.lease
            return claim.lease
        return self._taken(claim)

    def _taken(self, claim: Claim) -> Lease:
        known = self.known[claim.trader.trader_id]
        assert all(fence < claim.lease.fence for fence in known.fences)
        known.fences.append(claim.lease.fence)
        known.lease, known.is_live = claim.lease, True
        return claim.lease

    @rule(name=strategies.sampled_from(NAMES))
    def run_out(self, name: TraderId) -> None:
        if self.known[name].is_live:
            past = "UPDATE leases SET expires_at = now() - interval '1 s' WHERE trader_id = $1"
            self.runner.run(self._execute(past, name))
            self.known[name].is_live = False

    @rule(lease=leases, runtime=strategies.sampled_from([None, *RUNTIMES]))
    def renew(self, lease: Lease, runtime: str | None) -> None:
        known = self.known[lease.trader_id]
        shall = known.desired == DesiredState.RUNNING and runtime in {None, known.runtime}
        keeps = self._holds(lease) and (known.is_live or shall)
        renewing = self.store.renew_lease(lease, ttl_ms=LONG, runtime=runtime)
        try:
            claim = self.runner.run(renewing)
        except LeaseLost:
            assert known.there
            assert not keeps
        except NotFound:
            assert not known.there
        else:
            assert keeps
            assert lease.fence == claim.lease.fence
            known.lease, known.is_live = claim.lease, True

    @rule(lease=consumes(leases))
    def release(self, lease: Lease) -> None:
        self.runner.run(self.store.release_lease(lease))
        if self._holds(lease):
            self.known[lease.trader_id].lease = None
            self.known[lease.trader_id].is_live = False

    @rule(lease=leases)
    def write(self, lease: Lease) -> None:
        self.tid += 1
        saving = self.store.save_trade(trade(lease.trader_id, self.tid), lease=lease)
        try:
            self.runner.run(saving)
        except LeaseLost:
            assert not self._holds(lease)
        else:
            assert self._holds(lease)

    @precondition(lambda self: any(known.is_live for known in self.known.values()))
    @rule()
    def look(self) -> None:
        live = {known.lease for known in self.known.values() if known.is_live}
        assert live == set(self.runner.run(self.store.list_leases()))

    def _holds(self, lease: Lease) -> bool:
        current = self.known[lease.trader_id].lease
        return current is not None and current.fence == lease.fence


def test_leases_follow_their_model(address: str) -> None:
    class Here(Leases):
        def __init__(self) -> None:
            super().__init__(address)

    run_state_machine_as_test(Here, settings=settings(stateful_step_count=40))
