"""The steps of a trader at a venue over HTTP that hangs, comes back, or is another one."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import msgspec
import pytest
from aiohttp import web
from tests.support.venue_calls import venue_calls
from tests.support.waiting import until

from strategy_agent.adapters import venue_http
from strategy_agent.adapters.venue_http import VenueHttp
from strategy_agent.application.presence import Presence
from strategy_agent.application.venue_world import WorldChanged
from suite.contracts.clock import ClockState, JoinRequest, WaitReply, WaitRequest
from suite.errors import Conflict, SuiteError, UpstreamTimeout
from suite.service.clock import SystemClock

STEP = WaitRequest(step_seq=1)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, seconds in (
        ("_LOOK_S", 0.05),
        ("_ANSWER_S", 0.1),
        ("_READ_S", 0.1),
        ("_PAUSE_S", 0.02),
    ):
        monkeypatch.setattr(venue_http, name, seconds)


@dataclass
class Stub:
    """A venue of which a test says what it answers.

    Attributes:
        silent: nothing is answered.
        sleeps: steps are not answered, as nobody wakes.
        refuses: steps are refused.
    """

    mode: Any = "lockstep"
    world: str = "a"
    waits_for: tuple[str, ...] = ()
    silent: bool = False
    sleeps: bool = False
    refuses: bool = False
    steps: list[bytes] = field(default_factory=list)
    joins: int = 0

    async def clock(self, _request: web.Request) -> web.Response:
        await self._speaks()
        state = ClockState(
            mode=self.mode, now_ms=5, speed=0.0, world=self.world, waits_for=self.waits_for
        )
        return _answer(state)

    async def join(self, _request: web.Request) -> web.Response:
        await self._speaks()
        self.joins += 1
        return _answer(WaitReply(now_ms=5 + self.joins, step_seq=0))

    async def wait(self, request: web.Request) -> web.Response:
        self.steps.append(await request.read())
        await self._speaks()
        if self.sleeps:
            await asyncio.Event().wait()
        if self.refuses:
            raise web.HTTPConflict(text="join first")
        return _answer(WaitReply(now_ms=9, step_seq=1, woke_by=("bar",)))

    async def _speaks(self) -> None:
        if self.silent:
            await asyncio.Event().wait()


def _answer(value: object) -> web.Response:
    return web.Response(body=msgspec.json.encode(value), content_type="application/json")


@asynccontextmanager
async def serving(stub: Stub, *, lost_limit_s: float = 5.0) -> AsyncIterator[VenueHttp]:
    app = web.Application()
    app.add_routes(
        [
            web.get("/clock", stub.clock),
            web.post("/clock/join", stub.join),
            web.post("/clock/wait", stub.wait),
            web.post("/clock/heartbeat", stub.clock),
        ]
    )
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    calls = venue_calls(f"http://127.0.0.1:{runner.addresses[0][1]}", None, window_s=0.0)
    venue = VenueHttp(calls, presence=Presence(SystemClock()), lost_limit_s=lost_limit_s)
    try:
        await venue.connect()
        yield venue
    finally:
        await venue.close()
        await runner.cleanup()


async def test_a_step_is_asked_for_again_when_a_venue_that_was_lost_is_back() -> None:
    """The connection of the first request may be dead: nobody would ever answer it."""
    stub = Stub()
    async with serving(stub) as venue:
        stub.silent = True
        step = asyncio.ensure_future(venue.wait(STEP))
        await until(lambda: venue._presence.lost_since_ms is not None)
        assert "did not answer within 0.1 s" in venue._presence.reason
        stub.silent = False
        async with asyncio.timeout(5):
            assert ("bar",) == (await step).woke_by
        assert venue._presence.lost_since_ms is None
    assert (2, 1) == (len(stub.steps), len(set(stub.steps)))


async def test_a_venue_that_stays_silent_fails_the_step_after_the_limit() -> None:
    stub = Stub()
    async with serving(stub, lost_limit_s=0.4) as venue:
        stub.silent = True
        async with asyncio.timeout(5):
            with pytest.raises(UpstreamTimeout, match="did not answer"):
                await venue.wait(STEP)


async def test_a_start_does_not_wait_for_ever_for_an_answer_that_was_lost() -> None:
    """Its session has no limit, as steps take long; what is asked before them has one."""
    stub = Stub()
    async with serving(stub) as venue:
        stub.silent = True
        async with asyncio.timeout(5):
            with pytest.raises(UpstreamTimeout, match=r"did not answer within 0\.1 s"):
                await venue.connect()


async def test_a_join_that_is_not_answered_notices_a_lost_venue_as_a_step_does() -> None:
    stub = Stub()
    async with serving(stub, lost_limit_s=0.4) as venue:
        stub.silent = True
        async with asyncio.timeout(5):
            with pytest.raises(UpstreamTimeout, match="did not answer"):
                await venue.join(JoinRequest())
    stub.silent = False
    async with serving(stub) as venue:
        stub.silent = True
        joining = asyncio.ensure_future(venue.join(JoinRequest()))
        await until(lambda: venue._presence.lost_since_ms is not None)
        stub.silent = False
        async with asyncio.timeout(5):
            assert 6 == (await joining).now_ms
        assert venue._presence.lost_since_ms is None


async def test_a_step_in_which_the_trader_sleeps_for_long_is_left_alone() -> None:
    stub = Stub(sleeps=True)
    async with serving(stub) as venue:
        step = asyncio.ensure_future(venue.wait(STEP))
        await asyncio.sleep(0.3)
        assert (1, False, None) == (len(stub.steps), step.done(), venue._presence.lost_since_ms)
        assert venue._calls.requests["clock"] > 3
        step.cancel()
        await asyncio.gather(step, return_exceptions=True)


@pytest.mark.parametrize("sleeps", [True, False], ids=["found by a look", "refused"])
async def test_a_step_in_another_world_says_that_it_is_another_one(sleeps: bool) -> None:
    stub = Stub(sleeps=sleeps, refuses=True)
    async with serving(stub) as venue:
        stub.world = "b"
        async with asyncio.timeout(5):
            with pytest.raises(WorldChanged, match="it was a and is b"):
                await venue.wait(STEP)


async def test_a_refusal_in_the_same_world_stays_what_it_is() -> None:
    async with serving(Stub(refuses=True)) as venue:
        with pytest.raises(Conflict, match="join first"):
            await venue.wait(STEP)


async def test_a_heartbeat_that_is_not_answered_tells_that_the_venue_is_lost() -> None:
    stub = Stub()
    async with serving(stub) as venue:
        stub.silent = True
        with pytest.raises(SuiteError):
            await venue.heartbeat()
        assert venue._presence.lost_since_ms is not None
        stub.silent = False
        await venue.heartbeat()
        assert venue._presence.lost_since_ms is None


async def test_a_join_of_a_paced_world_is_answered_once_it_has_begun() -> None:
    """Until then its prices stand still; what is shown is of its beginning."""
    stub = Stub(mode="paced", waits_for=("x", "y"))
    async with serving(stub) as venue:
        stub.waits_for = ("y",)
        joining = asyncio.ensure_future(venue.join(JoinRequest()))
        await until(lambda: venue._presence.waits_for == ("y",))
        assert not joining.done()
        stub.waits_for = ()
        async with asyncio.timeout(5):
            assert 7 == (await joining).now_ms
        assert (2, ()) == (stub.joins, venue._presence.waits_for)


async def test_a_join_in_lockstep_is_answered_at_once_and_tells_who_is_missing() -> None:
    stub = Stub(waits_for=("y",))
    async with serving(stub) as venue:
        assert 6 == (await venue.join(JoinRequest())).now_ms
        assert ["y"] == list(venue._presence.waits_for)
        await venue.wait(STEP)
        assert [] == list(venue._presence.waits_for)
