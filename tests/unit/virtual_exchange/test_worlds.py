"""The worlds of a process: limits, sharing, deleting, and their ends, over HTTP."""

import asyncio
import gc
import threading
import weakref
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.support.served import Served, served
from tests.support.stores import make_store
from tests.support.waiting import until
from tests.support.worlds import START_MS, random_source

from suite.bars import DAY_MS, HOUR_MS, MINUTE_MS
from suite.clock import ManualClock
from suite.contracts.world import AccountRequest, MaskRequest, WorldRequest
from suite.errors import BadRequest
from suite.service.kline_store import KlineStore
from virtual_exchange.adapters.store_market import StoreMarkets
from virtual_exchange.application.market.markets import Markets
from virtual_exchange.application.session import Session
from virtual_exchange.application.worlds import WorldLimits, Worlds
from virtual_exchange.domain.record import RunRecord

END_MS = START_MS + 600 * MINUTE_MS


@pytest.fixture
async def venue(tmp_path: Path) -> AsyncIterator[Served]:
    async with served(tmp_path) as running:
        yield running


class Player:
    """One account of a world."""

    def __init__(self, venue: Served, created: dict[str, Any], name: str) -> None:
        self._client, self.base = venue.client, created["base_url"]
        self._headers = {"authorization": f"Bearer {created['tokens'][name]}"}
        self._step = 0

    async def post(self, path: str, body: Any = None) -> httpx.Response:
        return await self._client.post(self.base + path, json=body or {}, headers=self._headers)

    async def get(self, path: str) -> Any:
        return (await self._client.get(self.base + path, headers=self._headers)).json()

    async def step(self, **fields: Any) -> Any:
        """Wait, and be answered."""
        self._step += 1
        reply = await self.post("/clock/wait", {"step_seq": self._step, **fields})
        assert 200 == reply.status_code, reply.text
        return reply.json()


async def made(venue: Served, *names: str, **more: Any) -> dict[str, Any]:
    body = {"symbols": ["BTC"], "accounts": [{"id": name} for name in names], **more}
    reply = await venue.post("/worlds", body, "operator")
    assert 201 == reply.status_code, reply.text
    created: dict[str, Any] = reply.json()
    return created


# what a world is like


async def test_status_tells_the_options_and_where_everyone_is(venue: Served) -> None:
    """Rules as in the report; `expected`, `deciding`, `waiting`, `dropped`."""
    options = {"interval": "5m", "impact": "0.01", "latency": 250, "fees": {"tiers": "hyperliquid"}}
    created = await made(venue, "eve", "ann", **options)
    path = f"/worlds/{created['world_id']}"
    eve = Player(venue, created, "eve")
    await eve.post("/clock/join")
    status = (await venue.get(path, "operator")).json()
    assert {"eve": "deciding", "ann": "expected"} == status["participants"]
    assert ["ann"] == status["waits_for"]
    assert ("5m", "0.01", 250) == (
        status["interval"],
        status["rules"]["impact"],
        status["rules"]["latency_ms"],
    )
    assert 7 == len(status["rules"]["fee_tiers"])
    waiting = asyncio.ensure_future(eve.step(until_ms=START_MS + HOUR_MS))
    await asyncio.sleep(0)
    ann = Player(venue, created, "ann")
    await ann.post("/clock/join")
    await ann.post("/clock/leave")
    assert START_MS + HOUR_MS == (await waiting)["now_ms"]
    status = (await venue.get(path, "operator")).json()
    assert {"eve": "deciding"} == status["participants"]
    assert [] == status["waits_for"]


async def test_a_paced_world_that_waits_for_somebody_says_so_until_it_begins(
    venue: Served,
) -> None:
    told: list[tuple[str, dict[str, Any]]] = []
    scheduler = venue.container.services.scheduler
    scheduler._tell = lambda event, **values: told.append((event, values))
    created = await made(venue, "eve", "ann", clock="paced", participants=["eve", "ann"])
    name = created["world_id"]
    eve, ann = (Player(venue, created, one) for one in ("eve", "ann"))
    await until(lambda: len(told) == 1)
    await eve.post("/clock/join")
    assert ["ann"] == (await ann.get("/clock"))["waits_for"]
    await until(lambda: len(told) == 2)
    await ann.post("/clock/join")
    await until(lambda: len(told) == 3)
    assert [
        ("world_waits", {"world": name, "waits_for": ["eve", "ann"]}),
        ("world_waits", {"world": name, "waits_for": ["ann"]}),
        ("world_begins", {"world": name}),
    ] == told


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"x": 1}, "unknown field `x`"),
        ({"latency": -1}, ">= 0"),
        ({"interval": "7m"}, "interval"),
        ({"fees": {"tiers": "mine"}}, "tiers"),
        ({"fees": {"tiers": []}}, "tiers"),
        ({"fees": {"tiers": "hyperliquid", "maker": 0}}, "either tiers, or taker and maker"),
        ({"time_shift": "now"}, "time_shift now is for paced worlds"),
        ({"time_shift": "later"}, "time_shift"),
        ({"mark": "recorded"}, "mark recorded is not modelled"),
        ({"bar_path": "recorded"}, "1m is the finest that is stored"),
    ],
)
async def test_option_that_cannot_be_is_refused_in_one_line(
    venue: Served, change: dict[str, Any], text: str
) -> None:
    """And no world is left behind."""
    body = {"symbols": ["BTC"], "accounts": [{"id": "a"}]} | change
    reply = await venue.post("/worlds", body, "operator")
    assert reply.status_code in {400, 422}
    assert text in reply.text
    assert "\n" not in reply.text
    assert 1 == len((await venue.get("/worlds", "operator")).json())


async def test_paced_world_of_today_begins_within_the_last_week(venue: Served) -> None:
    """For clients that know only the wall clock."""
    created = await made(venue, "eve", clock="paced", speed=0.001, time_shift="now")
    status = (await venue.get(f"/worlds/{created['world_id']}", "operator")).json()
    now_ms = venue.container.services.clock.now_ms()
    assert 0 <= now_ms - status["from_ms"] < 7 * DAY_MS
    assert status["from_ms"] - START_MS == status["time_shift_weeks"] * 7 * DAY_MS


# how many, and how large


async def test_too_many_worlds_are_refused(tmp_path: Path) -> None:
    """Until one is deleted."""
    async with served(tmp_path, worlds_max=2) as venue:
        created = await made(venue, "eve")
        body = {"symbols": ["BTC"], "accounts": [{"id": "a"}]}
        reply = await venue.post("/worlds", body, "operator")
        assert (409, "there are 2 worlds already; delete one first") == (
            reply.status_code,
            reply.text,
        )
        path = f"/worlds/{created['world_id']}"
        await venue.client.delete(path, headers=venue.headers("operator"))
        await made(venue, "eve")


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"capacity": 30}, "30 accounts times 2 coins are too many for one world: at most 40"),
        ({"from": START_MS, "to": START_MS + DAY_MS}, "1440 minutes of 2 coins are too many"),
        ({}, "600 minutes of 2 coins are too many for one world: at most 500 minutes"),
    ],
)
async def test_too_large_a_world_is_refused(
    tmp_path: Path, change: dict[str, Any], text: str
) -> None:
    """Before it is loaded where that can be seen; the text says what there is room for."""
    sizes: dict[str, Any] = {"world_positions_max": 40, "world_minutes_max": 1000}
    async with served(tmp_path, symbols=(), **sizes) as venue:
        body = {"symbols": ["BTC", "ETH"], "accounts": [{"id": "a"}], **change}
        reply = await venue.post("/worlds", body, "operator")
        assert 400 == reply.status_code
        assert text in reply.text
        assert [] == (await venue.get("/worlds", "operator")).json()


@pytest.mark.parametrize("isolated", [True, False])
async def test_too_large_a_market_is_refused_before_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, isolated: bool
) -> None:
    """Whichever edge is open, and with the days before the range that indicators look back."""
    make_store(tmp_path, "BTC", "ETH", minutes=3000)
    source = StoreMarkets(tmp_path, isolated=isolated)
    worlds = Worlds(source=source, clock=ManualClock(0), limits=WorldLimits(minutes=5999))
    late, early = START_MS + 2900 * MINUTE_MS, START_MS + 100 * MINUTE_MS
    text = "3000 minutes of 2 coins are too many for one world: at most 2999 minutes"
    with monkeypatch.context() as patch:
        patch.setattr(KlineStore, "read", lambda *_args, **_more: pytest.fail("it was read"))
        for edges in ({}, {"from_": late}, {"from_": late, "to": START_MS + 3000 * MINUTE_MS}):
            with pytest.raises(BadRequest, match=text):
                await worlds.create(world_of(1, **edges))
        with pytest.raises(BadRequest, match="too many for one world"):
            await worlds.create(world_of(1, to=10**14))
    session = await worlds.create(world_of(1, to=early))
    assert 100 == session.world.market.tape.length
    source.close()


def world_of(number: int, **more: Any) -> WorldRequest:
    return WorldRequest(
        symbols=("BTC", "ETH"), accounts=(AccountRequest(id=f"trader{number}"),), **more
    )


async def test_worlds_over_the_same_data_share_it() -> None:
    """One market, one set of longer bars, and stored bars even where the ranges differ."""
    worlds = Worlds(source=random_source("BTC", "ETH"), clock=ManualClock(0), limits=WorldLimits())
    one, two = [(await worlds.create(world_of(n))).world.market for n in range(2)]
    assert one is two
    for session in worlds.all():
        session.data.snapshot("BTC")
    assert 1 == len(one.made)
    mask = MaskRequest(seed=1)
    masked = [(await worlds.create(world_of(n, mask=mask))).world.market for n in range(2)]
    assert masked[0] is masked[1]
    assert masked[0] is not one
    shorter = (await worlds.create(world_of(3, to=START_MS + 5 * HOUR_MS))).world.market
    assert 300 == len(shorter.history[0])
    assert shorter.history[0].close.base is one.history[0].close.base
    shifted = (await worlds.create(world_of(4, time_shift=2))).world.market
    assert shifted.tape.bars is one.tape.bars


async def test_market_that_is_not_stored_any_more_is_not_shared() -> None:
    """Other bars of the same coin are other bars."""
    source = random_source("BTC", "ETH")
    worlds = Worlds(source=source, clock=ManualClock(0))
    one = (await worlds.create(world_of(1))).world.market
    source.bars["BTC"] = random_source("BTC", seed=2).bars["BTC"]
    other = (await worlds.create(world_of(2, to=END_MS - MINUTE_MS))).world.market
    assert other.history[1].close.base is one.history[1].close.base
    assert (other.history[0].close != one.history[0].close[:-1]).any()


async def test_store_that_has_grown_is_read_again(tmp_path: Path) -> None:
    """A world of today does not get the market of yesterday."""
    make_store(tmp_path, "BTC", minutes=100)
    worlds = Worlds(source=StoreMarkets(tmp_path), clock=ManualClock(0))
    request = WorldRequest(symbols=("BTC",), accounts=(AccountRequest(id="a"),))
    one = (await worlds.create(request)).world.market
    assert one is (await worlds.create(request)).world.market
    make_store(tmp_path, "BTC", minutes=160)
    grown = (await worlds.create(request)).world.market
    assert (100, 160) == (one.tape.length, grown.tape.length)


async def test_market_is_kept_for_a_while_unless_it_is_large() -> None:
    """The next world may want it; what nobody uses is bounded."""
    source = random_source("BTC", "ETH")
    for kept, same in ((1200, True), (1199, False)):
        markets = Markets(source, kept_minutes=kept)
        seen = weakref.ref(markets.of(world_of(1), now_ms=0))
        gc.collect()
        assert same == (seen() is not None)


async def test_deleted_world_leaves_nothing_behind(venue: Served) -> None:
    """It is gone, once cycles are collected; its market is when others have taken its place."""
    created = await made(venue, "eve", mask=True)
    session = venue.container.services.worlds.get(created["world_id"])
    eve = Player(venue, created, "eve")
    await eve.post("/clock/join")
    await eve.step(until_ms=session.world.now_ms + HOUR_MS)
    world = weakref.ref(session.world)
    del session
    path = f"/worlds/{created['world_id']}"
    await venue.client.delete(path, headers=venue.headers("operator"))
    for _ in range(500):  # the event loop may still hold what it did last
        await asyncio.sleep(0.01)
        gc.collect()
        if world() is None:
            break
    assert world() is None


async def test_order_on_its_way_in_a_deleted_world_is_answered(venue: Served) -> None:
    """Its sender is told why it never arrives."""
    created = await made(venue, "eve", clock="paced", speed=0.001, latency=60_000)
    eve = Player(venue, created, "eve")
    order = {"coin": "BTC", "is_buy": True, "sz": "0.01"}
    sending = asyncio.ensure_future(eve.post("/exchange/order", order))
    session = venue.container.services.worlds.get(created["world_id"])
    for _ in range(50):
        await asyncio.sleep(0)
    assert not sending.done()
    assert [] == session.world.books[0].fills
    path = f"/worlds/{created['world_id']}"
    await venue.client.delete(path, headers=venue.headers("operator"))
    reply = await sending
    assert (404, "the world was deleted") == (reply.status_code, reply.text)


async def test_order_of_a_paced_world_is_answered_when_it_has_arrived(venue: Served) -> None:
    """As at the venue; in lockstep, where time waits for the sender, it is told `sent`."""
    order = {"coin": "BTC", "is_buy": True, "sz": "0.01"}
    created = await made(venue, "eve", clock="paced", speed=0.001, latency=60_000)
    eve = Player(venue, created, "eve")
    sending = asyncio.ensure_future(eve.post("/exchange/order", order))
    session = venue.container.services.worlds.get(created["world_id"])
    for _ in range(50):
        await asyncio.sleep(0)
    session.barrier.tick()
    assert "filled" in (await sending).json()["response"]["data"]["statuses"][0]
    ann = Player(venue, await made(venue, "ann", latency=60_000), "ann")
    told = (await ann.post("/exchange/order", order)).json()
    assert ["sent"] == told["response"]["data"]["statuses"]


# time


@pytest.mark.parametrize(
    ("path", "body", "status", "text"),
    [
        ("/clock/wait", {"step_seq": 1}, 409, "join first"),
        ("/clock/heartbeat", {}, 409, "join first"),
        ("/clock/leave", {}, 200, ""),
    ],
)
async def test_who_has_not_joined_may_not_wait(
    venue: Served, path: str, body: dict[str, Any], status: int, text: str
) -> None:
    """One line says what to do; leaving twice does no harm."""
    reply = await Player(venue, await made(venue, "eve"), "eve").post(path, body)
    assert status == reply.status_code
    assert text in reply.text


async def test_time_never_goes_back(venue: Served) -> None:
    """Neither for the operator nor for a participant."""
    created = await made(venue, "eve")
    eve = Player(venue, created, "eve")
    later = {"until_ms": START_MS + HOUR_MS}
    advance = f"{created['base_url']}/clock/advance"
    assert 200 == (await venue.post(advance, later, "operator")).status_code
    back = await venue.post(advance, {"until_ms": START_MS}, "operator")
    assert (400, True) == (back.status_code, "has passed; world time is" in back.text)
    await eve.post("/clock/join")
    reply = await eve.post("/clock/wait", {"step_seq": 1, "until_ms": START_MS})
    assert (400, True) == (reply.status_code, "has passed; world time is" in reply.text)
    assert START_MS + HOUR_MS == (await eve.step(**later))["now_ms"]


async def test_supervisor_gives_a_lost_participant_up(venue: Served) -> None:
    """It is flattened, the others go on, and the report says so."""
    created = await made(venue, "eve", "ann", supervised=True)
    eve, ann = Player(venue, created, "eve"), Player(venue, created, "ann")
    order = {"type": "order", "coin": "BTC", "is_buy": True, "sz": "0.01"}
    await eve.post("/clock/join")
    await ann.post("/clock/join")
    first = asyncio.gather(
        eve.step(until_ms=START_MS + HOUR_MS, orders=[order]), ann.step(until_ms=START_MS + HOUR_MS)
    )
    await first
    waiting = asyncio.ensure_future(ann.step())
    await asyncio.sleep(0)
    path = f"{created['base_url']}/clock/give-up"
    assert 403 == (await eve.post("/clock/give-up", {"account": "ann"})).status_code
    assert 404 == (await venue.post(path, {"account": "zoe"}, "operator")).status_code
    assert 200 == (await venue.post(path, {"account": "eve"}, "operator")).status_code
    assert (await waiting)["ended"]
    world = f"/worlds/{created['world_id']}"
    result = (await venue.get(f"{world}/report", "operator")).json()["result"]
    assert {"eve": True, "ann": False} == {
        name: trader["degraded"] for name, trader in result["traders"].items()
    }
    assert ["buy", "sell"] == [fill["side"] for fill in result["traders"]["eve"]["trades"]]
    assert [] == result["traders"]["eve"]["open_trades"]


# the end


async def test_end_of_a_world(venue: Served) -> None:
    """Waits say `ended`, orders are halted, what rests is canceled, positions are marked."""
    created = await made(venue, "eve")
    eve = Player(venue, created, "eve")
    await eve.post("/clock/join")
    market = {"type": "order", "coin": "BTC", "is_buy": True, "sz": "0.05"}
    resting = {**market, "limit_px": "60000"}
    reply = await eve.step(orders=[market, resting], wake_on={"bar": "1d"})
    assert (True, END_MS) == (reply["ended"], reply["now_ms"])
    assert "ended" in reply["woke_by"]
    assert [] == reply["account"]["open_orders"]
    again = await eve.step(orders=[market])
    assert (True, ["ended"]) == (again["ended"], again["woke_by"])
    assert {"status": "err", "response": "Trading is halted."} == again["results"][0]
    for path, body in (("order", market), ("order", {**resting, "sz": "1"})):
        plain = {key: value for key, value in body.items() if key != "type"}
        told = (await eve.post(f"/exchange/{path}", plain)).json()
        assert {"status": "err", "response": "Trading is halted."} == told
    orders = await eve.get("/exchange/orders")
    assert "delistedCanceled" in {order["status"] for order in orders}
    assert not any(order["status"] == "open" for order in orders)
    assert (await eve.get("/clock"))["finished"]
    (held,) = again["account"]["positions"]
    last = venue.container.services.worlds.get(created["world_id"]).world.market.history[0].close
    gain = 0.05 * (last[-1] - float(held["entry_px"]))
    assert [0.05, pytest.approx(gain)] == [float(held[key]) for key in ("size", "unrealized_pnl")]


async def test_report_of_a_finished_world_is_there(venue: Served) -> None:
    """Before the end it is not; open positions are in it as such, at the last close."""
    created = await made(venue, "eve")
    eve = Player(venue, created, "eve")
    await eve.post("/clock/join")
    path = f"/worlds/{created['world_id']}/report"
    early = await venue.get(path, "operator")
    assert (409, "the world is not finished; 0.0 % are played") == (early.status_code, early.text)
    await eve.step(orders=[{"type": "order", "coin": "BTC", "is_buy": True, "sz": "0.05"}])
    result = (await venue.get(path, "operator")).json()["result"]
    assert result["finished"]
    assert 1 == len(result["traders"]["eve"]["open_trades"])
    assert END_MS == result["period"]["to_ms"]
    assert result["traders"]["eve"]["equity_curve"][-1][0] == END_MS
    finished = (await venue.get(f"/worlds/{created['world_id']}", "operator")).json()
    assert (True, 100.0) == (finished["finished"], finished["percent"])
    advance = {"until_ms": END_MS + HOUR_MS}
    await eve.post("/clock/leave")
    told = await venue.post(f"{created['base_url']}/clock/advance", advance, "operator")
    assert (200, END_MS) == (told.status_code, told.json()["now_ms"])


async def test_report_of_a_finished_world_is_made_once_beside_the_loop(
    venue: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who asks again gets the same bytes; a masked world has two readings, an open one has one."""
    made_in: list[bool] = []
    record = Session.record

    def recorded(session: Session, *, as_shown: bool = False) -> RunRecord:
        made_in.append(threading.current_thread() is threading.main_thread())
        return record(session, as_shown=as_shown)

    monkeypatch.setattr(Session, "record", recorded)
    created = await made(venue, "eve")
    await Player(venue, created, "eve").post("/clock/join")
    await Player(venue, created, "eve").step(wake_on={"bar": "1d"})
    path = f"/worlds/{created['world_id']}/report"
    first, second = await asyncio.gather(*(venue.get(path, "operator") for _ in range(2)))
    assert first.json()["result"]["finished"]
    assert first.content == second.content == (await venue.get(path, "operator")).content
    assert [False] == made_in


async def test_long_advance_lets_others_in(tmp_path: Path) -> None:
    """The operator's jump is taken in pieces; whoever joins meanwhile stops it."""
    async with served(tmp_path, random_source("BTC", "ETH", count=200_000)) as venue:
        created = await made(venue, "eve", "ann", participants=[])
        eve = Player(venue, created, "eve")
        advance = f"{created['base_url']}/clock/advance"
        jump = asyncio.ensure_future(
            venue.post(advance, {"until_ms": START_MS + 900 * DAY_MS}, "operator")
        )
        joined = asyncio.ensure_future(eve.post("/clock/join"))
        reply, told = await asyncio.gather(jump, joined)
        assert 200 == told.status_code
        assert reply.status_code in {200, 409}
        if reply.status_code == 409:
            assert "this world has participants" in reply.text


def test_limits_count_room_for_accounts_and_not_only_those_named() -> None:
    """The engine's tables are as large as the room."""
    with pytest.raises(BadRequest, match="4096 accounts times 2 coins"):
        WorldLimits(positions=8000).check_request(world_of(1, capacity=4096))
    WorldLimits(positions=8192).check_request(world_of(1, capacity=4096))
    with pytest.raises(BadRequest, match="17 accounts times 2 coins"):
        WorldLimits(positions=33).check_request(world_of(1))


async def test_bug_in_the_timer_of_a_world_is_told(tmp_path: Path) -> None:
    """The process stops on it, as it does on one in a request."""
    async with served(tmp_path) as venue:
        told: asyncio.Future[BaseException] = asyncio.get_running_loop().create_future()
        scheduler = venue.container.services.scheduler
        scheduler.on_bug = told.set_result
        session = venue.container.services.worlds.get("")
        session.barrier.tell_missing = lambda: 1 / 0  # type: ignore[method-assign,assignment]
        scheduler.watch(session)
        assert isinstance(await told, ZeroDivisionError)
        assert scheduler.failure is not None
