"""What the process of a fleet does that others do not: one for all, of trusted code."""

import os
import signal
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import httpx
import psutil
import pytest
from tests.contract.runtimes.places import SECRET, Fleet, OneEach
from tests.contract.runtimes.test_runtimes import is_actual, row, seen
from tests.support.venue_process import VenueUnderTest

from suite.errors import ConfigError
from trader_manager.adapters.local_processes import FleetProcess, fleet

pytestmark = [pytest.mark.process, pytest.mark.slow, pytest.mark.timeout(180)]


@pytest.fixture
async def place(tmp_path: Path, venue: VenueUnderTest) -> AsyncIterator[Fleet]:
    made = Fleet(tmp_path, venue)
    yield made
    await made.close()


async def test_one_process_has_all_and_ends_with_the_last(place: Fleet) -> None:
    """What is secret is in no environment, and on no command line."""
    runtime = place.manager()
    for name in ("anna", "bert"):
        await runtime.start(place.launch(name))
    pids = {found.pid for found in (await runtime.look_all()).values()}
    (pid,) = pids
    process = psutil.Process(pid)
    sees = f"{process.environ()} {process.cmdline()}"
    assert SECRET not in sees
    assert place.venue.token("anna") not in sees
    await runtime.stop("anna")
    assert process.is_running()
    await runtime.stop("bert")
    assert {} == await runtime.look_all()
    await place.close()
    assert not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


async def test_a_process_that_dies_is_the_crash_of_all_and_each_begins_anew(place: Fleet) -> None:
    """One that is not begun anew yet has crashed still, with the reason of that process."""
    runtime = place.manager()
    for name in ("anna", "bert"):
        await runtime.start(place.launch(name))
    begun = await runtime.look("anna")
    os.kill(begun.pid, signal.SIGKILL)
    await seen(runtime, "anna", is_actual("crashed"))
    crashed = await runtime.look("bert")
    assert ("crashed", True) == (crashed.actual, bool(crashed.reason))
    await runtime.start(place.launch("anna"))
    assert begun.pid != (await seen(runtime, "anna", is_actual("running"))).pid
    assert crashed == await runtime.look("bert")
    await runtime.start(place.launch("bert"))
    await row(runtime, "bert", lambda told: told["state"] == "running")


async def test_plugins_are_refused_unless_they_are_allowed(place: Fleet) -> None:
    """By the process itself too."""
    runtime = place.manager()
    launch = place.launch()
    plugin = replace(launch, written={**launch.written, "strategy": {"kind": "plugin:mine:Own"}})
    with pytest.raises(ConfigError, match="anna is a plugin's, code of others"):
        await runtime.start(plugin)
    assert {} == await runtime.look_all()
    await runtime.start(launch)
    found = await seen(runtime, "anna", lambda one: one.control_url)
    headers = {"authorization": f"Bearer {found.control_token.get_secret_value()}"}
    async with httpx.AsyncClient(headers=headers, trust_env=False) as client:
        body = {"entry": dict(plugin.written), "secrets": {"CALLED": "x"}}
        refused = await client.put(f"{found.control_url}/instances/bert", json=body)
    assert (422, True) == (refused.status_code, "a plugin is code" in refused.text)


async def test_all_trade_at_one_venue(place: Fleet) -> None:
    """The process has one; another needs another process."""
    runtime = place.manager()
    await runtime.start(place.launch("anna"))
    with pytest.raises(ConfigError, match=r"stop all traders of the fleet first"):
        await runtime.start(replace(place.launch("bert"), venue_url="http://127.0.0.1:1"))
    assert {"anna"} == set(await runtime.look_all())


async def test_what_the_venue_refuses_is_told_and_leaves_nothing(place: Fleet) -> None:
    """An entry that cannot be read is no trader."""
    runtime = place.manager()
    await runtime.start(place.launch("anna"))
    launch = place.launch("bert")
    with pytest.raises(Exception, match="environment variable CALLED is not set"):
        await runtime.start(replace(launch, secrets={}))
    assert {"anna"} == set(await runtime.look_all())


async def test_a_process_that_stands_still_makes_nobody_fail_and_can_be_ended(
    place: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What its traders do is not known; who wants one ended ends all, as none of them trades."""
    monkeypatch.setattr(fleet, "_ANSWER_S", 1.0)
    monkeypatch.setattr(fleet, "_SILENT_S", 3.0)
    runtime = place.manager()
    for name in ("anna", "bert"):
        await runtime.start(place.launch(name))
    found = await runtime.look("anna")
    os.kill(found.pid, signal.SIGSTOP)
    for silent in (await runtime.look_all()).values():
        assert ("running", {}) == (silent.actual, silent.row)
    await runtime.stop("anna")
    assert "absent" == (await runtime.look("anna")).actual
    assert "crashed" == (await runtime.look("bert")).actual


async def test_connections_that_break_end_nobody_else(place: Fleet) -> None:
    """Each kind of question of a stop, once: it is asked again."""
    runtime = place.manager()
    assert isinstance(runtime, FleetProcess)
    for name in ("anna", "bert"):
        await runtime.start(place.launch(name))
    begun = await row(runtime, "bert", lambda told: told["state"] == "running")
    pid = (await runtime.look("bert")).pid
    broken: set[tuple[str, str]] = set()

    async def breaks(request: httpx.Request) -> None:
        kind = (request.method, request.url.path)
        if kind not in broken:
            broken.add(kind)
            raise httpx.ReadError("connection reset by peer", request=request)

    runtime._client.event_hooks = {"request": [breaks]}
    await runtime.stop("anna")
    assert {"/health", "/instances/anna"} == {path for _, path in broken}
    runtime._client.event_hooks = {}
    assert {"bert"} == set(await runtime.look_all())
    assert pid == (await runtime.look("bert")).pid
    await row(runtime, "bert", lambda told: told["turn"] > begun["turn"])


async def test_a_trader_has_one_state_wherever_it_runs(place: Fleet) -> None:
    """In a process of its own it goes on where it was in the fleet, and never in both."""
    runtime = place.manager()
    await runtime.start(place.launch())
    told = await row(runtime, "anna", lambda one: one["turn"] > 1)
    other = OneEach(place.folder, place.venue)
    alone = other.manager()
    await alone.start(place.launch())
    refused = await seen(alone, "anna", is_actual("crashed"))
    assert "anna runs already" in refused.reason
    await runtime.stop("anna")
    await alone.start(place.launch())
    await row(alone, "anna", lambda one: one["turn"] > told["turn"])
    await other.close()
