"""A venue in a real process: the fake venue behind real HTTP, one account for each token.

    python -m tests.unit.strategy_agent.stub_venue MODE STEPS

prints its port. `fail=N` in MODE makes the first N answers of /clock/wait a 503.
"""

import asyncio
import sys

import msgspec
from aiohttp import web
from tests.support.account_wire import state
from tests.unit.strategy_core.fake_venue import META, FakeVenue
from tests.unit.strategy_core.market import random_bars

from strategy_core.snapshot import SnapshotSeries
from suite.contracts.clock import ClockState, JoinRequest, WaitReply, WaitRequest

TOKENS = {f"Bearer token-{name}": name for name in "abc"}


class Stub:
    def __init__(self, mode: str, steps: int) -> None:
        name, _, fails = mode.partition(" fail=")
        self.mode = name
        self.fails = int(fails or 0)
        series = {c: SnapshotSeries(c, random_bars(3000, seed=i)) for i, c in enumerate(META_COINS)}
        self.accounts = {name: FakeVenue(steps=steps, series=series) for name in TOKENS.values()}
        self.stored: dict[str, WaitReply] = {}

    def account(self, request: web.Request) -> str:
        name = TOKENS.get(request.headers.get("authorization", ""))
        if name is None:
            raise web.HTTPUnauthorized(text="unknown token")
        return name

    async def clock(self, _request: web.Request) -> web.Response:
        wakes = self.mode != "wall"
        state = ClockState(mode=self.mode, now_ms=0, speed=0.0, wakes=wakes)  # type: ignore[arg-type]
        return reply(state)

    async def info(self, request: web.Request) -> web.Response:
        asked = await request.json()
        if asked == {"type": "webData2"}:
            cash = str(self.accounts[self.account(request)].equity())
            return reply({"clearinghouseState": state(cash=cash), "openOrders": []})
        assert asked == {"type": "meta"}
        return reply(META)

    async def join(self, request: web.Request) -> web.Response:
        name = self.account(request)
        asked = msgspec.json.decode(await request.read(), type=JoinRequest)
        return reply(self.accounts[name].join(asked))

    async def wait(self, request: web.Request) -> web.Response:
        name = self.account(request)
        asked = msgspec.json.decode(await request.read(), type=WaitRequest)
        stored = self.stored.get(name)
        if stored is None or stored.step_seq != asked.step_seq:
            assert asked.step_seq == (stored.step_seq if stored else 0) + 1
            stored = self.stored[name] = self.accounts[name].wait(asked)
        if self.fails:
            self.fails -= 1
            raise web.HTTPServiceUnavailable(text="busy")
        return reply(stored)

    async def heartbeat(self, request: web.Request) -> web.Response:
        self.account(request)
        return reply({})


META_COINS = ("BTC", "ETH")


def reply(value: object) -> web.Response:
    return web.Response(body=msgspec.json.encode(value), content_type="application/json")


async def main(mode: str, steps: int) -> None:
    stub = Stub(mode, steps)
    app = web.Application()
    app.add_routes(
        [
            web.get("/w/x/clock", stub.clock),
            web.post("/w/x/info", stub.info),
            web.post("/w/x/clock/join", stub.join),
            web.post("/w/x/clock/wait", stub.wait),
            web.post("/w/x/clock/heartbeat", stub.heartbeat),
        ]
    )
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
