"""A manager that is asked, and what else may answer at its address."""

from pathlib import Path

import httpx
import pytest

from suite.errors import NotFound, UpstreamRefused
from trader_manager.commands.fleet_client import FleetClient
from trader_manager.settings import Settings


def client(folder: Path, text: str) -> FleetClient:
    (folder / "tokens").mkdir()
    (folder / "tokens/operator.token").write_text("t")
    found = FleetClient(Settings.load(state_dir=folder), "http://127.0.0.1:8100")
    found._client = httpx.Client(
        base_url=found.url,
        transport=httpx.MockTransport(lambda _: httpx.Response(404, text=text)),
    )
    return found


def test_another_service_at_the_address_is_told_as_such(tmp_path: Path) -> None:
    asked = client(tmp_path, "no such route: GET /traders")
    with pytest.raises(UpstreamRefused, match=r"8100 is no trader-manager .*; --url names another"):
        asked.get("/traders")
    asked.close()


def test_what_a_manager_says_no_to_is_told_as_it_says(tmp_path: Path) -> None:
    asked = client(tmp_path, "there is no trader 'x'")
    with pytest.raises(NotFound, match="there is no trader 'x'"):
        asked.get("/traders/x")
    asked.close()
