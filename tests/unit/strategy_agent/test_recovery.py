"""What a run leaves behind, and what the next one makes of it."""

import asyncio
import threading
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from tests.support.waiting import until
from tests.unit.strategy_agent.scripted import MemoryCell, ScriptedVenue, alpha_with, resting
from tests.unit.strategy_agent.test_alpha_loop import odd
from tests.unit.strategy_core.fake_venue import spec_of

from strategy_agent.application.alpha_loop import AlphaLoop
from strategy_agent.application.ports import Kept
from strategy_core.port import Decision
from suite.contracts.clock import JoinRequest, WaitReply, WaitRequest
from suite.contracts.venue import PlaceOrder
from suite.errors import Conflict, JoinFirst, StorageError

FULL = StorageError("disk full")


def kept(venue: ScriptedVenue) -> Kept:
    found = venue.memories["a"].load()
    assert found is not None
    return found


async def begun(venue: ScriptedVenue, **more: Any) -> AlphaLoop:
    """A trader that sleeps in its step."""
    if "a" in venue.accounts:
        venue.accounts["a"].asleep = False
    alpha = alpha_with(venue, "a", **more)
    alpha.start()
    await until(lambda: venue.asleep("a"))
    return alpha


async def killed(venue: ScriptedVenue, **more: Any) -> Kept:
    """A process that died in the middle of its first step: its memory alone remains."""
    alpha = await begun(venue, **more)
    content = venue.memories["a"].content
    await alpha.close()
    venue.memories["a"].content = content
    venue.journal("a").lines.clear()
    venue.accounts["a"].cancelled.clear()
    return kept(venue)


def decided(venue: ScriptedVenue) -> list[tuple[int, bool]]:
    """Turns in the journal, and whether each was answered."""
    rows = venue.journal("a").of("decision")
    return [(row["decision"], row["results"] is not None) for row in rows]


async def test_a_stop_while_an_earlier_step_is_awaited_leaves_no_request() -> None:
    """Its entries are canceled, so the next run must not believe a reply from before that."""
    venue = ScriptedVenue(sleeps=True)
    assert (await killed(venue)).request is not None
    steps = venue.accounts["a"]

    async def never(request: WaitRequest) -> WaitReply:
        steps.asleep = request.step_seq == 1
        return await asyncio.Future()

    steps.wait = never  # type: ignore[method-assign]
    alpha = await begun(venue)
    resting(venue, alpha.instance(), oid=77)
    await alpha.close()
    assert [77] == [order.oid for order in venue.accounts["a"].cancelled]
    assert (None, None) == (kept(venue).request, kept(venue).memory.run.pending)
    assert [(1, False)] == decided(venue)


async def test_a_stop_while_the_memory_is_being_written_leaves_no_request() -> None:
    """The write cannot be canceled; it is waited for, and what is left is written after it."""
    venue, writing, go = ScriptedVenue(sleeps=True), threading.Event(), threading.Event()

    class Slow(MemoryCell):
        def write(self, content: bytes) -> None:
            if b'"step_seq":2' in content:
                writing.set()
                go.wait(10)
            super().write(content)

    venue.memories["a"] = Slow()
    alpha = await begun(venue)
    venue.accounts["a"].wake()
    await until(writing.is_set)
    closing = asyncio.create_task(alpha.close())
    await asyncio.sleep(0.05)
    go.set()
    await asyncio.wait_for(closing, 5)
    await asyncio.sleep(0.05)
    assert (None, 2) == (kept(venue).request, kept(venue).memory.turns)
    assert [(1, True), (2, False)] == decided(venue)


@pytest.mark.parametrize("disk", ["back at once", "back at the next start", "gone"])
async def test_a_failure_for_good_leaves_no_request_once_the_disk_takes_it(disk: str) -> None:
    """Entries were canceled; a run before that is written would act on a reply from before."""
    venue = ScriptedVenue(sleeps=True)
    alpha = await begun(venue)
    one, memory = alpha.instance(), venue.memories["a"]
    if disk == "back at once":
        venue.accounts["a"].fault = Conflict("no")
    else:
        memory.fault = FULL
    venue.accounts["a"].wake()
    await until(lambda: not one.running)
    assert "failed" == one.status.state
    venue.accounts["a"].fault = None
    if disk == "back at the next start":
        memory.fault = None
    steps, joins = venue.accounts["a"], list[JoinRequest]()
    join = steps.join

    async def joined(request: JoinRequest) -> WaitReply:
        joins.append(request)
        return await join(request)

    steps.join = joined  # type: ignore[method-assign]
    steps.asleep = False
    alpha.start("a")
    if disk == "gone":
        await one.finished()
        assert ("failed", []) == (one.status.state, joins)
        return
    await until(lambda: venue.asleep("a"))
    assert 1 == len(joins)
    assert [(1, True), (2, False)] == decided(venue)
    await alpha.close()


@pytest.mark.parametrize("mode", ["lockstep", "wall"])
async def test_a_run_that_fails_in_the_middle_of_a_turn_leaves_the_memory_of_before(
    mode: str,
) -> None:
    """Half of a turn is no memory: fills that were told are counted by no limit yet."""
    venue = ScriptedVenue(sleeps=True)
    venue.mode = mode
    alpha = await begun(venue)
    one, before = alpha.instance(), kept(venue)
    resting(venue, one, oid=77)

    def fail() -> tuple[()]:
        raise RuntimeError("a bug")

    one.run.queue.take = fail  # type: ignore[method-assign]
    venue.accounts["a"].wake()
    await one.finished()
    assert ("failed", [77]) == (
        one.status.state, [order.oid for order in venue.accounts["a"].cancelled]
    )  # fmt: skip
    before.memory.run.give_up()
    assert msgspec.structs.replace(before, request=None) == kept(venue)
    assert [(1, True)] == decided(venue)


async def test_an_ended_world_leaves_nothing_though_its_result_cannot_be_kept() -> None:
    venue = ScriptedVenue(steps=2)
    write = venue.journal("a").write

    def refuse(kind: str, record: object) -> None:
        if kind == "result":
            raise FULL
        write(kind, record)

    venue.journal("a").write = refuse  # type: ignore[method-assign]
    alpha = alpha_with(venue, "a")
    await alpha.run()
    assert "failed" == alpha.instance().status.state
    assert b"" == venue.memories["a"].content


async def refused(venue: ScriptedVenue, fault: Exception) -> Callable[[], int]:
    """Let the venue refuse every wait before a join; how many joins there were."""
    steps, joins = venue.accounts["a"], list[JoinRequest]()
    join, wait = steps.join, steps.wait

    async def joined(request: JoinRequest) -> WaitReply:
        joins.append(request)
        return await join(request)

    async def waited(request: WaitRequest) -> WaitReply:
        if not joins:
            raise fault
        return await wait(request)

    steps.join, steps.wait = joined, waited  # type: ignore[method-assign]
    return lambda: len(joins)


async def test_a_step_that_the_venue_does_not_know_is_told_and_the_run_joins() -> None:
    """What was counted goes on, in the journal as in the run."""
    venue = ScriptedVenue(sleeps=True)
    await killed(venue)
    joins = await refused(venue, JoinFirst("dropped; join again"))
    alpha = await begun(venue)
    assert 1 == joins()
    venue.accounts["a"].wake()
    await until(lambda: len(decided(venue)) == 2)
    assert [(1, False), (2, True)] == decided(venue)
    memory = alpha.instance().memory
    assert memory is not None
    assert (3, 2) == (memory.run.decisions, memory.run.tally.decisions)
    await alpha.close()


async def test_another_conflict_is_a_failure_and_no_reason_to_join() -> None:
    """The step may wait on at the venue, its orders placed."""
    venue = ScriptedVenue(sleeps=True)
    await killed(venue)
    joins = await refused(venue, Conflict("bob did not join within 60 s"))
    alpha = alpha_with(venue, "a")
    await alpha.run()
    assert ("failed", 0) == (alpha.instance().status.state, joins())


async def test_a_request_of_another_configuration_is_not_repeated() -> None:
    """The risk limits of now have not judged it."""
    venue = ScriptedVenue(sleeps=True)
    order = PlaceOrder(coin="ETH", is_buy=True, sz=Decimal("0.5"))
    request = (await killed(venue, kind=odd(venue, lambda: Decision(actions=(order,))))).request
    assert request is not None
    assert 1 == len(request.orders)
    venue.accounts["a"].venue.requests.clear()
    alpha = alpha_with(venue)
    spec = msgspec.structs.replace(
        spec_of("flat", trader_id="a", symbols=("BTC",)), risk={"max_order_notional": 10}
    )
    alpha.add(spec)
    venue.accounts["a"].asleep = False
    alpha.start()
    await until(lambda: venue.asleep("a"))
    assert [()] == [asked.orders for asked in venue.accounts["a"].venue.requests]
    assert [(1, False)] == decided(venue)
    await alpha.close()


@pytest.mark.parametrize("mode", ["lockstep", "wall"])
async def test_a_memory_of_another_account_is_forgotten_in_a_simulation_only(mode: str) -> None:
    """With real time there may be real money: a person must say what to do."""
    venue = ScriptedVenue(sleeps=True)
    venue.mode = mode
    await killed(venue)
    venue.accounts["a"].asleep = False
    alpha = alpha_with(venue)
    alpha.add(msgspec.structs.replace(spec_of("flat", trader_id="a"), account="b"))
    alpha.start()
    if mode == "wall":
        await alpha.instance().finished()
        assert "trader a remembers account a, not b: set its account back" in str(
            alpha.instance().failure
        )
    else:
        await until(lambda: venue.asleep("a"))
        assert [False] == [run["continued"] for run in venue.journal("a").of("run")]
        assert "b" == kept(venue).account
    await alpha.close()


@pytest.mark.parametrize(
    ("turns", "recorded", "first"),
    [(None, 0, 3001), (None, 40, 3001), (20, 40, 3001), (40, 40, 41), (41, 40, 42)],
)
async def test_who_takes_a_trader_over_gives_no_number_that_another_gave(
    turns: int | None, recorded: int, first: int
) -> None:
    """Where it remembers all that is recorded nobody else has decided, and it goes on as it was."""
    venue = ScriptedVenue(sleeps=True)
    if turns is not None:
        left = await killed(venue)
        left.memory.turns, left.memory.run.pending = turns, None
        venue.memories["a"].content = venue.memories["a"].encode(left)
    alpha = await begun(venue, decided=recorded, counts_from=3000)
    await alpha.close()
    assert first == decided(venue)[0][0]


async def test_steps_that_the_agent_owns_are_not_asked_for_again() -> None:
    """Nobody but the process itself knew them."""
    venue = ScriptedVenue(sleeps=True)
    await killed(venue)
    joins = await refused(venue, AssertionError("not joined"))
    venue.adopt = tuple
    alpha = await begun(venue)
    assert (1, None) == (joins(), kept(venue).request)
    await alpha.close()


async def test_a_venue_that_does_not_answer_a_leave_holds_up_no_stop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("strategy_agent.application.instance.LEAVE_LIMIT_S", 0.1)
    venue = ScriptedVenue(sleeps=True)

    alpha = alpha_with(venue, "a")
    one = alpha.instance()
    connect = one._context.connect

    async def never(_guards: object) -> None:
        await asyncio.Event().wait()

    async def connected(spec: Any) -> Any:
        parts = await connect(spec)
        object.__setattr__(parts, "leave", never)
        return parts

    object.__setattr__(one._context, "connect", connected)
    alpha.start()
    await until(lambda: venue.asleep("a"))
    await asyncio.wait_for(alpha.remove_strategy_instance("a"), 5)
    assert () == alpha.instances


async def test_commands_that_cannot_be_kept_are_a_refusal_of_the_disk() -> None:
    """The run goes on; no new risk until they are."""
    venue = ScriptedVenue(sleeps=True)
    venue.mode = "wall"
    alpha = await begun(venue, retry_pauses_s=(1000.0,))
    one, memory = alpha.instance(), venue.memories["a"]
    memory.commands_fault = FULL
    with pytest.raises(StorageError):
        alpha.pause("a", reason="news")
    await until(lambda: "commands_not_kept" in one.run.trouble)
    assert "running" == one.status.state
    memory.commands_fault = None
    await until(lambda: venue.asleep("a"))
    alpha.run_once("a")
    await until(lambda: not one.run.trouble)
    await alpha.close()
