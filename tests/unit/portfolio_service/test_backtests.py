"""Backtests that are begun here: how far they are is told, whatever becomes of the venue."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from fastapi import FastAPI
from tests.support.followed_portfolio import MemoryPlans

from portfolio_service.application.backtests import Backtests, summary
from portfolio_service.entrypoint.access import VIEWER
from portfolio_service.entrypoint.backtests import make_backtests_router
from portfolio_service.settings import Settings
from suite.clock import ManualClock
from suite.errors import NotFound, SuiteError, UpstreamUnavailable
from suite.service.app import install_chassis
from suite.service.caching import Cache

REQUEST = {"symbols": ["BTC"], "traders": [{"trader_id": "a", "strategy": {"kind": "hodl"}}]}


class Venue:
    """Runs nothing; tells what it is given to tell."""

    def __init__(self, states: list[Mapping[str, Any]], trouble: SuiteError | None = None) -> None:
        self.unset = ""
        self.states = states
        self.trouble = trouble
        self.requests: list[Mapping[str, Any]] = []
        self.canceled: list[str] = []
        self.read = 0

    async def start(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        self.requests.append(request)
        return {"job_id": f"j{len(self.requests)}", "status": "running", "percent": 0.0}

    async def watch(self, job_id: str) -> AsyncIterator[Mapping[str, Any]]:
        for one in self.states:
            yield {"job_id": job_id, **one}
        if self.trouble is not None:
            raise self.trouble

    async def report(self, job_id: str) -> bytes:
        self.read += 1
        if self.trouble is not None:
            raise self.trouble
        return msgspec.json.encode(REPORT)

    async def cancel(self, job_id: str) -> Mapping[str, Any]:
        self.canceled.append(job_id)
        return {"job_id": job_id, "status": "canceled", "percent": 40.0}


REPORT: dict[str, Any] = {
    "result": {
        "period": {"from_ms": 0, "to_ms": 120_000, "interval_ms": 60_000},
        "coins": ["BTC"],
        "traders": {
            "a": {
                "strategy": {"kind": "hodl"},
                "total_return": "0.01",
                "total_pnl": "100",
                "final_equity": "10100",
                "max_drawdown": "0",
                "win_rate": None,
                "total_trades": 1,
                "portfolio_metrics": {"ratios": {"sharpe": "1.5"}},
                "bridge": {"net": "100"},
                "equity_curve": [[at, str(10000 + at / 600)] for at in range(0, 6_000_000, 1000)],
                "completed_trades": [{"entry_time": 1, "exit_time": 2, "pnl": "100", "extra": 1}],
            }
        },
    },
    "sha256": "5d" * 32,
}


@asynccontextmanager
async def asking(backtests: Backtests, folder: Path) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the routes that may look."""
    app = FastAPI(title="portfolio-service")
    chassis = install_chassis(app, Settings.load(state_dir=folder))
    chassis.tokens.ensure_file(folder, VIEWER)
    app.include_router(make_backtests_router(backtests, Cache()))
    token = (folder / "viewer.token").read_text().strip()
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app),
        base_url="http://localhost",
        headers={"authorization": f"Bearer {token}"},
    ) as client:
        yield client


async def ended(backtests: Backtests) -> str:
    async for told in backtests.listen(quiet_s=5):
        assert told is not None
        if told.jobs and told.jobs[0].status != "running":
            return told.jobs[0].status
    return ""


async def test_a_report_is_read_once_for_all_who_look(tmp_path: Path) -> None:
    venue = Venue([{"status": "done"}])
    backtests = Backtests(venue, MemoryPlans(), ManualClock(7))
    await backtests.start("first", REQUEST)
    async with asking(backtests, tmp_path) as client:
        first = await client.get("/api/backtests/j1/report")
        assert summary(msgspec.json.encode(REPORT)) == first.json()
        venue.trouble = UpstreamUnavailable("away")
        assert first.content == (await client.get("/api/backtests/j1/report")).content
        assert 404 == (await client.get("/api/backtests/j2/report")).status_code
        client.headers.pop("authorization")
        assert 401 == (await client.get("/api/backtests/j1/report")).status_code
    assert 1 == venue.read


async def test_a_report_that_is_not_there_yet_is_asked_for_again(tmp_path: Path) -> None:
    venue = Venue([{"status": "done"}], UpstreamUnavailable("away"))
    backtests = Backtests(venue, MemoryPlans(), ManualClock(7))
    await backtests.start("first", REQUEST)
    async with asking(backtests, tmp_path) as client:
        assert 503 == (await client.get("/api/backtests/j1/report")).status_code
        venue.trouble = None
        assert 200 == (await client.get("/api/backtests/j1/report")).status_code


async def test_progress_is_told_until_the_end() -> None:
    venue = Venue([{"status": "running", "percent": 50.0}, {"status": "done", "percent": 100.0}])
    backtests = Backtests(venue, MemoryPlans(), ManualClock(7))
    begun = await backtests.start("first", REQUEST)
    assert ("first", "hodl · BTC", 7, "running") == (
        begun.name, begun.what, begun.begun_ms, begun.status,
    )  # fmt: skip
    assert "done" == await ended(backtests)
    assert 100.0 == backtests.answer().jobs[0].percent


@pytest.mark.parametrize("trouble", [None, UpstreamUnavailable("the venue is away")])
async def test_a_venue_that_is_lost_ends_a_run_as_failed(trouble: SuiteError | None) -> None:
    backtests = Backtests(
        Venue([{"status": "running", "percent": 5.0}], trouble), MemoryPlans(), ManualClock(0)
    )
    await backtests.start("first", REQUEST)
    assert "failed" == await ended(backtests)
    assert "the venue" in backtests.answer().jobs[0].error


async def test_newest_runs_come_first_and_old_ones_are_forgotten() -> None:
    backtests = Backtests(Venue([{"status": "done"}]), MemoryPlans(), ManualClock(0))
    for number in range(105):
        await backtests.start(f"run-{number}", REQUEST)
    jobs = backtests.answer().jobs
    assert 100 == len(jobs)
    assert ("run-104", "run-5") == (jobs[0].name, jobs[-1].name)
    with pytest.raises(NotFound):
        await backtests.report("j1")


async def test_a_run_is_canceled_where_it_runs() -> None:
    venue = Venue([])
    backtests = Backtests(venue, MemoryPlans(), ManualClock(0))
    job = await backtests.start("first", REQUEST)
    assert "canceled" == (await backtests.cancel(job.job_id)).status
    assert ["j1"] == venue.canceled
    with pytest.raises(NotFound):
        await backtests.cancel("another")


async def test_runs_outlive_the_service_and_are_followed_to_their_end() -> None:
    kept = MemoryPlans()
    running = {"status": "running", "percent": 50.0}
    first = Backtests(Venue([{"status": "done"}]), kept, ManualClock(1))
    await first.start("over", REQUEST)
    assert "done" == await ended(first)
    cut = Venue([running], UpstreamUnavailable("never told"))
    before = Backtests(cut, kept, ManualClock(2))
    cut.requests.append({})  # its ids go on
    begun = await before.start("going on", REQUEST)
    kept.runs[begun.job_id] = msgspec.to_builtins(begun)  # killed while it ran
    again = Backtests(Venue([running, {"status": "done", "percent": 100.0}]), kept, ManualClock(3))
    await again.recall()
    assert ["going on", "over"] == [one.name for one in again.answer().jobs]
    assert "done" == await ended(again)
    assert {"done"} == {body["status"] for body in kept.runs.values()}
    assert (await again.report(begun.job_id))["coins"] == ["BTC"]


async def test_a_database_that_is_away_ends_no_run() -> None:
    backtests = Backtests(Venue([{"status": "done"}]), MemoryPlans(dies_after=0), ManualClock(0))
    await backtests.start("first", REQUEST)
    assert "done" == await ended(backtests)


async def test_an_end_lets_go_who_watches() -> None:
    backtests = Backtests(Venue([]), MemoryPlans(), ManualClock(0))

    async def watch() -> int:
        return len([told async for told in backtests.listen(quiet_s=60)])

    watching = asyncio.create_task(watch())
    await asyncio.sleep(0)
    await backtests.end()
    assert await watching >= 1


def test_a_report_is_thinned_to_a_screen_with_its_ends_kept() -> None:
    told = summary(msgspec.json.encode(REPORT))
    trader = told["traders"]["a"]
    assert len(trader["curve"]["time_ms"]) <= 800
    assert (0, 5_999_000) == (trader["curve"]["time_ms"][0], trader["curve"]["time_ms"][-1])
    assert ("hodl", "1.5", "100") == (
        trader["kind"], trader["metrics"]["sharpe"], trader["metrics"]["total_pnl"],
    )  # fmt: skip
    assert {"entry_time", "exit_time", "coin", "side", "pnl"} == set(trader["trades"][0])
