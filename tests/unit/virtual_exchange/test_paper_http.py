"""A paper world as the service serves it, with a feed in memory."""

import time
from pathlib import Path

import pytest
from tests.support.paper import FakeFeed
from tests.support.served import Served, served
from tests.support.waiting import until
from tests.support.wallets import Wallet, item, order

from suite.errors import ConfigError
from suite.feeds import FeedListener
from suite.service.clock import SystemClock
from virtual_exchange.bootstrap import default_world
from virtual_exchange.domain.live import LiveEvent, Print, Prints
from virtual_exchange.settings import Settings

FEED = "http://127.0.0.1:8000"
WALLET = Wallet(77)


def feed_of_now() -> FakeFeed:
    return FakeFeed(wall_ms=SystemClock().now_ms())


def trades(feed: FakeFeed, coin: str, price: float, size: float = 1.0) -> None:
    assert feed.listener is not None
    time_ms = feed.time.at(SystemClock().now_ms())
    row = Print(time_ms=time_ms, price=price, size=size)
    feed.listener.received([Prints(coin=coin, prints=(row,))])


async def connected(feed: FakeFeed) -> FeedListener[LiveEvent]:
    await feed.followed.wait()
    assert feed.listener is not None
    feed.listener.connected()
    trades(feed, "BTC", 94_000.0)
    trades(feed, "ETH", 1_800.0)
    return feed.listener


async def mids(venue: Served) -> dict[str, str]:
    found: dict[str, str] = (await venue.post("/info", {"type": "allMids"}, None)).json()
    return found


async def test_default_world_on_paper_trades_at_live_prices(tmp_path: Path) -> None:
    """Both gateways, a faucet, wall time; health tells of the feed and stays up."""
    feed = feed_of_now()
    async with served(tmp_path, live=feed, clock="paper", feed=FEED) as venue:
        waiting = (await venue.get("/health")).json()
        assert ("degraded", f"{FEED}: not connected yet") == (waiting["status"], waiting["reason"])
        listener = await connected(feed)
        assert "ok" == (await venue.get("/health")).json()["status"]
        clock = (await venue.get("/clock")).json()
        assert ("wall", 1.0, False) == (clock["mode"], clock["speed"], clock["finished"])
        trades(feed, "BTC", 94_500.0)
        simple = {"coin": "BTC", "is_buy": True, "sz": "0.1", "limit_px": "0"}
        reply = (await venue.post("/exchange/order", simple)).json()
        assert "filled" in reply["response"]["data"]["statuses"][0]
        await venue.post("/info", {"type": "clearinghouseState", "user": WALLET.address}, None)
        nonce = SystemClock().now_ms()
        bid = order(item(1, "1850", "0.5", kind={"limit": {"tif": "Ioc"}}))
        reply = (await venue.post("/exchange", WALLET.signed(bid, nonce=nonce), None)).json()
        assert "filled" in reply["response"]["data"]["statuses"][0]
        listener.lost("the cable was cut")
        lost = await venue.get("/health")
        assert (200, "degraded") == (lost.status_code, lost.json()["status"])
        assert abs(lost.json()["since_ms"] - 1000 * time.time()) < 5000
        reply = (await venue.post("/exchange/order", simple)).json()
        assert "could not immediately match" in str(reply)
        assert "94500.0" == (await mids(venue))["BTC"]
        shown = (await venue.get("/worlds/default", "operator")).json()
        assert ("paper", "1s", "degraded", "the cable was cut") == (
            shown["clock"],
            shown["interval"],
            shown["feed"]["state"],
            shown["feed"]["reason"],
        )


async def test_paper_world_beside_recorded_ones_has_its_own_connection(tmp_path: Path) -> None:
    """Made by `POST /worlds`, deleted like any other."""
    feed = feed_of_now()
    async with served(tmp_path, live=feed, feed=FEED) as venue:
        body = {"symbols": ["BTC"], "accounts": [{"id": "eve"}], "clock": "paper"}
        created = (await venue.post("/worlds", body, "operator")).json()
        await connected(feed)
        path = f"/w/{created['world_id']}"
        session = venue.container.services.worlds.get(created["world_id"])
        await until(lambda: session.world.engine.bar >= 2)
        prices = (await venue.post(f"{path}/info", {"type": "allMids"}, None)).json()
        assert {"BTC": "94000.0"} == prices
        gone = await venue.client.delete(
            f"/worlds/{created['world_id']}", headers=venue.headers("operator")
        )
        assert 200 == gone.status_code
        assert 404 == (await venue.get(f"{path}/clock")).status_code


async def test_paper_world_without_a_feed_is_refused(tmp_path: Path) -> None:
    """Told what to do."""
    async with served(tmp_path) as venue:
        body = {"symbols": ["BTC"], "accounts": [{"id": "eve"}], "clock": "paper"}
        reply = await venue.post("/worlds", body, "operator")
        assert 400 == reply.status_code
        assert "start the service with --feed" in reply.text
    with pytest.raises(ConfigError, match="--feed"):
        default_world(Settings.load(symbols=("BTC",), clock="paper", state_dir=tmp_path))
