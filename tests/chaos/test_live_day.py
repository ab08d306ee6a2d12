"""The long form of `tests/e2e/test_live_stack.py`: a simulated day, all the time something."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.support.live_day import TRADERS, come_to_rest, go_through, live_day, reconciled
from tests.support.postgres_servers import open_folder

pytestmark = [pytest.mark.process, pytest.mark.slow, pytest.mark.timeout(3000)]


async def test_a_day_of_everything_going_wrong(
    tmp_path: Path, figure: Callable[[str, str], None]
) -> None:
    """An hour of the market a minute; the books are the venue's to the micro-USDC."""
    with open_folder() as home:
        async with live_day(tmp_path, home, speed=60, seed=11) as day:
            await go_through(day, hours=24, pause_s=20)
            await come_to_rest(day)
            books = {name: await asyncio.to_thread(reconciled, day, name) for name in TRADERS}
        print(dict(day.done), dict(day.faults.done), {n: one.fills for n, one in books.items()})
        figure(
            "D2",
            f"a simulated day of the live stack, {sum(day.done.values())} kills, freezes and "
            f"outages: {sum(one.fills for one in books.values())} fills, each account as the "
            "venue's books to the micro-USDC",
        )
        assert [] == [problem for one in books.values() for problem in one.problems]
        assert all(one.fills > 50 for one in books.values())
