"""Nothing that may add risk reaches the venue after a kill was acknowledged."""

from pathlib import Path

import pytest
from tests.support.kill_storm import KillStorm


@pytest.mark.slow
async def test_nothing_follows_a_kill(tmp_path: Path) -> None:
    """The long form is in `tests/chaos/test_kill_storms.py`."""
    storm = KillStorm(tmp_path, seed=0)
    await storm.activations(40)
    storm.judge(40)
