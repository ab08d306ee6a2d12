"""A trader that is stopped for good: time in its world waits for it no more."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.support.manager_process import managing
from tests.support.venue_process import eventually, running_venue

pytestmark = [pytest.mark.process, pytest.mark.slow, pytest.mark.timeout(240)]

NAMES = ("goes", "stays")
TRADERS = [
    {"trader_id": name, "strategy": {"kind": "random"}, "symbols": ["BTC"], "interval": "1m"}
    for name in NAMES
]


@pytest.mark.parametrize("runtime", ["process", "fleet"])
def test_the_others_of_a_lockstep_world_go_on_to_its_end(
    home: Path, tmp_path: Path, runtime: str
) -> None:
    """Its world is supervised: it would wait for one that is only away until somebody comes."""
    (home / "traders.yaml").write_text(json.dumps({"traders": TRADERS}))
    options = ("--clock", "lockstep")
    with running_venue(tmp_path / "venue", *options, coins=("BTC",), speed=None) as venue:
        made = venue.post(
            "/worlds",
            {
                "symbols": ["BTC"],
                "from": "2025-05-06",
                "to": "2025-05-07",
                "accounts": [{"id": name} for name in NAMES],
                "supervised": True,
            },
            "operator",
        )
        settings = {
            "TRADING_URL": made["base_url"],
            "TRADER_TOKENS": json.dumps(made["tokens"]),
            "TRADER_MANAGER_RUNTIME": runtime,
        }
        url = f"{venue.url}/worlds/{made['world_id']}"
        headers = {"authorization": f"Bearer {venue.token('operator')}"}

        def world() -> Any:
            return httpx.get(url, headers=headers, timeout=60).json()

        with managing(home, venue, "--traders", "traders.yaml", **settings) as manager:
            eventually(lambda: world()["percent"] > 5, limit_s=60)
            assert 200 == manager.ask("POST", "/traders/goes/stop").status_code
            assert world()["percent"] < 90, "it is stopped in its midst"
            eventually(lambda: world()["finished"], limit_s=60)
            eventually(lambda: manager.traders()["goes"]["actual"] == "absent", limit_s=60)
