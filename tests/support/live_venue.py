"""A small venue in real time: Hyperliquid's stream and past of a market that is a function of time.

A virtual exchange tells a minute at a time; this one trades four times a second. As a program,
`python -m tests.support.live_venue 8100`, it is the live market of containers.
"""

import asyncio
import contextlib
import math
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
from aiohttp import WSMsgType, web
from tests.support.venue_frames import candle_frame, trade_frame

from suite.bars import MINUTE_MS

TICK_MS = 250
SIZE = 0.5
BASE = {"BTC": 94_000.0, "ETH": 1_800.0, "SOL": 150.0}
_META = {
    "universe": [
        {"name": "BTC", "szDecimals": 5, "maxLeverage": 40, "marginTableId": 40},
        {"name": "ETH", "szDecimals": 4, "maxLeverage": 25, "marginTableId": 25},
        {"name": "SOL", "szDecimals": 2, "maxLeverage": 20, "marginTableId": 20},
    ],
    "marginTables": [],
    "collateralToken": 0,
}


def price_at(coin: str, tick: int) -> float:
    """A wave of 40 seconds, a tenth of a percent high, with a price of its own at every tick."""
    wave = math.sin(tick / 160 * 2 * math.pi) + 0.1 * math.sin(tick / 7)
    return round(BASE[coin] * (1 + 1e-3 * wave), 1)


def minute_at(coin: str, open_ms: int, until_ms: int) -> tuple[float, float, float, float, float]:
    """Open, high, low, close and volume of a minute as far as it has come."""
    end = min(open_ms + MINUTE_MS, until_ms)
    prices = [
        price_at(coin, at // TICK_MS) for at in range(open_ms, max(end, open_ms + 1), TICK_MS)
    ]
    return prices[0], max(prices), min(prices), prices[-1], SIZE * len(prices)


def now_ms() -> int:
    return time.time_ns() // 1_000_000


class _Venue:
    def __init__(self) -> None:
        self._wanted: dict[web.WebSocketResponse, list[dict[str, Any]]] = {}

    async def socket(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self._wanted[socket] = []
        try:
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    await self._answer(socket, msgspec.json.decode(message.data))
        finally:
            del self._wanted[socket]
        return socket

    async def _answer(self, socket: web.WebSocketResponse, said: dict[str, Any]) -> None:
        if said["method"] == "ping":
            await _send(socket, "pong", None)
            return
        await _send(socket, "subscriptionResponse", said)
        if said["method"] == "subscribe":
            self._wanted[socket].append(said["subscription"])

    async def tell(self) -> None:
        """Tell every tick to all who want it."""
        tick = now_ms() // TICK_MS
        while True:
            await asyncio.sleep((tick + 1) * TICK_MS / 1000 - time.time())
            while (tick + 1) * TICK_MS <= now_ms():
                tick += 1
                for socket, wanted in list(self._wanted.items()):
                    with contextlib.suppress(ConnectionError, RuntimeError):
                        for subscription in list(wanted):
                            await self._tell(socket, subscription, tick)

    async def _tell(self, socket: web.WebSocketResponse, wanted: dict[str, Any], tick: int) -> None:
        at_ms, coin = tick * TICK_MS, wanted.get("coin", "")
        match wanted["type"]:
            case "trades":
                price = price_at(coin, tick)
                await socket.send_str(trade_frame(coin, at_ms, price, SIZE, tick).decode())
            case "candle":
                opened = at_ms // MINUTE_MS * MINUTE_MS
                values = minute_at(coin, opened, at_ms + TICK_MS)
                trades = (at_ms - opened) // TICK_MS + 1
                await socket.send_str(candle_frame(coin, opened, values, trades).decode())
            case "allMids":
                await _send(socket, "allMids", {"mids": _mids(tick)})
            case "bbo":
                level = {"px": str(price_at(coin, tick)), "sz": "1.0", "n": 1}
                data = {"coin": coin, "time": at_ms, "bbo": [level, level]}
                await _send(socket, "bbo", data)
            case "activeAssetCtx" if tick % 20 == 0:
                await _send(socket, "activeAssetCtx", {"coin": coin, "ctx": _context(coin, tick)})

    async def info(self, request: web.Request) -> web.Response:
        asked = await request.json()
        tick = now_ms() // TICK_MS
        match asked["type"]:
            case "exchangeStatus":
                found: Any = {"time": now_ms(), "specialStatuses": None}
            case "metaAndAssetCtxs":
                found = [_META, [_context(coin, tick) for coin in BASE]]
            case "candleSnapshot":
                req = asked["req"]
                first = -(-req["startTime"] // MINUTE_MS) * MINUTE_MS
                last = min(req["endTime"], now_ms())
                rows = (
                    candle_frame(req["coin"], at, minute_at(req["coin"], at, last + 1), 1)
                    for at in range(first, last, MINUTE_MS)
                )
                found = [msgspec.json.decode(row)["data"] for row in rows]
            case _:
                found = []
        return web.json_response(found)


def _mids(tick: int) -> dict[str, str]:
    return {coin: str(price_at(coin, tick)) for coin in BASE}


def _context(coin: str, tick: int) -> dict[str, str]:
    price = str(price_at(coin, tick))
    names = ("markPx", "oraclePx", "midPx", "prevDayPx")
    rest = {"funding": "0.0000125", "openInterest": "1000.0", "dayNtlVlm": "1.0", "premium": "0.0"}
    return {**rest, **dict.fromkeys(names, price), "dayBaseVlm": "100.0"}


async def _send(socket: web.WebSocketResponse, channel: str, data: Any) -> None:
    await socket.send_str(msgspec.json.encode({"channel": channel, "data": data}).decode())


async def _serve(host: str, port: int, told: Callable[[int], None]) -> None:
    """Serve until canceled; tell the port once it is open."""
    venue, app = _Venue(), web.Application()
    app.add_routes([web.get("/ws", venue.socket), web.post("/info", venue.info)])
    runner = web.AppRunner(app, shutdown_timeout=0.5)
    await runner.setup()
    await web.TCPSite(runner, host, port).start()
    told(runner.addresses[0][1])
    try:
        await venue.tell()
    finally:
        await runner.cleanup()


@contextmanager
def live_venue() -> Iterator[str]:
    """Run it in a thread; yield its address."""
    loop, ready = asyncio.new_event_loop(), threading.Event()
    address: list[str] = []

    def told(port: int) -> None:
        address.append(f"http://127.0.0.1:{port}")
        ready.set()

    task = loop.create_task(_serve("127.0.0.1", 0, told))

    def run() -> None:
        with contextlib.suppress(asyncio.CancelledError):
            loop.run_until_complete(task)
        loop.close()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    assert ready.wait(10)
    try:
        yield address[0]
    finally:
        loop.call_soon_threadsafe(task.cancel)
        thread.join(10)


if __name__ == "__main__":
    asyncio.run(_serve("0.0.0.0", int(sys.argv[1]), lambda port: print(port, flush=True)))
