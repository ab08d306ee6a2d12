"""The live proxy is frozen at two hundred random moments, while it trades."""

import random
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest
from tests.support.watched_stack import LIMIT_S, WatchedStack, until, watched_stack

FREEZES = 200
ENTRIES = 3
"""Placed before each freeze; a further one may be on its way when it comes."""


def trade(one: WatchedStack, over: threading.Event) -> None:
    """Send entries one after the other until it is over; what is not answered is no matter."""
    while not over.is_set():
        with suppress(OSError, KeyError, TypeError):
            one.order(limit_px=str(one.mid() * 9 // 10))
        over.wait(0.2)


def entries(one: WatchedStack) -> int:
    return sum(not order["reduceOnly"] for order in one.orders())


def is_armed(one: WatchedStack, freezes: int) -> bool:
    """Whether the watchdog has seen the service get on after so many freezes."""
    return one.log().count('"kind": "peer_back"') == freezes


def freeze(one: WatchedStack, chance: random.Random) -> tuple[float, float]:
    """Freeze it, see it killed and its entries gone; seconds to either. Then let it go on.

    A person takes the kill away before it goes on, so that it may trade again without a checklist.
    """
    over = threading.Event()
    trading = threading.Thread(target=trade, args=(one, over))
    trading.start()
    try:
        until(lambda: entries(one) >= ENTRIES)
        over.wait(chance.uniform(0, 0.3))
        one.signal_service(signal.SIGSTOP)
        begun_s = time.monotonic()
        over.set()
        until(one.kill_file.exists)
        killed_s = time.monotonic() - begun_s
        until(lambda: entries(one) == 0)
        clear_s = time.monotonic() - begun_s
        assert any(order["reduceOnly"] for order in one.orders()), "the stop stays"
        one.kill_file.unlink()
    finally:
        over.set()
        one.signal_service(signal.SIGCONT)
        trading.join()
    return killed_s, clear_s


@pytest.mark.timeout(3600)
def test_each_freeze_is_found_and_its_entries_are_canceled(
    tmp_path: Path, figure: Callable[[str, str], None]
) -> None:
    chance = random.Random(7)
    killed, clear = [], []
    with watched_stack(tmp_path) as one:
        one.protect_and_enter()
        for number in range(FREEZES):
            until(partial(is_armed, one, number))
            until(lambda: one.level() == "LIVE")
            found = freeze(one, chance)
            killed.append(found[0])
            clear.append(found[1])
            print(number, *(f"{value:.2f}" for value in found), flush=True)
        assert one.log().count('"kind": "killed"') == FREEZES
    killed.sort()
    clear.sort()
    figure(
        "S5",
        f"{FREEZES} freezes of the live proxy at random moments, limit {LIMIT_S:g} s: killed after "
        f"{killed[FREEZES // 2]:.2f} s (median; {killed[-1]:.2f} s at most), no entry left at the "
        f"venue after {clear[FREEZES // 2]:.2f} s (at most {clear[-1]:.2f} s), stops stayed",
    )
