"""What a person reads while traders run, and when they stop."""

import asyncio

import pytest
from tests.support.waiting import until
from tests.unit.strategy_agent.scripted import ScriptedVenue, alpha_with, resting

from strategy_agent.application.alpha_loop import AlphaLoop
from strategy_agent.entrypoint.progress import Progress
from strategy_agent.main import run_until_stopped
from suite.clock import ManualClock
from suite.errors import ConfigError


def test_a_decision_that_takes_long_is_told_with_its_seconds() -> None:
    """Once after five seconds, and with every line from then on."""
    clock, alpha = ManualClock(100_000), alpha_with(ScriptedVenue(), "a")
    progress, status = Progress(alpha, wall=clock), alpha.instance("a").status
    status.state, status.connection, status.deciding_since_ms = "running", "connected", 100_000
    assert ["a: LIVE"] == list(progress.news())
    clock.advance_to(104_000)
    assert [] == list(progress.news())
    clock.advance_to(112_000)
    assert ["a: LIVE, deciding since 12 s"] == list(progress.news())
    clock.advance_to(120_000)
    assert ([], "a: LIVE, deciding since 20 s") == (list(progress.news()), progress.line_of(status))


def test_each_change_is_a_line() -> None:
    """From the connection on; counts say since when; a failure says what can be done."""
    alpha = alpha_with(ScriptedVenue(), "a")
    progress = Progress(alpha, wall=ManualClock(0), control_url="http://127.0.0.1:8300")
    status = alpha.instance("a").status
    status.state = "starting"
    assert [] == list(progress.news())
    status.connection = "connected"
    assert ["a: connected, waits for its account"] == list(progress.news())
    status.state, status.now_ms, status.equity = "running", 60_000, "10"
    status.decisions, status.fills = 1, 2
    told = "a: LIVE, 1970-01-01 00:01:00, equity 10 USD, flat, 1 decision, 2 fills since the start"
    assert [told] == list(progress.news())
    assert [] == list(progress.news())
    status.state, status.error = "failed", "the venue is gone"
    (line,) = progress.news()
    assert "the venue is gone; POST http://127.0.0.1:8300/start tries again" in line
    assert [] == progress.outcome()


async def test_a_stop_tells_what_it_did_with_the_orders() -> None:
    venue = ScriptedVenue(sleeps=True)
    alpha = alpha_with(venue, "a", "b")
    alpha.start("a")
    await until(lambda: venue.asleep("a"))
    resting(venue, alpha.instance("a"), oid=5)
    resting(venue, alpha.instance("a"), oid=6, reduceOnly=True)
    await alpha.close()
    a, b = Progress(alpha, wall=ManualClock(0)).outcome()
    assert "a: stopped, flat, 1 decision, 0 fills since the start, equity 10000 USD" in a
    assert "entries canceled: 1, stops and targets left: 1" in a
    assert "b: stopped before its first turn" == b


async def ending(alpha: AlphaLoop) -> asyncio.Task[None]:
    task = asyncio.create_task(run_until_stopped(alpha, stays=True))
    await asyncio.sleep(0.05)
    return task


async def test_a_process_stays_while_a_trader_has_failed_until_it_is_started_and_ends() -> None:
    """One ended, one failed: it stays; started again and at its end: it ends by itself."""
    venue = ScriptedVenue(steps=5, fails={"b": "nobody there"})
    alpha = alpha_with(venue, "a", "b")
    task = await ending(alpha)
    await until(lambda: alpha.instance("a").status.state == "ended")
    await asyncio.sleep(0.05)
    assert not task.done()
    venue.fails.clear()
    alpha.start("b", reason="it is back")
    await asyncio.wait_for(task, 5)
    assert ["ended", "ended"] == [one.status.state for one in alpha.instances]


async def test_a_process_that_stays_ends_when_it_is_told_to() -> None:
    """Also when its last trader was removed."""
    venue = ScriptedVenue(fails={"a": "nobody there"})
    alpha = alpha_with(venue, "a")
    task = await ending(alpha)
    await alpha.remove_strategy_instance("a")
    await asyncio.sleep(0.05)
    assert not task.done()
    await alpha.close()
    await asyncio.wait_for(task, 5)


@pytest.mark.parametrize("later", [False, True])
async def test_a_process_whose_traders_are_all_misconfigured_ends_at_once(later: bool) -> None:
    """Not one where somebody else has begun."""
    venue = ScriptedVenue(steps=5)
    venue.refusal = ConfigError("no such plugin")
    alpha = alpha_with(venue, "a", "b")
    if later:
        venue.refusal, venue.fails = None, {"b": "nobody there"}
    task = await ending(alpha)
    if not later:
        await asyncio.wait_for(task, 5)
        assert alpha.misconfigured
    else:
        await until(lambda: alpha.instance("a").status.state == "ended")
        assert not task.done()
        await alpha.close()
        await asyncio.wait_for(task, 5)
        assert not alpha.misconfigured
