"""The doors for orders over HTTP: keys and times in headers, the venue's texts, the token."""

from collections.abc import AsyncIterator
from typing import Any, cast

import httpx
import msgspec
import pytest
from fastapi import FastAPI
from tests.support.live_parts import NOW_MS, Hop, live_account

from hyperliquid_exchange.application.native import Native
from hyperliquid_exchange.application.reads import Reads
from hyperliquid_exchange.application.simple import SimpleRest
from hyperliquid_exchange.application.streams import Streams
from hyperliquid_exchange.application.translating import Translator
from hyperliquid_exchange.entrypoint import exchange, simple_rest
from hyperliquid_exchange.entrypoint.routes import add_routes
from hyperliquid_exchange.entrypoint.services import Services
from suite.ids import TraderId
from suite.service.app import install_chassis
from suite.service.settings import ServiceSettings
from suite.service.tokens import TokenStore, account_grant

ORDER: dict[str, Any] = {"coin": "BTC", "is_buy": True, "sz": "0.01", "limit_px": 0}


class Doors:
    """The two doors of alice's account, to a venue in memory."""

    def __init__(self, client: httpx.AsyncClient, hop: Hop, stranger: str) -> None:
        self.client, self.hop, self.stranger = client, hop, stranger

    async def post(self, name: str, body: Any = None, **headers: str) -> httpx.Response:
        named = {key.replace("_", "-"): value for key, value in headers.items()}
        return await self.client.post(f"/exchange{name}", json=body or {}, headers=named)

    def sent(self) -> Any:
        return msgspec.json.decode(self.hop.venue.arrived[-1])["action"]


@pytest.fixture
async def doors() -> AsyncIterator[Doors]:
    hop, tokens = Hop(), TokenStore()
    last, keys = hop.open(), iter(f"made{number}" for number in range(99))
    services = Services(
        accounts={TraderId("alice"): live_account()},
        simple=SimpleRest(last, Translator(hop.facts), hop.upstream),
        native=Native(last, network="mainnet", clock=hop.clock),
        reads=cast("Reads", None),
        streams=cast("Streams", None),
        readers={},
        time=cast("Any", None),
        clock=hop.clock,
        new_key=lambda: next(keys),
    )
    app = FastAPI(title="doors")
    install_chassis(app, ServiceSettings(), tokens=tokens)
    add_routes(app, tokens, lambda: services, (*simple_rest.ROUTES, *exchange.ROUTES))
    headers = {"authorization": f"Bearer {tokens.issue(account_grant('alice'))}"}
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://localhost", headers=headers
    ) as client:
        yield Doors(client, hop, f"Bearer {tokens.issue(account_grant('mallory'))}")
    await last.close()


async def test_order_is_sent_and_its_answer_names_the_key(doors: Doors) -> None:
    for key, replayed in (("mine", "false"), ("mine", "true"), ("", "false")):
        headers = {"idempotency_key": key} if key else {}
        told = await doors.post("/order", ORDER, **headers)
        assert (200, "ok") == (told.status_code, told.json()["status"])
        assert (key or "made0") == told.headers["idempotency-key"]
        assert replayed == told.headers["idempotent-replayed"]
    assert 2 == len(doors.hop.venue.arrived)


async def test_time_in_the_header_is_that_of_the_action(doors: Doors) -> None:
    await doors.post("/order", ORDER, expires_after=str(NOW_MS + 5_000))
    payload = msgspec.json.decode(doors.hop.venue.arrived[-1])
    assert NOW_MS + 5_000 == payload["expiresAfter"]
    late = await doors.post("/order", ORDER, expires_after=str(NOW_MS - 1))
    assert {"status": "err", "response": "Action already expired"} == late.json()
    assert 400 == (await doors.post("/order", ORDER, expires_after="soon")).status_code


@pytest.mark.parametrize("key", [" ", "x" * 65, "tab\tbed"])
async def test_impossible_key_is_refused(doors: Doors, key: str) -> None:
    assert 400 == (await doors.post("/order", ORDER, idempotency_key=key)).status_code
    assert [] == doors.hop.venue.arrived


async def test_key_of_another_request_is_refused(doors: Doors) -> None:
    await doors.post("/leverage", {"coin": "BTC", "leverage": 3}, idempotency_key="taken")
    other = await doors.post("/order", ORDER, idempotency_key="taken")
    assert (409, "conflict") == (other.status_code, other.headers["x-error-code"])


async def test_noop_needs_a_key_and_ends_it(doors: Doors) -> None:
    assert 400 == (await doors.post("/noop")).status_code
    ended = await doors.post("/noop", idempotency_key="lost")
    assert {"status": "ok", "response": {"type": "default"}} == ended.json()
    assert 409 == (await doors.post("/order", ORDER, idempotency_key="lost")).status_code


async def test_lost_answer_is_a_504_with_its_code(doors: Doors) -> None:
    doors.hop.upstream.lost = 1
    told = await doors.post("/order", ORDER, idempotency_key="lost")
    assert (504, "upstream_timeout") == (told.status_code, told.headers["x-error-code"])
    ended = await doors.post("/noop", idempotency_key="lost")
    assert "false" == ended.headers["idempotent-replayed"]


async def test_price_that_was_not_pushed_yet_is_asked_for(doors: Doors) -> None:
    doors.hop.facts.known = None
    doors.hop.venue.mids = {"BTC": "94000.04"}
    await doors.post("/order", ORDER)
    assert "98700" == doors.sent()["orders"][0]["p"]
    eth = await doors.post("/order", ORDER | {"coin": "ETH"})
    assert (503, "upstream_unavailable") == (eth.status_code, eth.headers["x-error-code"])


async def test_modification_of_an_order_that_was_not_pushed_keeps_its_client_id(
    doors: Doors,
) -> None:
    cloid = "0x" + "7" * 31 + "2"
    placed = await doors.post("/order", ORDER | {"limit_px": "90000", "cloid": cloid})
    oid = placed.json()["response"]["data"]["statuses"][0]["resting"]["oid"]
    change = {"coin": "BTC", "is_buy": True, "sz": "0.02", "limit_px": "89000", "oid": oid}
    await doors.post("/modify", change)
    (one,) = doors.sent()["modifies"]
    assert ("batchModify", cloid, oid) == (doors.sent()["type"], one["order"]["c"], one["oid"])


async def test_bodies_that_are_no_requests_have_the_venues_texts(doors: Doors) -> None:
    headers = {"content-type": "application/json"}
    for path in ("/exchange", "/exchange/order"):
        broken = await doors.client.post(path, content=b"{", headers=headers)
        shapeless = await doors.client.post(path, content=b"{}", headers=headers)
        assert [400, 422] == [broken.status_code, shapeless.status_code]
        assert "Failed to parse the request body as JSON" == broken.text


async def test_token_of_no_account_here_is_refused(doors: Doors) -> None:
    for name in ("/order", "/noop", ""):
        path = f"/exchange{name}"
        other = await doors.client.post(
            path,
            json=ORDER,
            headers={"authorization": doors.stranger},
        )
        bare = await doors.client.post(path, json=ORDER, headers={"authorization": ""})
        assert [403, 401] == [other.status_code, bare.status_code]
