"""typed-hyperliquid 2.6.0, unmodified: a client that checks every field of every answer."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Literal

import pytest
from tests.support.busy_user import BUILDER, CLOID, busy_user
from tests.support.sdk import Sdk
from tests.support.venue_process import LIMIT_S, VenueUnderTest
from typed_core.exceptions import ApiError
from typed_hyperliquid import Hyperliquid

pytestmark = [pytest.mark.process, pytest.mark.client("typed-hyperliquid")]

SINCE = {"start_time": datetime.fromtimestamp(0, UTC)}
CANDLES = {
    "coin": "ETH",
    "interval": "1m",
    "start_time": datetime(2025, 5, 5, tzinfo=UTC),
    "end_time": datetime(2025, 5, 6, tzinfo=UTC),
}
OF_MARKET: dict[str, dict[str, Any]] = {
    "aligned_quote_token_info": {"token": 0},
    "all_borrow_lend_reserve_states": {},
    "all_mids": {},
    "all_perp_metas": {},
    "candle_snapshot": CANDLES,
    "exchange_status": {},
    "funding_history": {"coin": "BTC", **SINCE},
    "l2_book": {"coin": "ETH", "n_sig_figs": 5, "mantissa": 2},
    "outcome_meta": {},
    "outcome_templates": {},
    "perp_annotation": {"coin": "BTC"},
    "perp_categories": {},
    "perp_concise_annotations": {},
    "perp_deploy_auction_status": {},
    "perp_dexs": {},
    "perp_meta": {},
    "perp_meta_and_asset_ctxs": {},
    "perps_at_open_interest_cap": {},
    "predicted_fundings": {},
    "spot_meta": {},
    "spot_meta_and_asset_ctxs": {},
    "spot_pair_deploy_auction_status": {},
    "token_details": {"token_id": "0xc1fb593aeffbeb02f85e0308e9956a90"},
    "vault_details": {"vault_address": "0x" + "1" * 40},
}
OF_ACCOUNTS: dict[str, dict[str, Any]] = {
    "active_asset_data": {"coin": "ETH"},
    "builder_fee_approved": {"builder": BUILDER},
    "clearinghouse_state": {},
    "frontend_open_orders": {},
    "open_orders": {},
    "order_status": {"oid": CLOID.to_raw()},
    "spot_clearinghouse_state": {},
    "spot_deploy_state": {},
    "staking_delegations": {},
    "staking_history": {},
    "staking_rewards": {},
    "staking_summary": {},
    "sub_accounts": {},
    "user_abstraction": {},
    "user_dex_abstraction": {},
    "user_fees": {},
    "user_fills": {"aggregate_by_time": True},
    "user_fills_by_time": SINCE,
    "user_funding": SINCE,
    "user_non_funding_ledger_updates": SINCE,
    "user_portfolio": {},
    "user_rate_limit": {},
    "user_referral": {},
    "user_role": {},
    "user_twap_slice_fills": {},
    "user_vault_equities": {},
}
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
    return busy_user(target)


@pytest.fixture
async def client(busy: Sdk) -> AsyncIterator[Hyperliquid]:
    url, ws_url = busy.target.url, busy.target.ws_url
    async with Hyperliquid.new(busy.wallet, mainnet=False, base_url=url, ws_url=ws_url) as opened:
        yield opened


@pytest.mark.step("every read, over HTTP and over ws")
@pytest.mark.parametrize("way", ["http", "ws"])
async def test_reads_are_parsed_strictly(
    busy: Sdk, client: Hyperliquid, way: Literal["http", "ws"]
) -> None:
    """Every method of `info` that this venue answers; the same over both ways."""
    for name, fields in OF_MARKET.items():
        await getattr(client.info, name)(**fields, transport=way)
    for user in (busy.address, "0x" + "9" * 40):
        for name, fields in OF_ACCOUNTS.items():
            await getattr(client.info, name)(user=user, **fields, transport=way)


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
    price = Decimal(str(busy.price("ETH", 0.8)))
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
    with pytest.raises(ApiError, match="Invalid leverage value"):
        await client.exchange.update_leverage(asset=0, is_cross=True, leverage=500)
