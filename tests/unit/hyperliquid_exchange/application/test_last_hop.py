"""What leaves was written down, is allowed now, and belongs to one key."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import replace
from functools import wraps
from typing import Any

import pytest
from tests.support.live_parts import AGENT, MASTER, NOW_MS, Hop, live_account, request
from tests.support.virtual_time import VirtualClock, VirtualLoop, run_virtually

from hyperliquid_exchange.application.leaving import EXPIRES_MS
from hyperliquid_exchange.application.translating import cloid_of
from hyperliquid_exchange.domain.intents import Settled
from hyperliquid_exchange.domain.safety import EVERYBODY, Cause, Level
from suite.contracts import hyperliquid_exchange as wire
from suite.errors import (
    Conflict,
    Forbidden,
    NotOwner,
    RateLimited,
    StorageError,
    UpstreamTimeout,
)

ALICE = live_account()


def virtually(test: Callable[[Hop], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    """Run a test in time that jumps."""

    @wraps(test)
    def run() -> None:
        loop = VirtualLoop(random.Random(1))
        run_virtually(test(Hop(clock=VirtualClock(loop, NOW_MS))), loop)

    del run.__wrapped__
    return run


def order(key: str = "k1", *, reduce_only: bool = False, cloid: str | None = None) -> wire.Order:
    item = wire.OrderItem(
        a=0,
        b=True,
        p="94000",
        s="0.01",
        r=reduce_only,
        t=wire.Kind(limit=wire.LimitKind(tif="Gtc")),
        c=cloid or cloid_of("alice", key, 0),
    )
    return wire.Order(orders=[item], grouping="na")


def settle_soon(reply: Awaitable[Any]) -> "asyncio.Future[Any]":
    return asyncio.ensure_future(reply)


@virtually
async def test_answer_of_the_venue_is_told_and_belongs_to_the_key(hop: Hop) -> None:
    last = hop.open()
    first = await last.submit(ALICE, request(order()))
    again = await last.submit(ALICE, request(order()))
    assert (False, True, False) == (first.replayed, again.replayed, again.late)
    assert first.reply == again.reply
    assert first.reply["status"] == "ok"
    assert 1 == len(hop.venue.arrived)
    assert (1, 1) == (last.counts.decided, last.counts.left)
    assert 0 == hop.gate.under_way


@virtually
async def test_intent_is_durable_before_anything_leaves(hop: Hop) -> None:
    hop.log.gate = asyncio.Event()
    last = hop.open()
    asked = settle_soon(last.submit(ALICE, request(order())))
    await asyncio.sleep(1)
    assert [] == hop.venue.arrived
    hop.log.gate.set()
    await asked
    (intent,) = hop.log.begun.values()
    assert [intent.payload] == hop.venue.arrived
    assert (AGENT, NOW_MS + EXPIRES_MS) == (intent.signer, intent.expires_ms)


@virtually
async def test_intent_that_cannot_be_written_does_not_leave(hop: Hop) -> None:
    hop.log.broken = True
    last = hop.open()
    with pytest.raises(StorageError):
        await last.submit(ALICE, request(order()))
    assert [] == hop.venue.arrived
    hop.log.broken = False
    assert (await last.submit(ALICE, request(order()))).reply["status"] == "ok"
    assert 0 == hop.gate.under_way


@virtually
async def test_requests_at_the_same_time_act_once(hop: Hop) -> None:
    last = hop.open()
    told = await asyncio.gather(*(last.submit(ALICE, request(order())) for _ in range(5)))
    assert 1 == len({str(one.reply) for one in told})
    assert [False] + [True] * 4 == sorted(one.replayed for one in told)
    assert 1 == len(hop.venue.arrived)


@virtually
async def test_key_of_another_request_is_refused(hop: Hop) -> None:
    last = hop.open()
    await last.submit(ALICE, request(order()))
    other = request(wire.UpdateLeverage(asset=0, isCross=True, leverage=3))
    with pytest.raises(Conflict, match="another request"):
        await last.submit(ALICE, other)
    assert 1 == len(hop.venue.arrived)


@virtually
async def test_key_is_that_of_one_trader(hop: Hop) -> None:
    last = hop.open()
    await last.submit(ALICE, request(order()))
    assert not (await last.submit(live_account("bob"), request(order()))).replayed


@virtually
async def test_flood_of_refusals_is_not_kept(hop: Hop) -> None:
    """Their keys stay free; what may leave still does, and is found again."""
    hop.log.full = True
    last = hop.open()
    hop.gate.refusal = "duplicate: an equal order"
    with pytest.raises(RateLimited, match="duplicate: an equal order; too many keys"):
        await last.submit(ALICE, request(order()))
    with pytest.raises(RateLimited):
        await last.noop(ALICE, "k1")
    assert not last.knows(ALICE, "k1")
    assert {} == hop.log.settled

    hop.gate.refusal = None
    assert "ok" == (await last.submit(ALICE, request(order()))).reply["status"]
    assert (await last.noop(ALICE, "k1")).replayed


@virtually
async def test_noop_ends_a_key_that_was_never_used(hop: Hop) -> None:
    last = hop.open()
    for _ in range(2):
        proof = await last.noop(ALICE, "k1")
        assert ({"status": "ok", "response": {"type": "default"}}, False) == (
            proof.reply,
            proof.replayed,
        )
    with pytest.raises(Conflict, match="ended by a noop"):
        await last.submit(ALICE, request(order()))
    assert [] == hop.venue.arrived


@virtually
async def test_noop_tells_what_became_of_the_request(hop: Hop) -> None:
    last = hop.open()
    first = await last.submit(ALICE, request(order()))
    told = await last.noop(ALICE, "k1")
    assert (first.reply, True) == (told.reply, told.replayed)


@virtually
async def test_expired_request_is_answered_and_does_not_leave(hop: Hop) -> None:
    last = hop.open()
    late = await last.submit(ALICE, request(order(), expires_ms=NOW_MS - 1))
    assert {"status": "err", "response": "Action already expired"} == late.reply
    assert late.reply == (await last.noop(ALICE, "k1")).reply
    assert [] == hop.venue.arrived


@virtually
async def test_refusal_of_the_gate_is_an_answer_that_belongs_to_the_key(hop: Hop) -> None:
    last = hop.open()
    hop.gate.refusal = "order_size: too large"
    first = await last.submit(ALICE, request(order()))
    hop.gate.refusal = None
    again = await last.submit(ALICE, request(order()))
    assert {"status": "err", "response": "order_size: too large"} == first.reply == again.reply
    assert [] == hop.venue.arrived
    assert 1 == last.counts.refused


@virtually
async def test_what_is_not_on_the_list_is_never_signed(hop: Hop) -> None:
    last = hop.open()
    transfer = wire.VaultTransfer(vaultAddress=MASTER, isDeposit=False, usd=1)
    told = await last.submit(ALICE, request(transfer))  # type: ignore[arg-type]
    assert "action: vaultTransfer is never sent" in str(told.reply["response"])
    assert [] == hop.venue.arrived


def cause(level: Level, scope: str = EVERYBODY) -> Cause:
    return Cause(scope=scope, level=level, by="operator", reason="a drill", since_ms=NOW_MS)


@pytest.mark.parametrize("level", [Level.PAUSED, Level.STOPPED, Level.KILLED])
@pytest.mark.parametrize("scope", [EVERYBODY, "alice"])
def test_no_new_risk_where_it_is_forbidden(level: Level, scope: str) -> None:
    @virtually
    async def run(hop: Hop) -> None:
        last = hop.open()
        hop.safety.engage(cause(level, scope))
        told = await last.submit(ALICE, request(order()))
        assert f"safety: {level.name} by operator: a drill" == told.reply["response"]
        assert [] == hop.venue.arrived

    run()


@pytest.mark.parametrize("level", [Level.PAUSED, Level.STOPPED])
def test_what_reduces_risk_passes_until_a_kill(level: Level) -> None:
    @virtually
    async def run(hop: Hop) -> None:
        last = hop.open()
        hop.safety.engage(cause(level))
        exits: list[Any] = [
            order(reduce_only=True),
            wire.Cancel(cancels=[wire.CancelItem(a=0, o=1)]),
        ]
        for number, action in enumerate(exits):
            await last.submit(ALICE, request(action, key=f"e{number}"))
        assert 2 == len(hop.venue.arrived)

    run()


@virtually
async def test_kill_lets_only_a_flatten_out(hop: Hop) -> None:
    last = hop.open()
    hop.safety.engage(cause(Level.KILLED))
    refused = await last.submit(ALICE, request(order(reduce_only=True)))
    assert "safety: KILLED" in str(refused.reply["response"])
    await last.submit(ALICE, request(order(reduce_only=True), key="k2", by_operator=True))
    assert 1 == len(hop.venue.arrived)


@virtually
async def test_kill_while_the_intent_is_written_stops_it(hop: Hop) -> None:
    """Nothing that adds risk leaves after the kill was set."""
    hop.log.gate = asyncio.Event()
    last = hop.open()
    asked = settle_soon(last.submit(ALICE, request(order())))
    await asyncio.sleep(1)
    hop.safety.engage(cause(Level.KILLED))
    hop.log.gate.set()
    assert "safety: KILLED" in str((await asked).reply["response"])
    assert [] == hop.venue.arrived
    assert {} == hop.log.open


@virtually
async def test_pause_while_the_intent_is_written_stops_a_stop_that_moves_away(hop: Hop) -> None:
    """By its form it only reduces; the gate has seen what it takes the place of."""
    judge, hop.log.gate = hop.gate.judge, asyncio.Event()
    hop.gate.judge = lambda *asked: replace(judge(*asked), adds_risk=True)  # type: ignore[method-assign]
    last = hop.open()
    asked = settle_soon(last.submit(ALICE, request(order(reduce_only=True))))
    await asyncio.sleep(1)
    hop.safety.engage(cause(Level.PAUSED))
    hop.log.gate.set()
    assert "safety: PAUSED" in str((await asked).reply["response"])
    assert [] == hop.venue.arrived


@virtually
async def test_quiet_waits_for_what_is_on_its_way(hop: Hop) -> None:
    """So that a kill may be acknowledged once nothing can come after it."""
    hop.upstream.held = asyncio.Event()
    last = hop.open()
    asked = settle_soon(last.submit(ALICE, request(order())))
    await asyncio.sleep(1)
    quiet = settle_soon(last.quiet())
    await asyncio.sleep(1)
    assert not quiet.done()
    hop.upstream.held.set()
    await quiet
    assert 1 == len(hop.venue.arrived)
    await asked


@virtually
async def test_lost_request_is_told_as_unknown_and_ended_by_a_noop(hop: Hop) -> None:
    last = hop.open()
    hop.upstream.lost = 1
    with pytest.raises(UpstreamTimeout):
        await last.submit(ALICE, request(order()))
    proof = await last.noop(ALICE, "k1")
    assert not proof.replayed
    assert {} == hop.venue.executed
    with pytest.raises(Conflict, match="ended by a noop"):
        await last.submit(ALICE, request(order()))
    assert (1, 1, 0) == (last.counts.unknown, last.counts.never, last.counts.resolved)
    assert isinstance(hop.log.find("alice", "k1"), Settled)


@virtually
async def test_lost_answer_is_found_by_the_derived_client_id(hop: Hop) -> None:
    """And no noop leaves for it."""
    last = hop.open()
    hop.upstream.answers_lost = 1
    with pytest.raises(UpstreamTimeout):
        await last.submit(ALICE, request(order()))
    told = await last.submit(ALICE, request(order()))
    assert (True, True) == (told.replayed, told.late)
    (status,) = told.reply["response"]["data"]["statuses"]
    assert {"filled", "resting", "error"} & set(status)
    assert 1 == len(hop.venue.arrived)
    assert 0 == last.counts.noops


@virtually
async def test_no_new_risk_on_a_coin_of_unknown_fate(hop: Hop) -> None:
    """Other coins, and what reduces risk, pass."""
    last = hop.open()
    hop.upstream.lost, hop.upstream.info_down = 1_000, True
    with pytest.raises(UpstreamTimeout):
        await last.submit(ALICE, request(order()))
    assert (0,) == last.unknown("alice")
    hop.upstream.lost = 0
    hop.upstream.held = asyncio.Event()  # the resolution finds nothing out
    told = await last.submit(ALICE, request(order("k2"), key="k2"))
    assert str(told.reply["response"]).startswith("unknown: ")
    hop.upstream.held.set()
    hop.upstream.held = None
    passed = await last.submit(ALICE, request(order("k3", reduce_only=True), key="k3"))
    assert "unknown" not in str(passed.reply)
    await last.close()


@virtually
async def test_repeated_request_does_not_wait_for_ever(hop: Hop) -> None:
    last = hop.open()
    hop.upstream.held = asyncio.Event()
    first = settle_soon(last.submit(ALICE, request(order())))
    await asyncio.sleep(1)
    with pytest.raises(UpstreamTimeout):
        await last.noop(ALICE, "k1")
    hop.upstream.held.set()
    await first


@virtually
async def test_open_intents_are_found_out_before_new_risk_leaves(hop: Hop) -> None:
    """Of an earlier life: whether it was executed is asked, not assumed."""
    last = hop.open()
    hop.upstream.held = asyncio.Event()
    asked = settle_soon(last.submit(ALICE, request(order())))
    await asyncio.sleep(0.1)
    await last.close()
    asked.cancel()
    assert 1 == len(hop.log.open)
    hop.upstream.held = None
    next_life = hop.open()
    next_life.recover({ALICE.trader_id: ALICE})
    refused = await next_life.submit(ALICE, request(order("k2"), key="k2"))
    assert str(refused.reply["response"]).startswith("unresolved: ")
    proof = await next_life.noop(ALICE, "k1")
    assert not proof.replayed
    passed = await next_life.submit(ALICE, request(order("k3"), key="k3"))
    assert "unresolved" not in str(passed.reply)
    assert 1 == hop.log.noops["alice", "k1"]


@virtually
async def test_what_was_not_written_down_kills_everything(hop: Hop) -> None:
    """Orders out = orders decided: a log that does not hold what is about to leave is a bug."""
    last = hop.open()
    hop.log.forgetful = True
    with pytest.raises(Forbidden, match="KILLED"):
        await last.submit(ALICE, request(order()))
    assert [] == hop.venue.arrived
    (found,) = hop.safety.causes
    assert (EVERYBODY, Level.KILLED, "last_hop") == (found.scope, found.level, found.by)
    told = await last.submit(live_account("bob"), request(order(), key="k2"))
    assert "safety: KILLED" in str(told.reply["response"])


@virtually
async def test_nothing_leaves_of_a_signer_that_was_lost(hop: Hop) -> None:
    last = hop.open()
    hop.log.gate = asyncio.Event()
    asked = settle_soon(last.submit(ALICE, request(order())))
    await asyncio.sleep(1)
    hop.ownership.gone = True
    hop.log.gate.set()
    with pytest.raises(NotOwner):
        await asked
    with pytest.raises(NotOwner):
        await last.submit(ALICE, request(order("k2"), key="k2"))
    assert [] == hop.venue.arrived


@virtually
async def test_many_lost_answers_pause_everybody(hop: Hop) -> None:
    """More than 2 % of a minute, and three at the least."""
    last = hop.open()
    for number in range(4):
        hop.upstream.lost = 1
        key = f"u{number}"
        with pytest.raises(UpstreamTimeout):
            await last.submit(ALICE, request(order(key), key=key))
        if number < 2:
            assert () == hop.safety.causes
        await last.noop(ALICE, key)
        if number == 2:
            break
    (found,) = hop.safety.causes
    assert (EVERYBODY, Level.PAUSED, "last_hop") == (found.scope, found.level, found.by)
    await asyncio.sleep(50)
    assert hop.safety.causes
    await asyncio.sleep(12)
    assert () == hop.safety.causes


@virtually
async def test_pause_for_lost_answers_outlives_no_minute_of_the_next_life(hop: Hop) -> None:
    """It is taken back by whoever comes after; a person's pause and others' are not."""
    lost, person = (
        Cause(scope=EVERYBODY, level=Level.PAUSED, by=by, reason="", since_ms=NOW_MS)
        for by in ("last_hop", "operator")
    )
    hop.safety.engage(lost)
    hop.safety.engage(person)
    last = hop.open()
    last.recover({ALICE.trader_id: ALICE})
    await asyncio.sleep(50)
    assert {"last_hop", "operator"} == {cause.by for cause in hop.safety.causes}
    await asyncio.sleep(12)
    assert [person] == list(hop.safety.causes)


@virtually
async def test_bug_below_leaves_the_fate_unknown(hop: Hop) -> None:
    """Whatever breaks while bytes may be on their way, nobody says that nothing happened."""
    last = hop.open()
    send = hop.upstream.exchange

    async def broken(payload: bytes) -> Any:
        await send(payload)
        raise ZeroDivisionError

    hop.upstream.exchange = broken  # type: ignore[method-assign]
    with pytest.raises(UpstreamTimeout):
        await last.submit(ALICE, request(order()))
    hop.upstream.exchange = send  # type: ignore[method-assign]
    assert (await last.noop(ALICE, "k1")).replayed


@virtually
async def test_answer_that_names_another_order_is_not_believed(hop: Hop) -> None:
    """Somebody between has mixed two answers up: what became of this one is asked."""
    last = hop.open()
    send = hop.upstream.exchange
    await last.submit(ALICE, request(order("k0"), key="k0"))
    other = {"resting": {"oid": 99, "cloid": "0x" + "9" * 32}}

    async def mixed_up(payload: bytes) -> Any:
        await send(payload)
        hop.upstream.exchange = send  # type: ignore[method-assign]
        return {"status": "ok", "response": {"type": "order", "data": {"statuses": [other]}}}

    hop.upstream.exchange = mixed_up  # type: ignore[method-assign]
    with pytest.raises(UpstreamTimeout):
        await last.submit(ALICE, request(order()))
    told = await last.submit(ALICE, request(order()))
    assert "99" not in str(told.reply)
