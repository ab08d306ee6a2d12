"""Traders that cannot trade as they are written, or are killed: what the manager says of them."""

import json
import os
import signal
from pathlib import Path

import httpx
import pytest
from tests.support.manager_process import managing
from tests.support.venue_process import eventually, running_venue

pytestmark = [pytest.mark.process, pytest.mark.slow, pytest.mark.timeout(180)]

HODL = {"strategy": {"kind": "hodl"}, "interval": "1m"}
TRADERS = [
    {"trader_id": "fine", **HODL, "symbols": ["BTC"]},
    {"trader_id": "wrong", **HODL, "symbols": ["NOPE"]},
]


def test_a_coin_that_there_is_not_is_told_once_and_tried_when_somebody_says_so(
    home: Path, tmp_path: Path
) -> None:
    """No crash loop; the others run, and one that is killed is told to have been."""
    (home / "traders.yaml").write_text(json.dumps({"traders": TRADERS}))
    with (
        running_venue(tmp_path / "venue", "--clock", "paced", coins=("BTC",), speed=60) as venue,
        managing(home, venue, "--traders", "traders.yaml") as manager,
    ):
        row = eventually(
            lambda: manager.traders()["wrong"], lambda row: row["actual"] == "failed", limit_s=60
        )
        assert "NOPE" in row["reason"]
        since_ms = row["since_ms"]
        eventually(lambda: manager.state("fine") == "running", limit_s=60)
        pid = manager.traders()["fine"]["pid"]
        os.kill(pid, signal.SIGKILL)
        eventually(lambda: manager.traders()["fine"]["pid"] not in {0, pid}, limit_s=60)
        assert "killed by signal 9" in (home / "manager.log").read_text()
        ready = httpx.get(f"{manager.url}/ready", timeout=20)
        assert (200, "degraded") == (ready.status_code, ready.json()["status"])
        assert ready.json()["traders"].startswith("wrong: ")
        row = manager.traders()["wrong"]
        assert ("failed", since_ms) == (row["actual"], row["since_ms"]), "it was tried again"
        assert 409 == manager.ask("POST", "/traders/fine/start").status_code
        assert 200 == manager.ask("POST", "/traders/wrong/start").status_code
        eventually(
            lambda: manager.traders()["wrong"],
            lambda row: row["since_ms"] > since_ms and row["actual"] == "failed",
            limit_s=60,
        )
        assert 200 == manager.ask("POST", "/traders/wrong/stop").status_code
        eventually(lambda: manager.traders()["wrong"]["actual"] == "absent", limit_s=30)


def test_one_that_is_in_the_file_no_more_and_holds_something_can_be_flattened(
    home: Path, tmp_path: Path
) -> None:
    """Somebody starts it: it takes no new risk, and once it is flat it ends and is removed."""
    file = home / "traders.yaml"
    file.write_text(json.dumps({"traders": TRADERS[:1]}))
    with (
        running_venue(tmp_path / "venue", "--clock", "paced", coins=("BTC",), speed=60) as venue,
        managing(home, venue, "--traders", "traders.yaml") as manager,
    ):
        eventually(lambda: (manager.traders()["fine"]["status"] or {}).get("positions"), limit_s=60)
        file.write_text(json.dumps({"traders": []}))
        eventually(lambda: "holds BTC" in (home / "manager.log").read_text(), limit_s=60)
        refused = manager.ask("POST", "/traders/fine/flatten", reason="it goes")
        assert (409, "fine is stopped: POST /traders/fine/start first") == (
            refused.status_code,
            refused.text,
        )
        assert 200 == manager.ask("POST", "/traders/fine/start").status_code
        eventually(lambda: manager.state("fine") == "running", limit_s=60)
        assert "PAUSED" == eventually(
            lambda: (manager.traders()["fine"]["status"] or {}).get("status"), limit_s=20
        )
        assert 200 == manager.ask("POST", "/traders/fine/flatten", reason="it goes").status_code
        eventually(lambda: not manager.traders(), limit_s=60)
