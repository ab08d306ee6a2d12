"""The collector as a process, against a running venue."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.collector_process import CollectorProcess
from tests.support.venue_process import VenueUnderTest, eventually, running_venue

from suite.bars import Bars
from suite.klines import bars_equal
from suite.service.kline_store import KlineStore

pytestmark = pytest.mark.process

COINS = ("BTC", "ETH", "SOL")
SPEED = 1000.0
"""A minute in 60 ms."""
MINUTES = int(os.environ.get("COLLECTED_MINUTES", "240"))
"""A day is 1440; `make chaos` collects one."""


@pytest.fixture(scope="module")
def venue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VenueUnderTest]:
    folder = tmp_path_factory.mktemp("venue")
    with running_venue(folder, coins=COINS, speed=SPEED, minutes=20_000) as found:
        yield found


def source_bars(venue: VenueUnderTest, coin: str, like: Bars) -> Bars:
    """What the venue plays, in the range of some bars."""
    assert venue.folder is not None
    bars = KlineStore(venue.folder / "var" / "data").read(coin)
    return bars.between(int(like.open_time_ms[0]), int(like.open_time_ms[-1]) + 60_000)


def assert_equal_to_source(venue: VenueUnderTest, store: Path, coin: str, at_least: int) -> None:
    collected = KlineStore(store).read(coin)
    expected = source_bars(venue, coin, collected)
    assert at_least <= len(expected)
    assert bars_equal(expected, collected), f"{len(expected)} played, {len(collected)} collected"


def test_what_is_collected_live_equals_its_source_without_a_request(
    venue: VenueUnderTest, tmp_path: Path
) -> None:
    collector = CollectorProcess(tmp_path, venue.url, ",".join(COINS), flush_s=3)
    try:
        eventually(lambda: collector.bars("SOL") >= MINUTES, limit_s=MINUTES * 0.06 * 3 + 60)
        calls = collector.metrics()
        rows = collector.get("/collection")
        assert {"live"} == {row["state"] for row in rows}
        assert 0.0 == calls['data_collector_rest_calls_total{reason="gap"}']
        assert 0.0 == calls['feed_malformed_total{feed="klines-1"}']
    finally:
        code = collector.stop()
    assert 0 == code, (tmp_path / "collector.log").read_text()[-3000:]
    for coin in COINS:
        assert_equal_to_source(venue, collector.data, coin, MINUTES)
    store = KlineStore(collector.data)
    assert store.coverage("BTC").gaps == ()
    record = store.record("BTC")
    assert record is not None
    assert 5 == record["sz_decimals"]


def killed_after(collector: CollectorProcess, more: int) -> dict[str, int]:
    """Let it collect, end it at once, and say what it had acknowledged."""
    before = collector.bars("ETH")
    eventually(lambda: collector.bars("ETH") >= before + more, limit_s=40)
    acknowledged = {coin: collector.bars(coin) for coin in ("BTC", "ETH")}
    collector.kill()
    return acknowledged


def test_nothing_acknowledged_is_lost_when_the_collector_is_killed(
    venue: VenueUnderTest, tmp_path: Path
) -> None:
    def started() -> CollectorProcess:
        return CollectorProcess(tmp_path, venue.url, "BTC,ETH", flush_s=1.5)

    for more in (5, 30, 17):
        acknowledged = killed_after(started(), more)
        again = started()
        kept = {coin: again.bars(coin) for coin in acknowledged}
        again.kill()
        assert all(kept[coin] >= count for coin, count in acknowledged.items()), (
            acknowledged,
            kept,
        )
    last = started()
    eventually(lambda: last.bars("ETH") > acknowledged["ETH"] + 20, limit_s=40)
    eventually(lambda: last.missing() == {"BTC": 0, "ETH": 0}, limit_s=40)
    assert 0 == last.stop()
    for coin in ("BTC", "ETH"):
        assert_equal_to_source(venue, tmp_path / "data", coin, 70)
