"""nautilus_trader 1.231.0 and hummingbot 20260922 themselves, unmodified, against a served venue.

They need environments of their own (`make peers`); where those are missing these tests are left
out, and `test_recorded_peers.py` sends what was recorded from the same runs.
"""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from tests.support.peers import PEERS
from tests.support.sdk import Sdk, one, set_up
from tests.support.venue_process import VenueUnderTest, eventually

pytestmark = [pytest.mark.process]

SCRIPTS = Path(__file__).parent / "peers"
PATIENCE_S = 100


def happened(name: str, *arguments: str, cwd: Path) -> list[dict[str, Any]]:
    """Run a peer's script in its environment; return the lines that it said."""
    environment = PEERS / name
    command = [str(environment / "bin" / "python"), str(SCRIPTS / f"{name}_live.py"), *arguments]
    done = subprocess.run(
        command,
        cwd=cwd,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(environment / "src"), "HOME": str(cwd)},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    assert {"kind": "end"} in lines, done.stdout[-3000:]
    return lines


def of_kind(lines: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [line for line in lines if line["kind"] == kind]


def secret(sdk: Sdk) -> str:
    return "0x" + bytes(sdk.wallet.key).hex()


@pytest.mark.peer("nautilus")
@pytest.mark.client("nautilus")
@pytest.mark.step("a bot's whole life: start, data, orders, positions")
def test_nautilus_trades(target: VenueUnderTest, tmp_path: Path) -> None:
    """A live node: it takes over what is open, hears every channel, and ends flat."""
    sdk = set_up(target)
    resting = sdk.rest("BTC", sz=0.001)
    one(sdk.exchange.market_open("SOL", True, 1.0))["filled"]
    lines = happened("nautilus", target.url, secret(sdk), cwd=tmp_path)
    (start,) = of_kind(lines, "start")
    assert [str(resting)] == start["open_orders"]
    assert {"SOL-USD-PERP.HYPERLIQUID": "1.0"} == start["positions"]
    assert "ETH-USD-PERP.HYPERLIQUID" in start["instruments"]
    told = [line["event"] for line in of_kind(lines, "order")]
    notable = ("Accepted", "Updated", "Canceled", "Rejected", "Filled")
    wanted = "Accepted Updated Canceled Rejected Accepted Filled Accepted Canceled Accepted Filled"
    short = [event.removeprefix("Order") for event in told]
    assert wanted.split() == [event for event in short if event in notable][:10]
    (refused,) = (line for line in of_kind(lines, "order") if line["event"] == "OrderRejected")
    assert "Post only order would have immediately matched" in refused["reason"]
    assert ["PositionOpened", "PositionClosed"] == [
        line["event"] for line in of_kind(lines, "position")
    ]
    lengths = {line["of"]: line["value"] for line in of_kind(lines, "data")}
    assert int(lengths["historical_bars"]) >= 1
    assert int(lengths["historical_trades"]) == 10
    assert sdk.position("ETH") is None
    assert [resting] == [row["oid"] for row in sdk.info.open_orders(sdk.address)]


@pytest.mark.peer("hummingbot")
@pytest.mark.client("hummingbot")
@pytest.mark.step("a bot's whole life: start, data, orders, positions")
def test_hummingbot_trades(target: VenueUnderTest, tmp_path: Path) -> None:
    """Its perpetual connector under its own clock: ready, trading, flat again."""
    sdk = set_up(target)
    lines = happened("hummingbot", target.url, sdk.address, secret(sdk), cwd=tmp_path)
    (ready,) = of_kind(lines, "ready")
    assert {True} == set(ready["status"].values())
    rule = of_kind(lines, "rule")[0]
    assert ("0.1", "0.0001", "10") == (rule["price"], rule["size"], rule["notional"])
    before, after = (float(line["total"]) for line in of_kind(lines, "balance"))
    assert 0 < before - after < 1  # the fees of two small orders
    assert {True} == {line["done"] for line in of_kind(lines, "leverage")}
    book = of_kind(lines, "book")[0]
    assert 0 < book["bid"] < book["ask"]
    assert [{"ETH-USD": "0.02"}] == [line["held"] for line in of_kind(lines, "positions")]
    wanted = (
        "BuyOrderCreated OrderCancelled OrderFailure BuyOrderCreated OrderFilled "
        "BuyOrderCompleted SellOrderCreated OrderFilled SellOrderCompleted"
    )
    assert wanted.split() == [line["event"] for line in of_kind(lines, "event")]
    assert sdk.position("ETH") is None
    state = eventually(lambda: sdk.info.user_state(sdk.address))
    assert 7 == target.info("activeAssetData", user=sdk.address, coin="ETH")["leverage"]["value"]
    assert [] == state["assetPositions"]
