"""Venue, proxy, agents and manager in one process, through faults chosen by a seed.

Everything about a seed is printed by `python -m tests.support.simulation SEED`.
"""

import asyncio
import contextlib
import os
import subprocess
import sys
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from tests.support.simulation.kept import kept_seeds
from tests.support.simulation.machine import SimulatedLoop, run
from tests.support.simulation.planted import PLANTED, Planted
from tests.support.simulation.reaching import missing
from tests.support.simulation.world import History, simulate

SEEDS = tuple(dict.fromkeys((*kept_seeds(), *range(24))))
PLANTED_SEEDS = 30
"""Within which each planted bug must show itself."""
ROOT = Path(__file__).parents[2]


@cache
def history(seed: int) -> History:
    return simulate(seed)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_history_of_the_whole_suite_ends_well(seed: int) -> None:
    """Every fate is known and right, the books agree, and all that is wanted runs again."""
    assert [] == history(seed).problems, f"python -m tests.support.simulation {seed}"


def test_nothing_goes_wrong_where_nothing_is_done() -> None:
    found = simulate(1, calm=True)
    assert [] == found.problems
    assert found.healed_s < 1


def test_the_histories_reach_every_kind_of_trouble() -> None:
    """A kind that no seed reaches is a blind spot."""
    reached = sum((history(seed).reached for seed in SEEDS), Counter[str]())
    assert [] == missing(reached)


def test_same_seed_is_the_same_history_whatever_hashes_are() -> None:
    """In other processes too, so that a failure anywhere can be looked at here."""
    told = [_told(3, hash_seed) for hash_seed in ("0", "4711")]
    assert told[0] == told[1]
    assert history(3).trace[:16] in told[0]
    assert history(3).trace != history(4).trace


def _told(seed: int, hash_seed: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.simulation", str(seed)],
        cwd=ROOT,
        env=os.environ | {"PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        check=True,
    )
    lines = done.stdout.splitlines()
    return "\n".join([*lines[:-1], lines[-1].rpartition(",")[0]])  # without the time it took


def test_a_deadlock_is_told_at_once() -> None:
    async def waits() -> None:
        await asyncio.Event().wait()

    with pytest.raises(RuntimeError, match="a deadlock"):
        run(waits(), SimulatedLoop(1))


def test_a_killed_process_never_runs_again() -> None:
    """Not even to clean up, as one does that is canceled."""
    from tests.support.simulation.machine import Process

    loop, said = SimulatedLoop(1), list[str]()

    async def works() -> None:
        try:
            await asyncio.sleep(1)
            said.append("went on")
        finally:
            said.append("cleaned up")

    async def main() -> None:
        process = Process("one", loop)
        _ = process.start(works())
        await asyncio.sleep(0.5)
        process.kill()
        await asyncio.sleep(5)
        assert [] == said

    with contextlib.suppress(asyncio.CancelledError):
        run(main(), loop)


@pytest.mark.parametrize("plant", PLANTED, ids=lambda plant: str(plant.__name__))
def test_planted_bug_is_found(plant: Planted) -> None:
    name, text, first = PLANTED[plant]
    problems: list[Any] = []
    for seed in (first, *range(PLANTED_SEEDS)):
        problems += simulate(seed, plant=plant).problems
        if any(text in one for one in problems):
            return
    pytest.fail(f"{name}: nobody says {text!r}, only {problems}")
