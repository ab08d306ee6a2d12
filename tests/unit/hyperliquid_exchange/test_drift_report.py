"""The whole drift report: journal, venue and bars in, files out."""

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import respx
from pyarrow import parquet

from hyperliquid_exchange.adapters.collected_bars import CollectorBars
from hyperliquid_exchange.adapters.drift_files import NAMES, read_drift, write_drift
from hyperliquid_exchange.adapters.venue_history import InfoHistory
from hyperliquid_exchange.application.drift_page import COLUMNS, render_page
from hyperliquid_exchange.application.shadow import DriftReport, ShadowFills
from hyperliquid_exchange.domain.actions import OrderLeg
from hyperliquid_exchange.domain.live_orders import SentOrder, VenueFill, VenueOrder
from suite.bars import MINUTE_MS, Bars
from suite.errors import UpstreamUnavailable
from suite.instrument import Instrument, default_instrument

T0 = 1_790_000_040_000 // MINUTE_MS * MINUTE_MS
DAY = 86_400_000
BTC, ETH = default_instrument("BTC", 1), default_instrument("ETH", 2)
ALICE, BOB = "0x" + "a" * 40, "0x" + "b" * 40
VENUE, COLLECTOR = "http://venue.test", "http://collector.test"


def cloid(number: int) -> str:
    return f"0x{number:032x}"


def sent(number: int, trader: str = "alice", at: int = T0, asset: int = 1) -> SentOrder:
    leg = OrderLeg(
        place=0,
        asset=asset,
        is_buy=True,
        price="2100" if asset else "90000",
        size="1",
        reduce_only=False,
        tif="Ioc",
        cloid=cloid(number),
    )
    return SentOrder(trader_id=trader, leg=leg, decided_ms=at, oid=None, told_ms=at + 95)


class World:
    """A journal, a venue and a collector in memory.

    Attributes:
        asked: readings of bars, as (coin, from, to).
    """

    def __init__(self, *orders: SentOrder) -> None:
        self.orders_sent = orders
        self.asked: list[tuple[str, int, int]] = []
        self.since: list[int] = []

    def sent(self, since_ms: int) -> Sequence[SentOrder]:
        self.since.append(since_ms)
        return self.orders_sent

    async def universe(self) -> Sequence[Instrument]:
        return (BTC, ETH)

    async def orders(self, address: str) -> Sequence[VenueOrder]:
        trader = {ALICE: "alice", BOB: "bob"}[address]
        return [
            VenueOrder(
                coin="ETH",
                oid=place,
                cloid=order.leg.cloid,
                status="filled",
                status_ms=order.decided_ms + 90,
                placed_ms=order.decided_ms + 80,
            )
            for place, order in enumerate(self.orders_sent)
            if order.trader_id == trader
        ]

    async def fills(self, address: str, since_ms: int) -> Sequence[VenueFill]:
        assert since_ms <= T0
        return [
            VenueFill(
                coin=row.coin,
                oid=row.oid,
                tid=row.oid,
                time_ms=row.status_ms,
                price="2001",
                size="1",
                fee="0.9",
                is_taker=True,
                start_position="0.0",
            )
            for row in await self.orders(address)
        ]

    async def minutes(self, coin: str, from_ms: int, to_ms: int) -> Bars:
        self.asked.append((coin, from_ms, to_ms))
        times = np.arange(from_ms, min(to_ms, from_ms + 10 * MINUTE_MS), MINUTE_MS)
        price = np.full(len(times), 2000.0)
        return Bars(MINUTE_MS, times, price, price, price, price, price)


async def report_of(world: World, **addresses: str) -> DriftReport:
    known = addresses or {"alice": ALICE, "bob": BOB}
    return await ShadowFills(world, world, world, known).report(T0 - 5, T0 + DAY)


async def test_every_order_is_compared_once() -> None:
    """Oldest decision first; a reading of bars serves the orders around it."""
    far = T0 + 7 * 3_600_000
    world = World(sent(1), sent(2, "bob", T0 + 100), sent(3, at=far), sent(4, at=T0 + 50))
    report = await report_of(world)
    assert [cloid(1), cloid(4), cloid(2), cloid(3)] == [row.cloid for row in report.rows]
    assert {"both"} == {row.outcome for row in report.rows}
    assert {95} == {row.latency_ms for row in report.rows}
    assert [("ETH", T0), ("ETH", far // MINUTE_MS * MINUTE_MS)] == [ask[:2] for ask in world.asked]
    assert ["*", "alice", "bob"] == [told.trader_id for told in report.summaries]
    assert ({"alice": 0, "bob": 0}, {"alice": 0, "bob": 0}) == (report.absent, report.foreign)
    assert [T0 - 5] == world.since


async def test_bars_that_are_still_to_come_are_not_asked_for() -> None:
    """A stop of an hour ago may rest for a day; a collector refuses what is in its future."""
    now_ms = T0 + 65 * MINUTE_MS + 7
    world = World(sent(1))
    report = await ShadowFills(world, world, world, {"alice": ALICE}).report(T0 - 5, now_ms)
    assert [("ETH", T0, T0 + 65 * MINUTE_MS)] == world.asked
    assert ["both"] == [row.outcome for row in report.rows]


async def test_orders_of_a_trader_that_is_gone_are_counted() -> None:
    """Nobody knows its account any more."""
    report = await report_of(World(sent(1), sent(2, "bob")), alice=ALICE)
    assert ({"alice": 0, "bob": 1}, 1) == (report.absent, len(report.rows))


async def test_nothing_sent_is_an_empty_report(tmp_path: Path) -> None:
    report = await report_of(World())
    assert ((), ()) == (report.rows, report.summaries)
    write_drift(report, tmp_path)
    assert f"{','.join(COLUMNS)}\n" == (tmp_path / "drift.csv").read_text()


async def test_files_hold_the_same_rows(tmp_path: Path) -> None:
    """JSON, CSV and Parquet; the page has them as data, and no address to load anything from."""
    report = await report_of(World(sent(1), sent(2, "bob")))
    paths = write_drift(report, tmp_path / "drift")
    assert NAMES == tuple(path.name for path in paths)
    told = json.loads(read_drift(tmp_path / "drift") or b"")
    rows = list(csv.DictReader(io.StringIO(paths[1].read_text())))
    table: Any = parquet.read_table(paths[2]).to_pylist()
    for place, row in enumerate(told["rows"]):
        assert row == table[place]
        assert {name: "" if row[name] is None else str(row[name]) for name in row} == rows[place]
    page = paths[3].read_text()
    assert cloid(2) in page
    assert "default-src 'none'" in page
    assert read_drift(tmp_path / "other") is None


async def test_hostile_name_is_text_in_the_page() -> None:
    """Data never becomes markup."""
    hostile = "</script><script>alert(1)</script>"
    world = World(sent(1))
    world.orders_sent = ()
    report = await ShadowFills(world, world, world, {hostile: ALICE}).report(T0, T0)
    assert hostile not in render_page(report)


# the adapters


def klines(first_ms: int, count: int) -> list[dict[str, Any]]:
    row = {"open": 1.0, "high": 2.0, "low": 0.5, "close": 1.5, "volume": 9.0}
    return [{"open_time_ms": first_ms + place * MINUTE_MS, **row} for place in range(count)]


@respx.mock
async def test_bars_are_read_in_pages_backwards() -> None:
    """The collector tells the last 5000 of a range."""
    asked: list[dict[str, str]] = []

    def page(request: httpx.Request) -> httpx.Response:
        asked.append(dict(request.url.params))
        start, end = (int(request.url.params[name]) for name in ("start", "end"))
        first = max(start, end - 5000 * MINUTE_MS)
        return httpx.Response(200, json=klines(first, (end - first) // MINUTE_MS))

    respx.get(f"{COLLECTOR}/klines/ETH").mock(side_effect=page)
    bars = CollectorBars(COLLECTOR)
    found = await bars.minutes("ETH", T0, T0 + 7000 * MINUTE_MS)
    assert 7000 == len(found)
    assert T0 + MINUTE_MS * np.arange(7000) == pytest.approx(found.open_time_ms)
    assert 2 == len(asked)
    respx.get(f"{COLLECTOR}/klines/SOL").respond(404)
    assert 0 == len(await bars.minutes("SOL", T0, T0 + MINUTE_MS))
    assert await bars.newest_ms("SOL", T0) is None
    await bars.close()


@respx.mock
async def test_collector_that_is_away_is_an_error_of_its_own() -> None:
    respx.get(f"{COLLECTOR}/klines/ETH").mock(side_effect=httpx.ConnectError("refused"))
    bars = CollectorBars(COLLECTOR)
    bars._upstream._attempts = 1
    with pytest.raises(UpstreamUnavailable, match="data-collector cannot be reached"):
        await bars.minutes("ETH", T0, T0 + MINUTE_MS)
    await bars.close()


def venue_fill(number: int) -> dict[str, Any]:
    return {
        "coin": "ETH",
        "px": "2000.0",
        "sz": "1.0",
        "side": "B",
        "time": T0 + number,
        "startPosition": "0.0",
        "dir": "Open Long",
        "closedPnl": "0.0",
        "hash": "0x0",
        "oid": 7,
        "crossed": True,
        "fee": "0.9",
        "tid": number,
    }


@respx.mock
async def test_venues_history_is_read_whole() -> None:
    """Fills page by page; an order that is open and not in the history is there all the same."""
    order = {"coin": "ETH", "oid": 7, "timestamp": T0, "cloid": None}
    fills = [venue_fill(number) for number in range(2500)]

    def info(request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content)
        match body["type"]:
            case "meta":
                asset = {"name": "ETH", "szDecimals": 4, "maxLeverage": 25, "marginTableId": 55}
                tiers = [{"lowerBound": "0.0", "maxLeverage": 25}]
                return httpx.Response(
                    200,
                    json={"universe": [asset], "marginTables": [[55, {"marginTiers": tiers}]]},
                )
            case "historicalOrders":
                row = {"order": order, "status": "canceled", "statusTimestamp": T0 + 1}
                return httpx.Response(200, json=[row])
            case "frontendOpenOrders":
                return httpx.Response(200, json=[order | {"oid": 8}])
        rows = [fill for fill in fills if fill["time"] >= body["startTime"]]
        return httpx.Response(200, json=rows[:2000])

    respx.post(f"{VENUE}/info").mock(side_effect=info)
    history = InfoHistory(VENUE)
    (instrument,) = await history.universe()
    assert ("ETH", 4, 25) == (instrument.coin, instrument.sz_decimals, instrument.max_leverage)
    rows = await history.orders(ALICE)
    assert [(7, "canceled"), (8, "open")] == [(row.oid, row.status) for row in rows]
    assert list(range(2500)) == [fill.tid for fill in await history.fills(ALICE, T0)]
    await history.close()
