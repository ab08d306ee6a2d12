"""The live proxy on a machine whose clock jumps while it trades."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from tests.support.afflictions import Afflictions
from tests.support.live_stack import LiveTrader, fetch, running_stack
from tests.support.venue_process import running_venue
from tests.support.watched_stack import TRADER, WatchedStack, until
from tests.support.way_to_venue import way_to

pytestmark = [pytest.mark.process, pytest.mark.slow, pytest.mark.timeout(180)]
FAR_MS = 3_000
NOTICED_MS = 600
NOBODY = {"HYPERLIQUID_EXCHANGE_ALERT_WEBHOOK_URL": "http://127.0.0.1:9/nobody"}
IOC = {"limit": {"tif": "Ioc"}}


async def test_a_clock_that_jumps_stops_new_risk_until_it_is_right(tmp_path: Path) -> None:
    """Ahead, behind and a little: exits leave all the time, and no nonce comes twice."""
    machine = Afflictions(tmp_path / "machine")
    (tmp_path / "venue").mkdir()
    with running_venue(tmp_path / "venue", "--signatures", "mainnet") as venue:
        async with way_to(venue.url) as way:

            def trade() -> None:
                with running_stack(
                    tmp_path,
                    LiveTrader(TRADER),
                    venue=venue,
                    upstream_url=way.url,
                    settings=machine.settings | NOBODY,
                ) as stack:
                    _trade(WatchedStack(stack), machine)

            await asyncio.to_thread(trade)
        assert len(way.nonces) == 5  # three entries and two exits
        assert sorted(set(way.nonces)) == way.nonces


def _trade(one: WatchedStack, machine: Afflictions) -> None:
    until(lambda: isinstance(one.order(order_type=IOC), list))
    for ahead_ms, words in ((FAR_MS, "ahead of"), (-FAR_MS, "behind")):
        machine.set_clock(ahead_ms)
        until(lambda: words in _clock(one))  # noqa: B023 - asked before the next
        assert one.level() == "PAUSED"
        assert "clock" in str(one.order(order_type=IOC))
        left = one.order(is_buy=False, sz="0.001", reduce_only=True, order_type=IOC)
        assert isinstance(left, list), left

    until(lambda: _health(one).get("alerts") == "no channel has taken the last notice")
    machine.set_clock(NOTICED_MS)
    until(lambda: one.level() == "LIVE" and "ahead of" in _clock(one))
    assert isinstance(one.order(sz="0.02", order_type=IOC), list)

    machine.set_clock(0)
    until(lambda: not _clock(one))
    assert isinstance(one.order(sz="0.03", order_type=IOC), list)
    kept = (one.stack.folder / "var/business/hyperliquid-exchange.jsonl").read_text()
    assert {"started", "clock", "forbidden"} <= {
        json.loads(line)["kind"] for line in kept.splitlines()
    }


def _clock(one: WatchedStack) -> str:
    """What the service says of its clock."""
    return str(_health(one).get("clock", ""))


def _health(one: WatchedStack) -> dict[str, Any]:
    status, text = fetch(f"{one.stack.url}/health")
    told: dict[str, Any] = json.loads(text)
    assert status == 200, text
    return told
