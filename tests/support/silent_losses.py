"""A stream that loses a message now and then, and says nothing of it."""

import asyncio
import random
import statistics
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

from tests.support.account import Kept, address_of, facts_of, keeping, read_of
from tests.support.fault_proxy import fault_proxy
from tests.support.random_hand import RandomHand
from tests.support.venue_process import running_venue
from tests.support.waiting import until

from suite.account.state import StateLimits

NAME = "alice"
LOSABLE = (b'"userFills"', b'"orderUpdates"', b'"userFundings"')
SPEED = 120.0
"""Two states a second, about what a live venue pushes."""
TRACE_S = 5.0
"""A loss that was not told by then has left no trace, or was missed."""
LIMIT_S, LOSS_S = 30.0, 300.0
FOUND_MIN = 2
"""So many have to leave a trace, or nothing was shown."""


@dataclass
class Losses:
    """What came of it.

    Attributes:
        messages: that could have been lost.
        lost: by channel.
        traceless: after which nothing was missing: a later message had it too.
        found_s: from a loss until it was told.
        healed_s: from a loss until everything was known again.
        missed: losses that were neither.
        fills: at the end, all of which are known.
    """

    messages: int = 0
    lost: Counter[str] = field(default_factory=Counter)
    traceless: int = 0
    found_s: list[float] = field(default_factory=list)
    healed_s: list[float] = field(default_factory=list)
    missed: list[str] = field(default_factory=list)
    fills: int = 0

    def __str__(self) -> str:
        found_s, healed_s = self.found_s or [0.0], self.healed_s or [0.0]
        return (
            f"{self.messages} messages, lost {dict(self.lost)}, {len(self.found_s)} found in "
            f"{statistics.median(found_s):.2f} s (median, most {max(found_s):.2f} s), healed in "
            f"{statistics.median(healed_s):.2f} s, {self.traceless} without a trace, "
            f"{len(self.missed)} missed, {self.fills} fills"
        )


class _Loser:
    """Keeps back one message in so many, one at a time."""

    def __init__(self, every: int, chance: random.Random, found: Losses) -> None:
        self.armed = False
        self.lost = asyncio.Event()
        self.at_s = 0.0
        self.channel = ""
        self._every = every
        self._chance = chance
        self._found = found

    def hides(self, frame: bytes) -> bool:
        head = frame[:60]
        channel = next((name for name in LOSABLE if name in head), None)
        if channel is None or b'"isSnapshot":true' in frame[:120]:
            return False
        self._found.messages += 1
        if not self.armed or self._chance.random() * self._every >= 1:
            return False
        self.armed = False
        self.at_s, self.channel = time.perf_counter(), channel.decode().strip('"')
        self._found.lost[self.channel] += 1
        self.lost.set()
        return True


async def lose_again_and_again(folder: Path, losses: int, *, every: int, seed: int) -> Losses:
    """Trade in a world that goes on, while one message in so many is lost."""
    found, limits = Losses(), StateLimits(cash_tolerance=Decimal(0))
    with running_venue(folder, "--accounts", NAME, speed=SPEED) as venue:
        hand = RandomHand(venue, NAME, seed=seed)
        async with (
            fault_proxy(venue.ws_url) as proxy,
            keeping(venue, address_of(NAME), url=proxy.url, limits=limits, seed=seed) as kept,
        ):
            loser = _Loser(every, hand.chance, found)
            proxy.hides = loser.hides
            await until(lambda: kept.well, LIMIT_S)
            acting = asyncio.create_task(_act(hand))
            lost = 0
            # chance may choose only such as leave no trace: go on until some were found
            while lost < losses or (len(found.found_s) < FOUND_MIN and lost < 5 * losses):
                lost += 1
                await _one(kept, loser, found)
                assert not acting.done(), acting.exception()
            acting.cancel()
            await asyncio.gather(acting, return_exceptions=True)
            await until(lambda: kept.well, LIMIT_S)
            if not await _equal(kept):
                found.missed.append("at the end")
            found.fills = kept.cache.book.applied
        hand.close()
    return found


async def _act(hand: RandomHand) -> None:
    while True:
        await asyncio.to_thread(hand.act)
        await asyncio.sleep(0.005)


async def _one(kept: Kept, loser: _Loser, found: Losses) -> None:
    """Lose one, and see what becomes of it."""
    told, loser.armed = kept.cache.differences, True
    await asyncio.wait_for(loser.lost.wait(), LOSS_S)
    loser.lost.clear()
    with suppress(TimeoutError):
        await until(lambda: kept.cache.differences > told, TRACE_S)
    if kept.cache.differences > told:
        found.found_s.append(time.perf_counter() - loser.at_s)
        await until(lambda: kept.well, LIMIT_S)
        found.healed_s.append(time.perf_counter() - loser.at_s)
    elif await _equal(kept):
        found.traceless += 1
    else:
        found.missed.append(loser.channel)


async def _equal(kept: Kept) -> bool:
    """Whether nothing is missing: held against the venue's answer of the same moment."""
    for _ in range(200):
        theirs = await kept.reads.fetch_account()
        state = kept.state
        ours, same = state.view, theirs.server_ms == state.as_of_ms
        if same and ours is not None and facts_of(read_of(theirs)) == facts_of(ours):
            fills = {(one.time, one.coin, one.tid) for one in kept.reads.fills()}
            if fills <= set(kept.cache.book.identities):
                return True
        await asyncio.sleep(0.01)
    return False
