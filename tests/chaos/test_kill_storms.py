"""A thousand kills under load."""

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.support.kill_storm import KillStorm

STORMS, ACTIVATIONS = 25, 40
"""A thousand in one storm would only measure how much the venue's model remembers."""


@pytest.mark.timeout(1200)
async def test_nothing_follows_any_of_a_thousand_kills(
    tmp_path: Path, figure: Callable[[str, str], None]
) -> None:
    before = passed = late = 0
    for seed in range(STORMS):
        storm = KillStorm(tmp_path / str(seed), seed=seed)
        await storm.activations(ACTIVATIONS)
        before, passed = before + storm.seen["before"], passed + storm.seen["passed"]
        late += storm.late
        storm.judge(ACTIVATIONS)
    figure(
        "S1",
        f"{STORMS * ACTIVATIONS:,} kills, stops and pauses under load: {before:,} entries had left "
        f"in time, {late} left after the acknowledgement; {passed:,} exits passed",
    )
