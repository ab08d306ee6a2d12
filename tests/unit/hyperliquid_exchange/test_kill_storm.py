"""Nothing that may add risk reaches the venue after a kill was acknowledged."""

import os
from pathlib import Path

import pytest
from tests.support.kill_storm import WAYS, KillStorm

ACTIVATIONS = 1_000 if os.environ.get("HYPOTHESIS_PROFILE") == "chaos" else 32


@pytest.mark.slow
@pytest.mark.timeout(900)
async def test_nothing_follows_a_kill(tmp_path: Path) -> None:
    storm = KillStorm(tmp_path, seed=7)
    await storm.activations(ACTIVATIONS)

    assert storm.late == 0
    assert storm.seen["before"] > ACTIVATIONS  # there was something to stop
    assert storm.seen["passed"] > 0
    assert {storm.seen[way] for way in WAYS} == {ACTIVATIONS // len(WAYS)}
