"""Collectors that share a Redis, through a hundred rounds of all that can be done to it."""

import random
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.support.cache_faults import WAYS, stack

pytestmark = [pytest.mark.process, pytest.mark.slow]

ROUNDS = 120


@pytest.mark.timeout(1800)
def test_answers_are_equal_whatever_redis_does(
    tmp_path: Path, figure: Callable[[str, str], None]
) -> None:
    chance = random.Random(20_261_122)
    with stack(tmp_path, seed=3) as running:
        for _ in range(ROUNDS):
            running.live_through(chance.choice(WAYS), 8)
    asked = sum(running.asked.values())
    figure(
        "P3",
        f"{asked:,} pages asked of collectors with Redis on, off, flapping, flushed, frozen and"
        f" stale: {len(running.differ)} differ from one without",
    )
    assert [] == running.differ
    assert set(WAYS) == set(running.asked)
