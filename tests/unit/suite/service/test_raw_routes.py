"""A table of routes that need no framework: who may call, what is read, how it is found."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from suite.service.app import install_chassis, undeclared_write_routes
from suite.service.raw_openapi import Example, describe
from suite.service.raw_routes import Answer, Call, Doc, Endpoint, Route, Shortcut, answer, mount
from suite.service.settings import ServiceSettings
from suite.service.tokens import TokenStore, account_grant

Who = Call[str]


async def whoami(call: Who) -> Answer:
    return answer([call.services, call.grant.account if call.grant else None, call.body.decode()])


async def thing(call: Who) -> Answer:
    return answer([call.path("name"), call.query(), call.header(b"x-one")])


async def pieces(_call: Who) -> Answer:
    async def told() -> AsyncIterator[bytes]:
        yield b"a"
        yield b"b"

    return Answer(stream=told())


ROUTES: tuple[Route[Who], ...] = (
    Route(method="POST", path="/who", handler=whoami, scope="trade", doc=Doc(summary="Who")),
    Route(method="POST", path="/signed", handler=whoami, scope="signed", doc=Doc(summary="Signed")),
    Route(
        method="GET",
        path="/thing/{name}",
        handler=thing,
        optional_scope="read:account",
        doc=Doc(summary="A thing", query={"q": "what"}, headers={"X-One": "one"}, response=Any),
    ),
    Route(method="GET", path="/pieces", handler=pieces, doc=Doc(summary="Pieces")),
)


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    app, tokens, shortcut = FastAPI(title="raw"), TokenStore(), Shortcut()
    install_chassis(app, ServiceSettings(), tokens=tokens)
    app.router.routes.insert(0, shortcut)
    for route in ROUTES:
        endpoint = Endpoint(
            route, tokens, lambda scope, body, grant, more: Call(scope, "it", body, grant, more)
        )
        mount(app, shortcut, route, endpoint, "")
    assert undeclared_write_routes(app) == []
    headers = {"authorization": f"Bearer {tokens.issue(account_grant('alice'))}"}
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(
        transport=transport, base_url="http://localhost", headers=headers
    ) as opened:
        yield opened


async def test_token_says_who_calls(client: httpx.AsyncClient) -> None:
    assert ["it", "alice", "{}"] == (await client.post("/who", json={})).json()
    assert ["it", None, "{}"] == (await client.post("/signed", json={})).json()


async def test_route_with_a_scope_needs_a_token(client: httpx.AsyncClient) -> None:
    bare = {"authorization": ""}
    assert 401 == (await client.post("/who", json={}, headers=bare)).status_code
    wrong = {"authorization": "Bearer act_nobody"}
    assert 401 == (await client.get("/thing/a", headers=wrong)).status_code


async def test_path_query_and_header_are_read(client: httpx.AsyncClient) -> None:
    told = await client.get("/thing/one?q=2", headers={"x-one": "3"})
    assert ["one", {"q": "2"}, "3"] == told.json()
    twice = await client.get("/thing/one", headers=[("x-one", "1"), ("x-one", "2")])
    assert 400 == twice.status_code
    assert 400 <= (await client.get("/thing/one?other=1")).status_code < 500


async def test_stream_is_sent_in_pieces(client: httpx.AsyncClient) -> None:
    told = await client.get("/pieces")
    assert (b"ab", "no-store") == (told.content, told.headers["cache-control"])


def test_description_is_made_from_the_table() -> None:
    examples = {(str(route.method), route.path): Example(response="x") for route in ROUTES}
    told = describe(
        ROUTES, info={"title": "raw", "version": "1"}, examples=examples, errors={"401": "who?"}
    )
    assert {"/who", "/signed", "/thing/{name}", "/pieces"} == set(told["paths"])
    operation = told["paths"]["/thing/{name}"]["get"]
    assert ["path", "query", "header"] == [p["in"] for p in operation["parameters"]]
    assert {"200", "401"} == set(operation["responses"])
    assert [{"token": []}] == told["paths"]["/who"]["post"]["security"]
    assert "security" not in told["paths"]["/signed"]["post"]
