"""How many messages a second the WebSocket delivers: `make bench`.

1,000 clients follow 20 coins each; the world moves a bar as soon as all of them have everything of
the last one. The clients are in a process of their own and only count frames, so that the server
is what is measured. Its memory is read before and after: nothing may stay behind.
"""

import asyncio
import base64
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.processes import Service
from tests.support.stores import make_store

CLIENTS, COINS, BARS, WARM = 1000, 20, 60, 5
NAMES = tuple(f"C{number:02d}" for number in range(COINS))
CHANNELS: dict[str, int] = {"l2Book": 1, "candle": 2, "trades": 1, "activeAssetCtx": 1}
"""Messages of each for a bar."""
GOAL = 10_000


# the clients


@dataclass
class Counter:
    """Frames of all connections together."""

    frames: int = 0
    octets: int = 0
    wanted: int = 0
    reached: asyncio.Event = field(default_factory=asyncio.Event)

    def want(self, frames: int) -> None:
        self.wanted += frames
        self.reached.clear()
        self.check()

    def check(self) -> None:
        if self.frames >= self.wanted:
            self.reached.set()


class Client(asyncio.Protocol):
    """One connection: it counts frames and looks into none."""

    def __init__(self, counter: Counter, opened: asyncio.Future[None]) -> None:
        self._counter = counter
        self._opened = opened
        self._rest = b""

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        key = base64.b64encode(os.urandom(16)).decode()
        transport.write(
            f"GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\n"
            f"Sec-WebSocket-Version: 13\r\n\r\n".encode()
        )

    def data_received(self, data: bytes) -> None:
        data = self._rest + data
        if not self._opened.done():
            head, found, data = data.partition(b"\r\n\r\n")
            if not found:
                self._rest = head
                return
            assert head.startswith(b"HTTP/1.1 101"), head
            self._opened.set_result(None)
        at, size = 0, len(data)
        frames = 0
        while at + 2 <= size:
            length, body = data[at + 1], at + 2
            if length == 126:
                length, body = int.from_bytes(data[at + 2 : at + 4]), at + 4
            elif length == 127:
                length, body = int.from_bytes(data[at + 2 : at + 10]), at + 10
            if body > size or body + length > size:
                break
            frames += data[at] == 0x81
            at = body + length
        self._rest = data[at:]
        self._counter.frames += frames
        self._counter.octets += at
        self._counter.check()

    def say(self, what: Any) -> None:
        payload = json.dumps(what).encode()
        assert len(payload) < 65536
        length = len(payload)
        head = bytes((0x81, 0x80 | length)) if length < 126 else b"\x81\xfe" + length.to_bytes(2)
        self.transport.write(head + bytes(4) + payload)  # masked with zeros


async def advance(reader: Any, writer: Any, token: str, until_ms: int) -> None:
    """Move the world over a connection that stays open."""
    body = json.dumps({"until_ms": until_ms}).encode()
    writer.write(
        f"POST /clock/advance HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        + body
    )
    head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
    assert " 200 " in head, head
    await reader.readexactly(int(head.split("content-length: ")[1].split("\r\n")[0]))


async def follow(port: int, token: str, channel: str, now_ms: int) -> dict[str, Any]:
    """Connect, subscribe, move the world bar by bar; say how long the bars took."""
    counter, loop = Counter(), asyncio.get_running_loop()
    clients: list[Client] = []
    for _ in range(CLIENTS):
        opened: asyncio.Future[None] = loop.create_future()
        _, client = await loop.create_connection(
            lambda opened=opened: Client(counter, opened),  # type: ignore[misc]
            "127.0.0.1",
            port,
        )
        await opened
        clients.append(client)
    for client in clients:
        for coin in NAMES:
            params = {"interval": "1m"} if channel == "candle" else {}
            subscription = {"type": channel, "coin": coin, **params}
            client.say({"method": "subscribe", "subscription": subscription})
        counter.want(2 * COINS)
    await asyncio.wait_for(counter.reached.wait(), 60)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    seconds, octets, cpu = [], 0, 0.0
    for bar in range(1, BARS + WARM + 1):
        if bar == WARM + 1:
            octets, cpu = counter.octets, time.process_time()
        counter.want(CLIENTS * COINS * CHANNELS[channel])
        begin = time.perf_counter()
        await advance(reader, writer, token, now_ms + 60_000 * bar)
        await asyncio.wait_for(counter.reached.wait(), 60)
        seconds.append(time.perf_counter() - begin)
    for client in clients:
        client.transport.close()
    return {
        "seconds": seconds[WARM:],
        "octets": counter.octets - octets,
        "cpu": time.process_time() - cpu,
        "frames": counter.frames,
        "wanted": counter.wanted,
    }


# the server


def measure(channel: str) -> None:
    """Print one row: the second of two crowds, so that the first has grown all that grows."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        store = make_store(folder / "data", *NAMES, minutes=4 * (BARS + WARM))
        options = ("--data", str(store), "--symbols", ",".join(NAMES), "--clock", "lockstep")
        service = Service(folder, *options)
        memory, cpu = [service.memory_kb()], 0.0
        try:
            for _ in range(2):
                cpu = service.cpu_s()
                told = crowd(service, channel)
                cpu = service.cpu_s() - cpu
                memory.append(service.memory_kb())
        finally:
            service.kill()
    show(channel, told, memory, cpu)


def crowd(service: Service, channel: str) -> dict[str, Any]:
    """Run the clients in a process of their own; what they have measured."""
    with service.operator() as operator:
        now_ms = operator.get("/clock").json()["now_ms"] + 60_000
        operator.post("/clock/advance", json={"until_ms": now_ms}).raise_for_status()
    words = (service.url.rsplit(":", 1)[1], service.token("operator"), channel, str(now_ms))
    command = [sys.executable, __file__, "client", *words]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def show(channel: str, told: dict[str, Any], memory: list[int], cpu: float) -> None:
    """Print what was measured."""
    seconds = told["seconds"]
    messages = CLIENTS * COINS * CHANNELS[channel]
    rate = messages * len(seconds) / sum(seconds)
    worst = statistics.quantiles(seconds, n=100)[98]
    idle, first, second = (kilobytes / 1024 for kilobytes in memory)
    bound = "server" if cpu > told["cpu"] else "clients"
    print(
        f"  {channel:<15}{rate:>11,.0f}{told['octets'] / sum(seconds) / 1e6:>7.1f}"
        f"{1000 * statistics.median(seconds):>10.1f}{1000 * worst:>8.1f}"
        f"{idle:>8.1f}{first:>8.1f}{second:>8.1f}{cpu:>9.1f}{told['cpu']:>9.1f}  {bound}"
        f"{'' if rate >= GOAL else '  BELOW THE GOAL'}"
        f"{'' if told['frames'] == told['wanted'] else '  WRONG COUNT'}"
    )


def main() -> None:
    """Print a row for each channel."""
    print(f"ws, {CLIENTS} clients x {COINS} coins, {BARS} bars; the goal is {GOAL:,} messages/s")
    print(
        "  milliseconds of a bar until the last client has it; MB idle, after one crowd, after two"
    )
    print(
        f"  {'channel':<15}{'messages/s':>11}{'MB/s':>7}{'median ms':>10}{'p99 ms':>8}"
        f"{'idle':>8}{'one':>8}{'two':>8}{'server s':>9}{'client s':>9}  bound by"
    )
    for channel in CHANNELS:
        measure(channel)


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    if sys.argv[1:2] == ["client"]:
        _port, _token, _channel, _now = sys.argv[2:]
        print(json.dumps(asyncio.run(follow(int(_port), _token, _channel, int(_now)))))
    else:
        main()
