"""The long form of `tests/e2e/test_sigterms.py`: 500 ends of the live stack under load."""

from collections.abc import Callable
from pathlib import Path
from statistics import median

import pytest
from tests.support.live_day import live_day
from tests.support.postgres_servers import open_folder
from tests.support.sigterms import LIMIT_S, end_them

pytestmark = [pytest.mark.process, pytest.mark.slow, pytest.mark.timeout(7200)]

NUMBER = 500


async def test_five_hundred_ends_leave_nothing(
    tmp_path: Path, figure: Callable[[str, str], None]
) -> None:
    with open_folder() as home:
        async with live_day(tmp_path, home, speed=30, seed=6) as day:
            ends = await end_them(day, NUMBER)
    times = [one.seconds for one in ends]
    figure(
        "X3",
        f"{NUMBER} SIGTERMs of services and traders under load: ended after {median(times):.1f} s, "
        f"{max(times):.1f} s at most; {sum(one.orphans for one in ends)} orphan orders",
    )
    assert [] == [one for one in ends if one.seconds > LIMIT_S or one.code or one.orphans]
