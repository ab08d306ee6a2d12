"""What a masked world serves: nothing of it tells where its market came from."""

import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.support.served import Served, served
from tests.support.sockets import connected
from tests.support.worlds import START_MS, random_source

from suite.bars import DAY_MS, MINUTE_MS
from suite.contracts.hyperliquid_ws import SUBSCRIPTIONS
from virtual_exchange.application.session import Session
from virtual_exchange.entrypoint.routes import ROUTES

COINS = ("BTC", "ETH", "SOL")
NAMES = re.compile(rb"BTC|ETH\b|SOL\b|bitcoin|ether|solana|binance|memory", re.IGNORECASE)
MOMENTS = re.compile(rb"(?<![0-9.a-fA-F])1[0-9]{9}(?:[0-9]{3})?(?![0-9])")
MASK = {"seed": 11}
BODY: dict[str, Any] = {
    "symbols": list(COINS),
    "from": "2025-05-05T01:00",
    "accounts": [{"id": "eve"}],
    "mask": MASK,
    "seed": 4,
}


class Client:
    """Eve in a masked world, and every byte that she was sent."""

    def __init__(self, venue: Served, created: dict[str, Any]) -> None:
        self.venue, self.world_id = venue, created["world_id"]
        self.base = f"/w/{self.world_id}"
        self.headers = {"authorization": f"Bearer {created['tokens']['eve']}"}
        self.session: Session = venue.container.services.worlds.get(self.world_id)
        self.seen: list[tuple[str, bytes]] = []

    async def call(self, method: str, path: str, body: Any = None) -> Any:
        """Ask, and keep what comes."""
        reply = await self.venue.client.request(method, path, json=body, headers=self.headers)
        self.seen.append((f"{method} {path} {body}", reply.content))
        self.seen.append((f"{method} {path} headers", repr(reply.headers).encode()))
        return reply

    async def step(self, number: int, **fields: Any) -> Any:
        """Wait, and be answered."""
        body = {"step_seq": number, **fields}
        reply = await self.call("POST", f"{self.base}/clock/wait", body)
        assert 200 == reply.status_code, reply.text
        return reply.json()

    def assert_nothing_told(self) -> None:
        """No recorded name, and no moment near the recorded ones, in any of it."""
        for asked, content in self.seen:
            assert NAMES.search(content) is None, (asked, NAMES.search(content))
            assert b"2025-0" not in content, asked
            for found in MOMENTS.findall(content):
                number = int(found) if len(found) > 10 else 1000 * int(found)
                assert abs(number - START_MS) > 100 * DAY_MS, (asked, found)


async def enter(venue: Served) -> Client:
    created = await venue.post("/worlds", BODY, "operator")
    assert 201 == created.status_code, created.text
    return Client(venue, created.json())


async def look_around(client: Client) -> None:
    """Every read there is, right and wrong."""
    world = client.session.world
    coin, user = world.market.coins[0], world.accounts[0].address
    for route in ROUTES:
        if route.method == "GET" and route.in_world:
            path = client.base + route.path.replace("{symbol}", coin)
            await client.call("GET", path)
            await client.call("GET", client.base + route.path.replace("{symbol}", "NOPE"))
    await client.call("GET", f"{client.base}/klines/{coin}?interval=1h&start=0")
    await client.call("GET", f"{client.base}/klines/{coin}?end={START_MS * 2}")
    await client.call("GET", f"{client.base}/gpt-latest/{coin}?timestamp={world.now_ms - 61_000}")
    await client.call("GET", f"/worlds/{client.world_id}")
    request = {"coin": coin, "interval": "15m", "startTime": 0, "endTime": START_MS * 2}
    fields = {"user": user, "coin": coin, "startTime": 0, "oid": 1, "id": 20, "req": request}
    for kind in client.session.queries._reads:
        await client.call("POST", f"{client.base}/info", {"type": kind, **fields})
        await client.call("POST", f"{client.base}/info", {"type": kind})


async def trade(client: Client) -> None:
    """Steps with orders, good and bad, and a wake-up of each kind."""
    world, base = client.session.world, client.base
    coins = list(world.market.coins)
    await client.call("POST", f"{base}/clock/join", {"want": {"snapshots": coins, "mids": True}})
    mids = client.session.queries.market.mids()
    orders: list[dict[str, Any]] = [
        {"type": "order", "coin": coin, "is_buy": True, "sz": "10"} for coin in coins
    ]
    orders += [
        {"type": "order", "coin": coins[0], "is_buy": True, "sz": "1", "limit_px": "0.12345678"},
        {"type": "order", "coin": coins[0], "is_buy": True, "sz": "1", "limit_px": "1"},
        {"type": "order", "coin": "NOPE", "is_buy": True, "sz": "1"},
        {"type": "order", "coin": coins[1], "is_buy": False, "sz": "1", "limit_px": mids[coins[1]]},
        {"type": "cancel", "coin": coins[0], "oid": 1},
        {"type": "leverage", "coin": coins[0], "leverage": 99, "is_cross": True},
    ]
    want = {"snapshots": coins, "mids": True}
    until_ms = world.now_ms + 30 * MINUTE_MS
    reply = await client.step(1, until_ms=until_ms, orders=orders, want=want)
    assert 3 <= sum("filled" in str(result) for result in reply["results"])
    for wrong in (
        {"step_seq": 2, "until_ms": 1},
        {"step_seq": 2, "wake_on": {"price": [{"coin": "NOPE", "above": 1}]}},
        {"step_seq": 7},
    ):
        assert 400 <= (await client.call("POST", f"{base}/clock/wait", wrong)).status_code
    await client.step(2, until_ms=world.now_ms + 9 * 60 * MINUTE_MS)
    await client.call("POST", f"{base}/clock/heartbeat", {})
    await client.call("POST", f"{base}/exchange/order", orders[0])


async def listen(client: Client) -> None:
    """Every channel of the WebSocket."""
    world = client.session.world
    user = world.accounts[0].address
    async with connected(client.session) as socket:
        for kind in SUBSCRIPTIONS:
            config = kind.__struct_config__
            wanted = {"user": user, "coin": world.market.coins[0], "interval": "1m"}
            fields = {f: wanted[f] for f in kind.__struct_fields__ if f in wanted}
            said = await socket.subscribe(str(config.tag), **fields)
            client.seen.append((str(config.tag), msgspec.json.encode(said)))
        await client.step(3, until_ms=world.now_ms + 5 * MINUTE_MS)
        client.seen.append(("channels", msgspec.json.encode(await socket.take())))


async def test_nothing_that_is_served_tells_the_recorded_market(tmp_path: Path) -> None:
    """Over REST, info, WebSocket, snapshots, errors, status and the trader's report."""
    async with served(tmp_path, random_source(*COINS, count=1440)) as venue:
        client = await enter(venue)
        await look_around(client)
        await trade(client)
        await look_around(client)
        await listen(client)
        assert (await client.step(4))["ended"]
        await look_around(client)
        report = await client.call("GET", f"/worlds/{client.world_id}/report")
        assert 200 == report.status_code
        assert 3 <= len(report.json()["result"]["traders"]["eve"]["trades"])
        assert 400 < len(client.seen)
        client.assert_nothing_told()


async def test_operator_is_told_everything(tmp_path: Path) -> None:
    """The mask in the status and in the report, which is by the recorded names and dates."""
    async with served(tmp_path, random_source(*COINS, count=1440)) as venue:
        client = await enter(venue)
        await trade(client)
        assert (await client.step(3))["ended"]
        path = f"/worlds/{client.world_id}"
        status = (await venue.get(path, "operator")).json()
        assert (11, set(COINS), 4) == (
            status["mask"]["seed"],
            set(status["mask"]["coins"]),
            status["seed"],
        )
        own = (await client.call("GET", path)).json()
        assert (None, None, None) == (own["mask"], own["seed"], own["time_shift_weeks"])
        report = (await venue.get(f"{path}/report", "operator")).json()
        result = report["result"]
        assert list(COINS) == result["coins"]
        assert START_MS + 60 * MINUTE_MS == result["period"]["from_ms"]
        assert status["mask"] == report["manifest"]["mask"]
        trades = result["traders"]["eve"]["trades"]
        assert set(COINS) == {fill["coin"] for fill in trades}
        assert START_MS + 60 * MINUTE_MS == trades[0]["time"]
        first = report["charts"]["BTC"]["candles"][0]
        assert abs(float(first[1]) / 94_000 - 1) < 0.05


@pytest.mark.parametrize(
    ("mask", "text"),
    [
        ({"rename": {"DOGE": "A"}}, "'DOGE' is not in this world"),
        ({"scale": "-3"}, "mask.scale must be between"),
        ({"sead": 3}, "unknown field `sead`"),
    ],
)
async def test_mask_that_cannot_be_is_refused(
    tmp_path: Path, mask: dict[str, Any], text: str
) -> None:
    """One line, and no world."""
    async with served(tmp_path, random_source(*COINS)) as venue:
        reply = await venue.post("/worlds", {**BODY, "mask": mask}, "operator")
        assert reply.status_code in {400, 422}
        assert text in reply.text
        assert "\n" not in reply.text
        assert 1 == len((await venue.get("/worlds", "operator")).json())
