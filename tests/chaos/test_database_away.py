"""The long form of `tests/e2e/test_database_away.py`: a minute each time, several times."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.support.database_outage import back_to_normal, day_with_database, lose_it
from tests.support.live_day import TRADERS, come_to_rest, reconciled
from tests.support.postgres_servers import open_folder

pytestmark = [pytest.mark.process, pytest.mark.slow, pytest.mark.timeout(1800)]
OUTAGES = 3
AWAY_S = 60.0
LOST = 5


async def test_a_minute_without_a_database_several_times(
    tmp_path: Path, figure: Callable[[str, str], None]
) -> None:
    meanwhile = 0
    with open_folder() as home:
        async with day_with_database(tmp_path, home, speed=60, seed=6) as (day, gate):
            for _ in range(OUTAGES):
                meanwhile += await asyncio.to_thread(lose_it, day, gate, AWAY_S)
                gate.lost = LOST
                gate.open()
                await asyncio.to_thread(back_to_normal, day)
            await come_to_rest(day)
            books = {name: await asyncio.to_thread(reconciled, day, name) for name in TRADERS}
    assert [] == [problem for one in books.values() for problem in one.problems]
    figure(
        "S4",
        f"{OUTAGES} times {AWAY_S:.0f} s without a database, and {LOST} COMMITs without an answer "
        f"after each: {meanwhile} fills meanwhile, an account closed by its operator each time; "
        f"all {sum(one.fills for one in books.values())} fills are recorded once",
    )
