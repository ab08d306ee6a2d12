"""The WebSocket of a running service: worlds, hostile clients, clients that read nothing."""

import json
import select
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from tests.support.processes import Service
from tests.support.stores import make_store
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

pytestmark = pytest.mark.process

MINUTE_MS = 60_000
STALL_S = 0.5
GROWTH_LIMIT_KB = 12_000
DEAF = 10
"""Clients of a round that read nothing."""


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("ws")
    store = make_store(folder / "data", "BTC", "ETH", "SOL", minutes=6000)
    options = ("--data", str(store), "--symbols", "BTC,ETH,SOL", "--clock", "lockstep")
    running = Service(folder, *options, ws_stall_s=STALL_S)
    yield running
    running.kill()


def open_socket(service: Service, path: str = "/ws", **more: Any) -> ClientConnection:
    url = f"ws{service.url.removeprefix('http')}{path}"
    client: ClientConnection = connect(url, max_size=None, **more)
    return client


def say(client: ClientConnection, method: str, **fields: Any) -> None:
    client.send(json.dumps({"method": method, **fields}))


def subscribe(client: ClientConnection, kind: str, **params: Any) -> None:
    say(client, "subscribe", subscription={"type": kind, **params})


def heard(client: ClientConnection, channel: str) -> Any:
    """Data of the next message of a channel."""
    while True:
        message = json.loads(client.recv(timeout=30))
        if message["channel"] == channel:
            return message.get("data")


def advance(service: Service, bars: int) -> None:
    with service.operator() as operator:
        now_ms = operator.get("/clock").json()["now_ms"]
        until_ms = now_ms + bars * MINUTE_MS
        operator.post("/clock/advance", json={"until_ms": until_ms}).raise_for_status()


def closing(client: ClientConnection) -> tuple[int, str]:
    """Code and reason with which the server closes."""
    with pytest.raises(ConnectionClosed) as closed:
        drain(client)
    frame = closed.value.rcvd
    assert frame is not None
    return frame.code, frame.reason


def drain(client: ClientConnection) -> None:
    while True:
        client.recv(timeout=30)


def test_books_and_candles_come_as_the_world_moves(service: Service) -> None:
    """A burst of bars is one book, and every candle."""
    with open_socket(service) as client:
        subscribe(client, "l2Book", coin="BTC")
        subscribe(client, "candle", coin="BTC", interval="1m")
        first = heard(client, "l2Book")
        advance(service, 200)
        assert first["time"] + 200 * MINUTE_MS == heard(client, "l2Book")["time"]
        opens = {heard(client, "candle")["t"] for _ in range(200)}
        assert set(range(first["time"], first["time"] + 200 * MINUTE_MS, MINUTE_MS)) <= opens | {
            first["time"]
        }


def test_world_has_a_socket_of_its_own_that_ends_with_it(service: Service) -> None:
    """Below its path, without a token; a world that is not there is told at the handshake."""
    body = {
        "symbols": ["ETH"],
        "accounts": [{"id": "carol"}],
        "participants": [],
        "clock": "lockstep",
    }
    with service.operator() as operator:
        world = operator.post("/worlds", json=body).json()["world_id"]
        with open_socket(service, f"/w/{world}/ws") as client:
            subscribe(client, "allMids")
            assert {"ETH"} == {c for c in heard(client, "allMids")["mids"] if c[0] not in "@P"}
            operator.delete(f"/worlds/{world}").raise_for_status()
            assert (1001, "the world was deleted") == closing(client)
    with pytest.raises(InvalidStatus) as refused:
        open_socket(service, f"/w/{world}/ws")
    assert 404 == refused.value.response.status_code


def test_foreign_pages_may_not_connect(service: Service) -> None:
    """A browser tells where a page is from; the SDK sends the service's own address."""
    with open_socket(service, origin=service.url) as client:
        say(client, "ping")
        heard(client, "pong")
    with pytest.raises(InvalidStatus) as refused:
        open_socket(service, origin="http://evil.example")
    assert 403 == refused.value.response.status_code


def test_frames_that_break_the_protocol_end_their_own_connection_only(service: Service) -> None:
    """More than 1 MiB, and text that is not UTF-8; all else is answered."""
    with open_socket(service) as witness:
        with open_socket(service) as client:
            client.send("x" * ((1 << 20) + 1))
            assert 1009 == closing(client)[0]
        with open_socket(service) as client:
            client.send(b"\xff\xfe", text=True)
            assert 1007 == closing(client)[0]
        with open_socket(service) as client:
            client.send("[" * (1 << 20))
            assert heard(client, "error").startswith("Error parsing JSON")
            client.send(b"\x00\x01")
            assert heard(client, "error").startswith("Error parsing JSON")
            client.send(iter(['{"method":', '"ping"}']))
            heard(client, "pong")
        say(witness, "ping")
        heard(witness, "pong")


class Deaf:
    """A client that asks for everything and reads nothing."""

    def __init__(self, service: Service) -> None:
        host, port = service.url.removeprefix("http://").split(":")
        self.plain = socket.socket()
        self.plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.plain.settimeout(30)
        self.plain.connect((host, int(port)))
        self.plain.sendall(
            f"GET /ws HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
            "Sec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        assert b" 101 " in self.plain.recv(1024)

    def say(self, what: Any) -> None:
        payload = json.dumps(what).encode()
        length = len(payload)
        head = bytes((0x81, 0x80 | length)) if length < 126 else b"\x81\xfe" + length.to_bytes(2)
        self.plain.sendall(head + bytes(4) + payload)

    def rest(self) -> int:
        """Octets that came before the service ended the connection, which is waited for."""
        poll, octets = select.poll(), 0
        poll.register(self.plain, select.POLLRDHUP)
        assert poll.poll(30_000)
        try:
            while data := self.plain.recv(1 << 16):
                octets += len(data)
        except ConnectionResetError:
            pass
        self.plain.close()
        return octets


def deaf_round(service: Service) -> list[int]:
    """A crowd of such clients, until the service has dropped them."""
    crowd = [Deaf(service) for _ in range(DEAF)]
    req = {"coin": "BTC", "interval": "1m", "startTime": 0, "endTime": 1 << 50}
    for client in crowd:
        for coin in ("BTC", "ETH", "SOL"):
            subscription = {"type": "candle", "coin": coin, "interval": "1m"}
            client.say({"method": "subscribe", "subscription": subscription})
        for number in range(12):
            request = {"type": "info", "payload": {"type": "candleSnapshot", "req": req}}
            client.say({"method": "post", "id": number, "request": request})
    advance(service, 1)
    with open_socket(service) as other:
        for _ in range(10):
            say(other, "ping")
            heard(other, "pong")
    return [client.rest() for client in crowd]


def test_clients_that_read_nothing_are_dropped_and_leave_no_memory_behind(
    service: Service,
) -> None:
    """What each asked for is many megabytes; what it gets is what the kernel could hold."""
    advance(service, 1000)
    deaf_round(service)
    before = service.memory_kb()
    got = [octets for _ in range(3) for octets in deaf_round(service)]
    after = service.memory_kb()
    assert max(got) < 1_500_000
    assert after - before < GROWTH_LIMIT_KB, (before, after)
    with service.operator() as operator:
        assert operator.get("/health").json()["status"] == "ok"
