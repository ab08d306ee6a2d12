"""Binance in small: public files with checksums, and the REST of its USD-M perpetuals.

Everything it says is made of `Bars`; what goes wrong is chosen by the path of a file.
"""

import hashlib
import io
import json
import zipfile
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from aiohttp import web

from suite.bars import DAY_MS, HOUR_MS, Bars
from suite.klines import COLUMNS

FILES = "/data/futures/um/"
HEADER = (
    "open_time,open,high,low,close,volume,close_time,quote_volume,count,"
    "taker_buy_volume,taker_buy_quote_volume,ignore"
)


@dataclass
class BinanceServer:
    """What it has, what it was asked, and what it does wrong.

    Attributes:
        bars: of each symbol, 1m.
        now_ms: its clock.
        files: by path behind `FILES`.
        cut: paths whose first answer ends in the middle.
        asked: paths in the order they were asked for, with the first byte wanted.
        refuses: status of every REST answer.
        frames: by the name of a stream, `btcusdt@kline_1m`, what is pushed once it is subscribed.
        sockets: connections, oldest first.
    """

    bars: dict[str, Bars]
    now_ms: int
    files: dict[str, bytes] = field(default_factory=dict)
    cut: set[str] = field(default_factory=set)
    asked: list[str] = field(default_factory=list)
    refuses: int | None = None
    frames: defaultdict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    sockets: list[web.WebSocketResponse] = field(default_factory=list)
    url: str = ""

    def publish(self, symbol: str, stamp: str) -> str:
        """Publish the file of a month or a day, with its checksum; returns its path."""
        moment = np.datetime64(stamp)
        start, end = (
            int(day.astype("datetime64[ms]").astype(np.int64)) for day in (moment, moment + 1)
        )
        shelf = "monthly" if len(stamp) == 7 else "daily"
        name = f"{symbol}-1m-{stamp}"
        lines = [",".join(str(cell) for cell in row) for row in self.klines(symbol, start, end)]
        path = f"{shelf}/klines/{symbol}/1m/{name}.zip"
        return self.put(path, "\n".join([HEADER, *lines, ""]))

    def publish_funding(self, symbol: str, stamp: str) -> str:
        """Publish the funding of a month."""
        moment = np.datetime64(stamp)
        start, end = (
            int(day.astype("datetime64[ms]").astype(np.int64)) for day in (moment, moment + 1)
        )
        rows = [f"{row['fundingTime']},8,{row['fundingRate']}" for row in funding(start, end)]
        text = "\n".join(["calc_time,funding_interval_hours,last_funding_rate", *rows, ""])
        return self.put(f"monthly/fundingRate/{symbol}/{symbol}-fundingRate-{stamp}.zip", text)

    def put(self, path: str, text: str) -> str:
        packed = io.BytesIO()
        name = path.rpartition("/")[2]
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(name.replace(".zip", ".csv"), text)
        self.files[path] = packed.getvalue()
        digest = hashlib.sha256(self.files[path]).hexdigest()
        self.files[f"{path}.CHECKSUM"] = f"{digest}  {name}\n".encode()
        return path

    def klines(self, symbol: str, from_ms: int, to_ms: int) -> list[list[Any]]:
        """Rows as Binance writes them."""
        bars = self.bars[symbol].between(from_ms, to_ms)
        columns = [getattr(bars, name).tolist() for name in COLUMNS]
        return [
            [
                opened, *(repr(cell) for cell in cells),
                opened + bars.interval_ms - 1, "1000.5", 12, "0.5", "500.25", "0",
            ]
            for opened, *cells in zip(*columns, strict=True)
        ]  # fmt: skip

    # ---- what it answers ------------------------------------------------------------------------

    async def file(self, request: web.Request) -> web.StreamResponse:
        path = request.path.removeprefix(FILES)
        first = int(request.headers.get("range", "bytes=0-")[6:-1])
        self.asked.append(f"{path}@{first}" if first else path)
        content = self.files.get(path)
        if content is None:
            return web.Response(status=404, text="<Error><Code>NoSuchKey</Code></Error>")
        if first >= len(content) > 0 and first:
            return web.Response(status=416)
        if path not in self.cut:
            return web.Response(status=206 if first else 200, body=content[first:])
        self.cut.discard(path)
        reply = web.StreamResponse(headers={"content-length": str(len(content))})
        await reply.prepare(request)
        await reply.write(content[: len(content) // 2])
        assert request.transport is not None
        request.transport.close()
        return reply

    async def rest(self, request: web.Request) -> web.Response:
        self.asked.append(request.path)
        if self.refuses is not None:
            return web.Response(status=self.refuses, text="restricted location")
        query = {"limit": "500", "startTime": "0", "endTime": str(self.now_ms), **request.query}
        start, limit = int(query["startTime"]), int(query["limit"])
        end = min(int(query["endTime"]), self.now_ms) + 1
        name = request.path.rpartition("/")[2]
        if name in {"klines", "fundingRate"} and query["symbol"] not in self.bars:
            return web.json_response({"code": -1121, "msg": "Invalid symbol."}, status=400)
        answers: dict[str, Callable[[], Any]] = {
            "time": lambda: {"serverTime": self.now_ms},
            "klines": lambda: self.klines(query["symbol"], start, end)[:limit],
            "fundingRate": lambda: funding(start, end, query["symbol"])[:limit],
            "premiumIndex": lambda: [{"symbol": name, "markPrice": "1.0"} for name in self.bars],
            "leverageBracket": lambda: [*map(brackets, self.bars)],
            "exchangeInfo": lambda: {"timezone": "UTC", "symbols": [*map(listed, self.bars)]},
        }
        return web.json_response(answers[name]())

    # ---- what it streams ------------------------------------------------------------------------

    async def stream(self, request: web.Request) -> web.WebSocketResponse:
        """Play the frames of what is subscribed, in order, then stay silent."""
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self.sockets.append(socket)
        async for message in socket:
            said = json.loads(message.data)
            if said.get("method") == "SUBSCRIBE":
                await socket.send_json({"result": None, "id": said["id"]})
                for frame in (frame for name in said["params"] for frame in self.frames[name]):
                    await socket.send_str(frame)
        return socket


def kline_frame(symbol: str, row: list[Any], *, is_closed: bool) -> str:
    """One push of a kline, as Binance writes it."""
    names = ("t", "o", "h", "l", "c", "v", "T", "q", "n", "V", "Q", "B")
    kline = dict(zip(names, row, strict=True))
    told = {"s": symbol, "i": "1m", "f": 100, "L": 200, "x": is_closed}
    event = {"e": "kline", "E": row[0] + 30_000, "s": symbol, "k": {**kline, **told}}
    return json.dumps(event)


def funding(from_ms: int, to_ms: int, symbol: str = "") -> list[dict[str, Any]]:
    """Funding every eight hours, 2 ms late, as Binance is."""
    first = -(-from_ms // (8 * HOUR_MS)) * 8 * HOUR_MS
    return [
        {"symbol": symbol, "fundingTime": at + 2, "fundingRate": f"{at % (7 * DAY_MS) / 1e13:.8f}"}
        for at in range(first, to_ms, 8 * HOUR_MS)
    ]


def listed(symbol: str) -> dict[str, Any]:
    """A contract as `exchangeInfo` tells of it."""
    base = symbol.removesuffix("USDT")
    price = {"filterType": "PRICE_FILTER", "tickSize": "0.10", "minPrice": "0.1", "maxPrice": "1e6"}
    lot = {"filterType": "LOT_SIZE", "stepSize": "0.001", "minQty": "0.001", "maxQty": "1000"}
    return {
        "symbol": symbol, "pair": symbol, "contractType": "PERPETUAL", "status": "TRADING",
        "baseAsset": base, "quoteAsset": "USDT", "marginAsset": "USDT",
        "deliveryDate": 4133404800000, "onboardDate": 1569398400000,
        "pricePrecision": 2, "quantityPrecision": 3,
        "baseAssetPrecision": 8, "quotePrecision": 8, "underlyingType": "COIN",
        "filters": [price, lot], "orderTypes": ["LIMIT", "MARKET"], "timeInForce": ["GTC"],
    }  # fmt: skip


def brackets(symbol: str) -> dict[str, Any]:
    """Leverage brackets as Binance tells its customers of them."""
    names = (
        "bracket",
        "initialLeverage",
        "notionalCap",
        "notionalFloor",
        "maintMarginRatio",
        "cum",
    )
    rows = ((1, 125, 50_000, 0, 0.004, 0.0), (2, 100, 600_000, 50_000, 0.005, 50.0))
    return {"symbol": symbol, "brackets": [dict(zip(names, row, strict=True)) for row in rows]}


@asynccontextmanager
async def binance(server: BinanceServer) -> AsyncIterator[BinanceServer]:
    """Serve it on a free port."""
    app = web.Application()
    app.router.add_get(FILES + "{path:.*}", server.file)
    app.router.add_get("/fapi/v1/{name}", server.rest)
    app.router.add_get("/{path:.*}", server.stream)
    async with on_a_free_port(app) as url:
        server.url = url
        yield server


@asynccontextmanager
async def on_a_free_port(app: web.Application) -> AsyncIterator[str]:
    """Serve an application on loopback; its address."""
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    try:
        yield f"http://{host}:{port}"
    finally:
        await runner.cleanup()
