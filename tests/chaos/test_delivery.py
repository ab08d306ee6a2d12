"""Ten thousand orders through every fault, and two hundred kills of clients that send them."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.support.delivery_kills import Kills, kill
from tests.support.delivery_runs import deliver, fault_table
from tests.support.http_faults import FAULTS
from tests.support.simulated_delivery import simulate
from tests.support.venue_process import VenueUnderTest, running_venue

pytestmark = pytest.mark.process

ACCOUNTS = tuple(f"trader{number}" for number in range(24))
INTENTS, KILLS = 10_000, 200
MINUTES = 30_000
"""Of the world: longer than a test may take, for trading is halted at its end."""


@pytest.fixture
def venue(tmp_path: Path) -> Iterator[VenueUnderTest]:
    """A bar, and so the way of an order, takes 50 ms."""
    options = ("--accounts", ",".join(ACCOUNTS), "--option", "latency=60000")
    with running_venue(tmp_path, *options, minutes=MINUTES) as found:
        yield found


@pytest.mark.timeout(1200)
async def test_ten_thousand_intents_are_executed_once_or_known_not_to_be(
    venue: VenueUnderTest, tmp_path: Path, figure: Callable[[str, str], None]
) -> None:
    outcome = await deliver(
        venue, tmp_path, accounts=ACCOUNTS, intents=INTENTS, fault_share=0.4, late_s=20.0
    )
    print(fault_table(outcome))
    figure(
        "D1",
        f"over HTTP: {outcome.intents:,} intents, {len(outcome.done)} kinds of faults, "
        f"{outcome.crashes} crashes: {len(outcome.problems)} problems, {outcome.left_unknown} "
        "left unknown",
    )
    assert INTENTS <= outcome.intents == outcome.counts.decided
    assert [] == outcome.problems
    assert 0 == outcome.left_unknown
    assert set(FAULTS) == outcome.done.keys()


@pytest.mark.timeout(1200)
def test_twenty_thousand_intents_in_virtual_time(figure: Callable[[str, str], None]) -> None:
    """With the real pauses and expiries: 40 seeds of 500 intents, every third turn a crash."""
    runs = [simulate(1000 + seed, 500) for seed in range(40)]
    known_s = sorted(b.known_s for found in runs for b in found.beliefs.values())
    figure(
        "D1",
        f"in virtual time: {len(known_s):,} intents, {sum(r.crashes for r in runs):,} crashes: "
        f"{sum(len(r.problems) for r in runs)} problems; fate known after "
        f"{known_s[len(known_s) // 2]:.1f} s (p50), {known_s[-1]:.0f} s at most",
    )
    assert [] == [problem for found in runs for problem in found.problems]
    assert max(found.healed_s for found in runs) < 60


@pytest.mark.timeout(1200)
async def test_two_hundred_kills_change_no_end(
    venue: VenueUnderTest, tmp_path: Path, figure: Callable[[str, str], None]
) -> None:
    """Two clients at a time."""
    names = iter(ACCOUNTS)
    at: Counter[str] = Counter()
    problems: list[str] = []

    async def some() -> None:
        while at.total() < KILLS:
            kills = await asyncio.to_thread(killed, next(names))
            at.update(kills.at)
            problems.extend(kills.problems)

    def killed(name: str) -> Kills:
        return asyncio.run(kill(venue, name, tmp_path, turns=24, moments=12))

    await asyncio.gather(some(), some())
    figure(
        "D1",
        f"{at.total()} SIGKILLs of clients at {len(at)} kinds of points: {len(problems)} problems",
    )
    assert [] == problems
    assert at.total() >= KILLS
