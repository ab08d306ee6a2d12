"""The wire: statuses, texts, tokens, worlds."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.served import Served, served
from tests.support.worlds import START_MS, MemorySource, random_source

from suite.bars import HOUR_MS, MINUTE_MS
from suite.contracts.market_data import ARROW, JSON
from suite.service.app import undeclared_write_routes
from virtual_exchange.application.ports import MarketQuery
from virtual_exchange.domain.market import Market
from virtual_exchange.main import create_app
from virtual_exchange.settings import Settings

ORDER = {"coin": "BTC", "is_buy": True, "sz": "0.01"}


@pytest.fixture
async def venue(tmp_path: Path) -> AsyncIterator[Served]:
    async with served(tmp_path) as running:
        yield running


@pytest.mark.parametrize(
    ("path", "body", "status", "text"),
    [
        ("/info", b"{", 400, "Failed to parse the request body as JSON"),
        ("/info", b"", 400, "Failed to parse the request body as JSON"),
        ("/info", b"[]", 422, "Failed to deserialize the JSON body into the target type"),
        ("/info", b'{"type":"x"}', 422, "unknown type 'x'"),
        ("/info", b'{"type":"l2Book"}', 422, "missing field `coin`"),
        ("/info", b'{"type":"candleSnapshot"}', 422, "field `req`"),
        ("/exchange/order", b"nonsense", 400, "Failed to parse the request body as JSON"),
        ("/exchange/order", b'{"coin":"BTC"}', 422, "missing required field `is_buy`"),
        ("/exchange/order", b'{"coin":"BTC","is_buy":1,"sz":1}', 422, "Expected `bool`"),
        ("/exchange/order", b'{"coin":"BTC","is_buy":true,"sz":1,"x":1}', 422, "unknown field `x`"),
        ("/exchange/order", b'{"coin":"BTC","is_buy":true,"sz":"abc"}', 422, "Invalid decimal"),
        ("/exchange/order", b'{"coin":"BTC","is_buy":true,"sz":"1_0"}', 422, "`$.sz`"),
        ("/exchange/order", b'{"coin":"BTC","is_buy":true,"sz": " 1"}', 422, "Invalid decimal"),
        ("/exchange/cancel", b'{"coin":"BTC"}', 422, "by oid or by cloid"),
        ("/clock/wait", b'{"step_seq":0}', 422, ">= 1"),
        ("/clock/wait", b'{"step_seq":1}', 409, "join first"),
        ("/clock/heartbeat", b"{}", 409, "join first"),
    ],
)
async def test_bad_body_gets_one_clear_line(
    venue: Served, path: str, body: bytes, status: int, text: str
) -> None:
    """Plain text, the right status, and the service goes on."""
    headers = {"content-type": "application/json", **venue.headers("alice")}
    reply = await venue.client.post(path, content=body, headers=headers)
    assert status == reply.status_code
    assert text in reply.text
    assert "\n" not in reply.text
    assert "Traceback" not in reply.text
    assert (await venue.get("/clock")).status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        *(f"/exchange/{name}" for name in ("order", "cancel", "modify", "leverage")),
        *(f"/clock/{name}" for name in ("join", "wait", "heartbeat", "advance")),
        "/worlds",
        "/backtest/run",
    ],
)
async def test_every_write_needs_a_token(venue: Served, path: str) -> None:
    """None is 401, an unknown one is 401, and nothing is read before that."""
    assert (await venue.post(path, {}, None)).status_code == 401
    unknown = {"authorization": "Bearer act_" + "x" * 40}
    assert (await venue.client.post(path, json={}, headers=unknown)).status_code == 401


async def test_trader_may_not_do_what_the_operator_may(venue: Served) -> None:
    """Worlds, backtests and advancing need the operator; a foreign account is forbidden."""
    for path in ("/worlds", "/backtest/run", "/clock/advance"):
        assert (await venue.post(path, {})).status_code == 403
    assert (await venue.get("/exchange/orders?account=bob", "alice")).status_code == 403
    assert (await venue.get("/exchange/orders?account=bob", "bob")).status_code == 200
    assert (await venue.get("/exchange/orders?before_oid=-1", "bob")).status_code == 400
    assert [] == (await venue.get("/exchange/orders?before_oid=7", "bob")).json()
    assert (await venue.post("/exchange/order", ORDER, "operator")).status_code == 403


async def test_body_beyond_the_limit_is_refused(venue: Served) -> None:
    """1 MiB and no more, announced or not."""
    headers = {"content-type": "application/json", **venue.headers("alice")}

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b" " * 65_536

    big = await venue.client.post("/info", content=b" " * 1_048_577, headers=headers)
    unannounced = await venue.client.post("/info", content=pieces(), headers=headers)
    assert [413, 413] == [big.status_code, unannounced.status_code]


async def test_unknown_things_are_404(venue: Served) -> None:
    """World, symbol, job and route."""
    paths = ("/w/none/clock", "/gpt-latest/NOPE", "/klines/NOPE", "/nothing")
    for path in paths:
        reply = await venue.get(path)
        assert reply.status_code == 404, path
        assert "\n" not in reply.text
    for path in ("/worlds/none", "/backtest/jobs/none", "/exchange/orders?account=none"):
        assert (await venue.get(path, "operator")).status_code == 404


async def test_query_that_does_not_exist_is_refused_with_those_that_do(venue: Served) -> None:
    """A misspelt `start` would give the whole history."""
    for path in ("/klines/BTC?from=2025-05-05&limit=3", "/gpt-latest/BTC?as_of_ms=1"):
        reply = await venue.get(path)
        assert 400 == reply.status_code
        assert "unknown query parameter" in reply.text
    assert "interval, start, end" in (await venue.get("/klines/BTC?limit=3")).text
    assert 200 == (await venue.get("/klines/BTC?interval=1m")).status_code


async def test_future_of_the_data_contract_is_refused(venue: Served) -> None:
    """A timestamp after now is 400; seconds and ms are told apart; absent is now."""
    ahead = START_MS + HOUR_MS
    assert (await venue.get(f"/gpt-latest/BTC?timestamp={ahead}")).status_code == 400
    assert (await venue.get(f"/klines/BTC?end={ahead}")).status_code == 400
    assert (await venue.get("/gpt-latest/BTC?timestamp=abc")).status_code == 400
    assert (await venue.get("/klines/BTC?interval=7m")).status_code == 400
    await venue.post("/clock/advance", {"until_ms": ahead}, "operator")
    now = (await venue.get("/gpt-latest/BTC")).json()
    assert ahead == now["as_of_ms"]
    seconds = await venue.get(f"/gpt-latest/BTCUSDT?timestamp={ahead // 1000}")
    assert now == seconds.json()
    earlier = await venue.get(f"/gpt-latest/BTC?timestamp={ahead - 90_000}")
    assert ahead - 2 * MINUTE_MS == earlier.json()["as_of_ms"]
    rows = (await venue.get("/klines/BTC?interval=15m")).json()
    assert 4 == len(rows)
    assert START_MS == rows[0]["open_time_ms"]


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("start=0", 200),
        ("start=1", 200),
        ("start=86400000", 200),
        ("start=0&end=0", 200),
        ("start=1970-01-01", 200),
        ("start=2&end=1", 400),
        ("start=-1", 400),
        ("start=1_0", 400),
        ("start=%D9%A1%D9%A2", 400),
        ("end=%EF%BC%90", 400),
    ],
)
async def test_number_is_a_moment_of_the_data_contract(
    venue: Served, query: str, status: int
) -> None:
    """Milliseconds since the epoch, 0 included, in ASCII digits."""
    await venue.post("/clock/advance", {"until_ms": START_MS + HOUR_MS}, "operator")
    reply = await venue.get(f"/klines/BTC?{query}")
    assert status == reply.status_code, reply.text
    if status == 200:
        assert (0 if "end" in query else 60) == len(reply.json())


@pytest.mark.parametrize(("accept", "expected"), [(ARROW, ARROW), (f"{ARROW};q=0", JSON)])
async def test_klines_are_arrow_for_whoever_wants_it(
    venue: Served, accept: str, expected: str
) -> None:
    reply = await venue.client.get("/klines/BTC", headers={"accept": accept})
    assert expected == reply.headers["content-type"]


async def test_numbers_of_a_step_are_in_one_notation(venue: Served) -> None:
    """What Python would take for a number and nobody else would is 422, and nothing is done."""
    await venue.post("/clock/join", {}, "alice")
    for odd in ("1_0", "\u0661", "1 ", "0_1"):
        orders = [{"type": "order", **ORDER}, {"type": "order", **ORDER, "sz": odd}]
        reply = await venue.post("/clock/wait", {"step_seq": 1, "orders": orders})
        assert (422, True) == (reply.status_code, "$.orders[1].sz" in reply.text)
    world = {"symbols": ["BTC"], "accounts": [{"id": "1_0", "initial_balance": "1_0"}]}
    reply = await venue.post("/worlds", world, "operator")
    assert (422, True) == (reply.status_code, "$.accounts[0].initial_balance" in reply.text)
    world["accounts"] = [{"id": "1_0", "initial_balance": "1\u0030"}]
    assert 201 == (await venue.post("/worlds", world, "operator")).status_code
    assert [] == (await venue.get("/exchange/orders", "alice")).json()


async def test_snapshot_of_the_past_is_what_was_served_then(venue: Served) -> None:
    """Asked for later by its timestamp, the same bytes come back."""
    seen = []
    for minutes in (0, 7, 33):
        at_ms = START_MS + minutes * MINUTE_MS
        await venue.post("/clock/advance", {"until_ms": at_ms}, "operator")
        seen.append((at_ms, (await venue.get("/gpt-latest/ETH")).content))
    for at_ms, body in seen:
        assert body == (await venue.get(f"/gpt-latest/ETH?timestamp={at_ms}")).content


async def test_info_needs_a_user_or_a_token(venue: Served) -> None:
    """Without either 422; by address or by token the same account."""
    asked = {"type": "clearinghouseState"}
    assert (await venue.post("/info", asked, None)).status_code == 422
    own = (await venue.post("/info", asked)).json()
    address = venue.container.services.worlds.get("").world.accounts[0].address
    for user in (address, address.upper().replace("0X", "0x"), "alice"):
        assert own == (await venue.post("/info", {**asked, "user": user}, None)).json()
    unknown = await venue.post("/info", {**asked, "user": "0x" + "0" * 40}, None)
    assert unknown.json()["marginSummary"]["accountValue"] == "0.0"


async def test_worlds_are_made_listed_traded_and_deleted(venue: Served) -> None:
    """Each has its own tokens, time and accounts."""
    body: dict[str, Any] = {"symbols": ["BTC"], "accounts": [{"id": "eve"}], "participants": []}
    created = (await venue.post("/worlds", body, "operator")).json()
    base, token = created["base_url"], created["tokens"]["eve"]
    headers = {"authorization": f"Bearer {token}"}
    order = await venue.client.post(f"{base}/exchange/order", json=ORDER, headers=headers)
    assert "filled" in order.json()["response"]["data"]["statuses"][0]
    assert (
        await venue.client.post("/exchange/order", json=ORDER, headers=headers)
    ).status_code == 403
    assert 2 == len((await venue.get("/worlds", "operator")).json())
    world = f"/worlds/{created['world_id']}"
    assert (await venue.get(f"{world}/report", "operator")).status_code == 409
    deleted = await venue.client.delete(world, headers=venue.headers("operator"))
    assert deleted.status_code == 200
    assert (await venue.get(world, "operator")).status_code == 404
    assert (
        await venue.client.post(f"{base}/exchange/order", json=ORDER, headers=headers)
    ).status_code == 401


async def test_worlds_and_their_reports_are_for_those_in_them(venue: Served) -> None:
    """Market data is open; names, accounts and results of a world are not."""
    body: dict[str, Any] = {"symbols": ["BTC"], "accounts": [{"id": "eve"}], "participants": []}
    alone = (await venue.post("/worlds", body, "operator")).json()
    body["accounts"] = [{"id": "eve"}, {"id": "ann"}]
    shared = (await venue.post("/worlds", body, "operator")).json()
    end_ms = venue.container.services.worlds.get("").world.to_ms
    for base in (alone["base_url"], shared["base_url"], ""):
        reply = await venue.post(f"{base}/clock/advance", {"until_ms": end_ms}, "operator")
        assert reply.json()["finished"]

    async def asked(token: str | None) -> list[int]:
        headers = {} if token is None else {"authorization": f"Bearer {token}"}
        names = (alone["world_id"], shared["world_id"], "default", "none")
        paths = ["/worlds", *(f"/worlds/{name}" for name in names)]
        paths += [f"/worlds/{name}/report" for name in names]
        return [(await venue.client.get(path, headers=headers)).status_code for path in paths]

    lists, own, reports = 1, 4, 4
    assert [401] * (lists + own + reports) == await asked(None)
    assert [401] * (lists + own + reports) == await asked("act_" + "x" * 43)
    assert [200] * 4 + [404] + [200] * 3 + [404] == await asked(venue.token("operator"))
    # Of their own world they see where it is; its report only where it shows nobody else.
    assert [403, 200, 403, 403, 403, 200, 403, 403, 403] == await asked(alone["tokens"]["eve"])
    assert [403, 403, 200, 403, 403, 403, 403, 403, 403] == await asked(shared["tokens"]["ann"])
    assert [403, 403, 403, 200, 403, 403, 403, 403, 403] == await asked(venue.token("alice"))
    for path in ("/clock", "/gpt-latest/BTC", "/klines/BTC"):
        assert 200 == (await venue.get(path)).status_code
    assert 200 == (await venue.post("/info", {"type": "allMids"}, None)).status_code


def test_what_is_open_is_named_here(tmp_path: Path) -> None:
    """A route is open on purpose or not at all."""
    described = create_app(Settings.load(state_dir=tmp_path)).openapi()["paths"]
    found = {
        f"{method.upper()} {path}"
        for path, methods in described.items()
        for method, operation in methods.items()
        if "security" not in operation
    }
    assert {
        "GET /clock",
        "GET /gpt-latest/{symbol}",
        "GET /klines/{symbol}",
        "POST /exchange",
        "POST /info",
    } == found


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"accounts": [{"id": "a", "initial_balance": -1}]}, "must be positive"),
        ({"accounts": [{"id": "a"}, {"id": "a"}]}, "same id"),
        ({"symbols": ["  "]}, "not a symbol"),
        ({"fees": {"taker": 2}}, "between -1 and 1"),
        ({"slippage": 2}, "between 0 and 0.1"),
        ({"mark": "ema"}, "mark ema is not modelled"),
        ({"bar_path": "recorded"}, "1m is the finest that is stored"),
        ({"from": "2025-13-45"}, "not a date"),
        ({"from": "2025-05-06", "to": "2025-05-05"}, "the range is empty"),
        ({"to": "2030-01-01"}, "stored are 2025-05-05"),
        ({"participants": ["zoe"]}, "has no account"),
    ],
)
async def test_world_that_cannot_be_is_refused(
    venue: Served, change: dict[str, Any], text: str
) -> None:
    """The reason is in one line, and no world is left behind."""
    body = {"symbols": ["BTC"], "accounts": [{"id": "a"}]} | change
    reply = await venue.post("/worlds", body, "operator")
    assert 400 <= reply.status_code < 500
    assert text in reply.text
    assert 1 == len((await venue.get("/worlds", "operator")).json())


async def test_service_answers_while_a_market_loads(tmp_path: Path) -> None:
    """Reading and quantizing a market happen beside the event loop."""
    loading, loaded = threading.Event(), threading.Event()

    class Slow(MemorySource):
        def load(self, query: MarketQuery) -> Market:
            if query.coins == ("ETH",):
                loading.set()
                assert loaded.wait(30)
            return super().load(query)

    async with served(tmp_path, Slow(random_source("BTC", "ETH").bars)) as venue:
        body = {"symbols": ["ETH"], "accounts": [{"id": "eve"}]}
        building = asyncio.ensure_future(venue.post("/worlds", body, "operator"))
        assert await asyncio.to_thread(loading.wait, 30)
        assert (await venue.get("/clock")).status_code == 200
        loaded.set()
        assert (await building).status_code == 201


async def test_wait_in_a_deleted_world_is_answered(venue: Served) -> None:
    """Whoever sleeps there is told, and not left waiting."""
    body = {"symbols": ["BTC"], "accounts": [{"id": "eve"}, {"id": "ann"}]}
    created = (await venue.post("/worlds", body, "operator")).json()
    base, headers = created["base_url"], {"authorization": f"Bearer {created['tokens']['eve']}"}
    await venue.client.post(f"{base}/clock/join", json={}, headers=headers)
    step = venue.client.post(f"{base}/clock/wait", json={"step_seq": 1}, headers=headers)
    waiting = asyncio.ensure_future(step)
    barrier = venue.container.services.worlds.get(created["world_id"]).barrier
    for _ in range(100):
        await asyncio.sleep(0)
    assert barrier.participants[0].waiting is not None
    path = f"/worlds/{created['world_id']}"
    await venue.client.delete(path, headers=venue.headers("operator"))
    reply = await waiting
    assert (404, "the world was deleted") == (reply.status_code, reply.text)


async def test_two_waits_meet_and_both_are_answered(venue: Served) -> None:
    """Time moves when the last one waits."""
    for name in ("alice", "bob"):
        await venue.post("/clock/join", {}, name)
    step = {"step_seq": 1, "until_ms": START_MS + 15 * MINUTE_MS, "orders": []}
    orders = [{"type": "order", **ORDER}]
    want = {"snapshots": ["BTC"], "intervals": ["15"], "mids": True}
    replies = await asyncio.gather(
        venue.post("/clock/wait", {**step, "orders": orders, "want": want}, "alice"),
        venue.post("/clock/wait", step, "bob"),
    )
    alice, bob = (reply.json() for reply in replies)
    assert alice["now_ms"] == bob["now_ms"] == START_MS + 15 * MINUTE_MS
    assert ["15"] == list(alice["snapshots"]["BTC"]["intervals_data"])
    assert 1 == len(alice["fills"]) == len(alice["results"])
    again = await venue.post("/clock/wait", {**step, "orders": orders, "want": want}, "alice")
    assert replies[0].content == again.content
    rows = (await venue.get("/exchange/orders", "alice")).json()
    assert 1 == len(rows)


async def test_paced_world_moves_by_itself(tmp_path: Path) -> None:
    """A bar each bar/speed seconds; the operator may not move it."""
    async with served(tmp_path, clock="paced", speed=600_000.0) as venue:
        for _ in range(500):
            state = (await venue.get("/clock")).json()
            if state["finished"]:
                break
            await asyncio.sleep(0.01)
        assert state["finished"]
        assert (
            await venue.post("/clock/advance", {"until_ms": START_MS}, "operator")
        ).status_code == 409


async def test_wait_whose_client_has_left_leaves_nothing_behind(venue: Served) -> None:
    """It asks again and again, and has its reply when time has moved."""
    step = {"step_seq": 1, "until_ms": START_MS + HOUR_MS}
    await venue.post("/clock/join", {}, "alice")
    for _ in range(3):
        assert 499 == await _left(venue, "/clock/wait", step, "alice")
    (participant, _) = venue.container.services.worlds.get("").barrier.participants.values()
    assert participant.step is not None
    assert {} == participant.step.ticket._listeners
    await venue.post("/clock/join", {}, "bob")
    replies = await asyncio.gather(*(venue.post("/clock/wait", step, n) for n in ("alice", "bob")))
    assert [START_MS + HOUR_MS] * 2 == [reply.json()["now_ms"] for reply in replies]


async def _left(venue: Served, path: str, body: Any, name: str) -> int:
    """Send a request and go away once it is answered with nothing; return its status."""
    headers = {"host": "localhost", **venue.headers(name)}
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": [(key.encode(), value.encode()) for key, value in headers.items()],
        "client": ("127.0.0.1", 1),
    }
    messages = iter(({"type": "http.request", "body": json.dumps(body).encode()},))
    sent: list[Any] = []

    async def receive() -> Any:
        return next(messages, {"type": "http.disconnect"})

    async def send(message: Any) -> None:
        sent.append(message)

    await venue.app(scope, receive, send)
    return int(sent[0]["status"])


async def test_late_decisions_are_in_the_status_and_the_report(tmp_path: Path) -> None:
    """Where all were in time nothing is said of it."""
    async with served(tmp_path, clock="paced", speed=0.001) as venue:
        session = venue.container.services.worlds.get("")
        status = (await venue.get("/worlds/default", "operator")).json()
        assert {} == status["late"]
        assert "late_bars" not in session.record().manifest
        await venue.post("/clock/join", {}, "alice")
        for _ in range(3):
            session.barrier.tick()
        assert {"alice": 3} == (await venue.get("/worlds/default", "operator")).json()["late"]
        session.world.play(session.world.end_bar)
        report = (await venue.get("/worlds/default/report", "operator")).json()
        assert {"alice": 3} == report["manifest"]["late_bars"]


def test_every_write_route_declares_what_it_needs(tmp_path: Path) -> None:
    """None is open by oversight."""
    app = create_app(Settings.load(state_dir=tmp_path))
    assert [] == undeclared_write_routes(app)


def test_api_description_names_every_route(tmp_path: Path) -> None:
    """OpenAPI is made from the table that serves."""
    described = create_app(Settings.load(state_dir=tmp_path)).openapi()
    assert {"/clock/wait", "/exchange/order", "/info", "/worlds"} <= set(described["paths"])
    wait = described["paths"]["/clock/wait"]["post"]
    assert [{"token": []}] == wait["security"]
    assert "WaitRequest" in described["components"]["schemas"]
