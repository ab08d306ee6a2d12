"""A manager that says what a test makes it say: for faults, and for more traders than run here.

As a process: `python -m tests.support.scripted_manager --traders 50` moves all of them each second.
"""

import argparse
import asyncio
import random
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from aiohttp import web

from portfolio_service.application.manager import (
    Fleet,
    HeldPosition,
    ManagedTrader,
    NewOfTrader,
    ProcessStatus,
    Reached,
    Records,
)
from suite.contracts.fills import TradeRow
from suite.errors import Conflict, NotFound, SuiteError, UpstreamUnavailable

T = TypeVar("T", bound=msgspec.Struct)
START_MS = 1_746_403_200_000
MICRO = 1_000_000
TOKEN = "act_of_the_operator_of_a_manager_that_is_scripted"
_encode = msgspec.json.Encoder().encode


@dataclass
class Scripted:
    """One trader: an account that fills make and a mark moves, exact to the micro-USD.

    Attributes:
        samples: time, equity, net deposits, fees, funding, models' bill, notional; micro-USD.
        tells: what its process says of its allocation; silent: it says nothing at all.
        spoils: what is told instead of a figure of its positions and newest fills, by name.
        deaf: it takes no allocation; hangs: until then it does not answer that.
    """

    name: str
    deposits: int = 10_000 * MICRO
    size: Decimal = Decimal(0)
    cost: Decimal = Decimal(0)
    mark: Decimal = Decimal(100)
    realized: Decimal = Decimal(0)
    fees: Decimal = Decimal(0)
    funding: Decimal = Decimal(0)
    fills: list[TradeRow] = field(default_factory=list)
    samples: list[tuple[int, ...]] = field(default_factory=list)
    status: str = "LIVE"
    state: str = "running"
    desired: str = "running"
    actual: str = "running"
    reason: str = ""
    tells: str = ""
    silent: bool = False
    spoils: dict[str, Decimal] = field(default_factory=dict)
    deaf: bool = False
    hangs: asyncio.Event | None = None
    turn: int = 0
    told: list[str] = field(default_factory=list)

    def trade(self, time_ms: int, size: Decimal, fee: Decimal = Decimal("0.045")) -> None:
        """Fill at the mark; a reduction realizes."""
        closed, before = Decimal(0), self.size
        self.size = before + size
        if before * size < 0:
            # As the engine: the part of the cost that leaves is rounded, the rest stays.
            part = size if abs(size) < abs(before) else -before
            cost = (self.cost * -part / before).quantize(Decimal("0.000001"))
            closed = -part * self.mark - cost
            self.cost -= cost
            size -= part
        self.cost += size * self.mark
        self.realized += closed
        self.fees += fee
        tid = len(self.fills) + 1
        self.fills.append(
            TradeRow(
                tid=tid,
                oid=tid,
                time_ms=time_ms,
                coin="BTC",
                side="buy" if self.size > before else "sell",
                price=self.mark,
                size=abs(self.size - before),
                start_position=before,
                closed_pnl_usd=closed,
                fee_usd=fee,
                is_taker=True,
                direction="Open Long",
                cloid=None,
            )
        )

    def sample(self, time_ms: int) -> None:
        """Note how the account stands."""
        made = self.realized - self.fees + self.funding + self.unrealized
        self.samples.append(
            (
                time_ms,
                self.deposits + _micro(made),
                self.deposits,
                _micro(self.fees),
                _micro(self.funding),
                0,
                _micro(abs(self.size) * self.mark),
            )
        )
        self.turn += 1

    @property
    def unrealized(self) -> Decimal:
        return self.size * self.mark - self.cost

    def positions(self) -> tuple[HeldPosition, ...]:
        if not self.size:
            return ()
        return (
            HeldPosition(
                coin="BTC",
                size=self.size,
                entry_price=self.cost / self.size,
                mark_price=self.mark,
                unrealized_pnl_usd=self.unrealized,
                margin_used_usd=abs(self.size) * self.mark / 10,
                leverage=10,
                liquidation_price=self.mark * Decimal("0.7"),
            ),
        )

    def row(self) -> ManagedTrader:
        told = ProcessStatus(
            state=self.state,
            status=self.status,
            allocation=self.tells,
            connection="connected",
            turn=self.turn,
            causes={"user": self.reason} if self.status == "PAUSED" else {},
        )
        return ManagedTrader(
            trader_id=self.name,
            account=self.name,
            desired=self.desired,
            actual=self.actual,
            reason=self.reason,
            status=None if self.silent or self.actual != "running" else told,
        )


@dataclass
class ScriptedManager:
    """A `FleetReads` and `FleetCommands`.

    Attributes:
        away: why it answers nothing; empty where it does.
        calls: how often each thing was asked for.
    """

    traders: dict[str, Scripted] = field(default_factory=dict)
    world: str = "scripted"
    now_ms: int = START_MS
    venue_trouble: str = ""
    away: str = ""
    calls: list[str] = field(default_factory=list)
    seed: int = 1

    def add(self, *names: str, **more: Any) -> None:
        for name in names:
            self.traders[name] = Scripted(name, **more)

    def tick(self, step_ms: int = 60_000) -> None:
        """Let a minute pass: marks move, some trade, all are sampled."""
        self.now_ms += step_ms
        chance = random.Random(f"{self.seed} {self.now_ms}")
        for one in self.traders.values():
            one.mark += Decimal(chance.randint(-50, 50)) / 1000
            if chance.random() < 0.1:
                size = Decimal(chance.choice([-2, -1, 1, 2]))
                one.trade(self.now_ms, size if abs(one.size + size) < 10 else -one.size)
            one.sample(self.now_ms)

    # the port

    async def fleet(self) -> Fleet:
        self._called("fleet")
        return Fleet(traders=tuple(one.row() for one in self.traders.values()), venue="http://v")

    async def records(self, world: str, after: Mapping[str, Reached]) -> Records:
        self._called("records")
        known = after if world == self.world else {}
        return Records(
            world=self.world,
            now_ms=self.now_ms,
            trouble=self.venue_trouble,
            traders={
                name: _new(one, known.get(name, Reached())) for name, one in self.traders.items()
            },
        )

    async def passed_on(self, path: str, query: Mapping[str, str]) -> bytes:
        self._called(path)
        if path.endswith("/trades"):
            return _encode({"trades": self.traders[path.split("/")[1]].fills})
        if path.endswith("/decisions"):
            name = path.split("/")[1]
            return _encode({"decisions": [{"trader_id": name, "now_ms": self.now_ms, **query}]})
        return _encode({"path": path, **query})

    async def streamed(self, path: str, query: Mapping[str, str]) -> AsyncIterator[bytes]:
        self._called(path)
        yield _encode(query)

    async def tell(self, trader_id: str, command: str, *, reason: str) -> Mapping[str, Any]:
        one = self._named(trader_id, command)
        one.status = {"pause": "PAUSED", "resume": "LIVE"}.get(command, one.status)
        one.reason = reason
        return {"done": [trader_id]}

    async def allocate(self, trader_id: str, usd: Decimal, *, reason: str) -> Mapping[str, Any]:
        one = self._named(trader_id, f"allocate {usd:f}")
        if one.hangs is not None:
            await one.hangs.wait()
        if one.deaf:
            raise UpstreamUnavailable(f"{trader_id} does not answer")
        if one.actual != "running":
            raise Conflict(f"{trader_id} does not run")
        one.tells = f"{usd:f}"
        return {"state": "taken", "reason": reason}

    def _named(self, trader_id: str, what: str) -> Scripted:
        self._called(f"{trader_id} {what}")
        if trader_id not in self.traders:
            raise NotFound(f"there is no trader {trader_id!r}")
        self.traders[trader_id].told.append(what)
        return self.traders[trader_id]

    def _called(self, what: str) -> None:
        self.calls.append(what)
        if self.away:
            raise UpstreamUnavailable(self.away)


def _new(one: Scripted, reached: Reached) -> NewOfTrader:
    names = (
        *("time_ms", "equity_usd", "net_deposits_usd", "fees_usd"),
        *("funding_usd", "llm_cost_usd", "notional_usd"),
    )
    rows = [row for row in one.samples if row[0] > reached.equity_ms]
    columns = {name: [row[place] for row in rows] for place, name in enumerate(names)}
    return NewOfTrader(
        **columns,
        trades=tuple(_spoilt(f, one.spoils) for f in one.fills if f.time_ms >= reached.trade_ms),
        positions_ms=one.samples[-1][0] if one.samples else None,
        positions=tuple(_spoilt(held, one.spoils) for held in one.positions())
        if one.samples
        else None,
    )


def _spoilt(told: T, spoils: Mapping[str, Decimal]) -> T:
    fits = {name: value for name, value in spoils.items() if hasattr(told, name)}
    return msgspec.structs.replace(told, **fits)


def _micro(usd: Decimal) -> int:
    return int((usd * MICRO).to_integral_value())


# ---- as a process --------------------------------------------------------------------------------


def application(manager: ScriptedManager) -> web.Application:
    """Serve it as the real one is served."""

    def answer(body: object) -> web.Response:
        return web.Response(body=_encode(body), content_type="application/json")

    async def fleet(_: web.Request) -> web.Response:
        return answer(await manager.fleet())

    async def records(request: web.Request) -> web.Response:
        body = msgspec.json.decode(await request.read())
        after = msgspec.convert(body["after"], dict[str, Reached])
        return answer(await manager.records(body["world"], after))

    async def tell(request: web.Request) -> web.Response:
        name, command = request.match_info["name"], request.match_info["command"]
        body = msgspec.json.decode(await request.read() or b"{}")
        try:
            if command == "allocate":
                return answer(await manager.allocate(name, Decimal(body["usd"]), reason=""))
            return answer(await manager.tell(name, command, reason=body.get("reason", "")))
        except SuiteError as error:
            return web.Response(text=str(error), status=404 if error.code == "not_found" else 503)

    async def ready(_: web.Request) -> web.Response:
        return answer({"status": "ok"})

    async def passed_on(request: web.Request) -> web.Response:
        body = await manager.passed_on(request.path[1:], dict(request.query))
        return web.Response(body=body, content_type="application/json")

    @web.middleware
    async def guarded(request: web.Request, handler: Any) -> web.StreamResponse:
        if request.headers.get("authorization") != f"Bearer {TOKEN}" and request.path != "/ready":
            return web.Response(status=401, text="unknown token")
        answered: web.StreamResponse = await handler(request)
        return answered

    app = web.Application(middlewares=[guarded])
    app.router.add_get("/traders", fleet)
    app.router.add_post("/records", records)
    app.router.add_post("/traders/{name}/{command}", tell)
    app.router.add_get("/ready", ready)
    app.router.add_get("/{path:.*}", passed_on)
    return app


@contextmanager
def scripted(count: int, every_s: float = 1.0, *, port: int = 0) -> Iterator[str]:
    """Serve many traders in a process of its own; its address."""
    command = [sys.executable, "-m", "tests.support.scripted_manager"]
    options = ["--traders", str(count), "--every", f"{every_s:g}", "--port", str(port)]
    with subprocess.Popen(
        [*command, *options], stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]
    ) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().split()[-1]
        finally:
            process.terminate()


async def serve(count: int, port: int, every_s: float) -> None:
    manager = ScriptedManager()
    manager.add(*(f"trader-{number:03}" for number in range(count)))
    for _ in range(1000):  # a past, so that curves are as long as a screen
        manager.tick()
    runner = web.AppRunner(application(manager))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", port)
    await site.start()
    print(f"scripted manager ready on http://127.0.0.1:{runner.addresses[0][1]}", flush=True)
    while True:
        await asyncio.sleep(every_s)
        manager.tick()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--traders", type=int, default=50)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--every", type=float, default=1.0)
    chosen = parser.parse_args()
    asyncio.run(serve(chosen.traders, chosen.port, chosen.every))
