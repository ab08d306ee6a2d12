"""Ends of services and traders by SIGTERM, one after the other, while they are asked a lot."""

import asyncio
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial

import httpx
from tests.support.collector_process import CollectorProcess
from tests.support.live_day import COINS, STARTED_S, TRADERS, Day
from tests.support.manager_process import lives
from tests.support.venue_process import eventually

LIMIT_S = 20.0
SERVICES = ("hyperliquid-exchange", "data-collector", "trader-manager", "portfolio-service")
KINDS = (*TRADERS, *SERVICES)
_ASKING = 4


@dataclass(frozen=True, slots=True)
class Ended:
    """One end.

    Attributes:
        what: a trader or a service.
        seconds: from the signal to the end of the process.
        code: of its exit; None of a trader, whose process is its manager's child.
        orphans: orders of the trader that were left at the venue and protect nothing.
    """

    what: str
    seconds: float
    code: int | None
    orphans: int


async def end_them(day: Day, number: int) -> list[Ended]:
    """End so many of them, each kind in turn, and begin each again."""
    found = []
    with _asked_a_lot(day):
        for place in range(number):
            what = KINDS[place % len(KINDS)]
            end = _trader_ended if what in TRADERS else _service_ended
            found.append(await asyncio.to_thread(end, day, what))
            await asyncio.to_thread(day.allow_again)
    return found


def _trader_ended(day: Day, name: str) -> Ended:
    assert day.manager is not None
    manager = day.manager
    rows = eventually(
        manager.traders,
        lambda rows: rows[name]["pid"] and (rows[name]["status"] or {}).get("state") == "running",
        limit_s=STARTED_S,
    )
    pid, user = rows[name]["pid"], day.stack.traders[name].address
    begin_s = time.monotonic()
    os.kill(pid, signal.SIGTERM)
    eventually(lambda: not lives(pid), limit_s=LIMIT_S * 2)
    took_s = time.monotonic() - begin_s
    left = day.venue.info("frontendOpenOrders", user=user)
    # Whoever ended it, the manager wants it to run.
    eventually(lambda: manager.traders()[name]["pid"] not in {None, pid}, limit_s=STARTED_S)
    return Ended(name, took_s, None, sum(not order["reduceOnly"] for order in left))


def _service_ended(day: Day, what: str) -> Ended:
    assert day.manager is not None
    assert day.portfolio is not None
    stops: dict[str, Callable[[], int]] = {
        "hyperliquid-exchange": day.stack.stop,
        "data-collector": day.collector.stop,
        "trader-manager": partial(_stopped, day.manager.process),
        "portfolio-service": partial(_stopped, day.portfolio.process),
    }
    begin_s = time.monotonic()
    code = stops[what]()
    took_s = time.monotonic() - begin_s
    match what:
        case "hyperliquid-exchange":
            day.stack.start()
        case "data-collector":
            port = int(day.collector.url.rpartition(":")[2])
            folder, venue = day.collector.folder, day.venue.url
            day.collector = CollectorProcess(folder, venue, ",".join(COINS), port=port)
        case "trader-manager":
            day.start_manager()
        case _:
            day.start_portfolio()
    return Ended(what, took_s, code, 0)


def _stopped(process: "subprocess.Popen[str]") -> int:
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=LIMIT_S * 2)
    return process.returncode


@contextmanager
def _asked_a_lot(day: Day) -> Iterator[None]:
    """Have threads ask all services all the time."""
    over = threading.Event()

    def ask() -> None:
        with httpx.Client(timeout=5) as client:
            while not over.is_set():
                assert day.manager is not None
                assert day.portfolio is not None
                for url in (day.stack.url, day.collector.url, day.manager.url, day.portfolio.url):
                    with suppress(httpx.HTTPError):
                        client.get(f"{url}/health")
                        client.get(f"{url}/metrics")

    threads = [threading.Thread(target=ask, daemon=True) for _ in range(_ASKING)]
    for one in threads:
        one.start()
    try:
        yield
    finally:
        over.set()
        for one in threads:
            one.join(30)
