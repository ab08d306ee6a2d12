"""Two hours of the whole live stack under load: memory and descriptors stay level."""

import asyncio
import itertools
import os
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from tests.support.live_day import STARTED_S, Day, all_run, live_day
from tests.support.postgres_servers import open_folder
from tests.support.soaking import HOUR_S, Soak
from tests.support.venue_process import eventually

pytestmark = [pytest.mark.process, pytest.mark.slow, pytest.mark.timeout(10_000)]

HOURS = float(os.environ.get("SOAK_HOURS", "2"))
WARM_S = HOURS * HOUR_S / 4
SLOPE_MIB_H = 1.0
DESCRIPTORS = 10
"""A kind may have so many more open for a moment than at its quietest, for each of its clients."""
KEPT = Path("reports/soak.csv")
PACE_S = 0.02


async def test_two_hours_under_load_leave_memory_and_descriptors_level(
    tmp_path: Path, figure: Callable[[str, str], None]
) -> None:
    with open_folder() as home:
        async with live_day(tmp_path, home, speed=1, seed=12) as day:
            await asyncio.to_thread(eventually, lambda: all_run(day), limit_s=STARTED_S)
            soak, answers = Soak((tmp_path, home)), Counter[int]()
            with httpx.Client(timeout=10) as client:
                ask = _asking(day, client, answers)
                await asyncio.to_thread(soak.watch, HOURS * HOUR_S, KEPT, ask)
    levels = soak.level(WARM_S)
    assert answers[200] == sum(answers.values()), answers
    steepest = max(levels.values(), key=lambda level: level.slope_mib_h)
    figure(
        "P2",
        f"{HOURS:g} h of the live stack, {sum(answers.values()):,} requests: the steepest memory "
        f"{steepest.slope_mib_h:+.2f} MiB/h of {steepest.memory_mib:.0f} MiB",
    )
    assert {} == {kind: one for kind, one in levels.items() if one.slope_mib_h >= SLOPE_MIB_H}
    assert {} == {
        kind: one
        for kind, one in levels.items()
        if one.descriptors[1] - one.descriptors[0] > DESCRIPTORS
    }


def _asking(day: Day, client: httpx.Client, answers: Counter[int]) -> Callable[[], None]:
    """Make what asks one service after the other, as a dashboard and its watchers do."""
    manager, portfolio = day.manager, day.portfolio
    assert manager is not None
    assert portfolio is not None
    operator = {"authorization": f"Bearer {portfolio.token()}"}
    token = (day.home / "var/tokens/operator.token").read_text().strip()
    places = (
        *((url + path, {}) for url in _urls(day) for path in ("/health", "/metrics")),
        (f"{portfolio.url}/api/portfolio", operator),
        (f"{manager.url}/traders", {"authorization": f"Bearer {token}"}),
        (f"{day.stack.url}/clock", day.stack.headers("cross")),
    )
    turns = itertools.cycle(places)

    def ask() -> None:
        url, headers = next(turns)
        answers[client.get(url, headers=headers).status_code] += 1
        time.sleep(PACE_S)

    return ask


def _urls(day: Day) -> tuple[str, ...]:
    assert day.manager is not None
    assert day.portfolio is not None
    services = (day.stack, day.collector, day.manager, day.portfolio, day.venue)
    return tuple(service.url for service in services)
