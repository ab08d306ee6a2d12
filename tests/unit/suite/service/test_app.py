"""The chassis as a caller sees it: every bad request gets one clear line and the right status."""

from collections.abc import AsyncIterator, Iterator, MutableMapping
from typing import Annotated

import httpx
import msgspec
import pytest
import structlog
from fastapi import APIRouter, Depends, FastAPI, Request
from pydantic import BaseModel, ConfigDict
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket

from suite import errors
from suite.checks import InvariantViolated
from suite.service import faults
from suite.service.app import install_chassis, undeclared_write_routes
from suite.service.health import Health
from suite.service.settings import ServiceSettings, settings_config
from suite.service.tokens import Grant, account_grant, open_to_all, require, scoped

JSON = {"content-type": "application/json"}


class Settings(ServiceSettings):
    model_config = settings_config("DEMO_")

    body_limit_bytes: int = 1000


class Order(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    coin: str
    size: int


class RawOrder(msgspec.Struct):
    coin: str


@scoped("trade")
class RawRoute:
    """A hot route without FastAPI's decoding."""

    def __init__(self, app: FastAPI) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        grant = self._app.state.chassis.tokens.authorize(scope, "trade")
        body = await Request(scope, receive).body()
        order = faults.decode_body(msgspec.json.Decoder(RawOrder), body)
        await Response(f"{grant.account} {order.coin}")(scope, receive, send)


def routes(app: FastAPI) -> APIRouter:
    router = APIRouter()

    @router.post("/orders/{account}")
    async def place(
        order: Order, grant: Annotated[Grant, Depends(require("trade"))], limit: int = 1
    ) -> str:
        return f"{grant.account} {order.size * limit}"

    @router.get("/boom")
    async def boom() -> None:
        raise ZeroDivisionError("secret detail")

    @router.get("/broken-promise")
    async def broken() -> None:
        raise InvariantViolated("money appeared")

    @router.get("/fault")
    async def fault() -> None:
        raise errors.RateLimited("slow\ndown", retry_after_ms=1500)

    app.router.routes.append(Route("/raw", RawRoute(app), methods=["POST"]))
    return router


@pytest.fixture
def app() -> FastAPI:
    app = FastAPI(title="demo")
    install_chassis(app, Settings.load())
    app.include_router(routes(app), prefix="/v1")
    return app


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8100") as client:
        yield client


@pytest.fixture
def token(app: FastAPI) -> dict[str, str]:
    issued = app.state.chassis.tokens.issue(account_grant("alice"))
    return {"authorization": f"Bearer {issued}"}


@pytest.fixture(autouse=True)
def clean_log_context() -> Iterator[None]:
    with structlog.testing.capture_logs():
        yield
    assert structlog.contextvars.get_contextvars() == {}


async def test_good_order_is_placed(client: httpx.AsyncClient, token: dict[str, str]) -> None:
    reply = await client.post(
        "/v1/orders/a?limit=3", json={"coin": "BTC", "size": 2}, headers=token
    )
    assert (200, '"alice 6"') == (reply.status_code, reply.text)
    reply = await client.post("/raw", json={"coin": "BTC"}, headers=token)
    assert (200, "alice BTC") == (reply.status_code, reply.text)


@pytest.mark.parametrize("path", ["/v1/orders/a", "/raw"])
@pytest.mark.parametrize(
    ("body", "status", "text"),
    [
        (b"", 400, faults.NOT_JSON),
        (b"{", 400, faults.NOT_JSON),
        (b"\xff\xfe", 400, faults.NOT_JSON),
        (b"{}", 422, faults.WRONG_SHAPE),
        (b'{"coin": 1, "size": "x"}', 422, faults.WRONG_SHAPE),
        (b"[]", 422, faults.WRONG_SHAPE),
        (b'"' + b"x" * 1000 + b'"', 413, "the request body is larger than 1000 bytes"),
    ],
)
async def test_malformed_body_gets_the_venues_own_text(
    client: httpx.AsyncClient,
    token: dict[str, str],
    path: str,
    body: bytes,
    status: int,
    text: str,
) -> None:
    reply = await client.post(path, content=body, headers=token | JSON)
    if body == b"" and path == "/v1/orders/a":
        status, text = 422, faults.WRONG_SHAPE  # no body at all is a missing field to FastAPI
    assert (status, text) == (reply.status_code, reply.text[: len(text)])
    assert reply.headers["content-type"].startswith("text/plain")
    assert "\n" not in reply.text


async def test_body_without_announced_length_is_limited_too(
    client: httpx.AsyncClient, token: dict[str, str]
) -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b" " * 300

    for path in ("/v1/orders/a", "/raw"):
        reply = await client.post(path, content=endless(), headers=token | JSON)
        assert (413, "the request body is larger than 1000 bytes") == (
            reply.status_code,
            reply.text,
        )


async def test_wrong_query_names_the_parameter(
    client: httpx.AsyncClient, token: dict[str, str]
) -> None:
    reply = await client.post("/v1/orders/a?limit=x", json={"coin": "B", "size": 2}, headers=token)
    assert reply.status_code == 422
    assert reply.text.startswith("Failed to deserialize query string: ")
    assert reply.text.endswith(" at limit")


async def test_the_page_of_routes_asks_nobody_else(client: httpx.AsyncClient) -> None:
    """No script, no style and no picture of another server; what is written there is text."""
    reply = await client.get("/docs")
    assert (200, "text/html; charset=utf-8") == (
        reply.status_code, reply.headers["content-type"],
    )  # fmt: skip
    assert "<code>POST /v1/orders/{account}</code>" in reply.text
    for reference in ("src=", "<script", "http://", "https://", "url(", "@import"):
        assert reference not in reply.text
    assert 404 == (await client.get("/redoc")).status_code


async def test_a_query_that_lacks_a_parameter_is_told_how_to_write_it() -> None:
    app = FastAPI()
    install_chassis(app, ServiceSettings(port=0))

    @app.get("/compare")
    async def compare(traders: str) -> str:
        return traders

    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as some:
        reply = await some.get("/compare")
    assert (422, "the query names no traders: write ?traders=...") == (
        reply.status_code,
        reply.text,
    )


async def test_other_content_type_is_refused(
    client: httpx.AsyncClient, token: dict[str, str]
) -> None:
    headers = token | {"content-type": "text/plain"}
    reply = await client.post("/raw", content=b'{"coin": "B"}', headers=headers)
    assert (415, faults.NOT_DECLARED_JSON) == (reply.status_code, reply.text)
    headers["content-type"] = "application/vnd.x+json; charset=utf-8"
    assert (await client.post("/raw", content=b'{"coin": "B"}', headers=headers)).is_success


@pytest.mark.parametrize("path", ["/v1/orders/a", "/raw"])
async def test_write_without_token_is_unauthorized(client: httpx.AsyncClient, path: str) -> None:
    reply = await client.post(path, json={"coin": "B", "size": 1})
    assert (401, "a bearer token is required") == (reply.status_code, reply.text)
    assert reply.headers["www-authenticate"] == "Bearer"


async def test_token_without_the_scope_is_forbidden(
    app: FastAPI, client: httpx.AsyncClient
) -> None:
    reader = app.state.chassis.tokens.issue(Grant(name="r", scopes=frozenset({"read:market"})))
    reply = await client.post(
        "/raw", json={"coin": "B"}, headers={"authorization": f"bearer {reader}"}
    )
    assert (403, "the token of r does not cover trade") == (reply.status_code, reply.text)


async def test_fault_is_one_line_with_code_and_wait(client: httpx.AsyncClient) -> None:
    reply = await client.get("/v1/fault")
    assert (429, "slow down") == (reply.status_code, reply.text)
    assert reply.headers["x-error-code"] == "rate_limited"
    assert reply.headers["retry-after"] == "2"


async def test_unknown_route_and_method_are_named(client: httpx.AsyncClient) -> None:
    reply = await client.get("/nope")
    assert (404, "no such route: GET /nope") == (reply.status_code, reply.text)
    reply = await client.delete("/raw")
    assert (405, "DELETE is not allowed on /raw") == (reply.status_code, reply.text)


async def test_bug_shows_no_detail_and_leaves_the_service_up(
    app: FastAPI, client: httpx.AsyncClient
) -> None:
    reply = await client.get("/v1/boom")
    assert (500, "internal error") == (reply.status_code, reply.text)
    assert reply.headers["x-request-id"]
    assert app.state.chassis.bug is None


async def test_broken_promise_stops_the_process(app: FastAPI, client: httpx.AsyncClient) -> None:
    told: list[BaseException] = []
    app.state.chassis.on_bug = told.append
    for _ in range(2):
        assert (await client.get("/v1/broken-promise")).status_code == 500
    assert [str(bug) for bug in told] == ["money appeared"]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"host": "localhost:8100"}, 200),
        ({"host": "[::1]:8100"}, 200),
        ({"host": "evil.example"}, 403),
        ({"host": "127.0.0.1.evil.example"}, 403),
        ({"origin": "http://127.0.0.1:8100"}, 200),
        ({"origin": "http://127.0.0.1:9999"}, 403),
        ({"origin": "https://evil.example"}, 403),
        ({"origin": "null"}, 403),
    ],
)
async def test_pages_of_other_sites_are_kept_out(
    client: httpx.AsyncClient, headers: dict[str, str], status: int
) -> None:
    assert (await client.get("/health", headers=headers)).status_code == status


async def test_trusted_network_lets_any_host_in_unless_hosts_are_named() -> None:
    for hosts, status in (((), 200), (("venue",), 403)):
        app = FastAPI()
        settings = Settings.load(host="0.0.0.0", trusted_network=True, allowed_hosts=hosts)
        install_chassis(app, settings)
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://other:1") as client:
            assert (await client.get("/health")).status_code == status


async def test_request_id_is_the_callers_where_harmless(client: httpx.AsyncClient) -> None:
    reply = await client.get("/health", headers={"x-request-id": "abc-1"})
    assert reply.headers["x-request-id"] == "abc-1"
    reply = await client.get("/health", headers={"x-request-id": "a b\t{}"})
    assert reply.headers["x-request-id"] != "a b\t{}"


async def test_probe_that_fails_is_an_unhealthy_service() -> None:
    health = Health(detail={"steps": 1})

    def broken() -> Health:
        raise OSError("disk gone")

    app = FastAPI(title="demo")
    install_chassis(app, Settings.load(), health=lambda: health, ready=broken)
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        reply = await client.get("/health")
        expected = {"status": "ok", "service": "demo", "steps": 1}
        assert (200, expected) == (reply.status_code, reply.json())
        health = Health(ok=False)
        assert (await client.get("/health")).status_code == 503
        reply = await client.get("/ready")
        assert (503, "OSError: disk gone") == (reply.status_code, reply.json()["reason"])


async def test_metrics_count_by_route_template_only(
    client: httpx.AsyncClient, token: dict[str, str]
) -> None:
    for account in ("a", "b"):
        await client.post(f"/v1/orders/{account}", json={"coin": "B", "size": 1}, headers=token)
        await client.get(f"/nope/{account}")
    text = (await client.get("/metrics")).text
    assert (
        'http_requests_total{method="POST",route="/v1/orders/{account}",status="200"} 2.0' in text
    )
    assert 'http_requests_total{method="GET",route="unmatched",status="404"} 2.0' in text
    assert "/nope" not in text


def test_write_route_without_scope_is_found(app: FastAPI) -> None:
    assert undeclared_write_routes(app) == []
    guarded = APIRouter(dependencies=[Depends(require("admin"))])
    bare = APIRouter()

    @guarded.post("/guarded")
    async def guarded_write() -> None: ...

    @bare.post("/signed")
    @open_to_all("authenticated by its signature")
    async def signed() -> None: ...

    @bare.put("/forgotten")
    async def forgotten() -> None: ...

    @bare.websocket("/ws")
    async def ws() -> None: ...

    app.include_router(guarded)
    app.include_router(bare, prefix="/x")
    app.mount("/w/{world_id}", RawRoute(app))
    app.mount("/unmarked", FastAPI())
    assert undeclared_write_routes(app) == ["PUT /x/forgotten", "ANY /x/ws", "ANY /unmarked"]


@pytest.mark.parametrize(
    ("origin", "kinds"),
    [
        (b"http://127.0.0.1:8100", ["websocket.accept", "websocket.close"]),
        (b"https://evil.example", ["websocket.close"]),
    ],
)
async def test_websocket_of_another_site_is_closed_before_it_opens(
    app: FastAPI, origin: bytes, kinds: list[str]
) -> None:
    sent: list[str] = []

    @app.websocket("/ws")
    async def ws(socket: WebSocket) -> None:
        await socket.accept()
        await socket.close()

    async def receive() -> dict[str, str]:
        return {"type": "websocket.connect"}

    async def send(message: MutableMapping[str, object]) -> None:
        sent.append(str(message["type"]))

    headers = [(b"host", b"127.0.0.1:8100"), (b"origin", origin)]
    scope = {"type": "websocket", "scheme": "ws", "path": "/ws", "headers": headers}
    await app(scope | {"query_string": b"", "root_path": ""}, receive, send)
    assert kinds == sent
