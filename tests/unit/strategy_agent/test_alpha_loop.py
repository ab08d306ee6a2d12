"""Instances side by side: what one does, or fails to do, is nothing to another."""

import asyncio
import gc
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import pytest
from tests.support.waiting import until
from tests.unit.strategy_agent.scripted import ScriptedVenue, alpha_with, resting
from tests.unit.strategy_core.fake_venue import spec_of

from strategy_agent.application.alpha_loop import AlphaLoop
from strategy_agent.application.status import Alert
from strategy_agent.main import freeze_once_connected
from strategy_core import building
from strategy_core.building import kind_of
from strategy_core.port import Decision, Needs, Observation
from suite.contracts.trader import TradersFileError
from suite.contracts.venue import PlaceOrder
from suite.errors import (
    Conflict,
    NotFound,
    StorageError,
    SuiteError,
    Unauthorized,
    UpstreamUnavailable,
)


class Odd:
    """Does at every decision what a test wants."""

    act: Callable[[], Any] = Decision
    slow = False

    class Params(building.Params, frozen=True, kw_only=True):
        pass

    def __init__(self, setup: object, params: object) -> None:
        self.needs = Needs(slow=type(self).slow)

    def decide(self, observation: Observation) -> Any:
        return type(self).act()


def odd(venue: ScriptedVenue, act: Callable[[], Any], *, slow: bool = False) -> str:
    kind = type("Kind", (Odd,), {"act": staticmethod(act), "slow": slow})
    venue.plugins["plugin:odd:Odd"] = kind_of(kind)
    return "plugin:odd:Odd"


@asynccontextmanager
async def running(venue: ScriptedVenue, *names: str, **more: Any) -> AsyncIterator[AlphaLoop]:
    alpha = alpha_with(venue, *names, **more)
    alpha.start()
    try:
        yield alpha
    finally:
        await alpha.close()


async def test_one_that_cannot_connect_is_reported_and_the_others_run() -> None:
    alerts: list[Alert] = []
    venue = ScriptedVenue(steps=5, fails={"b": "no such account"})
    alpha = alpha_with(venue, "a", "b", "c", alerts=alerts)
    await alpha.run()
    assert ["ended", "failed", "ended"] == [i.status.state for i in alpha.instances]
    assert [("b", "connection", "no such account")] == [
        (a.trader_id, a.kind, a.text) for a in alerts
    ]
    failed = alpha.instance("b")
    assert not failed.status.lasting, "a venue comes back"
    assert not failed.use_real_exchange
    assert "simulation mode" == failed.status.connection
    with pytest.raises(Conflict, match="b is in simulation mode: no such account"):
        await failed.fetch_open_orders()
    assert not await failed.refresh_data()
    assert {"a", "c"} == set(venue.closed)
    venue.fails.clear()
    failed.start()
    await failed.finished()
    assert "ended" == failed.status.state


@pytest.mark.parametrize("slow", [False, True])
async def test_a_strategy_that_raises_or_answers_nonsense_keeps_its_turns(slow: bool) -> None:
    """Each fault is counted and told; the trader is paused with the reason; the run goes on."""
    venue = ScriptedVenue(steps=6)
    plan: list[Callable[[], Any]] = [lambda: 1 / 0, str, Decision, [].pop, Decision, Decision]
    turns = iter(plan)

    def act() -> Any:
        return next(turns)()

    kind = odd(venue, act, slow=slow)
    alpha = alpha_with(venue, "x", kind=kind)
    await alpha.run()
    status = alpha.instance().status
    assert ("ended", 3) == (status.state, status.faults)
    assert "IndexError" in status.last_fault
    faults = [row["fault"] for row in venue.journal("x").of("decision") if row["asked"]]
    assert ["ZeroDivisionError", "decide returned str", "", "IndexError", "", ""] == [
        text.split(":")[0].split(",")[0] for text in faults
    ]
    told = [alert["kind"] for alert in venue.journal("x").of("alert")]
    assert ["decision", "status", "decision", "decision"] == told
    assert ("PAUSED", ["strategy"]) == (status.status, list(status.causes))


async def test_bad_orders_get_a_verdict_each_and_hinder_nobody() -> None:
    """Not a number, another coin, a negative size, and a thousand at once."""
    venue = ScriptedVenue(steps=2)

    def order(coin: str, size: str) -> PlaceOrder:
        return PlaceOrder(coin=coin, is_buy=True, sz=Decimal(size))

    wild = (order("BTC", "NaN"), order("DOGE", "1"), order("BTC", "-1"), order("BTC", "1"))
    actions = (*wild, *(order("ETH", "0.5") for _ in range(1000)))
    alpha = alpha_with(venue, "x", kind=odd(venue, lambda: Decision(actions=actions)))
    await alpha.run()
    first = venue.journal("x").of("decision")[0]
    outcomes = [verdict["outcome"] for verdict in first["verdicts"]]
    assert ["rejected", "rejected", "rejected", "accepted"] == outcomes[:4]
    assert 1004 == len(outcomes)
    assert 0 < len(first["sent"]) < 100
    assert ("ended", 0) == (alpha.instance().status.state, alpha.instance().status.faults)


async def test_one_that_never_answers_is_given_up_while_the_others_trade() -> None:
    """It can be stopped too, though nobody can end its thread."""
    never = threading.Event()
    venue = ScriptedVenue()
    kind = odd(venue, never.wait, slow=True)
    alpha = alpha_with(venue, "a", "b", slow_s=0.05)
    alpha.add(spec_of(kind, trader_id="x"))
    alpha.start()
    stuck = alpha.instance("x").status
    await until(lambda: stuck.faults >= 3 and alpha.instance("a").status.decisions >= 3)
    assert "still busy" in stuck.last_fault
    await asyncio.wait_for(alpha.close(), 5)
    never.set()


async def test_one_whose_venue_or_disk_fails_ends_alone() -> None:
    venue = ScriptedVenue()
    async with running(venue, "a", "b", "c") as alpha:
        await until(lambda: all(i.status.decisions for i in alpha.instances))
        venue.accounts["a"].fault = UpstreamUnavailable("gone")
        venue.accounts["b"].fault = RuntimeError("a bug")

        venue.memories["c"].fault = StorageError("disk full")
        await asyncio.wait_for(asyncio.gather(*(i.finished() for i in alpha.instances)), 5)
        assert ["gone", "trader b failed: RuntimeError: a bug", "disk full"] == [
            str(instance.failure) for instance in alpha.instances
        ]


async def test_a_stop_cancels_what_could_open_a_position_and_keeps_what_protects() -> None:
    """Orders of others, be it with a client id, are told and left alone."""
    venue = ScriptedVenue(sleeps=True)
    async with running(venue, "a") as alpha:
        await until(lambda: venue.asleep("a"))
        one = alpha.instance()
        resting(venue, one, oid=1)
        resting(venue, one, oid=2, reduceOnly=True)
        resting(venue, one, oid=3, ours=False, cloid=None)
        resting(venue, one, oid=4, ours=False)
        await alpha.close()
        assert [1] == [order.oid for order in venue.accounts["a"].cancelled]
        assert one.alert is not None
        assert "orders of others are left as they are: [3, 4]" == one.alert.text
        assert "idle" == alpha.instance().status.state


async def test_a_stop_is_not_held_up_by_a_venue_that_does_not_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("strategy_agent.application.stopping.CANCEL_LIMIT_S", 0.1)
    venue = ScriptedVenue(sleeps=True)
    async with running(venue, "a") as alpha:
        await until(lambda: venue.asleep("a"))

        async def never() -> Any:
            await asyncio.Event().wait()

        venue.accounts["a"].fetch_account = never  # type: ignore[method-assign]
        await asyncio.wait_for(alpha.close(), 5)
        assert "may be left at the venue: no answer within 0.1 s" in alpha.instance().status.alert


async def test_a_restarted_trader_goes_on_where_it_was() -> None:
    """Numbers of decisions go on, so no id is given twice; the journal says so."""
    venue = ScriptedVenue(sleeps=True)
    async with running(venue, "a") as alpha:
        await until(lambda: venue.asleep("a"))
        alpha.run_once("a")
        await until(lambda: venue.turns("a") == 2 and venue.asleep("a"))
    async with running(venue, "a") as alpha:
        await until(lambda: venue.turns("a") == 3)
    runs = [run["continued"] for run in venue.journal("a").of("run")]
    assert [False, True] == runs
    assert [1, 2, 3] == [row["decision"] for row in venue.journal("a").of("decision")]


@pytest.mark.parametrize("mode", ["lockstep", "wall"])
async def test_a_memory_of_another_venue_is_forgotten_in_a_simulation_only(mode: str) -> None:
    """With real time there may be real money: a person must say what to do."""
    venue = ScriptedVenue(sleeps=True)
    venue.mode = mode
    async with running(venue, "a"):
        await until(lambda: venue.asleep("a"))
    venue.url = "http://elsewhere"
    async with running(venue, "a") as alpha:
        if mode == "wall":
            await alpha.instance().finished()
            assert "trader a remembers http://venue, not http://elsewhere" in str(
                alpha.instance().failure
            )
        else:
            await until(lambda: venue.turns("a") == 2)
            assert [False, False] == [run["continued"] for run in venue.journal("a").of("run")]


async def test_orders_from_outside_take_the_traders_own_way() -> None:
    """The guard judges them with its next decision, and the record tells what became of them."""
    venue = ScriptedVenue(sleeps=True)
    async with running(venue, "a") as alpha:
        await until(lambda: venue.asleep("a"))
        good = PlaceOrder(coin="BTC", is_buy=True, sz=Decimal("0.5"))
        bad = PlaceOrder(coin="DOGE", is_buy=True, sz=Decimal(1))
        asked = asyncio.create_task(alpha.instance().place_orders([good, bad]))
        await until(lambda: venue.turns("a") == 2 and venue.asleep("a"))
        assert Decimal("0.5") == venue.accounts["a"].venue.positions["BTC"]
        alpha.run_once()
        record = await asyncio.wait_for(asked, 5)
        assert ["accepted", "rejected"] == [str(v).split("(")[0] for v in record.verdicts]
        await until(lambda: venue.turns("a") == 3 and venue.asleep("a"))
        late = asyncio.create_task(alpha.instance().place_orders([good]))
        await asyncio.sleep(0)
        await alpha.close()
        assert (await late).results is None  # decided, and stopped before it could be answered


async def test_orders_from_outside_go_out_though_the_strategy_fails() -> None:
    """It is paused as ever, in the turn after."""
    venue = ScriptedVenue(sleeps=True)
    answers = iter([Decision()])
    async with running(venue, "a", kind=odd(venue, lambda: next(answers))) as alpha:
        one = alpha.instance()
        await until(lambda: venue.asleep("a"))
        order = PlaceOrder(coin="BTC", is_buy=True, sz=Decimal("0.5"))
        record = await asyncio.wait_for(one.place_orders([order]), 5)
        assert ["accepted"] == [str(v) for v in record.verdicts]
        assert "StopIteration" in record.reasoning
        assert Decimal("0.5") == venue.accounts["a"].venue.positions["BTC"]
        await until(lambda: one.status.causes.keys() == {"strategy"})


async def test_what_an_instance_knows_is_kept_from_its_turns_and_refreshed_on_request() -> None:
    venue = ScriptedVenue(sleeps=True)
    async with running(venue, "a") as alpha:
        await until(lambda: venue.asleep("a"))
        one = alpha.instance("default")
        assert one.use_real_exchange
        assert one.latest_account_data is not None
        assert {} == one.latest_market_data
        assert await one.refresh_data()
        assert {"BTC": 1e-5, "ETH": 1e-5} == one.latest_funding_rate
        assert "BTC" == one.latest_market_data["BTC"]["symbol"]
        pnl = await one.fetch_pnl_and_fees(0)
        assert (0, Decimal(0)) == (pnl.total.fills, pnl.total.net)


async def test_every_new_cause_of_a_pause_is_an_alert() -> None:
    """Whoever pulls the latch of a trader that is paused already must see that it took."""
    venue = ScriptedVenue(sleeps=True)
    async with running(venue, "a") as alpha:
        status = alpha.instance().status
        await until(lambda: venue.asleep("a"))
        alpha.pause("a", actor="ann", reason="news")
        await until(lambda: status.status == "PAUSED" and venue.asleep("a"))
        venue.accounts["a"].trouble = ("kill_latch",)
        alpha.run_once("a")
        await until(lambda: "PAUSED for another cause too: kill_latch" in status.alert)


async def test_commands_change_what_a_trader_may_do_and_refusals_are_told() -> None:
    """Out of a pause by a person only with a reason; STOPPED decides nothing."""
    venue = ScriptedVenue(sleeps=True)
    async with running(venue, "a") as alpha:
        status = alpha.instance().status
        await until(lambda: venue.asleep("a"))
        alpha.pause("a", actor="ann", reason="news")
        await until(lambda: status.status == "PAUSED")
        assert {"user": "news"} == status.causes
        await until(lambda: venue.asleep("a") and not alpha.instance().run.urgent)
        turns = venue.turns("a")
        alpha.resume("a")
        await until(lambda: venue.turns("a") > turns and venue.asleep("a"))
        alpha.run_once("a")  # what became of a turn is told at the next
        await until(lambda: "refused: say why it may go on: user" in status.alert)
        alpha.resume("a", reason="over")
        await until(lambda: status.status == "LIVE")
        alpha.stop("a", reason="enough")
        await until(lambda: status.status == "STOPPED")
        with pytest.raises(Conflict, match="STOPPED and decides nothing"):
            await alpha.instance().place_orders([])
        await until(lambda: venue.asleep("a"))
    async with running(venue, "a") as alpha:
        await until(lambda: alpha.instance().status.status == "STOPPED")
        await until(lambda: venue.asleep("a"))
        alpha.start("a", reason="again")
        await until(lambda: alpha.instance().status.status == "LIVE")


async def test_instances_are_named_and_checked() -> None:
    """An id and an account belong to one; mistakes are told together; a position is not lost."""
    venue = ScriptedVenue(sleeps=True)
    async with running(venue, "a") as alpha:
        with pytest.raises(Conflict, match="an instance a already"):
            alpha.add_strategy_instance("a", "flat", "BTC")
        with pytest.raises(Conflict, match="account a is traded by a"):
            alpha.add_strategy_instance("b", "flat", "BTC", account="a")
        with pytest.raises(TradersFileError) as caught:
            alpha.add_strategy_instance("b", "hodll", "?", interval="7m", params={"x": 1})
        assert 3 == len(caught.value.problems)
        with pytest.raises(NotFound, match="no instance 'aa', did you mean a"):
            alpha.instance("aa")
        await until(lambda: venue.asleep("a"))
        alpha.instance().status.positions = {"ETH": "1"}
        with pytest.raises(Conflict, match="a holds ETH: flatten it first"):
            await alpha.set_symbol("BTC", "a")
        await alpha.set_symbol(["ETH", "BTC"], "a")
        await until(lambda: venue.turns("a") == 2 and venue.asleep("a"))
        await alpha.remove_strategy_instance("a")
        assert ["a"] == venue.left
        assert () == alpha.instances


@pytest.mark.parametrize("end", ["symbol", "remove"])
async def test_a_change_that_nobody_waits_for_any_more_comes_to_its_end(end: str) -> None:
    """Else a trader would stay stopped between two symbols."""
    venue = ScriptedVenue(sleeps=True)
    async with running(venue, "a") as alpha:
        await until(lambda: venue.asleep("a"))
        answer = asyncio.Event()
        fetch = venue.accounts["a"].fetch_account

        async def late() -> Any:
            await answer.wait()
            return await fetch()

        venue.accounts["a"].fetch_account = late  # type: ignore[method-assign]
        change = (
            alpha.set_symbol("ETH", "a") if end == "symbol" else alpha.remove_strategy_instance("a")
        )
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(change, 0.05)
        answer.set()
        if end == "remove":
            await until(lambda: not alpha.instances)
        else:
            await until(lambda: venue.turns("a") == 2 and venue.asleep("a"))
            assert ("ETH",) == alpha.instance().spec.symbols


async def test_a_position_that_came_while_it_stopped_keeps_its_symbol() -> None:
    """The account is looked at again once nothing can be filled any more."""
    venue = ScriptedVenue(sleeps=True)
    async with running(venue, "a") as alpha:
        await until(lambda: venue.asleep("a"))
        venue.accounts["a"].venue.positions["BTC"] = Decimal("0.5")
        with pytest.raises(Conflict, match="a holds BTC: flatten it first"):
            await alpha.set_symbol("ETH", "a")
        await until(lambda: venue.turns("a") == 2 and venue.asleep("a"))
        assert ("BTC", "ETH") == alpha.instance().spec.symbols


async def test_a_command_that_comes_while_the_trader_decides_is_not_slept_over() -> None:
    venue = ScriptedVenue(sleeps=True)
    thinking, go = threading.Event(), threading.Event()

    def ponder() -> Decision:
        thinking.set()
        go.wait(10)
        return Decision()

    async with running(venue, "x", kind=odd(venue, ponder, slow=True)) as alpha:
        await until(thinking.is_set)
        alpha.pause("x", reason="now")
        go.set()
        await until(lambda: venue.turns("x") >= 2)


async def test_what_stays_is_not_collected_again_once_all_are_connected() -> None:
    """Also when one of them cannot connect."""
    gc.unfreeze()
    venue = ScriptedVenue(steps=5, fails={"b": "no such account"})
    try:
        async with running(venue, "a", "b") as alpha:
            await freeze_once_connected(alpha)
            assert gc.get_freeze_count() > 10_000
    finally:
        gc.unfreeze()


async def test_a_failure_that_stays_is_told_from_one_that_may_pass() -> None:
    """A wrong token stays wrong until a person has changed something; a start begins anew."""
    venue = ScriptedVenue(steps=5)
    alpha = alpha_with(venue, "a")
    refused: list[SuiteError] = [Unauthorized("unknown token"), StorageError("disk full")]

    async def connect(_: Any) -> Any:
        raise refused.pop(0)

    object.__setattr__(alpha._context, "connect", connect)
    for lasting in (True, False):
        await alpha.run()
        status = alpha.instance("a").status
        assert ("failed", lasting) == (status.state, status.lasting)
