"""The whole live stack, at a simulated venue that stands in for Hyperliquid."""

import asyncio
from pathlib import Path

import pytest
from tests.support.live_day import TRADERS, come_to_rest, go_through, live_day, reconciled

pytestmark = [pytest.mark.process, pytest.mark.slow, pytest.mark.timeout(400)]


async def test_whatever_goes_wrong_the_books_are_the_venues(tmp_path: Path, home: Path) -> None:
    """Most of an hour, each fault once; the long form is a day (`tests/chaos/test_live_day.py`)."""
    async with live_day(tmp_path, home, speed=30, seed=3) as day:
        await go_through(day, hours=0.8, pause_s=4)
        await come_to_rest(day)
        books = {name: await asyncio.to_thread(reconciled, day, name) for name in TRADERS}
        print(day.done, {name: one.fills for name, one in books.items()})
        assert [] == [problem for one in books.values() for problem in one.problems]
        assert sum(one.fills > 0 for one in books.values()) >= 2
        assert books["maker"].fills > 0
        assert len(day.done) >= 5
