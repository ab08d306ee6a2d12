"""A simulated venue that was killed has another world then: the fleet begins anew in it."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.test_venue_away import Venue, serving
from tests.support.manager_process import Manager, managing
from tests.support.venue_process import eventually

from suite.addresses import account_address

pytestmark = [pytest.mark.process, pytest.mark.slow, pytest.mark.timeout(240)]

NAMES = ("one", "two")
TRADERS = [
    {
        "trader_id": name,
        "strategy": {"kind": "random"},
        "symbols": ["BTC"],
        "interval": "1m",
        "initial_balance": 1500,
    }
    for name in NAMES
]
PACED = ("--clock", "paced", "--speed", "60")


def decided(manager: Manager, name: str) -> list[int]:
    """Numbers of the decisions that are recorded of a trader in the venue's present world."""
    told = manager.ask("GET", f"/export?kind=decisions&form=csv&trader={name}").text
    return [int(row["number"]) for row in csv.DictReader(io.StringIO(told))]


def money(venue: Venue, name: str) -> Any:
    """What was paid in on an account."""
    address = account_address(name)
    rows = venue.seen.info("userNonFundingLedgerUpdates", user=address, startTime=0)
    return [row["delta"]["usdc"] for row in rows]


@pytest.mark.parametrize("runtime", ["process", "fleet"])
def test_a_fleet_begins_anew_in_the_world_of_a_venue_that_was_restarted(
    home: Path, tmp_path: Path, runtime: str
) -> None:
    """By itself, with the money of each, and also under a manager that has begun anew."""
    (home / "traders.yaml").write_text(json.dumps({"traders": TRADERS}))
    with serving(tmp_path, *PACED, minutes=60_000) as venue:

        def trading(manager: Manager) -> bool:
            world = venue.seen.get("/clock")["world"]
            asked = manager.ask("GET", "/leaderboard").json()
            return asked.get("world") == world and all(
                len(decided(manager, name)) > 1 for name in NAMES
            )

        options = ("--traders", "traders.yaml")
        settings = {"TRADER_MANAGER_RUNTIME": runtime}
        with managing(home, venue.seen, *options, **settings) as manager:
            eventually(lambda: trading(manager), limit_s=60)
            for name in NAMES:  # whoever reads an address first opens it where there is a faucet
                assert ["1500.0"] == money(venue, name)
            venue.restart()
            for name in NAMES:
                venue.seen.info("clearinghouseState", user=account_address(name))
            eventually(lambda: trading(manager), limit_s=60)
        venue.restart()
        with managing(home, venue.seen, *options, **settings) as manager:
            eventually(lambda: trading(manager), limit_s=60)
            for name in NAMES:
                assert ["1500.0"] == money(venue, name)
                numbers = decided(manager, name)
                assert list(range(1, len(numbers) + 1)) == numbers
            rows = manager.traders()
            assert {"running"} == {row["actual"] for row in rows.values()}
            assert {""} == {row["problem"] for row in rows.values()}
