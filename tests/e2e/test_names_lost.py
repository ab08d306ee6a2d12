"""Services whose machine finds no name any more, and has no way out; then both come back."""

import asyncio
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.support.afflictions import Afflictions
from tests.support.collector_process import CollectorProcess
from tests.support.live_stack import LiveTrader, fetch, running_stack
from tests.support.venue_process import running_venue
from tests.support.watched_stack import TRADER, WatchedStack, until
from tests.support.way_to_venue import WayToVenue, way_to

pytestmark = [pytest.mark.process, pytest.mark.slow, pytest.mark.timeout(180)]
IOC = {"limit": {"tif": "Ioc"}}
LOOKUPS = 3
MOST_PER_S = 20
PATIENCE_S = 60.0


async def test_without_names_stops_stay_and_nothing_is_done_twice(tmp_path: Path) -> None:
    machine = Afflictions(tmp_path / "machine")
    (tmp_path / "venue").mkdir()
    with running_venue(tmp_path / "venue", "--signatures", "mainnet", speed=60) as venue:
        async with way_to(venue.url) as way:

            def trade() -> None:
                with running_stack(
                    tmp_path,
                    LiveTrader(TRADER),
                    venue=venue,
                    upstream_url=way.url.replace("127.0.0.1", "localhost"),
                    settings=machine.settings,
                ) as stack:
                    _trade(WatchedStack(stack), way, machine)

            await asyncio.to_thread(trade)


def _trade(one: WatchedStack, way: WayToVenue, machine: Afflictions) -> None:
    one.protect_and_enter()
    held, (stop,) = one.positions(), [it for it in one.orders() if it["reduceOnly"]]

    def is_noticed() -> bool:
        return TRADER in _health(one).get("accounts", "")

    _lose(way, machine, is_noticed)
    assert "not sure" in str(one.order(order_type=IOC))
    told = one.order(is_buy=False, sz="0.001", reduce_only=True, order_type=IOC)
    assert not isinstance(told, list) or "filled" not in told[0], told
    assert (held, stop["oid"]) == (one.positions(), _stop_of(one))
    _mend(way, machine, is_noticed)

    machine.find_names()
    until(lambda: not {"accounts"} & _health(one).keys(), PATIENCE_S)
    until(lambda: _health(one)["unknown"] == 0, PATIENCE_S)
    until(lambda: isinstance(one.order(sz="0.02", order_type=IOC), list), PATIENCE_S)
    before = float(held["BTC"]) + 0.02
    sold = round(before - float(one.positions()["BTC"]), 6)
    assert sold in {0.0, 0.001}
    assert stop["oid"] == _stop_of(one)


async def test_without_names_a_collector_waits_and_misses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = Afflictions(tmp_path / "machine")
    (tmp_path / "venue").mkdir()
    (tmp_path / "collector").mkdir()
    with running_venue(tmp_path / "venue", coins=("BTC",), speed=300) as venue:
        async with way_to(venue.url) as way:
            for name, value in machine.settings.items():
                monkeypatch.setenv(name, value)
            url = way.url.replace("127.0.0.1", "localhost")
            starting = asyncio.to_thread(CollectorProcess, tmp_path / "collector", url, "BTC")
            await asyncio.to_thread(_collect, await starting, way, machine)


def _collect(collector: CollectorProcess, way: WayToVenue, machine: Afflictions) -> None:
    try:
        until(lambda: collector.bars() > 5, PATIENCE_S)

        def is_noticed() -> bool:
            return bool(collector.get("/collection")[0]["state"] == "reconnecting")

        _lose(way, machine, is_noticed)
        stopped = collector.bars()
        _mend(way, machine, is_noticed)
        machine.find_names()
        until(lambda: collector.bars() > stopped + 10, PATIENCE_S)
        until(lambda: collector.missing() == {"BTC": 0}, PATIENCE_S)
    finally:
        collector.kill()


def _lose(way: WayToVenue, machine: Afflictions, is_noticed: Callable[[], bool]) -> None:
    """Take names and the way out."""
    machine.lose_names()
    way.sever()
    until(is_noticed, PATIENCE_S)


def _mend(way: WayToVenue, machine: Afflictions, is_noticed: Callable[[], bool]) -> None:
    """Give back the way out, which is no help without names."""
    way.mend()
    begun_s, before = time.monotonic(), machine.lookups
    until(lambda: machine.lookups >= before + LOOKUPS, PATIENCE_S)
    until(is_noticed, PATIENCE_S)
    took_s = time.monotonic() - begun_s
    assert machine.lookups - before <= LOOKUPS + MOST_PER_S * (1 + took_s)  # it waits in between


def _stop_of(one: WatchedStack) -> Any:
    (stop,) = [it for it in one.orders() if it["reduceOnly"]]
    return stop["oid"]


def _health(one: WatchedStack) -> dict[str, Any]:
    _, text = fetch(f"{one.stack.url}/health")
    told: dict[str, Any] = json.loads(text)
    return told
