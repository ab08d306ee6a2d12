"""What counts as proof of an action's fate, rule by rule, in virtual time."""

import asyncio
import random
from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any

import pytest
from tests.support.live_model import signed
from tests.support.live_parts import (
    AGENT,
    CLIENT,
    NOW_MS,
    Hop,
    known_facts,
    live_account,
    request,
)
from tests.support.virtual_time import VirtualClock, VirtualLoop, run_virtually

from hyperliquid_exchange.application import answers
from hyperliquid_exchange.application.evidence import LOST, USED
from hyperliquid_exchange.application.last_hop import LastHop
from hyperliquid_exchange.application.requests import Signed
from hyperliquid_exchange.application.resolving import about
from hyperliquid_exchange.application.translating import cloid_of
from hyperliquid_exchange.domain.facts import RestingOrder
from hyperliquid_exchange.domain.intents import Settled
from hyperliquid_exchange.domain.safety import Level
from suite.contracts import hyperliquid_exchange as wire
from suite.errors import UpstreamTimeout
from suite.fixed import Price, Size

ALICE = live_account()
OWN = "0x" + "7" * 31 + "2"
"""A client id that the caller has chosen; the venue lets such an order rest."""


def virtually(test: Callable[[Hop], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    @wraps(test)
    def run() -> None:
        loop = VirtualLoop(random.Random(1))
        run_virtually(test(Hop(clock=VirtualClock(loop, NOW_MS))), loop)

    del run.__wrapped__
    return run


def order(*, cloid: str | None = None, reduce_only: bool = False, size: str = "0.01") -> wire.Order:
    item = wire.OrderItem(
        a=0,
        b=True,
        p="94000",
        s=size,
        r=reduce_only,
        t=wire.Kind(limit=wire.LimitKind(tif="Gtc")),
        c=cloid or cloid_of("alice", "k1", 0),
    )
    return wire.Order(orders=[item], grouping="na")


async def lose(last: LastHop, action: Any, key: str = "k1", **more: Any) -> None:
    """Submit what gets no answer."""
    with pytest.raises(UpstreamTimeout):
        await last.submit(ALICE, request(action, key=key, **more))


async def fate(hop: Hop, key: str = "k1") -> Settled:
    """Wait until it is known."""
    for _ in range(2_000):
        found = hop.log.find("alice", key)
        if isinstance(found, Settled):
            return found
        await asyncio.sleep(0.1)
    raise AssertionError("never known")


def now_ms(hop: Hop) -> int:
    return hop.clock.now_ms() - NOW_MS


@virtually
async def test_noop_that_is_accepted_proves_that_it_never_ran(hop: Hop) -> None:
    last = hop.open()
    hop.upstream.lost = 1
    await lose(last, order(cloid=OWN))
    assert "never" == (await fate(hop)).outcome
    assert now_ms(hop) < 1_000
    assert {} == hop.venue.executed


@virtually
async def test_name_that_a_caller_chose_is_believed_after_a_used_nonce_alone(hop: Hop) -> None:
    """An older order may have that name; only what looks like the one that was sent counts."""
    last = hop.open()
    hop.upstream.answers_lost = 1
    await lose(last, order(cloid=OWN))
    found = await fate(hop)
    assert "resting" in answers.statuses_of(found.reply or {})[0]
    assert 1 == hop.log.noops["alice", "k1"]


@virtually
async def test_an_order_that_was_modified_since_is_known_by_what_it_was(hop: Hop) -> None:
    """The venue shows the newest of a name, which does not look like the one that was sent."""
    last = hop.open()
    hop.upstream.answers_lost = 1
    await lose(last, order(cloid=OWN))
    sent = hop.venue.orders[OWN]
    hop.venue.orders[OWN] = sent | {"order": sent["order"] | {"limitPx": "93000"}}
    found = await fate(hop)
    assert "answered" == found.outcome
    assert "resting" in answers.statuses_of(found.reply or {})[0]


@virtually
async def test_older_order_of_the_same_name_is_no_evidence(hop: Hop) -> None:
    """Even where the nonce is used: a noop whose answer was lost has used it."""
    last = hop.open()
    await last.submit(ALICE, request(order(cloid=OWN, size="0.5"), key="k0"))
    hop.upstream.lost = hop.upstream.answers_lost = 1
    await lose(last, order(cloid=OWN))
    assert "never" == (await fate(hop)).outcome
    assert 1 < hop.log.noops["alice", "k1"]


@virtually
async def test_used_nonce_proves_nothing_after_a_noop_of_unknown_fate(hop: Hop) -> None:
    """The noop may have used it: nobody says that the action was consumed."""
    last = hop.open()
    hop.upstream.lost = hop.upstream.answers_lost = 1
    await lose(last, wire.UpdateIsolatedMargin(asset=0, isBuy=True, ntli=-5))
    assert answers.err(LOST) == (await fate(hop)).reply
    assert {} == hop.venue.done


@virtually
async def test_nonce_that_is_used_is_asked_for_what_it_did(hop: Hop) -> None:
    """A refusal that leaves no record: it was never executed, and will not be."""
    last = hop.open()
    refused = "0x" + "7" * 31 + "4"
    hop.upstream.answers_lost = 1
    await lose(last, order(cloid=refused))
    assert "never" == (await fate(hop)).outcome
    assert 5_000 <= now_ms(hop) < 10_000


@virtually
async def test_without_a_noop_the_end_of_its_time_is_waited_for(hop: Hop) -> None:
    """And some seconds, in which nothing of it is seen."""
    last = hop.open()
    hop.upstream.lost = 1
    hop.log.noops_fail = True
    await lose(last, order(cloid=OWN), expires_ms=NOW_MS + 20_000)
    assert "never" == (await fate(hop)).outcome
    assert 28_000 <= now_ms(hop)


@virtually
async def test_venue_that_cannot_be_asked_proves_nothing(hop: Hop) -> None:
    last = hop.open()
    hop.upstream.lost, hop.upstream.info_down = 1_000_000, True
    await lose(last, order())
    await asyncio.sleep(600)
    assert not isinstance(hop.log.find("alice", "k1"), Settled)
    hop.upstream.lost, hop.upstream.info_down = 0, False
    assert "never" == (await fate(hop)).outcome


@virtually
async def test_exit_is_sent_again_with_the_same_bytes(hop: Hop) -> None:
    last = hop.open()
    hop.upstream.lost = 1
    await lose(last, order(cloid=OWN, reduce_only=True))
    assert "answered" == (await fate(hop)).outcome
    (payload,) = hop.venue.arrived
    assert payload == hop.log.begun["alice", "k1"].payload
    assert (1, 0) == (last.counts.again, last.counts.noops)


@virtually
async def test_entry_is_never_sent_again(hop: Hop) -> None:
    last = hop.open()
    hop.upstream.lost = 3
    await lose(last, order())
    await fate(hop)
    assert 0 == last.counts.again
    assert all(b"noop" in payload for payload in hop.venue.arrived)


@pytest.mark.parametrize("told", ["Action already expired", "Invalid nonce: duplicate nonce 5"])
def test_answer_about_one_copy_is_confirmed_before_it_is_believed(told: str) -> None:
    """A packet that the network has doubled: the first copy may have been executed."""

    @virtually
    async def run(hop: Hop) -> None:
        last = hop.open()
        send = hop.upstream.exchange

        async def doubled(payload: bytes) -> Any:
            await send(payload)
            hop.upstream.exchange = send  # type: ignore[method-assign]
            return {"status": "err", "response": told}

        hop.upstream.exchange = doubled  # type: ignore[method-assign]
        await lose(last, order())
        assert "ok" == ((await fate(hop)).reply or {})["status"]
        assert [1] == list(hop.venue.executed.values())

    run()


@virtually
async def test_proofs_that_contradict_each_other_pause_the_account(hop: Hop) -> None:
    """The stream shows the order, the venue says that it never was: a human decides."""
    cloid = cloid_of("alice", "k1", 0)
    resting = RestingOrder(
        oid=1,
        cloid=cloid,
        asset=0,
        is_buy=True,
        price=Price(1),
        size=Size(1),
        reduce_only=False,
    )
    last = hop.open()
    hop.upstream.lost = 1
    await lose(last, order())
    hop.facts.known = known_facts(orders=(resting,))
    await asyncio.sleep(60)
    assert not isinstance(hop.log.find("alice", "k1"), Settled)
    (found,) = hop.safety.causes
    assert ("alice", Level.PAUSED, "last_hop") == (found.scope, found.level, found.by)
    hop.facts.known = known_facts()
    assert "never" == (await fate(hop)).outcome


@virtually
async def test_lost_cancel_is_told_by_what_became_of_the_order(hop: Hop) -> None:
    last = hop.open()
    await last.submit(ALICE, request(order(cloid=OWN), key="k0"))
    hop.upstream.answers_lost = 1
    cancel = wire.CancelByCloid(cancels=[wire.CancelCloidItem(asset=0, cloid=OWN)])
    hop.upstream.again_fails = True
    await lose(last, cancel)
    assert ["success"] == answers.statuses_of((await fate(hop)).reply or {})


@virtually
async def test_lost_choice_of_leverage_is_read_back(hop: Hop) -> None:
    last = hop.open()
    hop.upstream.answers_lost = 1
    await lose(last, wire.UpdateLeverage(asset=0, isCross=True, leverage=3))
    assert answers.DONE == (await fate(hop)).reply


@virtually
async def test_what_shows_nowhere_is_told_as_not_known(hop: Hop) -> None:
    """Margin moved: that it was consumed, and no more, or not even that."""
    last = hop.open()
    hop.upstream.answers_lost = 1
    margin = wire.UpdateIsolatedMargin(asset=0, isBuy=True, ntli=-5)
    await lose(last, margin)
    assert answers.err(USED) == (await fate(hop)).reply
    hop.upstream.answers_lost = 1
    hop.log.noops_fail = True
    await lose(last, margin, key="k2")
    assert answers.err(LOST) == (await fate(hop, "k2")).reply


@virtually
async def test_noop_counts_before_it_leaves_and_over_restarts(hop: Hop) -> None:
    last = hop.open()
    hop.upstream.lost = 1_000_000
    hop.upstream.info_down = True
    await lose(last, order())
    await asyncio.sleep(3)
    before = hop.log.noops["alice", "k1"]
    assert before >= 2
    await last.close()
    again = hop.open()
    again.recover({ALICE.trader_id: ALICE})
    await asyncio.sleep(3)
    assert hop.log.noops["alice", "k1"] > before
    await again.close()


@pytest.mark.parametrize(
    "row",
    [
        {"status": "open", "order": {"oid": 1, "sz": "much", "origSz": "0.01", "side": "B"}},
        {"status": "open", "order": {"oid": 1, "sz": "0.01", "origSz": None, "side": "B"}},
        {"status": "open", "order": []},
        {"status": "open"},
    ],
)
def test_nonsense_of_the_venue_ends_no_resolution(row: Any) -> None:
    @virtually
    async def run(hop: Hop) -> None:
        last = hop.open()
        hop.upstream.answers_lost = 1
        hop.upstream.info_down = True
        await lose(last, order())
        told = dict(hop.venue.orders)
        hop.venue.orders = dict.fromkeys(told, row)
        hop.upstream.info_down = False
        await asyncio.sleep(60)
        assert (0,) == last.unknown("alice")  # still blocked, still looked for
        hop.venue.orders = told
        assert "answered" == (await fate(hop)).outcome

    run()


@virtually
async def test_nonce_of_a_client_ends_with_the_venues_window(hop: Hop) -> None:
    """No noop of its signer can be sent here, and it has no end of its own."""
    last, action = hop.open(), order(cloid=OWN)
    hop.upstream.lost = 1
    payload = signed(action, NOW_MS, None, CLIENT)
    client = Signed(signer=CLIENT, nonce=NOW_MS, payload=payload)
    await lose(last, action, signed=client)
    await asyncio.sleep(172_800)
    assert last.unknown("alice")
    assert "never" == (await fate(hop)).outcome


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        ({"status": "ok", "response": {"type": "default"}}, "answer"),
        ({"status": "err", "response": "Must deposit before performing actions."}, "answer"),
        ({"status": "err", "response": "Invalid nonce: duplicate nonce 5"}, "used"),
        ({"status": "err", "response": "Invalid nonce: nonce too low 5 < 6"}, "too_old"),
        ({"status": "err", "response": "Invalid nonce: nonce too high 5 > 6"}, "copy"),
        ({"status": "err", "response": "Action already expired"}, "copy"),
    ],
)
def test_what_an_answer_is_about(reply: dict[str, Any], expected: str) -> None:
    assert expected == about(reply)


def test_agent_of_the_tests_is_the_accounts() -> None:
    """Noops are sent for the agent's own nonces alone."""
    assert AGENT == ALICE.signer
