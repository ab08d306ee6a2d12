"""A command that was accepted is obeyed, whatever happens before the next turn."""

import pytest
from tests.support.waiting import until
from tests.unit.strategy_agent.scripted import ScriptedVenue, alpha_with

from strategy_agent.application.alpha_loop import AlphaLoop
from strategy_agent.application.command_queue import CommandQueue
from strategy_core.risk.commands import Pause, Resume, Stop
from suite.errors import StorageError, UpstreamUnavailable

STOP = Stop(actor="ann", reason="enough")
PAUSE = Pause(actor="ann", reason="news")
RESUME = Resume(actor="ann", reason="over")


def test_a_command_stays_until_the_memory_of_its_turn_is_kept() -> None:
    """One that comes meanwhile stays longer; a permission to go on is not for a restart."""
    queue = CommandQueue()
    queue.put(STOP)
    assert (STOP,) == queue.take()
    queue.put(RESUME)
    queue.begin(())
    assert (STOP, RESUME) == queue.take()
    assert () == queue.take()
    queue.put(PAUSE)
    assert (STOP, PAUSE) == queue.lasting
    assert queue.obeyed()
    assert [PAUSE] == list(queue.lasting)
    assert not queue.obeyed()
    queue.begin((STOP, PAUSE))
    assert (STOP, PAUSE) == queue.take()


async def started(venue: ScriptedVenue) -> AlphaLoop:
    venue.mode = "wall"
    alpha = alpha_with(venue, "a", retry_pauses_s=(1000.0,))
    alpha.start()
    await until(lambda: venue.asleep("a"))
    return alpha


@pytest.mark.parametrize("before", [True, False])
async def test_a_stop_is_obeyed_by_the_run_after_the_one_that_failed(before: bool) -> None:
    """Given before the failure and never taken, or while the trader waits for its next try."""
    venue = ScriptedVenue(sleeps=True)
    alpha = await started(venue)
    status = alpha.instance().status
    venue.memories["a"].fault = RuntimeError("a bug")
    if before:
        alpha.stop("a", reason="enough")
    else:
        alpha.run_once("a")
    await until(lambda: status.state == "retrying")
    if not before:
        alpha.stop("a", reason="enough")
    venue.memories["a"].fault = None
    alpha.start("a")
    await until(lambda: status.status == "STOPPED" and venue.memories["a"].commands == ())
    await alpha.close()


async def test_a_stop_is_obeyed_after_the_process_has_died() -> None:
    """It is kept before it is answered; a new world has nothing to do with it."""
    venue = ScriptedVenue(sleeps=True)
    alpha = await started(venue)
    venue.accounts["a"].fault = UpstreamUnavailable("gone")
    alpha.stop("a", actor="ann", reason="enough")
    assert (STOP,) == venue.memories["a"].commands
    await alpha.close()
    venue.accounts["a"].fault = None
    again = await started(venue)
    await until(lambda: again.instance().status.status == "STOPPED")
    await again.close()


async def test_a_command_is_obeyed_though_the_disk_is_full() -> None:
    """And the answer says that a restart would not know of it."""
    venue = ScriptedVenue(sleeps=True)
    alpha = await started(venue)
    venue.memories["a"].commands_fault = StorageError("disk full")
    with pytest.raises(StorageError, match="it is obeyed, but a restart may not know of it: disk"):
        alpha.pause("a", reason="news")
    await until(lambda: alpha.instance().status.status == "PAUSED")
    await alpha.close()


async def test_commands_for_a_world_that_has_begun_anew_are_forgotten() -> None:
    venue = ScriptedVenue(sleeps=True)
    alpha = await started(venue)
    await alpha.close()
    venue.memories["a"].commands = (STOP,)
    venue.mode, venue.url = "lockstep", "http://elsewhere"
    again = alpha_with(venue, "a")
    again.start()
    await until(lambda: venue.turns("a") == 2)
    assert "LIVE" == again.instance().status.status
    await again.close()
