"""Ten thousand orders through every fault, and two hundred kills of clients that send them."""

import asyncio
from collections import Counter
from collections.abc import Iterator
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


@pytest.fixture
def venue(tmp_path: Path) -> Iterator[VenueUnderTest]:
    """A bar, and so the way of an order, takes 50 ms."""
    options = ("--accounts", ",".join(ACCOUNTS), "--option", "latency=60000")
    with running_venue(tmp_path, *options) as found:
        yield found


@pytest.mark.timeout(1200)
async def test_ten_thousand_intents_are_executed_once_or_known_not_to_be(
    venue: VenueUnderTest, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    outcome = await deliver(
        venue, tmp_path, accounts=ACCOUNTS, intents=INTENTS, fault_share=0.4, late_s=20.0
    )
    with capsys.disabled():
        print(f"\n{fault_table(outcome)}")
    assert INTENTS <= outcome.intents == outcome.counts.decided
    assert [] == outcome.problems
    assert 0 == outcome.left_unknown
    assert set(FAULTS) == outcome.done.keys()


@pytest.mark.timeout(1200)
def test_twenty_thousand_intents_in_virtual_time(capsys: pytest.CaptureFixture[str]) -> None:
    """With the real pauses and expiries: 40 seeds of 500 intents, every third turn a crash."""
    runs = [simulate(1000 + seed, 500) for seed in range(40)]
    known_s = sorted(b.known_s for found in runs for b in found.beliefs.values())
    with capsys.disabled():
        print(
            f"\n{len(known_s)} intents, {sum(r.crashes for r in runs)} crashes, problems: "
            f"{sum(len(r.problems) for r in runs)}; fate known after p50 "
            f"{known_s[len(known_s) // 2]:.1f} s, p90 {known_s[len(known_s) * 9 // 10]:.1f} s, max "
            f"{known_s[-1]:.0f} s; all known {max(r.healed_s for r in runs):.1f} s after healing"
        )
    assert [] == [problem for found in runs for problem in found.problems]
    assert max(found.healed_s for found in runs) < 60


@pytest.mark.timeout(1200)
async def test_two_hundred_kills_change_no_end(
    venue: VenueUnderTest, tmp_path: Path, capsys: pytest.CaptureFixture[str]
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
    with capsys.disabled():
        print(f"\nkilled: {dict(at)}, problems: {problems}")
    assert [] == problems
    assert at.total() >= KILLS
