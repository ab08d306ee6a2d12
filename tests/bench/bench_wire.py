"""What a request costs over HTTP: `make bench`.

The server runs on one core, the client on the other. An empty POST goes through the same server,
edge and route as all others and measures what they have in common.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count, islice
from pathlib import Path
from typing import Any, Self

import msgspec
from coincurve import PrivateKey
from tests.bench import load
from tests.support.stores import make_store

from suite.addresses import derived_address, keccak
from suite.contracts.hyperliquid_exchange import decode_action, packed
from suite.contracts.hyperliquid_signing import l1_digest, recover

BIN = Path(sys.executable).parent
ROUNDS = 3
COINS = "BTC,ETH,SOL"
MINUTES = 7 * 1440
KEY = PrivateKey(b"\x11" * 32)
ADDRESS = derived_address(KEY.public_key.format(compressed=False)[1:])
EMPTY_SERVER = """
from suite.service.app import install_chassis
from suite.service.server import serve
from virtual_exchange.bootstrap import build
from virtual_exchange.entrypoint.asgi import Answer, Doc, Endpoint, Route
from virtual_exchange.settings import Settings
from fastapi import FastAPI

async def nothing(call):
    return Answer(body=b"{}")

settings = Settings.load(port=0)
container = build(settings)
app = FastAPI(title="empty")
install_chassis(app, settings, tokens=container.services.tokens)
route = Route(method="POST", path="/empty", handler=nothing, doc=Doc(summary=""))
app.add_route("/empty", Endpoint(route, container.services), methods=["POST"])
serve(app, settings)
"""


class Server:
    """A server pinned to one core."""

    def __init__(self, folder: Path, *command: str) -> None:
        self.folder = folder
        self.process = subprocess.Popen(
            command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline().rsplit(":", 1)[1])
        os.sched_setaffinity(self.process.pid, {0})

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.process.terminate()
        self.process.wait()

    def token(self, name: str) -> str:
        return (self.folder / "var" / "tokens" / f"{name}.token").read_text().strip()

    def cpu_s(self) -> float:
        """Processor time it has used."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def post(self, path: str, body: Any, token: str = "") -> Any:
        request = load.request(path, msgspec.json.encode(body), token)
        return load.run(self.port, iter((request,)), connections=1)


def exchange(folder: Path, clock: str) -> Server:
    """A market of a week of three coins."""
    store = folder / "data"
    if not store.exists():
        make_store(store, *COINS.split(","), minutes=MINUTES)
    options = ("--data", str(store), "--symbols", COINS, "--clock", clock)
    return Server(folder, f"{BIN}/virtual-exchange", "serve", "--port", "0", *options)


def signed_orders(nonces: Iterator[int], price: str) -> Iterator[bytes]:
    """Orders that rest, or fill, and come from one key."""
    sides = count()
    while True:
        is_buy = next(sides) % 2 == 0
        order = {
            "a": 0,
            "b": is_buy,
            "p": price if is_buy else "1000",
            "s": "0.001",
            "r": False,
            "t": {"limit": {"tif": "Ioc"}},
        }
        if not is_buy:
            order["p"] = str(int(int(price) * 0.8))
        action = {"type": "order", "orders": [order], "grouping": "na"}
        nonce = next(nonces)
        digest = l1_digest(
            packed(decode_action(msgspec.Raw(msgspec.json.encode(action)))), nonce, "b"
        )
        signature = KEY.sign_recoverable(digest, hasher=None)
        body = {
            "action": action,
            "nonce": nonce,
            "signature": {
                "r": "0x" + signature[:32].hex(),
                "s": "0x" + signature[32:64].hex(),
                "v": 27 + signature[64],
            },
            "vaultAddress": None,
            "expiresAfter": None,
        }
        yield load.request("/exchange", msgspec.json.encode(body))


def steps(token: str, numbers: Iterator[int], want: dict[str, Any]) -> Iterator[bytes]:
    """Steps of one agent, each with one order; the next bar wakes it."""
    for number in numbers:
        order = {
            "type": "order",
            "coin": "BTC",
            "is_buy": number % 2 == 0,
            "sz": "0.001",
            "limit_px": "0",
        }
        body = {
            "step_seq": number,
            "wake_on": {"bar": "1m"},
            "orders": [order],
            "want": {"account": True, "fills": True, **want},
        }
        yield load.request("/clock/wait", msgspec.json.encode(body), token)


def recovery_us() -> float:
    """Time of one recovery of a signer from a signature."""
    digest = keccak(b"x")
    signature = KEY.sign_recoverable(digest, hasher=None)
    r, s = (int.from_bytes(half, "big") for half in (signature[:32], signature[32:64]))
    start = time.perf_counter()
    for _ in range(2000):
        recover(digest, r, s, 27 + signature[64])
    return (time.perf_counter() - start) / 2000 * 1e6


@dataclass(frozen=True, slots=True)
class Cost:
    """Median of a few rounds.

    Attributes:
        rate: answers a second.
        cpu_us: processor time of the server for one.
        last: the last round.
    """

    rate: float
    cpu_us: float
    last: load.Result


def measure(server: Server, requests: Callable[[], list[bytes]], *, connections: int) -> Cost:
    """Send batches of requests as fast as answers come."""
    rates, costs = [], []
    for _ in range(ROUNDS):
        batch = requests()
        before = server.cpu_s()
        last = load.run(server.port, iter(batch), connections=connections)
        costs.append((server.cpu_s() - before) / len(batch) * 1e6)
        rates.append(last.rate)
    return Cost(statistics.median(rates), statistics.median(costs), last)


def told(name: str, cost: Cost, base: Cost | None, target: str) -> None:
    """Print one line."""
    share = "" if base is None else f"{cost.rate / base.rate:5.0%} of an empty POST"
    print(
        f"  {name:<36}{cost.rate:8.0f}/s {cost.cpu_us:6.0f} us {share:<23} {target:<12}"
        f" {cost.last.size} B" + (f", {cost.last.refused} refused" if cost.last.refused else "")
    )


def empty_posts(folder: Path) -> dict[int, Cost]:
    """What every request costs, by the number of connections."""
    batch = [load.request("/empty", b"{}")] * 10_000
    with Server(folder, sys.executable, "-c", EMPTY_SERVER) as server:
        return {n: measure(server, lambda: batch, connections=n) for n in (1, 16)}


def orders(folder: Path, empty: Cost) -> None:
    """Signed orders and those of the simple REST, each filled at once."""
    nonces = count(int(time.time() * 1000) - 3_000_000)
    with exchange(folder, "paced") as server:
        server.post("/info", {"type": "clearinghouseState", "user": ADDRESS})
        signed = signed_orders(nonces, "120000")
        cost = measure(server, lambda: list(islice(signed, 3000)), connections=16)
        told("signed order, filled", cost, None, "3,000/s")
        batch = iter(list(islice(signed, 6000)))
        half = load.run(server.port, batch, connections=16, per_second=1500)
        p50, p99 = half.percentile_ms(0.5), half.percentile_ms(0.99)
        print(f"    at 1,500/s: p50 {p50:.2f} ms, p99 {p99:.2f} ms, target 5 ms")
        simple = simple_orders(server.token("trader"))
        cost = measure(server, lambda: list(islice(simple, 4000)), connections=16)
        told("order of the simple REST, filled", cost, empty, "60 %")


def simple_orders(token: str) -> Iterator[bytes]:
    """Market orders, in turn one way and the other."""
    for number in count():
        is_buy = number % 2 == 0
        body = {"coin": "BTC", "is_buy": is_buy, "sz": "0.001", "limit_px": "0"}
        yield load.request("/exchange/order", msgspec.json.encode(body), token)


def lockstep(folder: Path, empty: Cost) -> None:
    """Steps of one agent."""
    for name, snapshots, target in (
        ("step: order, fills, account, mids", [], "60 %"),
        ("step with a whole snapshot", ["BTC"], "25 %"),
    ):
        want = {"mids": True, "snapshots": snapshots}
        with exchange(folder, "lockstep") as server:
            token = server.token("trader")
            server.post("/clock/join", {"want": want}, token)
            walk = steps(token, count(1), want)
            load.run(server.port, islice(walk, 600), connections=1)
            cost = measure(server, lambda: list(islice(walk, 2500)), connections=1)  # noqa: B023
            told(name, cost, empty, target)


def main() -> None:
    """Print the table."""
    os.sched_setaffinity(0, {1})
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        print("wire: one core for the server, another for the client")
        empty = empty_posts(folder)
        for connections, cost in empty.items():
            told(f"empty POST, {connections} connections", cost, None, "")
        orders(folder, empty[16])
        lockstep(folder, empty[1])
    print(f"  recovery of a signer: {recovery_us():.1f} us, target 60 us")


if __name__ == "__main__":
    main()
