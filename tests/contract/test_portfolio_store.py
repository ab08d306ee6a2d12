"""The store of the portfolio on a real server: plans are durable, and nothing happens twice."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from tests.support.postgres_servers import TestServer, running

from portfolio_service.adapters.postgres_store import PostgresStore
from portfolio_service.application.ports import (
    Automatic,
    Limits,
    StepDone,
    StoredPlan,
    StoredSession,
)
from portfolio_service.domain.allocating import Allocation, Transfer, plan_rebalance
from portfolio_service.domain.weighing import Rules
from suite.errors import Conflict, NotFound
from suite.fixed import Usd

pytestmark = [pytest.mark.process, pytest.mark.timeout(120)]

TOTAL = Usd(1_000_000_000_001)


@pytest.fixture(scope="module")
def server() -> Iterator[TestServer]:
    with pytest.MonkeyPatch.context() as monkeypatch, running("package", monkeypatch) as found:
        yield found


@pytest.fixture
def address(server: TestServer) -> str:
    """An empty database."""
    return server.empty()


@asynccontextmanager
async def opened(address: str) -> AsyncIterator[PostgresStore]:
    store = PostgresStore(address)
    await store.open()
    try:
        yield store
    finally:
        await store.close()


def plan(before: dict[str, Usd], made_ms: int = 7, **after: int) -> StoredPlan:
    made = plan_rebalance(
        Allocation(total_usd=TOTAL, by_trader=before),
        Allocation(total_usd=TOTAL, by_trader={n: Usd(v) for n, v in after.items()}),
        direct=True,
    )
    return StoredPlan(
        plan=made,
        limits=Limits(rules=Rules(weight_max=0.3), method="kelly"),
        allotments=before,
        capital_usd=TOTAL,
        method="equal",
        reason="a 'quoted' reason",
        actor="operator",
        made_ms=made_ms,
        notes=("one", "two"),
        transfers=(Transfer(from_trader="anna", to_trader="bert", usd=Usd(5)),),
    )


async def test_a_plan_comes_back_as_it_went_in_and_ends_as_it_says(address: str) -> None:
    """Through a restart after each of its steps; a step that is repeated does nothing."""
    stored = plan({}, anna=400_000_000_000, bert=1)
    async with opened(address) as store:
        kept = await store.load()
        assert (Limits(), {}, None) == (kept.limits, kept.allotments, kept.running)
        await store.save_plan(stored)
        steps = {1: StepDone(), 2: StepDone()}
        assert replace(stored, steps=steps) == await store.get_plan(stored.plan.plan_id)
        await store.begin(stored, {})
        with pytest.raises(Conflict, match="is being carried out"):
            await store.save_plan(stored)
    for step in stored.plan.steps:
        async with opened(address) as store:
            kept = await store.load()
            assert kept.running is not None
            assert stored.plan == kept.running.plan
            for _ in range(2):
                await store.allot(kept.running, step.number)
                await store.mark_told(kept.running, step.number)
            assert step.to_usd == (await store.load()).allotments[step.trader_id]
    async with opened(address) as store:
        await store.end(stored, "done", "")
        kept = await store.load()
        assert (dict(stored.plan.after.by_trader), None) == (kept.allotments, kept.running)
        done = await store.get_plan(stored.plan.plan_id)
        told = StepDone(allotted=True, told=True)
        assert ("done", {1: told, 2: told}) == (done.status, done.steps)


async def test_one_plan_runs_and_only_from_what_it_went_by(address: str) -> None:
    async with opened(address) as store:
        first, second = plan({}, anna=5), plan({}, 8, bert=6)
        for one in (first, second):
            await store.save_plan(one)
        with pytest.raises(Conflict, match="what is allotted has changed"):
            await store.begin(first, {"anna": Usd(1)})
        await store.begin(first, {})
        with pytest.raises(Conflict, match=f"the plan {first.plan.plan_id} is being carried out"):
            await store.begin(second, {})
        await store.allot(first, 1)
        await store.allot(second, 1)
        assert {"anna": 5} == (await store.load()).allotments, "it does not run"
        await store.end(first, "done", "")
        gone = plan({"anna": Usd(5)}, anna=0)
        await store.save_plan(gone)
        await store.begin(gone, {"anna": Usd(5)})
        await store.allot(gone, 1, forgets=True)
        assert {} == (await store.load()).allotments
        assert [second.plan.plan_id, first.plan.plan_id] == [
            one.plan.plan_id for one in await store.list_plans(9) if one.plan != gone.plan
        ]
        with pytest.raises(NotFound, match="there is no plan 'nothing'"):
            await store.get_plan("nothing")


async def test_one_process_leads_until_it_is_gone(address: str) -> None:
    async with opened(address) as first:
        assert await first.lead()
        assert await first.lead(), "it still does"
        async with opened(address) as second:
            assert not await second.lead()
            await first.close()
            async with asyncio.timeout(10):
                while not await second.lead():  # noqa: ASYNC110 - the server lets go of it
                    await asyncio.sleep(0.01)


async def test_limits_and_what_was_known(address: str) -> None:
    limits = Limits(rules=Rules(weight_max=0.25, reserve_min=0.0), method="score")
    async with opened(address) as store:
        await store.save_limits(Limits())
        await store.save_limits(limits)
        await store.remember({"anna": {"seen_ms": 1}, "bert": {"seen_ms": 2}})
        await store.remember({"anna": {"seen_ms": 3}})
    async with opened(address) as store:
        assert limits == (await store.load()).limits
        assert {"anna": {"seen_ms": 3}} == await store.recall()
        await store.remember({})
        assert {} == await store.recall()


async def test_logins_backtests_and_what_is_made_by_itself(address: str) -> None:
    logins = [
        StoredSession(digest=bytes([n]) * 32, parent=b"p" * 32, role="viewer", expires_ms=n)
        for n in (2, 1)
    ]
    automatic = Automatic(daily_at=0, on_change=True, last_day=3, members=("a",), plan_id="x")
    async with opened(address) as store:
        assert ([], [], Automatic()) == (
            await store.sessions(), await store.jobs(), await store.load_automatic(),
        )  # fmt: skip
        for one in (*logins, logins[0]):
            await store.save_session(one)
        await store.save_job("late", 2, {"job_id": "late", "status": "running"})
        await store.save_job("early", 1, {"job_id": "early"})
        await store.save_job("late", 2, {"job_id": "late", "status": "done"})
        await store.save_automatic(Automatic())
        await store.save_automatic(automatic)
    async with opened(address) as store:
        assert logins == await store.sessions()
        await store.drop_sessions([logins[0].digest, b"unknown"])
        assert logins[1:] == await store.sessions()
        assert [{"job_id": "early"}, {"job_id": "late", "status": "done"}] == await store.jobs()
        await store.drop_job("early")
        assert ["late"] == [one["job_id"] for one in await store.jobs()]
        assert automatic == await store.load_automatic()
        await store.save_automatic(Automatic(members=()))
        assert Automatic(members=()) == await store.load_automatic()
