"""Every answer of `/info` is read by a client that checks each field."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Self

import msgspec
import pytest
from tests.support.busy import BUILDER, CLOID, OWNER, busy_session
from tests.support.worlds import START_MS
from typed_core.exceptions import ApiError
from typed_hyperliquid.info import Info

from virtual_exchange.application.info.request import InfoBody
from virtual_exchange.application.session import Session

OWN = {"user": str(OWNER.key.address)}
NOBODY = {"user": "0x" + "9" * 40}
SINCE = {"start_time": datetime.fromtimestamp(0, UTC)}
CANDLES = SINCE | {"end_time": datetime.fromtimestamp((START_MS + 10**9) / 1000, UTC)}
OF_MARKET: dict[str, dict[str, Any]] = {
    "all_mids": {},
    "all_perp_metas": {},
    "exchange_status": {},
    "outcome_meta": {},
    "outcome_templates": {},
    "perp_categories": {},
    "perp_concise_annotations": {},
    "perp_annotation": {"coin": "BTC"},
    "perp_deploy_auction_status": {},
    "spot_pair_deploy_auction_status": {},
    "all_borrow_lend_reserve_states": {},
    "aligned_quote_token_info": {"token": 0},
    "perp_dexs": {},
    "perp_meta": {},
    "perp_meta_and_asset_ctxs": {},
    "perps_at_open_interest_cap": {},
    "predicted_fundings": {},
    "spot_meta": {},
    "spot_meta_and_asset_ctxs": {},
    "token_details": {"token_id": "0xc1fb593aeffbeb02f85e0308e9956a90"},
    "vault_details": {"vault_address": "0x" + "1" * 40},
    "funding_history": {"coin": "BTC", **SINCE},
    "l2_book": {"coin": "ETH", "n_sig_figs": 5, "mantissa": 2},
    "candle_snapshot": {"coin": "BTC", "interval": "1h", **CANDLES},
}
OF_ACCOUNTS: dict[str, dict[str, Any]] = {
    "active_asset_data": {"coin": "ETH"},
    "builder_fee_approved": {"builder": BUILDER},
    "clearinghouse_state": {},
    "frontend_open_orders": {},
    "open_orders": {},
    "order_status": {"oid": CLOID},
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
EMPTY_IN_ANY_CASE = {
    "outcome_templates",
    "perp_categories",
    "perp_concise_annotations",
    "perp_annotation",
    "all_borrow_lend_reserve_states",
    "aligned_quote_token_info",
    "perps_at_open_interest_cap",
    "vault_details",
    "staking_delegations",
    "staking_history",
    "staking_rewards",
    "user_dex_abstraction",
    "user_vault_equities",
}


class InProcess:
    """Transport of the client: JSON into a session, and JSON out of it."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def request(self, payload: Mapping[str, Any]) -> Any:
        body = msgspec.json.decode(msgspec.json.encode(payload), type=InfoBody)
        return msgspec.json.decode(msgspec.json.encode(self._session.queries.info(body, None)))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        return


@pytest.fixture(scope="module")
def session() -> Session:
    return busy_session()


@pytest.fixture
def client(session: Session) -> Info:
    return Info.new(InProcess(session))


async def ask(client: Info, name: str, **fields: Any) -> Any:
    return await getattr(client, name)(**fields)


@pytest.mark.parametrize("name", OF_MARKET)
async def test_market_is_told_in_the_venues_shapes(client: Info, name: str) -> None:
    """A strict reader takes the answer, and there is something in it."""
    told = await ask(client, name, **OF_MARKET[name])
    assert bool(told) == (name not in EMPTY_IN_ANY_CASE)


@pytest.mark.parametrize("name", OF_ACCOUNTS)
async def test_account_is_told_in_the_venues_shapes(client: Info, name: str) -> None:
    """Of one that has done everything."""
    told = await ask(client, name, **OWN, **OF_ACCOUNTS[name])
    assert bool(told) == (name not in EMPTY_IN_ANY_CASE)


@pytest.mark.parametrize("name", OF_ACCOUNTS)
async def test_stranger_is_told_in_the_venues_shapes(client: Info, name: str) -> None:
    """Of one that this world has never heard of."""
    await ask(client, name, **NOBODY, **OF_ACCOUNTS[name])


async def test_unknown_coin_has_no_book(client: Info) -> None:
    """The client takes the venue's `null` for that."""
    with pytest.raises(ApiError):
        await client.l2_book("NOPE")


async def test_history_of_orders_is_told_but_for_the_tif_of_triggers(session: Session) -> None:
    """The venue's is `null`; this client wants a text there, so it is given one."""
    rows = session.queries.info(InfoBody(type="historicalOrders", user=OWN["user"]), None)
    for row in rows:
        assert (row["order"]["tif"] is None) == row["order"]["isTrigger"]
        row["order"]["tif"] = "Gtc"

    class Patched(InProcess):
        async def request(self, payload: Mapping[str, Any]) -> Any:
            return msgspec.json.decode(msgspec.json.encode(rows))

    told = await Info.new(Patched(session)).user_historical_orders(OWN["user"])
    assert {"open", "filled", "iocCancelRejected"} <= {row["status"] for row in told}
