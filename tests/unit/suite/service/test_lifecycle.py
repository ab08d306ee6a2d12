"""Parts are opened in order and closed in reverse, and none that hangs keeps another open."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from suite.service.lifecycle import STOP_BUDGET_S, Parts


class Told:
    """Parts that write down what happens to them, and a clock that is set by hand."""

    def __init__(self) -> None:
        self.events: list[str] = []
        self.bugs: list[BaseException] = []
        self.now_s = 100.0
        self.parts = Parts(self.bugs.append, lambda: self.now_s)

    def says(
        self, word: str, error: BaseException | None = None
    ) -> Callable[[], Coroutine[Any, Any, None]]:
        async def say() -> None:
            self.events.append(word)
            if error is not None:
                raise error

        return say

    def add(self, name: str, *, fails: str = "") -> None:
        """Add a part that fails to `start` or `stop` where it is told to."""
        self.parts.add(
            name,
            start=self.says(f"+{name}", ValueError(name) if fails == "start" else None),
            stop=self.says(f"-{name}", ValueError(name) if fails == "stop" else None),
        )


@pytest.fixture
def told() -> Told:
    return Told()


async def test_parts_are_closed_in_reverse_though_one_fails(told: Told) -> None:
    for name, fails in (("store", ""), ("venue", "stop"), ("routes", "")):
        told.add(name, fails=fails)
    await told.parts.open()
    await told.parts.close()
    assert ["+store", "+venue", "+routes", "-routes", "-venue", "-store"] == told.events
    assert [] == told.parts.still_open()


async def test_a_failed_start_closes_what_was_open(told: Told) -> None:
    told.add("store")
    told.add("venue", fails="start")
    told.add("routes")
    with pytest.raises(ValueError, match="venue"):
        await told.parts.open()
    assert ["+store", "+venue", "-store"] == told.events


async def test_a_part_that_hangs_keeps_no_other_open(told: Told) -> None:
    """It swallows being canceled, too; the others are closed within what is left."""
    told.add("store")

    async def hang() -> None:
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                told.events.append("ignored")
                if told.events.count("ignored") > 1:
                    raise

    told.parts.add("stuck", stop=hang)
    told.add("routes")
    await told.parts.open()
    told.parts.deadline_s = told.now_s  # nothing is left: each gets the least there is
    await told.parts.close()
    assert ["+store", "+routes", "-routes", "-store"] == [
        event for event in told.events if event != "ignored"
    ]


async def test_work_is_canceled_to_its_end_before_what_it_needs(told: Told) -> None:
    told.add("store")

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            told.events.append("saved")

    told.parts.work("sync", work)
    await told.parts.open()
    await asyncio.sleep(0)
    await told.parts.close()
    assert ["+store", "saved", "-store"] == told.events
    assert [] == told.bugs
    assert told.now_s + STOP_BUDGET_S == told.parts.deadline_s


async def test_work_that_ends_with_an_error_is_a_bug(told: Told) -> None:
    told.parts.work("sync", told.says("began", ZeroDivisionError("oops")))
    await told.parts.open()
    for _ in range(3):
        await asyncio.sleep(0)
    health = told.parts.health()
    await told.parts.close()
    assert ["oops"] == [str(bug) for bug in told.bugs]
    assert (False, {"stalled": "sync has ended"}) == (health.ok, health.detail)


async def test_health_is_progress(told: Told) -> None:
    turns = 0

    async def work() -> None:
        await asyncio.Event().wait()

    told.parts.work("sync", work, turns=lambda: turns, limit_s=60)
    await told.parts.open()
    told.now_s += 59
    assert told.parts.health().ok
    told.now_s += 60
    stalled = told.parts.health()
    turns += 1
    moved = told.parts.health()
    await told.parts.close()
    assert {"stalled": "sync has not moved for 60 s"} == stalled.detail or not stalled.ok
    assert moved.ok
