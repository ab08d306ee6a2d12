"""typed-hyperliquid 2.6.0, unmodified: a client that checks every field of every answer."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import nullcontext
from decimal import Decimal
from typing import Any, Literal

import pytest
from tests.support.busy_user import BUILDER, CLOID, busy_user
from tests.support.sdk import Sdk, behind, set_up
from tests.support.typed_reads import OF_MARKET, account_reads
from tests.support.venue_process import LIMIT_S, VenueUnderTest
from typed_core.exceptions import ApiError
from typed_core.http import HttpClient
from typed_hyperliquid import Hyperliquid

pytestmark = [pytest.mark.process, pytest.mark.client("typed-hyperliquid")]

OF_ACCOUNTS = account_reads(builder=BUILDER, cloid=CLOID.to_raw())
STRANGER = "0x" + "9" * 40
STREAMS: dict[str, dict[str, Any]] = {
    "active_asset_ctx": {"coin": "ETH"},
    "active_asset_data": {"coin": "ETH", "user": ""},
    "all_dexs_asset_ctxs": {},
    "all_dexs_clearinghouse_state": {"user": ""},
    "all_mids": {},
    "bbo": {"coin": "ETH"},
    "candle": {"coin": "ETH", "interval": "1m"},
    "clearinghouse_state": {"dex": "", "user": ""},
    "l2_book": {"coin": "ETH"},
    "open_orders": {"dex": "", "user": ""},
    "order_updates": {"user": ""},
    "spot_state": {"user": ""},
    "trades": {"coin": "ETH"},
    "twap_states": {"dex": "", "user": ""},
    "user_events": {"user": ""},
    "user_fills": {"user": ""},
    "user_fundings": {"user": ""},
    "user_non_funding_ledger_updates": {"user": ""},
    "user_twap_history": {"user": ""},
    "user_twap_slice_fills": {"user": ""},
    "web_data3": {"user": ""},
}


@pytest.fixture(scope="module")
def busy(target: VenueUnderTest) -> Sdk:
    wallet = target.wallet()
    busy_user(behind(target), wallet)
    return set_up(target, wallet)


def is_own_alone(busy: Sdk) -> bool:
    """Whether a client reads no account but its own, see `live_refusals.py`."""
    return busy.target.name == "hyperliquid-exchange"


class Http(HttpClient):
    """Sends a token along; the client has no option for it."""

    def __init__(self, headers: dict[str, str]) -> None:
        super().__init__()
        self._headers = headers

    async def request(self, method: str, url: str, **more: Any) -> Any:
        more["headers"] = {**self._headers, **(more.get("headers") or {})}
        return await super().request(method, url, **more)


@pytest.fixture
async def client(busy: Sdk) -> AsyncIterator[Hyperliquid]:
    target, headers = busy.target, busy.target.headers(busy.wallet)
    async with Hyperliquid.new(
        busy.wallet,
        mainnet=False,
        base_url=target.url,
        ws_url=target.ws_url,
        http=Http(headers),
    ) as opened:
        opened.streams_client.headers = headers
        yield opened


@pytest.mark.step("every read, over HTTP and over ws")
@pytest.mark.parametrize("way", ["http", "ws"])
async def test_reads_are_parsed_strictly(
    busy: Sdk, client: Hyperliquid, way: Literal["http", "ws"]
) -> None:
    """Every method of `info` that this venue answers; the same over both ways."""
    for name, fields in OF_MARKET.items():
        await getattr(client.info, name)(**fields, transport=way)
    for name, fields in OF_ACCOUNTS.items():
        await getattr(client.info, name)(user=busy.address, **fields, transport=way)
        with pytest.raises(ApiError) if is_own_alone(busy) else nullcontext():
            await getattr(client.info, name)(user=STRANGER, **fields, transport=way)


@pytest.mark.step("ws: every channel")
async def test_channels_are_parsed_strictly(busy: Sdk, client: Hyperliquid) -> None:
    """Each is told something that a strict reader takes; those of orders while one is filled."""

    async def first(name: str, fields: dict[str, Any]) -> None:
        fields = {key: busy.address if key == "user" else item for key, item in fields.items()}
        async with getattr(client.streams, name)(**fields) as stream:
            subscribed.release()
            async for _ in stream:
                return

    subscribed = asyncio.Semaphore(0)
    async with asyncio.timeout(LIMIT_S), asyncio.TaskGroup() as group:
        for name, fields in STREAMS.items():
            group.create_task(first(name, fields), name=name)
        for _ in STREAMS:
            await subscribed.acquire()
        await asyncio.to_thread(busy.exchange.market_open, "ETH", True, 0.02)


@pytest.mark.step("order, query, cancel")
@pytest.mark.parametrize("way", ["http", "ws"])
async def test_orders_are_placed_and_canceled(
    busy: Sdk, client: Hyperliquid, way: Literal["http", "ws"]
) -> None:
    """Over HTTP and as a post of the WebSocket."""
    price = Decimal(f"{busy.price('ETH', 0.8):g}")  # signed as it is written: no ".0" at mainnet
    order: Any = {
        "a": 1,
        "b": True,
        "p": price,
        "s": Decimal("0.02"),
        "r": False,
        "t": {"limit": {"tif": "Gtc"}},
    }
    placed: Any = await client.exchange.order([order], grouping="na", transport=way)
    (status,) = placed["response"]["data"]["statuses"]
    oid = status["resting"]["oid"]
    found: Any = await client.info.order_status(busy.address, oid=oid)
    assert "open" == found["order"]["status"]
    done: Any = await client.exchange.cancel([{"a": 1, "o": oid}], transport=way)
    assert ["success"] == done["response"]["data"]["statuses"]


@pytest.mark.step("leverage and isolated margin")
async def test_leverage_is_set_or_refused(client: Hyperliquid) -> None:
    """The answer of a refusal is parsed too."""
    done: Any = await client.exchange.update_leverage(asset=0, is_cross=True, leverage=5)
    assert {"type": "default"} == done
    with pytest.raises(ApiError, match=r"Invalid leverage value|500 is more than 40"):
        await client.exchange.update_leverage(asset=0, is_cross=True, leverage=500)
