"""Cutting an arena into parts, working them off, and saying how far it is."""

import asyncio
from collections.abc import Sequence

import pytest

from suite.bars import DAY_MS
from trader_manager.application.arena.parts import (
    ArenaPlan,
    ArenaProgress,
    PlannedTrader,
    cut,
    duration,
)
from trader_manager.application.arena.working import OnProgress, PartFailed, PartQueue


def trader(name: str, turns: int = 100, *, slow: bool = False) -> PlannedTrader:
    return PlannedTrader(trader_id=name, slow=slow, turns=turns)


def plan(*traders: PlannedTrader) -> ArenaPlan:
    return ArenaPlan(from_ms=0, to_ms=10 * DAY_MS, traders=traders)


@pytest.mark.parametrize(("count", "workers"), [(1, 1), (8, 2), (10, 2), (63, 4), (1000, 2)])
def test_everybody_is_in_one_part(count: int, workers: int) -> None:
    """With few traders a part is a trader; no part is large."""
    traders = [trader(f"t{number}") for number in range(count)]
    parts = cut(traders, workers=workers)
    assert sorted(one.trader_id for one in traders) == sorted(sum(parts, ()))
    assert max(map(len, parts)) <= 64
    if count <= 4 * workers:
        assert {1} == set(map(len, parts))


def test_slow_and_dangerous_traders_are_alone_and_come_first() -> None:
    """What they cost is kept by itself, and nobody else falls with them."""
    traders = [trader(f"t{number}") for number in range(40)]
    traders += [trader("plugin"), trader("model", 10, slow=True), trader("large", 20, slow=True)]
    parts = cut(traders, workers=2, alone={"plugin"})
    assert [("large",), ("model",), ("plugin",)] == parts[:3]
    assert all(len(part) > 1 for part in parts[3:])


def test_progress_counts_what_was_kept_and_the_eta_does_not() -> None:
    """Half of the work was there, half of the rest took ten seconds: ten more."""
    progress = ArenaProgress(plan(trader("a", 200), trader("b"), trader("c")), frozenset({"a"}))
    assert 0.5 == progress.share
    assert progress.rates(0.0, 5.0).eta_s is None
    progress.begin(("b",), 0.0)
    progress.move(["b"], 1.0)
    progress.end(("b",), 10.0)
    assert (2, 0.75) == (progress.finished, progress.share)
    rates = progress.rates(0.0, 10.0)
    assert (10.0, 10.0, 1.0) == (rates.eta_s, rates.decisions_a_second, rates.days_a_second)
    assert "1.0 trader-days/s, 10 decisions/s, ETA 10 s" == str(rates)


def test_a_trader_of_much_work_is_expected_at_its_own_pace() -> None:
    """Others were fast; this one has done a tenth in twenty seconds, and is waited for."""
    progress = ArenaProgress(plan(trader("a"), trader("b"), trader("c")), frozenset(), 2)
    progress.begin(("a",), 0.0)
    progress.begin(("b",), 0.0)
    progress.move(["a"], 1.0)
    progress.end(("a",), 2.0)
    progress.begin(("c",), 2.0)
    progress.move(["b"], 0.1)
    assert 180.0 == pytest.approx(progress.rates(0.0, 20.0).eta_s)


def test_a_part_is_expected_to_go_on_as_it_did_lately() -> None:
    """It began fast and has become slow."""
    progress = ArenaProgress(plan(trader("a")), frozenset())
    progress.begin(("a",), 0.0)
    progress.move(["a"], 0.5)
    progress.rates(0.0, 10.0)
    for at_s in range(20, 130, 10):
        progress.move(["a"], 0.5 + (at_s - 10) * 0.002)
        eta_s = progress.rates(0.0, at_s).eta_s
    assert 0.28 / 0.002 == pytest.approx(eta_s, rel=0.05)


def test_what_is_expected_does_not_jump() -> None:
    """One look that tells of a much longer time moves it a little only."""
    progress = ArenaProgress(plan(trader("a"), trader("b", 4000)), frozenset(), 2)
    progress.begin(("a",), 0.0)
    progress.move(["a"], 0.5)
    assert 4000 * 10 / 50 / 2 == pytest.approx(progress.rates(0.0, 10.0).eta_s, rel=0.05)
    progress.begin(("b",), 10.0)
    progress.move(["b"], 0.001)
    before_s = progress.rates(0.0, 10.25).eta_s
    progress.move(["b"], 0.0101)
    after_s = progress.rates(0.0, 10.5).eta_s
    assert before_s is not None
    assert after_s == pytest.approx(before_s, rel=0.1)


@pytest.mark.parametrize(
    ("seconds", "text"), [(3.4, "3 s"), (61, "1 min 01 s"), (7320, "2 h 2 min")]
)
def test_time_is_written_as_people_do(seconds: float, text: str) -> None:
    """Coarser the longer it is."""
    assert text == duration(seconds)


class Process:
    """Runs what it is told; who is in `broken` ends it."""

    def __init__(self, broken: frozenset[str]) -> None:
        self.broken = broken
        self.ran: list[tuple[str, ...]] = []
        self.closed = 0

    async def run(self, traders: Sequence[str], on_progress: OnProgress) -> None:
        self.ran.append(tuple(traders))
        on_progress(0.5)
        for _ in traders:
            await asyncio.sleep(0)
        if found := self.broken & set(traders):
            raise PartFailed(f"{min(found)} broke it")

    async def close(self) -> None:
        self.closed += 1


def test_a_part_that_fails_is_run_again_one_by_one() -> None:
    """One trader fails; the others of its part come to their end."""
    progress = ArenaProgress(plan(*(trader(name) for name in "abcd")), frozenset())
    process = Process(frozenset("b"))
    asyncio.run(PartQueue([("a", "b", "c"), ("d",)], progress, lambda: 0.0).work_off([process]))
    assert [("a", "b", "c"), ("a",), ("b",), ("c",), ("d",)] == process.ran
    assert {"b": "b broke it"} == progress.failed
    assert (4, 1.0, 1) == (progress.finished, progress.share, process.closed)


def test_idle_processes_wait_for_what_a_failed_part_leaves_to_be_done() -> None:
    """Its traders, one by one, are shared among all."""
    progress = ArenaProgress(plan(*(trader(name) for name in "abcdef")), frozenset(), 2)
    processes = [Process(frozenset("b")), Process(frozenset("b"))]
    parts = [("a", "b", "c", "d", "e"), ("f",)]
    asyncio.run(PartQueue(parts, progress, lambda: 0.0).work_off(processes))
    assert 6 == progress.finished
    alone = [[part for part in one.ran if len(part) == 1] for one in processes]
    assert 2 <= min(map(len, alone))
    assert [1, 1] == [process.closed for process in processes]


def test_processes_are_ended_when_it_is_interrupted() -> None:
    """Also those that are in the middle of a part."""

    class Endless(Process):
        async def run(self, traders: Sequence[str], on_progress: OnProgress) -> None:
            on_progress(0.25)
            await asyncio.Event().wait()

    async def interrupted() -> None:
        task = asyncio.create_task(
            PartQueue([("a",), ("b",)], progress, lambda: 0.0).work_off(processes)
        )
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    progress = ArenaProgress(plan(trader("a"), trader("b")), frozenset())
    processes = [Endless(frozenset()), Endless(frozenset())]
    asyncio.run(interrupted())
    assert [1, 1] == [process.closed for process in processes]
    assert 0 == progress.finished
