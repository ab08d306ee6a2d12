"""The board of the venue's present world: as of when it is, and how often it is made."""

import asyncio
from typing import Any

import pytest
from tests.support.scripted_venue import MemoryRecords, ScriptedVenue

from suite.contracts.leaderboard import Leaderboard
from suite.errors import NotFound, UpstreamUnavailable
from suite.ids import WorldId
from trader_manager.application.board import Board
from trader_manager.application.comparing import Comparison


class SlowComparison(Comparison):
    """Takes a while, and counts."""

    made = 0
    takes_s = 0.0

    async def compare_performance(self, world: WorldId, **more: Any) -> Leaderboard:
        self.made += 1
        await asyncio.sleep(self.takes_s)
        return await super().compare_performance(world, **more)


def board() -> tuple[Board, ScriptedVenue, SlowComparison]:
    store: Any = MemoryRecords("a", "b")
    venue: Any = ScriptedVenue()
    comparison = SlowComparison(store)
    return Board(store=store, venue=venue, comparison=comparison), venue, comparison


async def test_what_is_asked_for_again_and_again_is_made_for_a_tenth_of_the_time_at_most() -> None:
    """It says as of when it is; other questions have boards of their own."""
    looked, venue, comparison = board()
    comparison.takes_s = 0.05
    first = await looked.compare_performance()
    venue.now_ms += 1000
    asked = [looked.compare_performance() for _ in range(5)]
    assert {first.moment.now_ms} == {one.moment.now_ms for one in await asyncio.gather(*asked)}
    assert 1 == comparison.made
    await looked.compare_performance(trader_ids=["a"])
    await looked.compare_performance(since_ms=5)
    assert 3 == comparison.made
    while venue.now_ms != (await looked.compare_performance()).moment.now_ms:  # noqa: ASYNC110
        await asyncio.sleep(0.05)
    assert 4 == comparison.made
    for number in range(40):
        await looked.compare_performance(since_ms=number)
        comparison.takes_s = 0
    assert 16 == len(looked._made)


async def test_the_last_known_time_is_told_while_the_venue_is_away_and_why() -> None:
    looked, venue, _ = board()
    venue.away = True
    with pytest.raises(UpstreamUnavailable, match="it is away"):
        await looked.compare_performance()
    venue.away = False
    known = await looked.moment()
    venue.away = True
    moment = (await looked.compare_performance()).moment
    assert (known.world, known.now_ms, "it is away") == (
        moment.world, moment.now_ms, moment.trouble,
    )  # fmt: skip


async def test_who_never_was_is_not_found() -> None:
    looked, _, _ = board()
    with pytest.raises(NotFound, match="there is no trader 'c'"):
        await looked.compare_performance(trader_ids=["a", "c"])
    for ask in (looked.get_history, looked.get_trades, looked.get_positions, looked.recorded):
        with pytest.raises(NotFound):
            await ask("c")
