"""What every venue of the suite keeps: one suite, run against each.

A venue is an async context manager that yields a `Venue`: an HTTP client with a token, and a coin
whose market is open. A new one is added to `VENUES` and changes nothing below.
"""

import re
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from tests.support.served import served

from suite.contracts.clock import ClockState, WaitReply
from suite.contracts.hyperliquid_info import ClearinghouseState, OpenOrder, UserFill
from suite.contracts.venue import ActionReply

DECIMAL = re.compile(r"-?\d+\.\d+")


@dataclass
class Venue:
    """A venue under test."""

    client: httpx.AsyncClient
    coin: str

    async def info(self, kind: str, **more: Any) -> Any:
        reply = await self.client.post("/info", json={"type": kind, **more})
        assert reply.status_code == 200, reply.text
        return reply.json()

    async def act(self, name: str, **body: Any) -> ActionReply:
        reply = await self.client.post(f"/exchange/{name}", json={"coin": self.coin, **body})
        assert reply.status_code == 200, reply.text
        return msgspec.json.decode(reply.content, type=ActionReply)

    async def status(self, name: str, **body: Any) -> Any:
        response: Any = (await self.act(name, **body)).response
        return response["data"]["statuses"][0]

    async def mid(self) -> Decimal:
        return Decimal((await self.info("allMids"))[self.coin])


@asynccontextmanager
async def virtual_exchange(folder: Path) -> AsyncIterator[Venue]:
    async with served(folder, accounts=("alice",)) as running:
        running.client.headers.update(running.headers("alice"))
        yield Venue(running.client, "BTC")


VENUES: dict[str, Callable[[Path], AbstractAsyncContextManager[Venue]]] = {
    "virtual-exchange": virtual_exchange
}


@pytest.fixture(params=VENUES)
async def venue(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Venue]:
    async with VENUES[request.param](tmp_path) as opened:
        yield opened


async def test_clock_tells_mode_and_time(venue: Venue) -> None:
    """An agent never asks what mode it is in but here."""
    state = msgspec.json.decode((await venue.client.get("/clock")).content, type=ClockState)
    assert state.now_ms > 0


async def test_join_brings_the_account(venue: Venue) -> None:
    """The reply to a join is step 0."""
    reply = await venue.client.post("/clock/join", json={})
    joined = msgspec.json.decode(reply.content, type=WaitReply)
    assert joined.step_seq == 0
    assert joined.account is not None


async def test_meta_and_contexts_are_aligned(venue: Venue) -> None:
    """One context an asset; prices are decimal strings with a fraction."""
    meta, contexts = await venue.info("metaAndAssetCtxs")
    assert len(meta["universe"]) == len(contexts)
    assert meta == await venue.info("meta")
    assert venue.coin in [asset["name"] for asset in meta["universe"]]
    for context in contexts:
        assert DECIMAL.fullmatch(context["markPx"])
        assert DECIMAL.fullmatch(context["funding"])


async def test_account_adds_up(venue: Venue) -> None:
    """Account value is raw money plus the signed value of all positions."""
    await venue.act("order", is_buy=False, sz="0.02", limit_px=0)
    raw = await venue.info("clearinghouseState")
    state = msgspec.convert(raw, ClearinghouseState)
    position = state.assetPositions[0].position
    assert (venue.coin, "-0.02") == (position.coin, position.szi)
    value = Decimal(state.marginSummary.totalRawUsd) - Decimal(position.positionValue)
    assert value == Decimal(state.marginSummary.accountValue)
    margin = Decimal(position.positionValue) / position.leverage.value
    assert abs(margin - Decimal(position.marginUsed)) < Decimal("0.01")


async def test_order_is_placed_found_modified_and_canceled(venue: Venue) -> None:
    """Its life is visible at every step, by oid and by client id."""
    cloid = "0x" + "1" * 32
    price = str(round(await venue.mid() * Decimal("0.9"), -2))
    resting = await venue.status("order", is_buy=True, sz="0.01", limit_px=price, cloid=cloid)
    oid = resting["resting"]["oid"]
    rows = msgspec.convert(await venue.info("openOrders"), tuple[OpenOrder, ...])
    assert [(oid, cloid, "0.01")] == [(row.oid, row.cloid, row.sz) for row in rows]
    for key in (oid, cloid):
        found = await venue.info("orderStatus", oid=key)
        assert ("order", "open") == (found["status"], found["order"]["status"])
    lower = str(Decimal(price) - 100)
    modified = await venue.status(
        "modify",
        oid=oid,
        is_buy=True,
        sz="0.02",
        limit_px=lower,
        order_type={"limit": {"tif": "Gtc"}},
    )
    assert oid != modified["resting"]["oid"]
    assert await venue.status("cancel", cloid=cloid) == "success"
    assert [] == await venue.info("openOrders")
    again = await venue.status("cancel", cloid=cloid)
    assert again["error"].startswith("Order was never placed, already canceled, or filled.")
    assert {"status": "unknownOid"} == await venue.info("orderStatus", oid=1 << 50)


async def test_fill_is_told_in_full(venue: Venue) -> None:
    """Newest first; opening and closing are named; fees and profit are apart."""
    await venue.act("order", is_buy=True, sz="0.01", limit_px=0)
    await venue.act("order", is_buy=False, sz="0.01", limit_px=0, reduce_only=True)
    closing, opening = msgspec.convert(await venue.info("userFills"), tuple[UserFill, ...])
    assert ("Close Long", "Open Long") == (closing.dir, opening.dir)
    assert ("0.0", "0.01") == (opening.startPosition, closing.startPosition)
    assert opening.closedPnl == "0.0"
    assert Decimal(opening.fee) > 0
    assert opening.tid != closing.tid


async def test_post_only_order_that_would_take_is_refused(venue: Venue) -> None:
    """The text shows the best prices."""
    price = str(round(await venue.mid() * Decimal("1.05"), -2))
    status = await venue.status(
        "order", is_buy=True, sz="0.01", limit_px=price, order_type={"limit": {"tif": "Alo"}}
    )
    assert re.match(
        r"Post only order would have immediately matched, bbo was [\d.]+@[\d.]+\.", status["error"]
    )


async def test_immediate_order_without_a_match_is_refused(venue: Venue) -> None:
    """IOC beyond the market leaves nothing."""
    price = str(round(await venue.mid() * Decimal("0.9"), -2))
    status = await venue.status(
        "order", is_buy=True, sz="0.01", limit_px=price, order_type={"limit": {"tif": "Ioc"}}
    )
    assert status["error"].startswith(
        "Order could not immediately match against any resting orders."
    )
    assert [] == await venue.info("openOrders")


async def test_bracket_is_a_group(venue: Venue) -> None:
    """Entry, target and stop in one action; cancel of a resting entry takes its children along."""
    mid = await venue.mid()
    below, target, stop = (
        str(round(mid * Decimal(factor), -2)) for factor in ("0.95", "1.05", "0.9")
    )
    reply: Any = (
        await venue.act(
            "order",
            is_buy=True,
            sz="0.01",
            limit_px=below,
            take_profit={"price": target},
            stop_loss={"price": stop},
        )
    ).response
    entry, *children = reply["data"]["statuses"]
    assert ["waitingForFill", "waitingForFill"] == children
    kinds = {row["orderType"] for row in await venue.info("frontendOpenOrders")}
    assert {"Limit", "Take Profit Market", "Stop Market"} == kinds
    assert await venue.status("cancel", oid=entry["resting"]["oid"]) == "success"
    assert [] == await venue.info("openOrders")


async def test_leverage_is_set_or_refused(venue: Venue) -> None:
    """Above the coin's highest it is refused as a whole."""
    assert (await venue.act("leverage", leverage=3, is_cross=True)).status == "ok"
    refused = await venue.act("leverage", leverage=1000, is_cross=True)
    assert ActionReply(status="err", response="Invalid leverage value") == refused


async def test_malformed_and_misshapen_bodies_have_the_venues_texts(venue: Venue) -> None:
    """400 for what is no JSON, 422 for JSON of another shape, both plain text."""
    headers = {"content-type": "application/json"}
    for path in ("/info", "/exchange/order"):
        broken = await venue.client.post(path, content=b"{", headers=headers)
        shapeless = await venue.client.post(path, content=b"{}", headers=headers)
        assert [400, 422] == [broken.status_code, shapeless.status_code]
        assert broken.text == "Failed to parse the request body as JSON"
        assert shapeless.text.startswith("Failed to deserialize the JSON body into the target type")


async def test_writes_without_a_token_are_refused(venue: Venue) -> None:
    """401, and nothing happened."""
    bare = {"authorization": ""}
    order = {"coin": venue.coin, "is_buy": True, "sz": "0.01"}
    reply = await venue.client.post("/exchange/order", json=order, headers=bare)
    assert reply.status_code == 401
    assert [] == await venue.info("userFills")
