"""The whole live stack while its database is away, and when it is back."""

import asyncio
from pathlib import Path

import pytest
from tests.support.database_outage import back_to_normal, day_with_database, lose_it
from tests.support.live_day import TRADERS, come_to_rest, reconciled

pytestmark = [pytest.mark.process, pytest.mark.slow, pytest.mark.timeout(400)]


async def test_without_a_database_trading_goes_on_and_all_of_it_is_stored_once(
    tmp_path: Path, home: Path
) -> None:
    """Also where the answers to the first COMMITs afterwards are lost."""
    async with day_with_database(tmp_path, home, speed=60, seed=5) as (day, gate):
        assert await asyncio.to_thread(lose_it, day, gate) > 0
        gate.lost = 3
        gate.open()
        await asyncio.to_thread(back_to_normal, day)
        await come_to_rest(day)
        books = {name: await asyncio.to_thread(reconciled, day, name) for name in TRADERS}
        assert [] == [problem for one in books.values() for problem in one.problems]
        assert (0, True) == (gate.lost, gate.refused > 0)
