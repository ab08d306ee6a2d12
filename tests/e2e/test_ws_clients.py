"""Official and common clients on the WebSocket of a running service, unmodified."""

import asyncio
import queue
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest
from tests.support.processes import Service
from tests.support.stores import make_store
from tests.support.wallets import Wallet

pytestmark = pytest.mark.process

WALLET = Wallet(41)
SPEED = 1200
"""Twenty minutes of market a second."""
LIMIT_S = 30
ETH = "ETH/USDC:USDC"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A paced world, whose faucet funds whoever is named."""
    folder = tmp_path_factory.mktemp("clients")
    store = make_store(folder / "data", "BTC", "ETH", "SOL", minutes=10_000)
    options = ("--data", str(store), "--symbols", "BTC,ETH,SOL", "--speed", str(SPEED))
    running = Service(folder, *options)
    yield running
    running.kill()


# hyperliquid-python-sdk


class Heard:
    """What the SDK called back with, by subscription."""

    def __init__(self) -> None:
        self.queues: dict[str, queue.Queue[Any]] = defaultdict(queue.Queue)

    def next(self, name: str) -> Any:
        return self.queues[name].get(timeout=LIMIT_S)["data"]

    def until(self, name: str, condition: Any) -> Any:
        while True:
            data = self.next(name)
            if condition(data):
                return data


SUBSCRIPTIONS: dict[str, dict[str, str]] = {
    "allMids": {"type": "allMids"},
    "l2Book": {"type": "l2Book", "coin": "ETH"},
    "trades": {"type": "trades", "coin": "PURR/USDC"},
    "trades of a coin": {"type": "trades", "coin": "ETH"},
    "userEvents": {"type": "userEvents"},
    "userFills": {"type": "userFills"},
    "candle": {"type": "candle", "coin": "ETH", "interval": "1m"},
    "orderUpdates": {"type": "orderUpdates"},
    "userFundings": {"type": "userFundings"},
    "userNonFundingLedgerUpdates": {"type": "userNonFundingLedgerUpdates"},
    "webData2": {"type": "webData2"},
    "bbo": {"type": "bbo", "coin": "ETH"},
    "activeAssetCtx": {"type": "activeAssetCtx", "coin": "BTC"},
    "activeSpotAssetCtx": {"type": "activeAssetCtx", "coin": "@1"},
    "activeAssetData": {"type": "activeAssetData", "coin": "BTC"},
}
"""Those of the SDK's example `basic_ws`, and the trades of a coin that is traded."""
_OF_USER = ("user", "webData2", "orderUpdates", "activeAssetData")


def test_every_channel_of_the_sdks_example_is_heard(
    service: Service, capsys: pytest.CaptureFixture[str]
) -> None:
    """With an order, its fill, the funding for it; the SDK routes every message it gets."""
    from hyperliquid.exchange import Exchange
    from hyperliquid.info import Info

    heard, address = Heard(), str(WALLET.key.address)
    info = Info(service.url)
    try:
        for name, subscription in SUBSCRIPTIONS.items():
            of_user = subscription["type"].startswith(_OF_USER)
            params = subscription | ({"user": address} if of_user else {})
            info.subscribe(params, heard.queues[name].put)
        assert {"BTC", "ETH", "SOL"} <= set(heard.next("allMids")["mids"])
        fills = heard.next("userFills")
        assert (True, address.lower()) == (fills["isSnapshot"], fills["user"])
        assert heard.next("userFundings")["isSnapshot"]
        deposits = heard.next("userNonFundingLedgerUpdates")
        assert ["deposit"] == [r["delta"]["type"] for r in deposits["nonFundingLedgerUpdates"]]
        exchange = Exchange(WALLET.key, service.url)
        reply = exchange.market_open("ETH", is_buy=True, sz=0.5)
        oid = reply["response"]["data"]["statuses"][0]["filled"]["oid"]
        assert oid == heard.until("userEvents", lambda data: "fills" in data)["fills"][0]["oid"]
        (fill,) = heard.next("userFills")["fills"]
        assert (oid, "0.5", "Open Long") == (fill["oid"], fill["sz"], fill["dir"])
        updates = heard.until("orderUpdates", lambda data: data[-1]["status"] == "filled")
        assert oid == updates[-1]["order"]["oid"]
        page = heard.until("webData2", lambda data: data["clearinghouseState"]["assetPositions"])
        assert address.lower() == page["user"]
        assert "ETH" == heard.next("userFundings")["fundings"][0]["coin"]
        assert heard.until("userEvents", lambda data: "funding" in data)
        times = [heard.next("l2Book")["time"] for _ in range(20)]
        assert sorted(times) == times
        opens = [heard.next("candle")["t"] for _ in range(60)]
        assert set(range(opens[0], opens[-1], 60_000)) <= set(opens)
        assert 2 == len(heard.next("bbo")["bbo"])
        assert "ETH" == heard.next("trades of a coin")[0]["coin"]
        assert "BTC" == heard.next("activeAssetCtx")["coin"]
        assert "@1" == heard.next("activeSpotAssetCtx")["coin"]
        assert address.lower() == heard.next("activeAssetData")["user"]
        assert heard.queues["trades"].empty()
    finally:
        info.disconnect_websocket()
    assert "unexpected subscription" not in capsys.readouterr().out


# ccxt


@pytest.fixture
def trader(service: Service) -> Wallet:
    """A wallet that the venue knows, as the faucet has funded it."""
    wallet = Wallet(42)
    body = {"type": "clearinghouseState", "user": wallet.address}
    httpx.post(f"{service.url}/info", json=body).raise_for_status()
    return wallet


@pytest.fixture
async def exchange(service: Service, trader: Wallet) -> AsyncIterator[Any]:
    import ccxt.pro

    urls = {
        "public": service.url,
        "private": service.url,
        "ws": {"public": f"ws{service.url.removeprefix('http')}/ws"},
    }
    key = "0x" + bytes(trader.key.key).hex()
    client = ccxt.pro.hyperliquid(
        {
            "walletAddress": str(trader.key.address),
            "privateKey": key,
            "urls": {"api": urls},
        }
    )
    yield client
    await client.close()


async def test_ccxt_watches_the_market(exchange: Any) -> None:
    """Each `watch_*` twice: the first may be a snapshot."""
    async with asyncio.timeout(60):
        for _ in range(2):
            book = await exchange.watch_order_book(ETH)
            assert 20 == len(book["bids"]) == len(book["asks"])
            assert book["bids"][0][0] < book["asks"][0][0]
            (trade, *_) = await exchange.watch_trades(ETH)
            assert ETH == trade["symbol"]
            candles = await exchange.watch_ohlcv(ETH, "1m")
            assert 6 == len(candles[-1])
            ticker = await exchange.watch_ticker(ETH)
            assert ticker["symbol"] == ETH
            tickers = await exchange.watch_tickers([ETH, "BTC/USDC:USDC"])
            assert tickers


async def test_ccxt_waits_for_the_end_of_a_channel_and_takes_it_again(exchange: Any) -> None:
    """It watches nothing anew before the acknowledgement has come."""
    async with asyncio.timeout(60):
        for watch, unwatch in (
            (exchange.watch_order_book, exchange.un_watch_order_book),
            (exchange.watch_trades, exchange.un_watch_trades),
            (exchange.watch_ticker, exchange.un_watch_ticker),
            (exchange.watch_ohlcv, exchange.un_watch_ohlcv),
        ):
            for _ in range(2):
                assert await watch(ETH)
                await unwatch(ETH)


async def test_ccxt_trades_over_the_socket_and_watches_its_account(exchange: Any) -> None:
    """Orders placed, edited and canceled by `post`; orders, trades, positions, balance told."""
    async with asyncio.timeout(60):
        balance = await exchange.watch_balance({"type": "swap"})
        assert 10_000 == balance["USDC"]["total"]
        price = (await exchange.watch_order_book(ETH))["asks"][0][0]
        orders = asyncio.create_task(exchange.watch_orders())
        trades = asyncio.create_task(exchange.watch_my_trades())
        positions = asyncio.create_task(exchange.watch_positions())
        await asyncio.sleep(0)
        placed = await exchange.create_order_ws(ETH, "market", "buy", 0.5, price)
        assert {placed["id"]} == {trade["order"] for trade in await trades}
        assert placed["id"] in {order["id"] for order in await orders}
        held: list[Any] = await positions
        while not held:
            held = await exchange.watch_positions()
        assert [(ETH, 0.5, "long")] == [(p["symbol"], p["contracts"], p["side"]) for p in held]
        resting = await exchange.create_order_ws(ETH, "limit", "buy", 0.5, round(price * 0.5))
        edited = await exchange.edit_order_ws(
            resting["id"], ETH, "limit", "buy", 0.6, round(price * 0.5)
        )
        canceled = await exchange.cancel_order_ws(edited["id"], ETH)
        assert "success" == canceled["info"]
