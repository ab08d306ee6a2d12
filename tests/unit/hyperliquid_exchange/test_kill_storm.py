"""Nothing that may add risk reaches the venue after a kill was acknowledged."""

import os
from pathlib import Path

import pytest
from tests.support.kill_storm import WAYS, KillStorm

STORMS = 25 if os.environ.get("HYPOTHESIS_PROFILE") == "chaos" else 1
ACTIVATIONS = 40
"""In each; a thousand in one would only measure how much the venue's model remembers."""


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", range(STORMS))
async def test_nothing_follows_a_kill(tmp_path: Path, seed: int) -> None:
    storm = KillStorm(tmp_path, seed=seed)
    await storm.activations(ACTIVATIONS)
    print("storm", storm.late, dict(storm.seen))

    assert storm.late == 0
    assert storm.seen["before"] > ACTIVATIONS  # there was something to stop
    assert storm.seen["passed"] > 0
    assert {storm.seen[way] for way in WAYS} == {ACTIVATIONS // len(WAYS)}
