"""The barrier against a second one, under any interleaving of joins, waits, deaths and ends.

Hypothesis lets accounts join, leave, die, come back, wait for anything, repeat and confuse their
steps; after every move both barriers must agree on the time, on who sleeps, and on what each reply
says. That results do not depend on the order of arrival follows: the model has no such order.
"""

import os
from decimal import Decimal
from typing import Any, cast

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)
from tests.support.barrier_model import BAR_MS, Model, Someone
from tests.support.worlds import START_MS, expire, open_memory_world, random_source

from suite.clock import ManualClock
from suite.contracts.clock import PriceCross, WaitRequest, WakeOn
from suite.contracts.venue import PlaceOrder
from suite.errors import BadRequest, Conflict, NotFound
from virtual_exchange.application.clock.participant import Ticket

MORE = 30 if os.environ.get("HYPOTHESIS_PROFILE") == "chaos" else 1
ACCOUNTS = 4
BARS = 48
WHO = st.integers(0, ACCOUNTS - 1)
LEVELS = st.sampled_from([-8.0, -3.0, -1.0, 1.0, 3.0, 8.0])
"""Distances of a price that is waited for, basis points."""


@st.composite
def wishes(draw: Any) -> dict[str, Any]:
    """What a step asks for, relative to the time and price at which it is sent."""
    return {
        "minutes": draw(st.none() | st.sampled_from([0.0, 0.3, 1.0, 2.0, 2.5, 7.0, 90.0])),
        "bar": draw(st.sampled_from([None, None, "1m", "5m", "15m"])),
        "fill": draw(st.booleans()),
        "price": draw(st.none() | LEVELS),
        "limit": draw(st.none() | st.sampled_from([0.0, -2.0, -6.0, -20.0])),
    }


ROUND = st.lists(wishes(), min_size=ACCOUNTS, max_size=ACCOUNTS)


class BarrierMachine(RuleBasedStateMachine):
    """Both barriers, and the tickets that were handed out."""

    paced = False

    @initialize(
        expected=st.sets(WHO), joined=st.sets(WHO), supervised=st.booleans(), seed=st.integers(0, 5)
    )
    def begin(self, expected: set[int], joined: set[int], supervised: bool, seed: int) -> None:
        self.source = random_source("BTC", count=BARS, seed=seed)
        names = tuple(f"account{n}" for n in range(ACCOUNTS))
        self.clock = ManualClock(1_000_000)
        self.session = open_memory_world(
            self.source,
            accounts=names,
            clock=self.clock,
            participants=tuple(names[n] for n in sorted(expected)),
            supervised=supervised,
            pace="paced" if self.paced else "lockstep",
        )
        people = [Someone("expected" if n in expected else "absent") for n in range(ACCOUNTS)]
        self.model = Model(
            self.source.bars["BTC"], START_MS, people, supervised=supervised, paced=self.paced
        )
        self.tickets: dict[int, Ticket] = {}
        for number in sorted(joined):
            self.join(number)

    # helpers

    def settle(self) -> None:
        while self.session.barrier.move():
            pass
        self.model.settle(self.clock.now_ms())

    def price(self, basis_points: float) -> Decimal:
        mid = self.source.bars["BTC"].open[min(self.model.bar, BARS - 1)]
        return Decimal(round(mid * (1 + basis_points / 10_000)))

    def place(self, who: int, limit: float | None) -> tuple[tuple[PlaceOrder, ...], float | None]:
        """The order of a step, and its limit price."""
        if limit is None:
            return (), None
        price = self.price(limit) if limit else Decimal(0)
        order = PlaceOrder(coin="BTC", is_buy=True, sz=Decimal("0.001"), limit_px=price)
        return (order,), float(price)

    def wait_request(
        self, step: int, wish: dict[str, Any], orders: tuple[PlaceOrder, ...]
    ) -> WaitRequest:
        now_ms = self.model.ms(self.model.bar)
        minutes, price = wish["minutes"], wish["price"]
        cross: tuple[PriceCross, ...] = ()
        if price is not None:
            side = "above" if price > 0 else "below"
            cross = (PriceCross(coin="BTC", **{side: self.price(price)}),)
        return WaitRequest(
            step_seq=step,
            until_ms=None if minutes is None else now_ms + round(minutes * BAR_MS),
            wake_on=WakeOn(fill=wish["fill"], bar=wish["bar"], price=cross),
            orders=orders,
        )

    # what people do

    @rule(order=st.permutations(range(ACCOUNTS)), wished=ROUND)
    def all_wait(self, order: list[int], wished: list[dict[str, Any]]) -> None:
        """Whoever decides takes the next step, in any order; time moves."""
        for number in order:
            if self.model.people[number].state == "deciding":
                self.wait(number, wished[number])

    @rule(order=st.permutations(range(ACCOUNTS)), wished=ROUND)
    def all_wait_again(self, order: list[int], wished: list[dict[str, Any]]) -> None:
        """The same: most of what happens happens here."""
        self.all_wait(order, wished)

    def join(self, who: int) -> None:
        """A death is nothing but a silence, and this the coming back."""
        old = self.tickets.pop(who, None)
        slept = self.model.people[who].state == "waiting"
        reply = self.session.barrier.join(who, WaitRequest(step_seq=1).want)
        assert (self.model.ms(self.model.bar), self.model.finished) == (reply.now_ms, reply.ended)
        if old is not None and slept:
            assert old.fault is not None
        self.model.join(self.model.people[who], self.clock.now_ms())
        self.settle()

    @rule(who=WHO, wish=wishes())
    def wait(self, who: int, wish: dict[str, Any]) -> None:
        """The next step; whoever may not take it is refused, and nothing happens."""
        person = self.model.people[who]
        orders, limit = self.place(who, wish["limit"])
        request = self.wait_request(person.step + 1, wish, orders)
        if person.state != "deciding":
            with pytest.raises(Conflict):
                self.session.barrier.wait(who, request)
            return
        filled = False if limit is None else self.model.order(person, limit)
        self.tickets[who] = self.session.barrier.wait(who, request)
        person.heard_ms = self.clock.now_ms()
        self.model.wait(person, request, filled=filled)
        self.settle()

    @rule(who=WHO)
    def repeat(self, who: int) -> None:
        """The same call again: the same ticket, or a new one when the old has failed."""
        person = self.model.people[who]
        if person.wait is None or person.state not in {"deciding", "waiting"}:
            return
        again = self.session.barrier.wait(who, person.wait.request)
        person.heard_ms = self.clock.now_ms()
        if person.wait.failed:
            assert self.tickets[who].fault is not None
            person.wait.failed = False
        else:
            assert again is self.tickets[who]
        self.tickets[who] = again
        self.settle()

    @rule(
        who=WHO,
        what=st.sampled_from(["heartbeat", "leave", "give_up", "join"]),
    )
    def come_and_go(self, who: int, what: str) -> None:
        """One of the things that seldom happen."""
        getattr(self, what)(who)

    @rule(who=WHO, off=st.sampled_from([-1, 0, 2, 7]))
    def confuse(self, who: int, off: int) -> None:
        """A step out of turn, or another body under the old number, does nothing."""
        person = self.model.people[who]
        step = person.step + off
        if step < 1 or (person.state == "deciding" and off == 1):
            return
        order = PlaceOrder(coin="BTC", is_buy=True, sz=Decimal("0.003"))
        request = WaitRequest(step_seq=step, until_ms=START_MS, orders=(order,))
        with pytest.raises(Conflict):
            self.session.barrier.wait(who, request)
        if person.state in {"deciding", "waiting"}:
            person.heard_ms = self.clock.now_ms()

    @precondition(lambda self: not self.paced)
    @rule(who=WHO, back_ms=st.integers(1, 3_600_000))
    def wait_for_the_past(self, who: int, back_ms: int) -> None:
        """Refused in one line; the step is still to be taken."""
        person = self.model.people[who]
        if person.state != "deciding" or self.model.finished:
            return
        until_ms = self.model.ms(self.model.bar) - back_ms
        request = WaitRequest(step_seq=person.step + 1, until_ms=until_ms)
        with pytest.raises(BadRequest, match="has passed; world time is"):
            self.session.barrier.wait(who, request)
        person.heard_ms = self.clock.now_ms()

    def heartbeat(self, who: int) -> None:
        person = self.model.people[who]
        if person.state in {"deciding", "waiting"}:
            self.session.barrier.heartbeat(who)
            person.heard_ms = self.clock.now_ms()
        else:
            with pytest.raises(Conflict):
                self.session.barrier.heartbeat(who)

    def leave(self, who: int) -> None:
        ticket, slept = self.tickets.pop(who, None), self.model.people[who].state == "waiting"
        self.session.barrier.leave(who)
        self.model.leave(self.model.people[who])
        assert not (slept and ticket is not None and not ticket.done)
        self.settle()

    def give_up(self, who: int) -> None:
        """Its supervisor lets the others go on."""
        person = self.model.people[who]
        if person.state == "absent":
            with pytest.raises(NotFound):
                self.session.barrier.give_up(who)
            return
        self.tickets.pop(who, None)
        self.session.barrier.give_up(who)
        self.model.give_up(person)
        self.settle()

    @rule(who=WHO, limit=st.sampled_from([0.0, -4.0]))
    def order_beside_a_step(self, who: int, limit: float) -> None:
        """Over REST, by whoever, at any time; a sign of life too."""
        (order,), price = self.place(who, limit)
        self.session.barrier.touch(who)
        self.session.barrier.send(who, order)
        person = self.model.people[who]
        self.model.order(person, cast("float", price))
        person.heard_ms = self.clock.now_ms()
        if person.state == "waiting" and person.wait and person.wait.request.wake_on.fill:
            later = [bar for bar in person.fills if bar > self.model.bar]
            known = person.wait.reasons["fill"]
            person.wait.reasons["fill"] = min([known, *later])

    # what time does

    @rule(seconds=st.sampled_from([1, 30, 59, 61, 119, 121]))
    def silence(self, seconds: int) -> None:
        """Nothing is heard of anybody for a while."""
        self.clock.advance_to(self.clock.now_ms() + 1000 * seconds)
        expire(self.session)
        self.model.expire(self.clock.now_ms())
        self.settle()

    @rule(minutes=st.integers(-3, 5))
    def advance(self, minutes: int) -> None:
        """The operator moves the world only where nobody takes part, and never back."""
        until_ms = self.model.ms(self.model.bar + minutes)
        taking_part = any(p.state in {"deciding", "waiting"} for p in self.model.people)
        if self.paced or taking_part:
            with pytest.raises(Conflict):
                self.session.barrier.advance(until_ms)
        elif minutes < 0:
            with pytest.raises(BadRequest, match="has passed; world time is"):
                self.session.barrier.advance(until_ms)
        else:
            self.session.barrier.advance(until_ms)
            self.model.advance(self.model.bar + minutes)

    @precondition(lambda self: self.paced)
    @rule(bars=st.integers(1, 3))
    def tick(self, bars: int) -> None:
        """The timer of a paced world."""
        for _ in range(bars):
            self.session.barrier.tick()
            self.model.tick(self.clock.now_ms())

    # what must hold

    @invariant()
    def both_are_at_one_time(self) -> None:
        world = self.session.world
        assert (self.model.bar, self.model.finished) == (world.engine.bar, world.finished)

    @invariant()
    def both_know_where_everyone_is(self) -> None:
        barrier = self.session.barrier
        for number, person in enumerate(self.model.people):
            there = barrier.participants.get(number)
            assert person.state == ("absent" if there is None else there.state)
            assert person.degraded == (number in barrier.degraded)
        late = {f"account{n}": p.late for n, p in enumerate(self.model.people) if p.late}
        assert late == barrier.late

    @invariant()
    def replies_show_their_own_time(self) -> None:
        """And why, and no fill of a later one; who sleeps has none."""
        for number, ticket in self.tickets.items():
            person = self.model.people[number]
            wait = person.wait
            if wait is None or person.state == "dropped":
                continue
            if person.state == "waiting":
                assert (wait.failed, None) == (ticket.fault is not None, ticket.reply)
                continue
            if ticket.fault is not None:
                continue  # it was told before its wake-up that somebody is missing
            reply = ticket.result()
            assert (self.model.ms(wait.wake), wait.request.step_seq) == (
                reply.now_ms,
                reply.step_seq,
            )
            assert wait.woke_by(wait.wake) == set(reply.woke_by)
            assert (wait.wake == self.model.end) == reply.ended
            assert len(wait.request.orders) == len(reply.results)
            assert all(fill.time <= reply.now_ms for fill in reply.fills)

    @invariant()
    def nothing_is_done_twice(self) -> None:
        """Each order stands once in its book, and is filled when the bars say so."""
        for number, person in enumerate(self.model.people):
            book = self.session.world.books[number]
            assert person.orders == len(book.orders)
            assert sum(bar <= self.model.bar for bar in person.fills) == len(book.fills)

    def teardown(self) -> None:
        """Nobody waits for ever once all others are gone."""
        if not hasattr(self, "model"):
            return
        people = self.model.people
        for number, person in enumerate(people):
            if person.state in {"expected", "deciding"}:
                self.leave(number)
        for _ in range(ACCOUNTS if not self.paced else 0):
            woken = [n for n, person in enumerate(people) if person.state == "deciding"]
            for number in woken:
                self.leave(number)
        if not self.paced:
            assert not any(person.state == "waiting" for person in people)


class PacedMachine(BarrierMachine):
    """The same with a timer instead of a barrier."""

    paced = True


TestBarrier = BarrierMachine.TestCase
TestBarrier.settings = settings(max_examples=150 * MORE, stateful_step_count=40, deadline=None)
TestPaced = PacedMachine.TestCase
TestPaced.settings = settings(max_examples=60 * MORE, stateful_step_count=30, deadline=None)
