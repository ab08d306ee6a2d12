"""A venue that fails at random, in every way: what is stored in the end is what it has."""

from pathlib import Path
from random import Random
from typing import Any

import httpx
import pytest
import respx
import stamina
from tests.unit.data_collector.test_backfilling import Watcher
from tests.unit.data_collector.test_hyperliquid_history import NOW_MS, START_MS, URL, Venue

from data_collector.adapters.hyperliquid_history import HyperliquidHistory
from data_collector.application.backfilling import Backfiller, Order
from suite.bars import MINUTE_MS
from suite.service.kline_store import KlineStore
from suite.service.upstream import ATTEMPTS

SHARE = 0.4
"""Of requests that fail."""


class FailingVenue(Venue):
    """Answers right, or fails."""

    def __init__(self, chance: Random) -> None:
        super().__init__()
        self.chance = chance
        self.failed = 0

    def __call__(self, request: httpx.Request) -> httpx.Response:
        right = super().__call__(request)
        if self.chance.random() >= SHARE:
            return right
        self.failed += 1
        way: Any = self.chance.choice(
            [
                httpx.Response(429, headers={"retry-after": "0"}),
                httpx.Response(502, text="bad gateway"),
                httpx.Response(200, content=right.content[: len(right.content) // 2]),
                httpx.Response(200, text="{}"),
                httpx.ReadTimeout("slow"),
                httpx.ConnectError("refused"),
                httpx.RemoteProtocolError("cut"),
            ]
        )
        if isinstance(way, Exception):
            raise way
        assert isinstance(way, httpx.Response)
        return way


@pytest.mark.parametrize("seed", range(12))
@respx.mock
async def test_store_is_complete_in_the_end_and_never_wrong(tmp_path: Path, seed: int) -> None:
    """However often a run fails: the next one goes on, and the last one has nothing to ask."""
    chance = Random(seed)
    venue = FailingVenue(chance)
    venue.skipped = {START_MS + minute * MINUTE_MS for minute in chance.sample(range(1, 99), 10)}
    respx.post(f"{URL}/info").mock(side_effect=venue)
    store, order = KlineStore(tmp_path), Order(interval="1m", from_ms=START_MS, to_ms=NOW_MS)
    with stamina.set_testing(True, attempts=ATTEMPTS, cap=True):
        for _ in range(40):
            history, watcher = HyperliquidHistory(URL), Watcher()
            await Backfiller(store, history, lambda: NOW_MS, lacks="").run(["BTC"], order, watcher)
            await history.close()
            status = watcher.outcomes["BTC"].status
            if status == "complete":
                break
    assert "complete" == status
    assert venue.failed > 0
    expected = [
        time for time in range(START_MS, NOW_MS - MINUTE_MS, MINUTE_MS) if time not in venue.skipped
    ]
    bars = store.read("BTC")
    assert expected == bars.open_time_ms.tolist()
    prices = [100.0 + (time - START_MS) // MINUTE_MS for time in expected]
    assert prices == bars.open.tolist()
    assert {"venue has none"} == {gap.reason for gap in store.coverage("BTC").gaps}
