"""A venue that plays a made-up market of many coins, as far as a collector asks for one.

`python -m tests.support.generator_venue --coins 200 --speed 10 --updates 60` prints its address.
In every minute each coin has `updates` trades, and its candle is told after each of them; contexts
come every third time. All of it is a function of coin and minute, so that any bar can be checked.
"""

import argparse
import asyncio
import time
from collections.abc import Iterator
from typing import Any

import msgspec
from aiohttp import WSMsgType, web

START_MS = 1_746_403_200_000
MINUTE_MS = 60_000
SIZE = 0.5


def price(coin: int, minute: int, update: int) -> float:
    return round(100 + coin + (minute * 7 + update * 3 + coin) % 11 / 10, 1)


def bar(coin: int, minute: int, updates: int) -> tuple[float, float, float, float, float]:
    """Open, high, low, close, volume after some updates of a minute."""
    prices = [price(coin, minute, number) for number in range(updates)]
    return prices[0], max(prices), min(prices), prices[-1], SIZE * updates


def row(coin: int, minute: int, updates: int) -> dict[str, Any]:
    opened, high, low, close, volume = bar(coin, minute, updates)
    at_ms = START_MS + minute * MINUTE_MS
    return {
        "t": at_ms,
        "T": at_ms + MINUTE_MS - 1,
        "s": f"C{coin}",
        "i": "1m",
        "o": str(opened),
        "c": str(close),
        "h": str(high),
        "l": str(low),
        "v": str(volume),
        "n": updates,
    }


class Generator:
    """The venue.

    Args:
        coins: how many.
        speed: of its time.
        updates: of each coin in a minute.
    """

    def __init__(self, coins: int, speed: float, updates: int) -> None:
        self.coins = coins
        self.speed = speed
        self.updates = updates
        self.begun_s = 0.0
        self.frames = 0

    def now_ms(self) -> int:
        passed_s = time.monotonic() - self.begun_s if self.begun_s else 0.0
        return START_MS + int(passed_s * 1000 * self.speed)

    async def info(self, request: web.Request) -> web.Response:
        body = msgspec.json.decode(await request.read())
        answer: Any = []
        match body["type"]:
            case "exchangeStatus":
                answer = {"time": self.now_ms()}
            case "metaAndAssetCtxs":
                coin = {"szDecimals": 3, "maxLeverage": 10, "marginTableId": 10}
                universe = [{**coin, "name": f"C{number}"} for number in range(self.coins)]
                answer = [{"universe": universe, "marginTables": []}, []]
            case "candleSnapshot":
                asked, number = body["req"], int(body["req"]["coin"][1:])
                first = max(0, (asked["startTime"] - START_MS) // MINUTE_MS)
                last = (min(asked["endTime"], self.now_ms()) - START_MS) // MINUTE_MS
                answer = [row(number, minute, self.updates) for minute in range(first, last)]
        return web.Response(body=msgspec.json.encode(answer), content_type="application/json")

    async def socket(self, request: web.Request) -> web.WebSocketResponse:
        reply = web.WebSocketResponse(compress=False)
        await reply.prepare(request)
        wanted: set[int] = set()
        play = asyncio.create_task(self._play(reply, wanted))
        async for message in reply:
            if message.type is not WSMsgType.TEXT:
                break
            said = msgspec.json.decode(message.data)
            if said["method"] == "ping":
                await reply.send_str('{"channel":"pong"}')
            elif said["subscription"]["type"] == "candle":
                wanted.add(int(said["subscription"]["coin"][1:]))
        play.cancel()
        return reply

    async def _play(self, reply: web.WebSocketResponse, wanted: set[int]) -> None:
        while not wanted:  # noqa: ASYNC110 - the subscriptions of a peer
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.5)  # the other subscriptions of the same client
        self.begun_s = self.begun_s or time.monotonic()
        step_ms = MINUTE_MS // self.updates
        number = (self.now_ms() - START_MS) // step_ms
        while True:
            number += 1
            minute, update = divmod(number, self.updates)
            due_s = self.begun_s + number * step_ms / 1000 / self.speed
            if (pause_s := due_s - time.monotonic()) > 0:
                await asyncio.sleep(pause_s)
            for frame in self._frames(minute, update, step_ms, sorted(wanted)):
                self.frames += 1
                await reply.send_str(frame)

    def _frames(self, minute: int, update: int, step_ms: int, coins: list[int]) -> Iterator[str]:
        at_ms = START_MS + minute * MINUTE_MS + update * step_ms
        best = [{"px": "1.0", "sz": "1", "n": 1}] * 2
        yield _text("bbo", {"coin": "C0", "time": at_ms, "bbo": best})
        yield _text("allMids", {"mids": {f"C{c}": str(price(c, minute, update)) for c in coins}})
        for coin in coins:
            trade = {
                "coin": f"C{coin}",
                "side": "B",
                "px": str(price(coin, minute, update)),
                "sz": str(SIZE),
                "time": at_ms,
                "tid": minute * self.updates + update,
                "users": ["0x0", "0x0"],
            }
            yield _text("trades", [trade])
            yield _text("candle", row(coin, minute, update + 1))
            if (coin + update) % 3 == 0:
                yield _text("activeAssetCtx", {"coin": f"C{coin}", "ctx": _CONTEXT})


_CONTEXT = {
    "funding": "0.0000125",
    "openInterest": "1200.5",
    "prevDayPx": "2990.0",
    "dayNtlVlm": "1834210.55",
    "premium": "0.0001",
    "oraclePx": "3000.2",
    "markPx": "3000.1",
    "midPx": "3000.15",
    "impactPxs": ["3000.0", "3000.3"],
    "dayBaseVlm": "611.9",
}


def _text(channel: str, data: Any) -> str:
    return msgspec.json.encode({"channel": channel, "data": data}).decode()


async def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--coins", type=int, default=200)
    parser.add_argument("--speed", type=float, default=1.0)
    parser.add_argument("--updates", type=int, default=60)
    chosen = parser.parse_args()
    venue = Generator(chosen.coins, chosen.speed, chosen.updates)
    app = web.Application()
    app.add_routes([web.post("/info", venue.info), web.get("/ws", venue.socket)])
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    print(f"http://127.0.0.1:{runner.addresses[0][1]}", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
