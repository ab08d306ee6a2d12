"""Which answers of the venue are believed, and which leave unknown what became of an action."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from hyperliquid_exchange.adapters.hyperliquid_http import HyperliquidHttp, UpstreamLimits
from suite.errors import UpstreamTimeout, UpstreamUnavailable

LIMITS = UpstreamLimits(exchange_s=0.2, info_s=0.2, exchange_bytes=4096, info_bytes=4096)


def request(kind: str = "order", items: int = 1) -> bytes:
    name = {"cancel": "cancels", "cancelByCloid": "cancels", "batchModify": "modifies"}
    action: dict[str, Any] = {"type": kind, name.get(kind, "orders"): [{"a": 0}] * items}
    return json.dumps({"action": action, "nonce": 1, "signature": {}}).encode()


def answer(kind: str = "order", *statuses: Any) -> bytes:
    data = {"data": {"statuses": list(statuses)}} if statuses else {}
    return json.dumps({"status": "ok", "response": {"type": kind, **data}}).encode()


def http(body: bytes, status: str = "200 OK", *more: str, length: int | None = None) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"content-length: {len(body) if length is None else length}"]
    return "\r\n".join([*lines, *more, "", ""]).encode() + body


class Venue:
    """Answers every request with the same bytes, or hangs up, or says nothing."""

    def __init__(self, reply: bytes | None) -> None:
        self.reply = reply
        self.requests: list[bytes] = []
        self.connections = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().split(b"content-length:")[1].split()[0])
                self.requests.append(await reader.readexactly(length))
                if self.reply is None:
                    await reader.read()
                    return
                writer.write(self.reply)
                if not self.reply or b"999999" in self.reply[:200]:
                    return
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def venue(reply: bytes | None) -> AsyncIterator[tuple[Venue, HyperliquidHttp]]:
    there = Venue(reply)
    async with await asyncio.start_server(there.serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        upstream = HyperliquidHttp(f"http://127.0.0.1:{port}", limits=LIMITS)
        try:
            yield there, upstream
        finally:
            await upstream.close()


RESTING = {"resting": {"oid": 7}}


@pytest.mark.parametrize(
    ("asked", "body"),
    [
        (request(), answer("order", RESTING)),
        (request(items=3), answer("order", RESTING, "waitingForFill", "waitingForFill")),
        (request(items=3), answer("order", {"error": "Orders are empty."})),
        (request("cancel"), answer("cancel", "success")),
        (request("modify"), answer("default")),
        (request("modify"), answer("order", RESTING)),
        (request("updateLeverage"), answer("default")),
        (request("noop"), answer("default")),
        (request(), b'{"status":"err","response":"Must deposit before performing actions."}'),
    ],
)
async def test_answer_of_the_venue_is_believed(asked: bytes, body: bytes) -> None:
    """Ok with what was asked for, or err with a text."""
    async with venue(http(body)) as (_, upstream):
        assert json.loads(body) == await upstream.exchange(asked)


GOOD = answer("order", RESTING)


@pytest.mark.parametrize(
    "reply",
    [
        http(GOOD, "429 Too Many Requests"),
        http(b"null", "429 Too Many Requests"),
        http(GOOD, "500 Internal Server Error"),
        http(GOOD, "502 Bad Gateway"),
        http(GOOD, "201 Created"),
        http(b"", "302 Found", "location: /elsewhere"),
        http(b"", "307 Temporary Redirect", "location: /exchange"),
        http(b""),
        http(b"<html></html>"),
        http(GOOD[:-1]),
        http(GOOD, length=999999),
        http(bytes(range(256))),
        http(b"null"),
        http(b"[]"),
        http(b'{"status":"ok","response":NaN}'),
        http(b'{"status":"ok","response":{"type":"order","data":{"statuses":[{"oid":1e999}]}}}'),
        http(b'{"status":"ok","response":{"type":"order","data":{"statuses":{}}}}'),
        http(b'{"status":"ok","response":{"type":"order","data":{"statuses":[]}}}'),
        http(b'{"status":"ok","response":{"type":"order","data":{"statuses":[null]}}}'),
        http(b'{"status":"err","status":"ok","response":"x"}'),
        http(b'{"status":"err","response":{"type":"default"}}'),
        http(b'{"status":"unknownOid"}'),
        http(b'{"status":"ok","response":{"oid":' + b"1" * 100 + b"}}"),
        http(b'{"status":"ok","response":"' + b"x" * 5000 + b'"}'),
        http(b"[" * 4000),
        http(answer("cancel", "success")),
        http(answer("default")),
        http(answer("order", RESTING, RESTING)),
        b"",
        None,
    ],
)
async def test_anything_else_leaves_it_unknown(reply: bytes | None) -> None:
    """And nothing is sent twice, not over a second connection either."""
    async with venue(reply) as (there, upstream):
        with pytest.raises(UpstreamTimeout):
            await upstream.exchange(request())
        assert [request()] == there.requests


async def test_nobody_there_is_unknown_for_an_action_and_unavailable_for_a_read() -> None:
    """An order is looked up before anybody believes that it did not arrive."""
    async with venue(b"") as (_, upstream):
        pass
    with pytest.raises(UpstreamTimeout):
        await upstream.exchange(request())
    with pytest.raises(UpstreamUnavailable):
        await upstream.info(b"{}")
    await upstream.close()


@pytest.mark.parametrize(
    ("status", "body"),
    [
        ("200 OK", b'{"a":1}'),
        ("422 Unprocessable", b"Failed to deserialize the JSON body into the target type"),
        ("429 Too Many Requests", b"null"),
        ("500 Internal Server Error", b"null"),
        ("302 Found", b""),
    ],
)
async def test_read_passes_status_and_body_on(status: str, body: bytes) -> None:
    """Whatever they are; a redirect is not followed."""
    async with venue(http(body, status, "location: /")) as (there, upstream):
        assert (int(status[:3]), body) == await upstream.info(b"{}")
        assert 1 == len(there.requests)


@pytest.mark.parametrize("reply", [b"", http(b"{}", length=999999), http(b"x" * 5000)])
async def test_read_without_a_whole_answer_is_unavailable(reply: bytes) -> None:
    """Half a body is none."""
    async with venue(reply) as (_, upstream):
        with pytest.raises(UpstreamUnavailable):
            await upstream.info(b"{}")


async def test_silence_is_a_timeout_of_a_read() -> None:
    """It says how long was waited."""
    async with venue(None) as (_, upstream):
        with pytest.raises(UpstreamTimeout, match=r"0\.2 s"):
            await upstream.info(b"{}")


async def test_connections_are_kept() -> None:
    """A handshake each time would cost more than the gate."""
    async with venue(http(GOOD)) as (there, upstream):
        for _ in range(5):
            await upstream.exchange(request())
        assert (1, 5) == (there.connections, len(there.requests))


async def test_address_is_shown_without_what_may_be_secret(
    unused_tcp_port_factory: Callable[[], int],
) -> None:
    """A key in the address is not for messages."""
    upstream = HyperliquidHttp(f"http://me:secret@127.0.0.1:{unused_tcp_port_factory()}")
    with pytest.raises(UpstreamUnavailable) as caught:
        await upstream.info(b"{}")
    assert "secret" not in str(caught.value)
    await upstream.close()


async def test_proxy_of_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who sees a signed order first could trade ahead of it."""
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    async with venue(http(b"{}")) as (_, upstream):
        assert (200, b"{}") == await upstream.info(b"{}")


@pytest.mark.parametrize("status", ["502 Bad Gateway", "429 Too Many Requests"])
async def test_a_stand_in_that_fails_has_a_time_all_the_same(status: str) -> None:
    """Only one that knows of no such thing has none: its traders would take it for another."""
    async with stand_in(http(b"", status)) as upstream:
        with pytest.raises(UpstreamUnavailable, match=status[:3]):
            await upstream.clock()
    async with stand_in(http(b"", "404 Not Found")) as upstream:
        assert await upstream.clock() is None


@asynccontextmanager
async def stand_in(reply: bytes) -> AsyncIterator[HyperliquidHttp]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(reply)
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        upstream = HyperliquidHttp(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        try:
            yield upstream
        finally:
            await upstream.close()
