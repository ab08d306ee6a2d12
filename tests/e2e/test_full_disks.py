"""Services on a real disk that fills up, and has room again."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.support.collector_process import CollectorProcess
from tests.support.live_stack import LiveTrader, fetch, running_stack
from tests.support.small_disk import small_disk
from tests.support.venue_process import eventually, running_venue
from tests.support.watched_stack import TRADER, WatchedStack, until

from suite.bars import MINUTE_MS

pytestmark = [pytest.mark.process, pytest.mark.slow, pytest.mark.timeout(180)]
IOC = {"limit": {"tif": "Ioc"}}
PATIENCE_S = 40.0


def test_exits_leave_a_full_disk_and_entries_wait(tmp_path: Path) -> None:
    """The proxy's own disk, under its journal, its causes and its marks."""
    with (
        small_disk(tmp_path / "proxy" / "var", 8) as disk,
        running_stack(
            tmp_path,
            LiveTrader(TRADER),
            settings={"HYPERLIQUID_EXCHANGE_JOURNAL_RESERVE_MB": "1"},
        ) as stack,
    ):
        one = WatchedStack(stack)
        until(lambda: isinstance(one.order(order_type=IOC), list))
        assert "disk" not in _health(one)
        held = one.positions()["BTC"]

        disk.fill(0.93)
        until(lambda: "93% full" in _health(one).get("disk", ""))
        assert isinstance(one.order(sz="0.02", order_type=IOC), list)

        disk.fill()
        until(lambda: not isinstance(one.order(sz="0.03", order_type=IOC), list))
        refused = one.order(sz="0.04", order_type=IOC)
        assert "\n" not in str(refused)
        for part in range(20):
            left = one.order(is_buy=False, sz="0.001", reduce_only=True, order_type=IOC)
            assert isinstance(left, list), (part, left)
            assert "filled" in left[0], left
        assert _health(one)["journal"]

        disk.free()
        until(lambda: isinstance(one.order(sz="0.05", order_type=IOC), list))
        until(lambda: not {"disk", "journal"} & _health(one).keys())
        bought, sold = float(held) + 0.02 + 0.05, 20 * 0.001
        assert float(one.positions()["BTC"]) >= bought - sold - 1e-9


def _health(one: WatchedStack) -> dict[str, Any]:
    _, text = fetch(f"{one.stack.url}/health")
    told: dict[str, Any] = json.loads(text)
    return told


def test_a_collector_whose_disk_fills_takes_no_bars_and_misses_none(tmp_path: Path) -> None:
    (tmp_path / "venue").mkdir()
    with (
        small_disk(tmp_path / "collector", 16) as disk,
        running_venue(tmp_path / "venue", coins=("BTC",)) as venue,
    ):
        collector = CollectorProcess(disk.folder, venue.url, "BTC", flush_s=1)
        try:
            eventually(collector.bars, lambda bars: bars > 5, limit_s=PATIENCE_S)
            disk.fill(0.96)
            row = eventually(
                lambda: collector.get("/collection")[0],
                lambda row: row["state"] == "not written",
                limit_s=PATIENCE_S,
            )
            assert "96% full" in row["reason"], row
            assert "96% full" in collector.get("/health")["disk"]
            stopped, then_ms = collector.bars(), venue.get("/clock")["now_ms"]
            eventually(lambda: venue.get("/clock")["now_ms"] > then_ms + 60 * MINUTE_MS)
            assert collector.bars() < stopped + 30  # at most what was on its way

            disk.free()
            eventually(
                lambda: (collector.bars() > stopped + 60, collector.missing()),
                lambda found: found == (True, {"BTC": 0}),
                limit_s=PATIENCE_S,
            )
        finally:
            collector.kill()
