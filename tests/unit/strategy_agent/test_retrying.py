"""A run that failed leaves nothing that opens a position, and is tried again."""

import asyncio
from typing import Any

import pytest
from tests.support.waiting import until
from tests.unit.strategy_agent.scripted import ScriptedVenue, alpha_with, resting

from strategy_agent.application.alpha_loop import AlphaLoop
from strategy_agent.application.retrying import Retries
from strategy_agent.application.status import Alert
from suite.errors import (
    ConfigError,
    StorageError,
    SuiteError,
    Unauthorized,
    UpstreamTimeout,
    UpstreamUnavailable,
)

GONE = UpstreamUnavailable("gone")


def real_time(**more: Any) -> ScriptedVenue:
    venue = ScriptedVenue(sleeps=True, **more)
    venue.mode = "wall"
    return venue


async def asleep(venue: ScriptedVenue, alpha: AlphaLoop) -> None:
    alpha.start()
    await until(lambda: venue.asleep("a"))


def test_pauses_grow_and_begin_anew_after_a_run_that_lasted() -> None:
    """What only a person can mend is not tried again."""
    retries = Retries((1.0, 5.0, 30.0))
    assert [1.0, 5.0, 30.0, 30.0] == [retries.pause_s(GONE, lasted_s=1.0) for _ in range(4)]
    assert [1.0, 5.0] == [retries.pause_s(GONE, lasted_s=lasted) for lasted in (31.0, 30.0)]
    assert 6 == retries.count
    for error in (ConfigError("x"), Unauthorized("x")):
        assert retries.pause_s(error, lasted_s=1.0) is None
    assert Retries(()).pause_s(GONE, lasted_s=1.0) is None


@pytest.mark.parametrize("fault", [GONE, UpstreamTimeout("late"), RuntimeError("a bug")])
async def test_a_run_that_fails_cancels_its_entries_and_is_tried_again(fault: Exception) -> None:
    """Status and alert say why and how often; once it trades again the reason is gone."""
    alerts: list[Alert] = []
    venue = real_time()
    alpha = alpha_with(venue, "a", alerts=alerts, retry_pauses_s=(0.05,))
    await asleep(venue, alpha)
    steps, status = venue.accounts["a"], alpha.instance().status
    resting(venue, alpha.instance(), oid=7)
    steps.fault = fault
    alpha.run_once()
    await until(lambda: status.state == "retrying" and bool(steps.cancelled))
    assert [7] == [order.oid for order in steps.cancelled][:1]
    assert (str(fault) in status.error, True) == (True, status.retries >= 1)
    assert "tried again in 0.05 s" in alerts[-1].text
    assert alerts[-1].text in [row["text"] for row in venue.journal("a").of("alert")]
    await until(lambda: status.retries >= 2)
    steps.fault = None
    await until(lambda: status.state == "running" and venue.asleep("a"))
    assert ("", "connected") == (status.error, status.connection)
    assert venue.journal("a").of("run")[-1]["continued"]
    await alpha.close()
    assert alpha.instance().failure is None


async def test_a_venue_that_cannot_be_reached_is_tried_until_it_refuses() -> None:
    """No connection is a reason to try again, a token that is not known any more is none."""
    venue = real_time()
    alpha = alpha_with(venue, "a", retry_pauses_s=(0.01,))
    await asleep(venue, alpha)
    venue.fails["a"] = "nobody there"
    venue.accounts["a"].fault = GONE
    alpha.run_once()
    one = alpha.instance()
    await until(lambda: one.status.retries >= 3)
    assert "nobody there" == one.status.error
    venue.refusal = Unauthorized("unknown token")
    await asyncio.wait_for(one.finished(), 5)
    assert ("failed", "unknown token") == (one.status.state, str(one.failure))


async def test_a_person_ends_the_pause_before_a_try_by_a_start_or_a_stop() -> None:
    venue = real_time()
    alpha = alpha_with(venue, "a", retry_pauses_s=(1000.0,))
    await asleep(venue, alpha)
    one = alpha.instance()
    for _ in range(2):
        venue.accounts["a"].fault = GONE
        alpha.run_once()
        await until(lambda: one.status.state == "retrying")
        venue.accounts["a"].fault = None
        alpha.start("a")
        await until(lambda: one.status.state == "running" and venue.asleep("a"))
    venue.accounts["a"].fault = GONE
    alpha.run_once()
    await until(lambda: one.status.state == "retrying")
    await asyncio.wait_for(alpha.close(), 5)
    assert ("idle", None) == (one.status.state, one.failure)


async def test_a_stop_during_a_failure_is_a_stop() -> None:
    """Also where the disk is full, and the last record cannot be kept."""
    venue = real_time()
    alpha = alpha_with(venue, "a", retry_pauses_s=(1000.0,))
    await asleep(venue, alpha)
    venue.journal("a").fault = StorageError("disk full")
    await asyncio.wait_for(alpha.close(), 5)
    assert "idle" == alpha.instance().status.state


@pytest.mark.parametrize("fault", [GONE, ConfigError("wrong")])
async def test_a_simulated_run_that_fails_is_over(fault: SuiteError) -> None:
    """Its failure is the outcome, as what is wrong there stays wrong; entries go as well."""
    venue = ScriptedVenue(sleeps=True)
    alpha = alpha_with(venue, "a", retry_pauses_s=(0.01,))
    await asleep(venue, alpha)
    resting(venue, alpha.instance(), oid=7)
    venue.accounts["a"].fault = fault
    alpha.run_once()
    await asyncio.wait_for(alpha.instance().finished(), 5)
    assert ("failed", fault) == (alpha.instance().status.state, alpha.instance().failure)
    assert [7] == [order.oid for order in venue.accounts["a"].cancelled]
    assert str(fault) == venue.journal("a").of("alert")[-1]["text"]
