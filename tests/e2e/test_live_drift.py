"""The drift report, end to end: venue, collector and proxy as processes, and orders among them.

The venue is a simulated world, so the model that the report plays orders on is the venue's own:
where it has the same rules nothing drifts, and where it is dearer the report says by how much.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.support.collector_process import CollectorProcess
from tests.support.live_stack import LiveStack, LiveTrader, fetch, running_stack
from tests.support.live_target import await_accounts
from tests.support.venue_process import eventually

pytestmark = [pytest.mark.process, pytest.mark.slow]

SPEED = 60.0
BARS = {"BTC", "ETH"}


@contextmanager
def drifting(folder: Path, *options: str) -> Iterator[tuple[LiveStack, CollectorProcess]]:
    """Run the three processes; the world's minute takes a second."""
    traders = LiveTrader("alice"), LiveTrader("bob")
    (folder / "collector").mkdir()
    with running_stack(folder, *traders, speed=SPEED, venue_options=options, starts=False) as stack:
        collector = CollectorProcess(folder / "collector", stack.venue.url, ",".join(sorted(BARS)))
        try:
            stack.settings["DATA_SERVICE_URL"] = collector.url
            stack.start()
            await_accounts(stack)
            yield stack, collector
        finally:
            collector.kill()


def placed(stack: LiveStack, trader: str, **order: Any) -> dict[str, Any]:
    """Send an order; its status."""
    _, text = fetch(f"{stack.url}/exchange/order", order, stack.headers(trader))
    (status,) = json.loads(text)["response"]["data"]["statuses"]
    found: dict[str, Any] = status
    return found


def trade(stack: LiveStack) -> None:
    """Take with both, and leave an order that nobody takes."""
    assert "filled" in placed(stack, "alice", coin="BTC", is_buy=True, sz="0.01")
    assert "filled" in placed(stack, "alice", coin="ETH", is_buy=False, sz="0.2")
    far = str(int(stack.venue.mid("ETH") * 0.7))
    assert "resting" in placed(stack, "alice", coin="ETH", is_buy=True, sz="0.2", limit_px=far)
    assert "filled" in placed(stack, "bob", coin="ETH", is_buy=True, sz="0.5")


def reported(stack: LiveStack, collector: CollectorProcess) -> dict[str, Any]:
    """Wait for the bars in which it traded, and have the report made; as the route tells it."""
    traded_ms = stack.venue.info("l2Book", coin="ETH")["time"]
    eventually(lambda: all(collector.last_bar_ms(coin) > traded_ms for coin in BARS), limit_s=30)
    assert 404 == fetch(f"{stack.url}/drift", headers=stack.headers("reader"))[0]
    told = stack.run("drift", "--days", "1")
    assert told.returncode == 0, told.stderr
    print(told.stdout)
    status, text = fetch(f"{stack.url}/drift", headers=stack.headers("reader"))
    assert status == 200
    assert all(f"{name}: " in told.stdout for name in stack.traders)
    found: dict[str, Any] = json.loads(text)
    return found


def test_venue_that_is_the_model_does_not_drift(tmp_path: Path) -> None:
    """Price and fee to the last unit, of each order; latency is what the proxy has waited."""
    with drifting(tmp_path) as (stack, collector):
        trade(stack)
        report = reported(stack, collector)
        outcomes = {row["trader_id"]: row["outcomes"] for row in report["summaries"]}
        assert {"both": 2, "neither": 1} == outcomes["alice"]
        assert {"both": 1} == outcomes["bob"]
        taken = [row for row in report["rows"] if row["outcome"] == "both"]
        assert {(0.0, 0.0, "0.0")} == {
            (row["price_bps"], row["fee_bps"], row["cost_usd"]) for row in taken
        }
        assert all(row["live_price"] == row["model_price"] for row in taken)
        assert all(0 <= row["latency_ms"] < 10_000 for row in taken)
        assert {"alice": 0, "bob": 0} == report["foreign"]
        assert {"alice": 1, "bob": 1} == report["absent"]  # refused there: `await_accounts`
        for name in ("alice", "bob"):  # the report is of all traders
            assert 403 == fetch(f"{stack.url}/drift", headers=stack.headers(name))[0]
        files = {path.suffix for path in (stack.folder / "var" / "drift").iterdir()}
        assert {".json", ".csv", ".parquet", ".html"} == files


def test_venue_that_is_dearer_than_the_model_drifts_by_that(tmp_path: Path) -> None:
    """Taker fills that slip by 4 bp where the model has 1: by 3 more, on either side."""
    with drifting(tmp_path, "--option", "slippage=0.0004") as (stack, collector):
        trade(stack)
        report = reported(stack, collector)
        drifts = [row["price_bps"] for row in report["rows"] if row["outcome"] == "both"]
        assert drifts == pytest.approx([3.0] * 3, abs=0.05)
        assert all(float(row["cost_usd"]) > 0 for row in report["summaries"])
