"""The barrier: who waits, who wakes, and that neither speed nor order of arrival matters."""

import itertools
import random
from decimal import Decimal
from typing import Any, Literal

import pytest
from tests.support.worlds import START_MS, expire, open_memory_world, path_bars, random_source

from suite.bars import HOUR_MS, MINUTE_MS
from suite.checks import InvariantViolated
from suite.clock import ManualClock
from suite.contracts.clock import PriceCross, WaitReply, WaitRequest, WakeOn, Want
from suite.contracts.guards import GuardSummary
from suite.contracts.venue import PlaceOrder
from suite.errors import BadRequest, Conflict, JoinFirst, NotFound
from virtual_exchange.application.clock.barrier import JOIN_LIMIT_MS, SILENCE_LIMIT_MS
from virtual_exchange.application.clock.participant import Ticket
from virtual_exchange.application.report.building import build_report
from virtual_exchange.application.session import Session


def world(*accounts: str, clock: ManualClock | None = None, **settings: Any) -> Session:
    return open_memory_world(random_source("BTC"), accounts=accounts, clock=clock, **settings)


def until(step: int, minutes: int, **more: Any) -> WaitRequest:
    return WaitRequest(step_seq=step, until_ms=START_MS + minutes * MINUTE_MS, **more)


def buy(sz: str = "0.01", px: str = "0") -> PlaceOrder:
    return PlaceOrder(coin="BTC", is_buy=True, sz=Decimal(sz), limit_px=Decimal(px))


def settle(session: Session) -> None:
    while session.barrier.move():
        pass


def alone(session: Session, request: WaitRequest) -> WaitReply:
    ticket = session.barrier.wait(0, request)
    settle(session)
    return ticket.result()


def joined(*accounts: str, **settings: Any) -> Session:
    session = world(*accounts, **settings)
    for index in range(len(accounts)):
        session.barrier.join(index, Want())
    return session


def test_time_moves_to_the_earliest_wake_up() -> None:
    """Two wait; the one who wants to wake first does, the other sleeps on."""
    session = joined("alice", "bob")
    first = session.barrier.wait(0, until(1, 15))
    second = session.barrier.wait(1, until(1, 40))
    settle(session)
    assert START_MS + 15 * MINUTE_MS == first.result().now_ms
    assert not second.done
    session.barrier.wait(0, until(2, 60))
    settle(session)
    assert START_MS + 40 * MINUTE_MS == second.result().now_ms


def test_time_stands_while_one_expected_participant_has_not_joined() -> None:
    """All who are expected must have joined."""
    session = world("alice", "bob")
    assert ("alice", "bob") == session.clock_state().waits_for
    session.barrier.join(0, Want())
    assert ("bob",) == session.clock_state().waits_for
    ticket = session.barrier.wait(0, until(1, 15))
    settle(session)
    assert ticket.reply is None
    session.barrier.join(1, Want())
    assert () == session.clock_state().waits_for
    session.barrier.wait(1, until(1, 15))
    settle(session)
    assert ticket.done


def test_a_world_that_has_begun_waits_for_nobody_also_when_one_has_left() -> None:
    session = world("alice", "bob")
    for account in (0, 1):
        session.barrier.join(account, Want())
        session.barrier.leave(account)
    assert () == session.clock_state().waits_for


def test_a_world_that_is_opened_anew_is_another_one() -> None:
    """Equal in all, and yet what was remembered of the one is not true of the other."""
    before, after = world("alice"), world("alice")
    assert before.clock_state().world == before.clock_state().world
    assert before.clock_state().world not in {"", after.clock_state().world}


def test_missing_participant_is_named_after_a_minute_and_the_step_can_be_repeated() -> None:
    """The error names who is missing; nothing that came with the wait happens twice."""
    clock = ManualClock(0)
    session = world("alice", "bob", clock=clock)
    session.barrier.join(0, Want())
    ticket = session.barrier.wait(0, until(1, 15))
    clock.advance_to(JOIN_LIMIT_MS)
    expire(session)
    with pytest.raises(Conflict, match="bob did not join within 60 s") as refused:
        ticket.result()
    assert "conflict" == refused.value.code, "the step waits on"


def test_step_that_is_cut_short_by_a_bug_is_not_begun_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What it had sent before is not sent twice by the same step."""
    session = joined("alice")
    submit, sent = session.venue.submit, []

    def fail_at_second(account: int, action: Any) -> Any:
        sent.append(action)
        if len(sent) == 2:
            raise InvariantViolated("planted")
        return submit(account, action)

    monkeypatch.setattr(session.venue, "submit", fail_at_second)
    request = until(1, 15, orders=(buy(), buy()))
    with pytest.raises(InvariantViolated):
        session.barrier.wait(0, request)
    session.barrier.wait(0, request)
    assert 2 == len(sent)


def test_orders_of_a_step_that_failed_for_a_missing_participant_are_placed_once() -> None:
    """Repeated after the error, the step waits on with the results it already has."""
    clock = ManualClock(0)
    session = world("alice", "bob", clock=clock)
    session.barrier.join(0, Want())
    request = until(1, 15, orders=(buy(),))
    session.barrier.wait(0, request)
    clock.advance_to(JOIN_LIMIT_MS)
    expire(session)
    again = session.barrier.wait(0, request)
    session.barrier.join(1, Want())
    session.barrier.wait(1, until(1, 15))
    settle(session)
    assert 1 == len(session.world.books[0].fills)
    assert 1 == len(again.result().results)


def test_repeated_step_with_another_body_is_refused() -> None:
    """A stored reply would answer what was not asked."""
    session = joined("alice")
    alone(session, until(1, 15))
    with pytest.raises(Conflict, match="step 1 was another") as refused:
        session.barrier.wait(0, until(1, 15, orders=(buy(),)))
    assert "conflict" == refused.value.code
    assert [] == session.world.books[0].fills


def test_participant_waits_once_at_a_time() -> None:
    """The next step while one still waits is refused, and the first is answered."""
    session = joined("alice", "bob")
    first = session.barrier.wait(0, until(1, 15))
    with pytest.raises(Conflict, match="step 1 still waits"):
        session.barrier.wait(0, until(2, 30))
    session.barrier.wait(1, until(1, 15))
    settle(session)
    assert START_MS + 15 * MINUTE_MS == first.result().now_ms


def test_every_reason_that_met_is_told() -> None:
    """A time, a bar and a fill that come together are all named."""
    session = joined("alice")
    wake = WakeOn(fill=True, bar="1m")
    reply = alone(session, until(1, 1, wake_on=wake, orders=(buy(),)))
    assert ("time", "bar", "fill") == reply.woke_by
    reply = alone(session, until(2, 5, wake_on=WakeOn(bar="5m")))
    assert ("time", "bar") == reply.woke_by
    reply = alone(session, until(3, 60, wake_on=WakeOn(fill=True, bar="1h"), orders=(buy(),)))
    assert (START_MS + 6 * MINUTE_MS, ("fill",)) == (reply.now_ms, reply.woke_by)


def test_repeated_step_returns_the_stored_reply_and_never_acts_twice() -> None:
    """A call that is repeated while it waits, and after it was answered, places one order."""
    session = joined("alice", "bob")
    request = until(1, 15, orders=(buy(),))
    first = session.barrier.wait(0, request)
    assert first is session.barrier.wait(0, request)
    session.barrier.wait(1, until(1, 15))
    settle(session)
    assert first is session.barrier.wait(0, request)
    assert len(session.world.books[0].fills) == 1


def test_skipped_or_old_step_is_refused() -> None:
    """Steps count one by one."""
    session = joined("alice")
    with pytest.raises(JoinFirst, match="the next is 1"):
        session.barrier.wait(0, until(2, 15))
    alone(session, until(1, 15))
    alone(session, until(2, 30))
    with pytest.raises(JoinFirst, match="the next is 3"):
        session.barrier.wait(0, until(1, 45))


def test_until_is_rounded_up_to_a_boundary() -> None:
    """World time is always a bar boundary."""
    session = joined("alice")
    reply = alone(session, WaitRequest(step_seq=1, until_ms=START_MS + 61_000))
    assert START_MS + 2 * MINUTE_MS == reply.now_ms
    assert reply.woke_by == ("time",)


def test_wake_on_bar_is_the_next_close_of_that_interval() -> None:
    """Without another limit the bar alone wakes."""
    session = joined("alice")
    reply = alone(session, WaitRequest(step_seq=1, wake_on=WakeOn(bar="1h")))
    assert (START_MS + HOUR_MS, ("bar",)) == (reply.now_ms, reply.woke_by)


def test_fill_wakes_at_the_end_of_its_bar() -> None:
    """A resting order that the bar's path fills wakes its owner when the bar is over."""
    rows = [(100.0, 101.0, 99.0, 100.0)] * 5 + [(100.0, 100.5, 90.0, 95.0)] * 5
    source = random_source("SOL", count=10)
    source.bars["SOL"] = path_bars(rows)
    session = open_memory_world(source)
    session.barrier.join(0, Want())
    resting = PlaceOrder(coin="SOL", is_buy=True, sz=Decimal(1), limit_px=Decimal(95))
    reply = alone(session, WaitRequest(step_seq=1, wake_on=WakeOn(fill=True), orders=(resting,)))
    assert (START_MS + 6 * MINUTE_MS, ("fill",)) == (reply.now_ms, reply.woke_by)
    assert ["95.0"] == [fill.px for fill in reply.fills]


def test_price_wakes_at_the_end_of_the_bar_that_reached_it() -> None:
    """Above and below are looked for in the bar's path."""
    rows = [(100.0, 101.0, 99.0, 100.0)] * 5 + [(100.0, 110.0, 100.0, 105.0)] * 5
    source = random_source("SOL", count=10)
    source.bars["SOL"] = path_bars(rows)
    session = open_memory_world(source)
    session.barrier.join(0, Want())
    wake = WakeOn(price=(PriceCross(coin="SOL", above=Decimal(109)),))
    reply = alone(session, WaitRequest(step_seq=1, wake_on=wake))
    assert (START_MS + 6 * MINUTE_MS, ("price",)) == (reply.now_ms, reply.woke_by)


def test_end_of_the_world_ends_every_wait() -> None:
    """The last reply says so, and so does every further one."""
    session = joined("alice", "bob")
    tickets = [session.barrier.wait(i, WaitRequest(step_seq=1)) for i in (0, 1)]
    settle(session)
    assert all(ticket.result().ended for ticket in tickets)
    again = session.barrier.wait(0, WaitRequest(step_seq=2))
    assert again.result().woke_by == ("ended",)


def test_silent_participant_is_dropped_and_may_come_back() -> None:
    """120 s without a sign of life in its own turn; those who wait are never silent."""
    clock = ManualClock(0)
    session = joined("alice", "bob", clock=clock)
    ticket = session.barrier.wait(0, until(1, 15))
    clock.advance_to(SILENCE_LIMIT_MS - 1)
    session.barrier.heartbeat(1)
    clock.advance_to(SILENCE_LIMIT_MS + 1)
    expire(session)
    settle(session)
    assert ticket.reply is None
    clock.advance_to(2 * SILENCE_LIMIT_MS)
    expire(session)
    settle(session)
    assert ticket.done
    assert {1} == session.barrier.degraded
    with pytest.raises(JoinFirst, match="dropped after 120 s"):
        session.barrier.wait(1, until(1, 30))
    session.barrier.join(1, Want())
    assert not session.barrier.ready


@pytest.mark.parametrize("came", [1, 2])
def test_supervised_world_gives_nobody_up(came: int) -> None:
    """Neither the silent nor those who have not joined: its supervisor decides."""
    clock = ManualClock(0)
    session = world("alice", "bob", clock=clock, supervised=True)
    for account in range(came):
        session.barrier.join(account, Want())
    ticket = session.barrier.wait(0, until(1, 15))
    clock.advance_to(10 * SILENCE_LIMIT_MS)
    expire(session)
    settle(session)
    assert not ticket.done


def test_only_a_world_without_participants_is_advanced_by_hand() -> None:
    """The operator moves it until someone joins."""
    session = world("alice")
    session.barrier.advance(START_MS + 90_000)
    assert START_MS + 2 * MINUTE_MS == session.world.now_ms
    with pytest.raises(BadRequest, match="has passed"):
        session.barrier.advance(START_MS)
    session.barrier.join(0, Want())
    with pytest.raises(Conflict, match="has participants"):
        session.barrier.advance(START_MS + HOUR_MS)


def test_paced_world_moves_with_its_timer_and_counts_who_is_late() -> None:
    """Each tick is a bar; who is still deciding missed it."""
    session = open_memory_world(random_source("BTC"), accounts=("alice", "bob"), pace="paced")
    for account in (0, 1):
        session.barrier.join(account, Want())
    ticket = session.barrier.wait(0, until(1, 2))
    session.barrier.tick()
    session.barrier.tick()
    assert START_MS + 2 * MINUTE_MS == ticket.result().now_ms
    assert [0, 2] == [session.barrier.participants[i].late for i in (0, 1)]
    assert {"bob": 2} == session.barrier.late
    report = build_report(session.record())
    assert {"bob": 2} == report["manifest"]["late_bars"]
    session.barrier.participants[1].late = 0
    in_time = build_report(session.record())
    assert "late_bars" not in in_time["manifest"]
    assert report["sha256"] == in_time["sha256"]


def test_what_is_wanted_is_looked_at_before_anything_is_done() -> None:
    """An unknown coin or interval refuses the step, and no order of it is placed."""
    session = joined("alice")
    for want, error in (
        (Want(snapshots=("NOPE",)), NotFound),
        (Want(snapshots=("BTC",), intervals=("7",)), BadRequest),
    ):
        with pytest.raises(error):
            session.barrier.wait(0, until(1, 15, orders=(buy(),), want=want))
    assert [] == session.world.books[0].fills


def run_in_order(seed: int, pace: Literal["lockstep", "paced"] = "lockstep") -> list[Any]:
    """Three traders act at every step, arriving in a random order each time."""
    shuffle = random.Random(seed)
    session = joined("alice", "bob", "carol", pace=pace)
    tickets: dict[int, Ticket | None] = dict.fromkeys(range(3))
    steps = dict.fromkeys(range(3), 0)
    for _ in range(60):
        ready = [account for account, ticket in tickets.items() if ticket is None or ticket.done]
        shuffle.shuffle(ready)
        for account in ready:
            steps[account] += 1
            minutes = (session.world.now_ms - START_MS) // MINUTE_MS + 3 + 2 * account
            side = buy() if (steps[account] + account) % 2 else buy("0.02", "93000")
            request = until(steps[account], minutes, orders=(side,), wake_on=WakeOn(fill=True))
            tickets[account] = session.barrier.wait(account, request)
        if pace == "lockstep":
            settle(session)
        while not any(ticket is None or ticket.done for ticket in tickets.values()):
            session.barrier.tick()
    record = session.record()
    return [(a.fills, a.orders, a.decisions_sha256, a.equity_usd.tolist()) for a in record.accounts]


def test_order_of_arrival_changes_nothing() -> None:
    """Every permutation of arrivals ends in the same orders, fills, ids and equity."""
    runs = [run_in_order(seed) for seed in range(4)]
    for one, other in itertools.pairwise(runs):
        assert one == other


def test_paced_run_in_which_nobody_is_late_is_the_lockstep_run() -> None:
    """The timer only replaces the moment at which time moves."""
    assert run_in_order(0) == run_in_order(1, "paced")


def test_time_that_has_passed_is_not_waited_for() -> None:
    """The refusal names both times, and no order of the step is placed."""
    session = joined("alice")
    alone(session, until(1, 15))
    with pytest.raises(BadRequest, match=rf"until_ms {START_MS} has passed; world time is"):
        session.barrier.wait(0, until(2, 0, orders=(buy(),)))
    assert [] == session.world.books[0].fills
    assert ("time",) == alone(session, until(2, 15)).woke_by


def test_paced_world_that_went_on_answers_a_late_wait_at_once() -> None:
    """Its client could not know."""
    session = joined("alice", pace="paced")
    session.barrier.tick()
    session.barrier.tick()
    assert ("time",) == session.barrier.wait(0, until(1, 1)).result().woke_by


def test_time_goes_on_without_those_who_leave() -> None:
    """Whoever still waits is woken; the one who left may not wait any more."""
    session = joined("alice", "bob")
    ticket = session.barrier.wait(0, until(1, 15))
    settle(session)
    assert not ticket.done
    session.barrier.leave(1)
    settle(session)
    assert START_MS + 15 * MINUTE_MS == ticket.result().now_ms
    with pytest.raises(JoinFirst, match="join first"):
        session.barrier.wait(1, until(1, 30))


def test_what_guarded_a_trader_is_taken_once_and_at_the_end() -> None:
    """Earlier it is not the whole run, and a second word is not the first."""
    session = joined("alice", "bob")
    session.leave(0, GuardSummary(faults=9))
    session.world.play(session.world.end_bar)
    session.leave(1, GuardSummary(faults=1))
    session.leave(1, GuardSummary(faults=2))
    alice, bob = session.record().accounts
    assert (None, GuardSummary(faults=1)) == (alice.guards, bob.guards)


def test_participant_that_its_supervisor_gives_up_is_flattened_and_degraded() -> None:
    """Its orders end, its positions are closed at that time, and the others go on."""
    session = joined("alice", "bob", supervised=True)
    resting = buy(px="80000")
    ticket = session.barrier.wait(0, until(1, 15, orders=(buy(), resting)))
    waiting = session.barrier.wait(1, until(1, 30))
    settle(session)
    assert ticket.done
    session.give_up(0)
    settle(session)
    assert waiting.done
    book = session.world.books[0]
    assert 0 == session.world.engine.position(0, 0).size
    assert ["0.01", "-0.01"] == [
        session.world.market.instruments[0].format_size(fill.size * fill.side)
        for fill in book.fills
    ]
    assert book.fills[1].time_ms == START_MS + 15 * MINUTE_MS
    assert [True, True] == [order.status.terminal for order in list(book.orders.values())[:2]]
    assert {"alice": True, "bob": False} == {
        account.account_id: account.degraded for account in session.record().accounts
    }
    with pytest.raises(JoinFirst, match="because its supervisor gave it up; join again"):
        session.barrier.wait(0, until(2, 45))
    with pytest.raises(NotFound, match="takes no part"):
        joined().give_up(0)


def test_what_was_lost_with_a_reply_is_shown_again_to_whoever_joins_anew() -> None:
    """Fills of the last reply are known to have arrived only when the next step has come."""
    session = joined("alice")
    assert 1 == len(alone(session, until(1, 15, orders=(buy(),))).fills)
    assert 1 == len(session.barrier.join(0, Want()).fills)
    assert 0 == len(alone(session, until(1, 30)).fills)
    assert 0 == len(session.barrier.join(0, Want()).fills)


def test_who_was_dropped_once_stays_degraded_in_the_report() -> None:
    """Coming back and leaving in order does not undo it."""
    clock = ManualClock(0)
    session = joined("alice", clock=clock)
    clock.advance_to(SILENCE_LIMIT_MS)
    expire(session)
    assert "dropped" == session.barrier.participants[0].state
    session.barrier.join(0, Want())
    session.barrier.leave(0)
    assert [True] == [account.degraded for account in session.record().accounts]


def test_who_comes_back_after_leaving_goes_on_where_it_was() -> None:
    """Fills that it has had are not told anew, and bars for which it was late still count."""
    session = joined("alice", "bob", pace="paced")
    session.barrier.wait(0, until(1, 1, orders=(buy(),)))
    session.barrier.tick()
    session.barrier.wait(0, until(2, 2))
    session.barrier.tick()
    session.barrier.leave(0)
    session.barrier.leave(1)
    assert {"bob": 2} == session.barrier.late
    assert 0 == len(session.barrier.join(0, Want()).fills)
    session.barrier.join(1, Want())
    session.barrier.tick()
    assert {"alice": 1, "bob": 3} == session.barrier.late
