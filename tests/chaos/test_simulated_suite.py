"""Ten thousand histories of the whole suite, in chunks; a seed that fails runs first from then on.

SIMULATED_SEEDS=2000 pytest tests/chaos/test_simulated_suite.py
"""

import os
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor

import pytest
from tests.support.simulation.kept import keep
from tests.support.simulation.reaching import missing
from tests.support.simulation.world import History, simulate

SEEDS = int(os.environ.get("SIMULATED_SEEDS", "10000"))
FIRST = 10_000
"""Those below are in every run of `make test`, or were looked at by hand."""
CHUNK = 50


def _chunk(first: int) -> list[History]:
    return [simulate(seed) for seed in range(first, min(first + CHUNK, FIRST + SEEDS))]


@pytest.mark.timeout(6 * 3600)
def test_ten_thousand_histories_end_well(
    capsys: pytest.CaptureFixture[str], figure: Callable[[str, str], None]
) -> None:
    reached, failed = Counter[str](), list[str]()
    with ProcessPoolExecutor(2, max_tasks_per_child=4) as pool:
        for chunk in pool.map(_chunk, range(FIRST, FIRST + SEEDS, CHUNK)):
            for found in chunk:
                reached += found.reached
                if found.problems:
                    keep(found.seed, found.problems[0])
                    failed.append(
                        f"python -m tests.support.simulation {found.seed}: {found.problems[:3]}"
                    )
    with capsys.disabled():
        print(
            f"\n{SEEDS} histories, {len(failed)} failed; reached: {dict(sorted(reached.items()))}"
        )
    assert [] == failed
    assert [] == missing(reached)
    figure(
        "D1",
        f"{SEEDS:,} histories of the whole suite in virtual time, {reached['intents']:,} intents: "
        "0 lost, doubled, left unknown or believed wrongly, 0 books that differ",
    )
