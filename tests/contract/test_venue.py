"""What every venue of the suite keeps: one suite, run against each.

A venue is an async context manager that yields a `Venue`: an HTTP client with a token, and a coin
whose market is open. A new one is added to `VENUES` and changes nothing below.
"""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from tests.support.live_refusals import OWN_WORDS
from tests.support.live_stack import fetch
from tests.support.live_target import LiveTarget, live_target
from tests.support.served import served

from suite.contracts.clock import ClockState, WaitReply
from suite.contracts.hyperliquid_info import ClearinghouseState, OpenOrder, UserFill
from suite.contracts.venue import ActionReply

DECIMAL = re.compile(r"-?\d+\.\d+")


@dataclass
class Venue:
    """A venue under test.

    Attributes:
        client: of one trader.
        coin: whose market is open.
        own_words: refusals that are the venue's text elsewhere, by subject.
    """

    client: httpx.AsyncClient
    coin: str
    own_words: dict[str, tuple[str, str]] = field(default_factory=dict)

    async def info(self, kind: str, **more: Any) -> Any:
        reply = await self.client.post("/info", json={"type": kind, **more})
        assert reply.status_code == 200, reply.text
        return reply.json()

    async def act(self, name: str, **body: Any) -> ActionReply:
        reply = await self.client.post(f"/exchange/{name}", json={"coin": self.coin, **body})
        assert reply.status_code == 200, reply.text
        return msgspec.json.decode(reply.content, type=ActionReply)

    async def keyed(
        self, name: str, key: str, expires_ms: int | None = None, **body: Any
    ) -> httpx.Response:
        headers = {"idempotency-key": key}
        if expires_ms is not None:
            headers["expires-after"] = str(expires_ms)
        content = {"coin": self.coin, **body} if name != "noop" else {}
        return await self.client.post(f"/exchange/{name}", json=content, headers=headers)

    async def status(self, name: str, **body: Any) -> Any:
        response: Any = (await self.act(name, **body)).response
        return response["data"]["statuses"][0]

    async def mid(self) -> Decimal:
        return Decimal((await self.info("allMids"))[self.coin])


@asynccontextmanager
async def virtual_exchange(request: pytest.FixtureRequest) -> AsyncIterator[Venue]:
    folder: Path = request.getfixturevalue("tmp_path")
    async with served(folder, accounts=("alice",)) as running:
        running.client.headers.update(running.headers("alice"))
        yield Venue(running.client, "BTC")


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveTarget]:
    """One proxy for all tests; each is a trader of its own."""
    with live_target(tmp_path_factory.mktemp("live"), native="forward", speed=1.0) as live:
        yield live


@asynccontextmanager
async def hyperliquid_exchange(request: pytest.FixtureRequest) -> AsyncIterator[Venue]:
    """The live proxy, with a venue behind it that takes mainnet signatures alone."""
    proxy: LiveTarget = request.getfixturevalue("proxy")
    headers = proxy.headers(proxy.wallet())
    async with httpx.AsyncClient(base_url=proxy.url, headers=headers, timeout=30.0) as client:
        yield Venue(client, "BTC", OWN_WORDS)


VENUES: dict[str, Callable[[pytest.FixtureRequest], AbstractAsyncContextManager[Venue]]] = {
    "virtual-exchange": virtual_exchange,
    "hyperliquid-exchange": hyperliquid_exchange,
}


@pytest.fixture(params=VENUES)
async def venue(request: pytest.FixtureRequest) -> AsyncIterator[Venue]:
    async with VENUES[request.param](request) as opened:
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
    words, _reason = venue.own_words.get("leverage", ("Invalid leverage value", ""))
    assert ActionReply(status="err", response=words) == refused


async def test_request_with_a_key_acts_at_most_once(venue: Venue) -> None:
    """A repetition is told what the first was told, and both which key that was."""
    order: dict[str, Any] = {"is_buy": True, "sz": "0.01", "limit_px": 0}
    first, again = [await venue.keyed("order", "once 1", **order) for _ in range(2)]
    assert [200, 200] == [first.status_code, again.status_code]
    assert first.content == again.content
    assert 1 == len(await venue.info("userFills"))
    for reply, replayed in ((first, "false"), (again, "true")):
        assert "once 1" == reply.headers["idempotency-key"]
        assert replayed == reply.headers["idempotent-replayed"]


async def test_requests_with_a_key_at_the_same_time_act_once(venue: Venue) -> None:
    """Those that come while the first is under way are told what becomes of it."""
    order: dict[str, Any] = {"is_buy": True, "sz": "0.01", "limit_px": 0}
    replies = await asyncio.gather(*(venue.keyed("order", "crowd", **order) for _ in range(5)))
    assert 1 == len({reply.content for reply in replies})
    assert 1 == len(await venue.info("userFills"))


async def test_refusal_belongs_to_its_key_too(venue: Venue) -> None:
    """What was refused once is not tried again when it would be possible."""
    closing: dict[str, Any] = {"is_buy": False, "sz": "0.01", "limit_px": 0, "reduce_only": True}
    refused = await venue.keyed("order", "refused", **closing)
    await venue.act("order", is_buy=True, sz="0.01", limit_px=0)
    again = await venue.keyed("order", "refused", **closing)
    assert "error" in refused.json()["response"]["data"]["statuses"][0]
    assert refused.content == again.content
    assert 1 == len(await venue.info("userFills"))


async def test_key_of_another_request_is_refused(venue: Venue) -> None:
    """Another body, another action: 409 and one line; nothing was done."""
    await venue.keyed("leverage", "taken", leverage=3)
    for name, body in (
        ("leverage", {"leverage": 4}),
        ("order", {"is_buy": True, "sz": "0.01", "limit_px": 0}),
    ):
        refused = await venue.keyed(name, "taken", **body)
        assert 409 == refused.status_code
        assert "Idempotency-Key" in refused.text
        assert "\n" not in refused.text
    assert [] == await venue.info("userFills")


@pytest.mark.parametrize("key", ["", " ", "x" * 65, "tab\tbed"])
async def test_impossible_key_is_refused(venue: Venue, key: str) -> None:
    """400, rather than an order without the promise that was asked for."""
    try:
        status = (await venue.keyed("order", key, is_buy=True, sz="0.01")).status_code
    except httpx.LocalProtocolError:  # this client does not send it; others do
        body = {"coin": venue.coin, "is_buy": True, "sz": "0.01"}
        named = {**venue.client.headers, "idempotency-key": key}
        url = str(venue.client.base_url).rstrip("/") + "/exchange/order"
        status, _ = await asyncio.to_thread(fetch, url, body, named)
    assert 400 == status
    assert [] == await venue.info("userFills")


async def test_request_that_has_expired_is_refused_by_the_venue(venue: Venue) -> None:
    """An answer, not an error: whoever has it knows that nothing happened; the key says so too."""
    now_ms = time.time_ns() // 1_000_000
    order: dict[str, Any] = {"is_buy": True, "sz": "0.01", "limit_px": 0}
    late = await venue.keyed("order", "late", expires_ms=now_ms - 5_000, **order)
    expected = ActionReply(status="err", response="Action already expired")
    assert expected == msgspec.json.decode(late.content, type=ActionReply)
    assert late.content == (await venue.keyed("noop", "late")).content
    assert [] == await venue.info("userFills")
    in_time = await venue.keyed("order", "in time", expires_ms=now_ms + 60_000, **order)
    assert "ok" == in_time.json()["status"]
    assert 1 == len(await venue.info("userFills"))


async def test_noop_ends_a_key_that_was_never_used(venue: Venue) -> None:
    """Its answer is the proof: the request is not carried out, whenever it comes."""
    for _ in range(2):
        proof = await venue.keyed("noop", "lost")
        assert {"status": "ok", "response": {"type": "default"}} == proof.json()
        assert "false" == proof.headers["idempotent-replayed"]
    late = await venue.keyed("order", "lost", is_buy=True, sz="0.01", limit_px=0)
    assert 409 == late.status_code
    assert [] == await venue.info("userFills")


async def test_noop_tells_what_became_of_the_request(venue: Venue) -> None:
    """Evidence where the answer was lost."""
    order = await venue.keyed("order", "found", is_buy=True, sz="0.01", limit_px=0)
    told = await venue.keyed("noop", "found")
    assert order.content == told.content
    assert "true" == told.headers["idempotent-replayed"]
    assert 1 == len(await venue.info("userFills"))


async def test_noop_without_a_key_is_refused(venue: Venue) -> None:
    """There is nothing that it could end."""
    assert 400 == (await venue.client.post("/exchange/noop", json={})).status_code


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
