"""What becomes of the orders of a trader when answers are lost, late or no answers."""

import asyncio
import random
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.support.intents import buy, cancel, close, filled, intent
from tests.support.waiting import until

from strategy_agent.adapters.intent_file import IntentFile
from strategy_agent.adapters.kill_latch import KillLatch
from strategy_agent.application.budget import RateBudget
from strategy_agent.application.delivery import (
    NEVER_EXECUTED,
    DeliveryTimeouts,
    OrderDelivery,
    adds_risk,
    key_of,
)
from strategy_agent.application.ports import DurableIntent
from suite.checks import InvariantViolated
from suite.contracts.venue import Action, ActionReply, AdjustMargin, SetLeverage
from suite.errors import StorageError, UpstreamTimeout
from suite.service.clock import SystemClock

FOR_EVER = object()
LOST_LATER = object()
LOST = UpstreamTimeout("no answer")
QUICK = DeliveryTimeouts(turn_s=0.3, first_pause_s=0.001, longest_pause_s=0.01)
AT_MS = 1_746_403_200_000


class Gateway:
    """An exchange whose answers are scripted; the last of each script is repeated.

    Attributes:
        seen: what came, in order.
    """

    def __init__(self, sends: list[Any] | None = None, resolves: list[Any] | None = None) -> None:
        self.sends = sends if sends is not None else [filled()]
        self.resolves = resolves if resolves is not None else [None]
        self.seen: list[tuple[str, DurableIntent]] = []
        self.came = asyncio.Event()
        self.open = asyncio.Event()
        self.on_send: Callable[[DurableIntent], object] = lambda _intent: None

    async def send(self, intent: DurableIntent) -> ActionReply:
        self.seen.append(("send", intent))
        self.came.set()
        self.on_send(intent)
        answer = await self._next(self.sends)
        assert isinstance(answer, ActionReply)
        return answer

    async def resolve(self, intent: DurableIntent) -> ActionReply | None:
        self.seen.append(("resolve", intent))
        answer: ActionReply | None = await self._next(self.resolves)
        return answer

    async def _next(self, script: list[Any]) -> Any:
        answer = script.pop(0) if len(script) > 1 else script[0]
        await asyncio.sleep(0)
        if isinstance(answer, Exception):
            raise answer
        if answer is FOR_EVER or answer is LOST_LATER:
            await self.open.wait()
            if answer is LOST_LATER:
                raise LOST
            return filled()
        return answer

    def did(self) -> list[str]:
        return [name for name, _ in self.seen]


class Parts:
    """A delivery and what is around it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = IntentFile(folder / "intents")
        self.latch = KillLatch(folder / "kill")
        self.now_s = 0.0
        self.budget = RateBudget(lambda: self.now_s, per_minute=100, reserve=20)

    def delivery(self, gateway: Gateway, timeouts: DeliveryTimeouts = QUICK) -> OrderDelivery:
        return OrderDelivery(
            gateway,
            self.log,
            SystemClock(),
            trader_id="alice",
            latch=self.latch,
            budget=self.budget,
            jitter=random.Random(1),
            timeouts=timeouts,
        )

    def restart(self) -> None:
        self.log.close()
        self.log = IntentFile(self.folder / "intents")


@pytest.fixture
def parts(tmp_path: Path) -> Iterator[Parts]:
    made = Parts(tmp_path)
    yield made
    made.log.close()


async def act(delivery: OrderDelivery, *actions: Action, turn: int = 1) -> tuple[ActionReply, ...]:
    return await delivery.carry_out(actions, turn=turn, decided_ms=AT_MS)


def held(reply: ActionReply) -> bool:
    return reply.status == "err" and str(reply.response).startswith("held back: ")


def sent(reply: ActionReply) -> bool:
    response: Any = reply.response
    return bool(reply.status == "ok" and response["data"]["statuses"] == ["sent"])


async def test_intent_is_durable_before_its_first_byte_leaves(parts: Parts) -> None:
    """What a process that dies in the middle of the call would find."""
    gateway = Gateway()
    copy = parts.folder / "copy" / "intents"
    copy.parent.mkdir()
    gateway.on_send = lambda _intent: copy.write_bytes((parts.folder / "intents").read_bytes())
    (reply,) = await act(parts.delivery(gateway), buy())
    found = IntentFile(copy)
    ((_, left),) = gateway.seen
    assert (left,) == found.open_intents()
    assert (filled(), ()) == (reply, parts.log.open_intents())
    assert f"0x{left.key}" == left.action.cloid  # type: ignore[union-attr]
    found.close()


async def test_lost_answer_is_asked_for_with_the_same_bytes(parts: Parts) -> None:
    """While the decision is young: key, action and expiry are the first ones."""
    gateway = Gateway(sends=[LOST, LOST, filled()])
    delivery = parts.delivery(gateway)
    assert (filled(),) == await act(delivery, buy())
    assert ["send"] * 3 == gateway.did()
    assert 1 == len({repr(left) for _, left in gateway.seen})
    counts = delivery.counts
    assert (1, 1, 2) == (counts.decided, counts.sent, counts.sent_again)
    assert {} == delivery.unknown


@pytest.mark.parametrize(("told", "expected"), [(filled(), filled()), (None, None)])
async def test_key_is_ended_once_the_decision_is_old(
    parts: Parts, told: ActionReply | None, expected: ActionReply | None
) -> None:
    """And never sent again after that; the answer is evidence, or proof that there is none."""
    gateway = Gateway(sends=[LOST], resolves=[LOST, LOST, told])
    timeouts = DeliveryTimeouts(
        turn_s=5, first_pause_s=0.001, longest_pause_s=0.01, entry_wanted_ms=-1
    )
    (reply,) = await act(parts.delivery(gateway, timeouts), buy())
    never = ActionReply(status="err", response=NEVER_EXECUTED)
    assert (expected or never) == reply
    assert ["send", "resolve", "resolve", "resolve"] == gateway.did()


async def test_no_time_ends_what_is_unknown(parts: Parts) -> None:
    """Its turn is answered, the coin stays closed to new risk, others and exits are not."""
    gateway = Gateway(sends=[LOST, filled(7)], resolves=[LOST])
    timeouts = DeliveryTimeouts(
        turn_s=0.5, order_s=0.05, first_pause_s=0.05, longest_pause_s=0.05, entry_wanted_ms=-1
    )
    delivery = parts.delivery(gateway, timeouts)
    (reply,) = await act(delivery, buy("BTC"))
    assert sent(reply)
    assert ["BTC"] == list(delivery.unknown)
    replies = await act(delivery, buy("BTC"), close("BTC"), cancel(5), buy("ETH"), turn=2)
    assert [True, False, False, False] == [held(reply) for reply in replies]
    assert ["BTC"] == list(delivery.unknown)
    assert 4 == delivery.counts.sent
    await delivery.close()


async def test_fate_that_becomes_known_later_opens_the_coin_again(parts: Parts) -> None:
    gateway = Gateway(sends=[LOST, filled()], resolves=[LOST])
    timeouts = DeliveryTimeouts(
        turn_s=0.05, first_pause_s=0.001, longest_pause_s=0.01, entry_wanted_ms=-1
    )
    delivery = parts.delivery(gateway, timeouts)
    assert sent((await act(delivery, buy()))[0])
    gateway.resolves = [None]
    assert (filled(),) == await act(delivery, buy(), turn=2)
    assert {} == delivery.unknown
    assert 1 == delivery.counts.never_executed


async def test_open_intents_of_an_earlier_run_are_resolved_before_an_entry_leaves(
    parts: Parts,
) -> None:
    """By ending their keys: nobody knows any more whether they are wanted."""
    parts.log.begin(intent(1))
    parts.log.begin(intent(2, "ETH"))
    parts.restart()
    gateway = Gateway(resolves=[LOST, filled(), None])
    delivery = parts.delivery(gateway)
    assert ["unresolved_intents"] == list(delivery.trouble)
    assert (filled(),) == await act(delivery, buy())
    assert ["resolve", "resolve", "resolve", "send"] == gateway.did()
    assert [] == list(delivery.trouble)
    assert () == parts.log.open_intents()


async def test_no_new_risk_leaves_while_an_earlier_run_is_not_resolved(parts: Parts) -> None:
    """A position from before the restart can be closed all the same, and at once."""
    parts.log.begin(intent(1))
    parts.restart()
    gateway = Gateway(resolves=[LOST])
    delivery = parts.delivery(gateway, DeliveryTimeouts(turn_s=0.2, first_pause_s=0.05))
    replies = await act(delivery, close("ETH"), cancel(5), buy("ETH"))
    assert [False, False, True] == [held(reply) for reply in replies]
    assert ["send", "send"] == gateway.did()[:2]
    assert {"resolve"} == set(gateway.did()[2:])
    assert ("unresolved_intents",) == delivery.trouble
    await delivery.close()


async def test_call_that_is_cancelled_leaves_its_intent_unknown(parts: Parts) -> None:
    """And it is resolved all the same; the same turn does not act again."""
    gateway = Gateway(sends=[FOR_EVER])
    delivery = parts.delivery(gateway)
    acting = asyncio.ensure_future(act(delivery, buy()))
    await gateway.came.wait()
    acting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await acting
    assert ["BTC"] == list(delivery.unknown)
    gateway.open.set()
    assert (filled(),) == await act(delivery, buy())
    assert (["send"], 1) == (gateway.did(), delivery.counts.decided)


COINS = tuple(f"C{number}" for number in range(13))


async def test_exits_do_not_wait_for_each_other_where_the_venue_is_silent(parts: Parts) -> None:
    """A turn has an end; what reduces risk has left by then, and no entry leaves later."""
    gateway = Gateway(sends=[FOR_EVER])
    delivery = parts.delivery(gateway, DeliveryTimeouts(turn_s=1.0, order_s=0.2))
    exits = [action for coin in COINS for action in (cancel(1, coin), close(coin))]
    before_s = asyncio.get_running_loop().time()
    replies = await act(delivery, *exits, buy("C1"), buy("D"))
    assert asyncio.get_running_loop().time() - before_s < 2.0
    assert len(exits) == sum(sent(reply) for reply in replies[:-2])
    assert len(exits) + 1 == len(gateway.seen)
    assert [True, False] == [held(reply) for reply in replies[-2:]]
    await delivery.close()


async def test_an_action_expires_by_the_begin_of_its_turn(parts: Parts) -> None:
    """However long those before it took."""
    gateway = Gateway(sends=[FOR_EVER])
    delivery = parts.delivery(gateway, DeliveryTimeouts(turn_s=0.3, order_s=0.2))
    await act(delivery, close(), close())
    assert [1, 2] == [len({i.expires_ms for _, i in gateway.seen}), len(gateway.seen)]
    await delivery.close()


async def test_orders_of_a_coin_leave_in_their_order_while_the_venue_answers(parts: Parts) -> None:
    """A stop is no use before its entry, nor an entry before its leverage or the close."""
    gateway = Gateway()
    leave = SetLeverage(coin="BTC", leverage=3)
    done: list[str] = []
    real = gateway.send

    async def send(intent: DurableIntent) -> ActionReply:
        action = intent.action
        done.append(f"{type(action).__name__} {action.coin}")
        await asyncio.sleep(0.02)
        done.append("answered")
        return await real(intent)

    gateway.send = send  # type: ignore[method-assign]
    delivery = parts.delivery(gateway, DeliveryTimeouts(turn_s=5, order_s=1))
    await act(delivery, close(), leave, buy(), close())
    assert ["PlaceOrder BTC", "answered", "SetLeverage BTC", "answered"] == done[:4]
    assert ["PlaceOrder BTC", "answered", "PlaceOrder BTC", "answered"] == done[4:]


async def test_more_actions_than_are_remembered_have_an_answer_each(parts: Parts) -> None:
    cancels = [cancel(oid) for oid in range(1100)]
    delivery = parts.delivery(Gateway(), DeliveryTimeouts(turn_s=60))
    assert 1100 == len(await act(delivery, *cancels))
    assert 1100 == len(await act(delivery, *cancels))
    assert 1100 == delivery.counts.sent


async def test_same_turn_acts_once(parts: Parts) -> None:
    gateway = Gateway()
    delivery = parts.delivery(gateway)
    assert await act(delivery, buy()) == await act(delivery, buy())
    assert ["send"] == gateway.did()
    await act(delivery, buy(), turn=2)
    assert ["send", "send"] == gateway.did()


async def test_kill_latch_stops_new_risk_and_its_repetition(parts: Parts) -> None:
    """What was under way is ended rather than sent again; exits pass."""
    gateway = Gateway(sends=[LOST, filled()], resolves=[None])
    delivery = parts.delivery(gateway)
    gateway.on_send = lambda _intent: (parts.folder / "kill").touch()
    entry, exit_ = await act(delivery, buy(), close())
    assert ["resolve", "send", "send"] == sorted(gateway.did())
    assert NEVER_EXECUTED == entry.response
    assert filled() == exit_
    assert ("kill_latch",) == delivery.trouble
    assert held((await act(delivery, buy(), turn=2))[0])


async def test_exits_pass_below_the_reserve_of_the_budget(parts: Parts) -> None:
    """A storm of entries leaves room for every exit."""
    delivery = parts.delivery(Gateway(), DeliveryTimeouts(turn_s=30))
    entries = await act(delivery, *(buy() for _ in range(100)))
    assert 80 == sum(not held(reply) for reply in entries)
    exits = await act(delivery, *(close() for _ in range(100)), turn=2)
    assert 0 == sum(held(reply) for reply in exits)


async def test_wait_that_is_asked_for_is_heeded(parts: Parts) -> None:
    """Retry-After wins over the own pauses."""
    gateway = Gateway(sends=[UpstreamTimeout("429", retry_after_ms=200), filled()])
    loop = asyncio.get_running_loop()
    before = loop.time()
    assert (filled(),) == await act(parts.delivery(gateway), buy())
    assert loop.time() - before >= 0.2


async def test_disk_that_refuses_stops_entries_alone(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_intent: DurableIntent) -> None:
        raise StorageError("cannot write the intents: No space left on device")

    monkeypatch.setattr(parts.log, "begin", full)
    entry, exit_ = await act(parts.delivery(Gateway()), buy(), close())
    assert held(entry)
    assert filled() == exit_


async def test_action_without_an_intent_engages_the_latch(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the bug is, the last hop compares with what is durable."""
    monkeypatch.setattr(parts.log, "begin", lambda _intent: None)
    gateway = Gateway()
    delivery = parts.delivery(gateway)
    with pytest.raises(InvariantViolated):
        await act(delivery, buy())
    assert [] == gateway.did()
    assert KillLatch(parts.folder / "kill").reason.startswith("an action was about to leave")
    await delivery.close()


async def test_bug_in_finding_out_engages_the_latch(parts: Parts) -> None:
    """Nobody would look for that fate any more, and nobody may believe it to be known."""
    delivery = parts.delivery(Gateway(sends=[LOST, ZeroDivisionError("a bug")]))
    with pytest.raises(ZeroDivisionError):
        await act(delivery, buy())
    assert "a bug" in parts.latch.reason
    assert ["BTC"] == list(delivery.unknown)


@pytest.mark.parametrize(
    ("action", "expected"),
    [
        (buy(), True),
        (close(), False),
        (cancel(1), False),
        (SetLeverage(coin="BTC", leverage=3), True),
        (AdjustMargin(coin="BTC", margin=Decimal(-1)), True),
        (AdjustMargin(coin="BTC", margin=Decimal(1)), False),
    ],
)
def test_what_may_add_risk_is_held_back(action: Action, expected: bool) -> None:
    assert expected == adds_risk(action)


def test_keys_of_different_decisions_differ_and_are_repeatable() -> None:
    base: dict[str, Any] = {"generation": 1, "decided_ms": AT_MS, "turn": 1, "leg": 0}
    keys = [key_of("alice", **{**base, name: 7}) for name in base]
    keys += [key_of("bob", **base), key_of("alice", **base)]
    assert len(keys) == len(set(keys))
    assert key_of("alice", **base) == keys[-1]
    assert 32 == len(keys[-1])


async def test_an_end_waits_for_what_is_on_its_way_and_sends_no_entry_again(parts: Parts) -> None:
    """Whoever looks at the account afterwards sees what has arrived."""
    gateway = Gateway([FOR_EVER])
    delivery = parts.delivery(gateway)
    turn = asyncio.create_task(act(delivery, buy()))
    await until(lambda: gateway.did() == ["send"])
    turn.cancel()
    assert ("BTC",) == await delivery.settle(0.01)
    gateway.open.set()
    assert () == await delivery.settle(5)
    assert ["send"] == gateway.did()
    lost = Gateway([LOST_LATER])
    delivery = parts.delivery(lost)
    turn = asyncio.create_task(act(delivery, buy(), turn=2))
    await until(lambda: lost.did() == ["send"])
    turn.cancel()
    assert ("BTC",) == await delivery.settle(0.01)
    lost.open.set()
    assert () == await delivery.settle(5)
    assert ["send", "resolve"] == lost.did()
