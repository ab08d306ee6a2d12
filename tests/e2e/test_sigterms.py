"""What SIGTERM ends is gone in time, and leaves no order but protection."""

from pathlib import Path

import pytest
from tests.support.live_day import live_day
from tests.support.sigterms import KINDS, LIMIT_S, end_them

pytestmark = [pytest.mark.process, pytest.mark.slow, pytest.mark.timeout(400)]


async def test_each_ends_in_time_and_leaves_nothing(tmp_path: Path, home: Path) -> None:
    """Each service and each trader once; the long form is `tests/chaos/test_sigterms.py`."""
    async with live_day(tmp_path, home, speed=30, seed=5) as day:
        ends = await end_them(day, len(KINDS))
    print(ends)
    assert [] == [one for one in ends if one.seconds > LIMIT_S or one.code or one.orphans]
