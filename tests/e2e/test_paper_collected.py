"""A paper world over a real collector, in real time."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from tests.support.collector_process import CollectorProcess
from tests.support.live_venue import SIZE, TICK_MS, live_venue, minute_at, now_ms, price_at
from tests.support.processes import Service
from tests.support.sdk import ALO, one, set_up
from tests.support.venue_process import VenueUnderTest, eventually

from suite.bars import MINUTE_MS, Bars
from suite.klines import Source
from suite.service.kline_store import KlineStore

pytestmark = [pytest.mark.process, pytest.mark.slow, pytest.mark.timeout(240)]

LIMIT_S = 40.0
BEHIND_MS = 5_000
"""As far as a busy machine may be behind the venue; the price is still one of the venue's own."""
KNOWN = 120
"""Minutes that the collector has from before."""


def past(coin: str) -> Bars:
    """Minutes of the venue, up to the present one."""
    end = now_ms() // MINUTE_MS * MINUTE_MS
    times = np.arange(end - KNOWN * MINUTE_MS, end, MINUTE_MS, dtype=np.int64)
    rows = np.array([minute_at(coin, int(at), int(at) + MINUTE_MS) for at in times])
    return Bars(MINUTE_MS, times, *(np.ascontiguousarray(column) for column in rows.T))


@pytest.fixture
def venue() -> Iterator[str]:
    with live_venue() as url:
        yield url


def health(service: Service) -> dict[str, Any]:
    found: dict[str, Any] = httpx.get(f"{service.url}/health").json()
    return found


def test_world_fed_by_a_collector_trades_what_the_venue_trades(venue: str, tmp_path: Path) -> None:
    """At its prices, within seconds; without the collector nothing fills; with it again it does."""
    folder = tmp_path / "collector"
    folder.mkdir()
    store = KlineStore(folder / "data")
    for coin in ("BTC", "ETH"):
        store.write_bars(Source("hyperliquid"), coin, past(coin))
    collector = CollectorProcess(folder, venue, "BTC,ETH")
    port = collector.url.rsplit(":", 1)[1]
    market = ("--clock", "paper", "--feed", collector.url, "--symbols", "BTC,ETH")
    paper = Service(tmp_path, *market, "--option", "profile=plain")
    try:
        eventually(lambda: health(paper), lambda found: found["status"] == "ok", LIMIT_S)
        target = VenueUnderTest("paper", paper.url, tmp_path)
        sdk = set_up(target)
        price = target.mid("ETH")
        eventually(lambda: target.mid("ETH"), lambda found: found != price, LIMIT_S)

        sent_ms = now_ms()
        filled = one(sdk.exchange.market_open("ETH", True, 0.5))["filled"]
        ticks = range((sent_ms - BEHIND_MS) // TICK_MS, now_ms() // TICK_MS + 1)
        assert float(filled["avgPx"]) in {price_at("ETH", tick) for tick in ticks}

        def bid() -> dict[str, Any]:
            """A bid a little below the market, unless that has come down to it meanwhile."""
            limit = float(f"{target.mid('ETH') * 0.9998:.5g}")
            status: dict[str, Any] = one(sdk.exchange.order("ETH", True, 0.02, limit, ALO))
            return status

        oid = eventually(bid, lambda found: "resting" in found, LIMIT_S)["resting"]["oid"]
        eventually(lambda: sdk.status(oid), lambda found: found == "filled", 60.0)
        trades = httpx.post(f"{paper.url}/info", json={"type": "recentTrades", "coin": "ETH"})
        assert {SIZE} & {float(row["sz"]) for row in trades.json()}

        known = len(httpx.get(f"{paper.url}/klines/ETH").json())
        rows = eventually(
            lambda: httpx.get(f"{paper.url}/klines/ETH").json(),
            lambda found: len(found) > known,
            MINUTE_MS / 1000 + 10,
        )
        assert rows[-2] == httpx.get(f"{collector.url}/klines/ETH").json()[len(rows) - 2]

        collector.kill()
        lost = eventually(lambda: health(paper), lambda f: f["status"] == "degraded", LIMIT_S)
        assert collector.url in lost["reason"]
        assert "error" in one(sdk.exchange.market_open("ETH", True, 0.5))
        collector = CollectorProcess(folder, venue, "BTC,ETH", port=port)
        eventually(lambda: health(paper), lambda found: found["status"] == "ok", LIMIT_S)
        assert "filled" in one(sdk.exchange.market_open("ETH", False, 0.5))
        assert 0 == paper.stop()[0]
    finally:
        paper.kill()
        collector.kill()
