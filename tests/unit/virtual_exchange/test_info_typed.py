"""Every answer of `/info` is read by a client that checks each field."""

from collections.abc import Mapping
from typing import Any, Self

import msgspec
import pytest
from tests.support.busy import BUILDER, CLOID, OWNER, busy_session
from tests.support.typed_reads import OF_MARKET, account_reads
from typed_core.exceptions import ApiError
from typed_hyperliquid.info import Info

from virtual_exchange.application.info.request import InfoBody
from virtual_exchange.application.session import Session

OWN = {"user": str(OWNER.key.address)}
NOBODY = {"user": "0x" + "9" * 40}
OF_ACCOUNTS = account_reads(builder=BUILDER, cloid=CLOID)
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
