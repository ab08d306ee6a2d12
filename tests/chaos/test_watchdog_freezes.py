"""The live proxy is frozen at two hundred random moments, while it trades."""

import random
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from operator import eq
from pathlib import Path
from typing import Any

import pytest
from tests.support.venue_process import eventually
from tests.support.watched_stack import LIMIT_S, PATIENCE_S, WatchedStack, watched_stack

FREEZES = 200
ENTRIES = 3
"""Placed before each freeze; a further one may be on its way when it comes."""
SPEED = 60.0
"""Of the venue's world, so that it does not end before the last freeze."""


@dataclass
class Trading:
    """Sends entries one after the other, until it is over.

    Attributes:
        one: what is traded through.
        over: set when no further one is sent.
        told: the last answer; what is not answered is no matter.
    """

    one: WatchedStack
    over: threading.Event = field(default_factory=threading.Event)
    told: Any = None

    def run(self) -> None:
        while not self.over.is_set():
            try:
                self.told = self.one.order(limit_px=str(self.one.mid() * 9 // 10))
            except (OSError, KeyError, TypeError) as error:
                self.told = repr(error)
            self.over.wait(0.2)


def entries(one: WatchedStack) -> int:
    return sum(not order["reduceOnly"] for order in one.orders())


def backs(one: WatchedStack) -> int:
    """Count how often the watchdog has seen the service get on again."""
    return one.log().count('"kind": "peer_back"')


def freeze(one: WatchedStack, chance: random.Random) -> tuple[float, float]:
    """Freeze it, see it killed and its entries gone; seconds to either. Then let it go on.

    A person takes the kill away before it goes on, so that it may trade again without a checklist.
    """
    trading = Trading(one)
    thread = threading.Thread(target=trading.run)
    thread.start()
    try:
        eventually(
            lambda: (entries(one), trading.told), lambda seen: seen[0] >= ENTRIES, PATIENCE_S
        )
        trading.over.wait(chance.uniform(0, 0.3))
        one.signal_service(signal.SIGSTOP)
        begun_s = time.monotonic()
        trading.over.set()
        eventually(one.kill_file.exists, limit_s=PATIENCE_S)
        killed_s = time.monotonic() - begun_s
        eventually(partial(entries, one), partial(eq, 0), PATIENCE_S)
        clear_s = time.monotonic() - begun_s
        assert any(order["reduceOnly"] for order in one.orders()), "the stop stays"
        one.kill_file.unlink()
    finally:
        trading.over.set()
        one.signal_service(signal.SIGCONT)
        thread.join()
    return killed_s, clear_s


@pytest.mark.timeout(3600)
def test_each_freeze_is_found_and_its_entries_are_canceled(
    tmp_path: Path, figure: Callable[[str, str], None]
) -> None:
    chance = random.Random(7)
    killed, clear = [], []
    with watched_stack(tmp_path, speed=SPEED) as one:
        one.protect_and_enter()
        for number in range(FREEZES):
            eventually(partial(backs, one), partial(eq, number), PATIENCE_S)
            eventually(one.level, partial(eq, "LIVE"), PATIENCE_S)
            killed_s, clear_s = freeze(one, chance)
            killed.append(killed_s)
            clear.append(clear_s)
            print(f"{number} {killed_s:.2f} {clear_s:.2f}", flush=True)
        assert one.log().count('"kind": "killed"') == FREEZES
    killed.sort()
    clear.sort()
    figure(
        "S5",
        f"{FREEZES} freezes of the live proxy at random moments, limit {LIMIT_S:g} s: killed after "
        f"{killed[FREEZES // 2]:.2f} s (median; {killed[-1]:.2f} s at most), no entry left at the "
        f"venue after {clear[FREEZES // 2]:.2f} s (at most {clear[-1]:.2f} s), stops stayed",
    )
