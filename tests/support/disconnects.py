"""An account whose connection breaks again and again while things happen to it."""

import asyncio
import statistics
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.account import Kept, address_of, facts_of, keeping, read_of
from tests.support.fault_proxy import FaultProxy, fault_proxy
from tests.support.random_hand import RandomHand
from tests.support.venue_process import VenueUnderTest, running_venue
from tests.support.waiting import until

from suite.bars import MINUTE_MS

NAME = "alice"
LIMIT_S = 20.0


@dataclass
class Disconnects:
    """What came of it.

    Attributes:
        differences: between the cache and the venue's own answers, with the round.
        doubted: differences that the cache itself has told; a connection that was reconciled
            leaves none for it to find.
        live_s: from a cut until the account was known again.
        fills: at the end.
    """

    rounds: int = 0
    cuts_between_fills: int = 0
    differences: list[Any] = field(default_factory=list)
    doubted: int = 0
    live_s: list[float] = field(default_factory=list)
    fills: int = 0

    @property
    def median_s(self) -> float:
        return statistics.median(self.live_s)


async def disconnect_again_and_again(folder: Path, rounds: int, *, seed: int) -> Disconnects:
    """Trade in a world that stands still between rounds, and cut the connection in each."""
    found = Disconnects()
    options = ("--clock", "lockstep", "--accounts", NAME)
    with running_venue(folder, *options, speed=None) as venue:
        hand = RandomHand(venue, NAME, seed=seed)
        async with (
            fault_proxy(venue.ws_url) as proxy,
            keeping(venue, address_of(NAME), url=proxy.url, seed=seed) as kept,
        ):
            await until(lambda: kept.well, LIMIT_S)
            for number in range(rounds):
                await _round(number, venue, hand, proxy, kept, found)
            found.doubted = kept.cache.differences
        hand.close()
    return found


async def _round(
    number: int,
    venue: VenueUnderTest,
    hand: RandomHand,
    proxy: FaultProxy,
    kept: Kept,
    found: Disconnects,
) -> None:
    acting = asyncio.create_task(asyncio.to_thread(_happen, venue, hand))
    fills = kept.cache.book.applied
    await asyncio.sleep(hand.chance.uniform(0, 0.06))
    connects, began_s = kept.feed.feed.counts.connects, time.perf_counter()
    found.cuts_between_fills += kept.cache.book.applied > fills
    proxy.cut()
    await acting
    await until(lambda: kept.feed.feed.counts.connects > connects and kept.well, LIMIT_S)
    found.live_s.append(time.perf_counter() - began_s)
    ours, theirs = await _settled(kept)
    found.rounds += 1
    found.fills = len(theirs["fills"])
    if ours != theirs:
        wrong = [key for key in theirs if ours[key] != theirs[key]]
        found.differences.append((number, wrong))


def _happen(venue: VenueUnderTest, hand: RandomHand) -> None:
    """Act, let some minutes go by, act."""
    for _ in range(hand.chance.randint(1, 3)):
        hand.act()
    now_ms = venue.get("/clock")["now_ms"]
    until_ms = now_ms + hand.chance.randint(1, 12) * MINUTE_MS
    venue.post("/clock/advance", {"until_ms": until_ms}, "operator")
    for _ in range(hand.chance.randint(0, 2)):
        hand.act()


async def _settled(kept: Kept) -> tuple[dict[str, Any], dict[str, Any]]:
    """Compare; what was done last may still be on its way over the new connection."""
    for _ in range(100):
        ours, theirs = await asyncio.to_thread(_compared, kept)
        if ours == theirs:
            break
        await asyncio.sleep(0.05)
    return ours, theirs


def _compared(kept: Kept) -> tuple[dict[str, Any], dict[str, Any]]:
    view = kept.state.view
    assert view is not None
    fills = {(fill.time, fill.coin, fill.tid) for fill in kept.reads.fills()}
    return (
        facts_of(view) | {"fills": set(kept.cache.book.identities)},
        facts_of(read_of(kept.reads.account())) | {"fills": fills},
    )
