"""What every place where traders run does alike."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import httpx
import pytest
from tests.contract.runtimes.places import SECRET, Place

from suite.errors import SuiteError
from trader_manager.application.runtime import Runtime, Sighting

pytestmark = [pytest.mark.process, pytest.mark.slow, pytest.mark.timeout(180)]


async def seen(
    runtime: Runtime, name: str, wanted: Callable[[Sighting], object], limit_s: float = 60
) -> Sighting:
    """Look until it is as wanted."""
    found = Sighting(actual="absent")
    try:
        async with asyncio.timeout(limit_s):
            while not wanted(found := await runtime.look(name)):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise AssertionError(f"still {found}") from None
    return found


def is_actual(actual: str) -> Callable[[Sighting], bool]:
    return lambda found: found.actual == actual


async def answer(found: Sighting, path: str) -> Any:
    headers = {"authorization": f"Bearer {found.control_token.get_secret_value()}"}
    async with httpx.AsyncClient(headers=headers, trust_env=False) as client:
        return (await client.get(found.control_url + path)).json()


async def row(runtime: Runtime, name: str, wanted: Callable[[Any], object]) -> Any:
    """Ask the process of a trader until it says what is wanted."""
    told: Any = None
    async with asyncio.timeout(60):
        while told is None or not wanted(told):
            found = await seen(runtime, name, lambda one: one.control_url)
            try:
                rows = (await answer(found, "/status"))["traders"]
            except httpx.HTTPError:
                rows = []
            told = next((one for one in rows if one["trader_id"] == name), None)
            await asyncio.sleep(0.05)
    return told


async def test_one_is_started_once_and_found_again_by_another_manager(place: Place) -> None:
    """However often it is asked for, and with whichever configuration."""
    first = place.manager()
    assert "absent" == (await first.look("anna")).actual
    await first.start(place.launch())
    begun = await seen(first, "anna", is_actual("running"))
    await first.start(place.launch(generation=2))
    second = place.manager()
    await second.start(place.launch(generation=3))
    assert {"anna"} == set(await second.look_all())
    for found in (await second.look("anna"), (await second.look_all())["anna"]):
        assert ("running", 1) == (found.actual, found.generation)
        assert (begun.started_ms, begun.pid) == (found.started_ms, found.pid)
    await row(second, "anna", lambda told: told["state"] == "running")


async def test_an_end_that_was_wanted_is_no_crash(place: Place) -> None:
    """Also for another manager; nor is the end of what is not there."""
    runtime = place.manager()
    await runtime.stop("anna")
    await runtime.start(place.launch())
    await seen(runtime, "anna", lambda one: one.control_url)
    await place.manager().stop("anna")
    await seen(runtime, "anna", is_actual("absent"))
    await runtime.stop("anna")
    await runtime.forget("anna")
    assert {} == await place.manager().look_all()
    await runtime.forget("anna")


async def test_one_that_dies_has_crashed_with_its_reason_and_goes_on_where_it_was(
    place: Place,
) -> None:
    """It is one crash, of the run that began then; the next run counts its turns on."""
    runtime = place.manager()
    await runtime.start(place.launch())
    told = await row(runtime, "anna", lambda one: one["turn"] > 1)
    begun = await runtime.look("anna")
    await place.kill(begun)
    crashed = await seen(runtime, "anna", is_actual("crashed"))
    assert crashed == await place.manager().look("anna")
    assert (begun.started_ms, 1, 0) == (crashed.started_ms, crashed.generation, crashed.pid)
    assert crashed.reason
    await asyncio.sleep(0.01)  # for another time of its start
    await runtime.start(place.launch(generation=2))
    again = await seen(runtime, "anna", is_actual("running"))
    assert (2, True) == (again.generation, again.started_ms > begun.started_ms)
    await row(runtime, "anna", lambda one: one["turn"] > told["turn"])


async def test_traders_come_and_go_side_by_side(place: Place) -> None:
    """Each by itself."""
    runtime = place.manager()
    await asyncio.gather(runtime.start(place.launch("anna")), runtime.start(place.launch("bert")))
    for name in ("anna", "bert"):
        await row(runtime, name, lambda one: one["state"] == "running")
    assert {"anna", "bert"} == set(await runtime.look_all())
    begun = await runtime.look("bert")
    await runtime.stop("anna")
    await runtime.forget("anna")
    assert {"bert"} == set(await runtime.look_all())
    assert begun.started_ms == (await runtime.look("bert")).started_ms
    await row(runtime, "bert", lambda one: one["state"] == "running")


async def test_secrets_are_in_no_answer_and_nowhere_written(
    place: Place, capfd: pytest.CaptureFixture[str]
) -> None:
    """Neither those that an entry names, nor tokens."""
    runtime = place.manager()
    await runtime.start(place.launch())
    found = await seen(runtime, "anna", lambda one: one.control_url)
    await row(runtime, "anna", lambda told: told["state"] == "running")
    token = place.venue.token("anna")
    said = [repr(found), repr(await runtime.look_all()), place.written(), *capfd.readouterr()]
    said += [str(await answer(found, path)) for path in ("/status", "/config", "/positions")]
    for text in said:
        assert SECRET not in text
        assert token not in text
    assert "${CALLED}" in str(await answer(found, "/config"))


@pytest.mark.parametrize("name", ["../anna", "a/b", ".a", ""])
async def test_a_name_that_is_none_is_refused(place: Place, name: str) -> None:
    """Nothing outside of what the traders have is touched by it."""
    runtime = place.manager()
    with pytest.raises(SuiteError, match="no name of a trader"):
        await runtime.start(replace(place.launch(), trader_id=name))
    assert {} == await runtime.look_all()
