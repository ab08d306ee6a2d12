"""A disk that takes nothing stops what adds risk, never what reduces it."""

import asyncio
from contextlib import suppress
from decimal import Decimal

import pytest
from tests.support.waiting import until
from tests.unit.strategy_agent.scripted import MemoryCell, ScriptedVenue, alpha_with
from tests.unit.strategy_agent.test_alpha_loop import odd

from strategy_agent.application.ports import Kept
from strategy_core.port import Decision
from suite.contracts.venue import PlaceOrder
from suite.errors import StorageError

FULL = StorageError("disk full")
ENTRY = PlaceOrder(coin="ETH", is_buy=True, sz=Decimal("0.5"))
EXIT = PlaceOrder(coin="BTC", is_buy=False, sz=Decimal("0.5"), reduce_only=True)


@pytest.mark.parametrize("what", ["memory", "journal", "both"])
async def test_exits_go_on_while_the_disk_is_full_and_entries_wait(what: str) -> None:
    """It is PAUSED with the reason, told once, and goes on by itself once there is room."""
    venue = ScriptedVenue(sleeps=True)
    venue.mode = "wall"
    alpha = alpha_with(venue, "a", retry_pauses_s=(1000.0,), kind=odd(venue, Decision))
    alpha.start()
    await until(lambda: venue.asleep("a"))
    one, steps = alpha.instance(), venue.accounts["a"]
    steps.venue.positions["BTC"] = Decimal("0.5")
    if what != "journal":
        venue.memories["a"].fault = FULL
    if what != "memory":
        venue.journal("a").fault = FULL
    with suppress(StorageError):  # it is woken all the same
        alpha.run_once()
    await until(lambda: one.status.status == "PAUSED" and venue.asleep("a"))
    asked = asyncio.create_task(one.place_orders([ENTRY, EXIT]))
    turns = venue.turns("a")
    await until(lambda: venue.turns("a") > turns and venue.asleep("a"))
    with suppress(StorageError):
        alpha.run_once()
    record = await asyncio.wait_for(asked, 5)
    assert ["rejected", "accepted"] == [str(v).split("(")[0] for v in record.verdicts]
    assert Decimal(0) == steps.venue.positions.get("BTC", Decimal(0))
    assert "running" == one.status.state
    venue.memories["a"].fault = venue.journal("a").fault = None
    alpha.run_once()
    await until(lambda: venue.asleep("a"))
    alpha.run_once()
    await until(lambda: not one.run.trouble)
    await alpha.close()


async def test_an_entry_of_the_very_turn_that_cannot_be_kept_is_held_back() -> None:
    """The loop is told so in its place, between the answers to the others."""
    venue = ScriptedVenue(sleeps=True)
    venue.mode = "wall"
    alpha = alpha_with(venue, "a", retry_pauses_s=(1000.0,))
    alpha.start()
    await until(lambda: venue.asleep("a"))
    steps = venue.accounts["a"]
    steps.venue.positions["BTC"] = Decimal("0.5")
    alpha.run_once()
    await until(lambda: venue.turns("a") == 2 and venue.asleep("a"))
    venue.memories["a"].fault = FULL
    record = await asyncio.wait_for(alpha.instance().place_orders([ENTRY, EXIT]), 5)
    assert record.results is not None
    assert ["err", "ok"] == [reply.status for reply in record.results]
    assert "held back" in str(record.results[0].response)
    assert "ETH" not in steps.venue.positions
    await alpha.close()


async def test_where_nothing_is_kept_nothing_is_written() -> None:
    """A picture that is empty wakes no thread: in a backtest that would be one in every turn."""
    venue = ScriptedVenue(sleeps=True)
    alpha = alpha_with(venue, "a", retry_pauses_s=(1000.0,))
    venue.memories["a"] = MemoryOfNothing()
    alpha.start()
    await until(lambda: venue.asleep("a"))
    alpha.run_once()
    await until(lambda: venue.turns("a") == 2 and venue.asleep("a"))
    assert "LIVE" == alpha.instance().status.status
    await alpha.close()


class MemoryOfNothing(MemoryCell):
    """A memory that keeps none, and must not be asked to."""

    def encode(self, kept: Kept) -> bytes:
        """Give an empty picture."""
        del kept
        return b""

    def write(self, content: bytes) -> None:
        """Refuse."""
        raise StorageError(f"asked to keep {content!r}")
