"""The barrier: world time moves to the earliest wake-up over all participants.

No thread, no task and no waiting in here. `join` and `wait` take note of a participant, `move`
moves time when all wait, and a `Ticket` holds the reply once there is one. The in-process runner
calls `move` in a plain loop; the HTTP layer does so too and awaits the tickets.

Neither the order in which participants arrive nor how long they think changes a result: accounts
never meet in the engine, time stands while one of them has not answered, and what a reply shows is
the state at its own time.
"""

from collections.abc import Iterable

from perp_engine.commands import PriceWatch
from perp_engine.events import (
    Advanced,
    Event,
    Fill,
    Liquidated,
    OrderChanged,
    OrderClosed,
    OrderOpened,
)
from suite.bars import INTERVAL_MS
from suite.clock import Clock
from suite.contracts.clock import WaitReply, WaitRequest, WakeOn, Want
from suite.contracts.venue import Action, ActionReply, CancelOrder, ModifyOrder, PlaceOrder
from suite.errors import BadRequest, Conflict, JoinFirst, NotFound
from virtual_exchange.application.clock.participant import NEVER, Participant, Step, Ticket
from virtual_exchange.application.clock.views import Views
from virtual_exchange.application.exchange.simple import Venue
from virtual_exchange.application.latency_queue import SENT, Delivery, LatencyQueue, answered
from virtual_exchange.application.world import Stops, World

JOIN_LIMIT_MS = 60_000
SILENCE_LIMIT_MS = 120_000
_ORDER_EVENTS = frozenset({OrderOpened, OrderClosed, OrderChanged, Fill})


class Barrier:
    """Time of one world and those who wait in it.

    Attributes:
        participants: by account.
        degraded: accounts that were dropped at some time.
        moves: how often `move` has moved time.

    Args:
        world: moves.
        venue: carries out the orders that come with a wait.
        views: builds what replies bring.
        clock: wall time, for limits on silence only.
        latency_queue: the way of orders to the venue.
        expected: accounts without which time does not start.
        paced: time moves by `tick` alone and waits for nobody who has joined.
        supervised: whoever runs the world sees to it that all join and none falls silent.
    """

    def __init__(
        self,
        *,
        world: World,
        venue: Venue,
        views: Views,
        clock: Clock,
        latency_queue: LatencyQueue | None = None,
        expected: Iterable[int] = (),
        paced: bool = False,
        supervised: bool = False,
    ) -> None:
        self._world = world
        self._venue = venue
        self._views = views
        self._clock = clock
        self._paced = paced
        self._supervised = supervised
        self._latency_queue = latency_queue or LatencyQueue(world, 0)
        self._first_join_ms: int | None = None
        self._left: dict[int, Participant] = {}
        self.degraded: set[int] = set()
        self.moves = 0
        self.participants: dict[int, Participant] = {
            account: Participant(account, world.accounts[account].account_id)
            for account in sorted(set(expected))
        }

    @property
    def late(self) -> dict[str, int]:
        """Bars of a paced world that passed while someone was deciding, by account; no zeros."""
        everyone = (*self.participants.values(), *self._left.values())
        return {p.name: p.late for p in sorted(everyone, key=lambda p: p.account) if p.late}

    # what participants do

    def join(self, account: int, want: Want) -> WaitReply:
        """Take part from now on; a participant that joins again begins its steps at 1 again.

        It is shown the fills of the last reply too, which it may not have had.
        """
        self._views.check(want)
        participant = self.participants.get(account)
        if participant is None:
            name = self._world.accounts[account].account_id
            participant = self._left.pop(account, None) or Participant(account, name)
            self.participants[account] = participant
        participant.interrupt(Conflict("the participant joined again"))
        participant.joined, participant.dropped = True, False
        participant.asked_step = 0
        participant.turn_since_ms = self._clock.now_ms()
        if self._first_join_ms is None:
            self._first_join_ms = participant.turn_since_ms
        reply = self._views.reply(account, want, first_fill=participant.known_fills)
        if want.fills:
            participant.seen_fills = self._views.fill_count(account)
        return reply

    def wait(self, account: int, request: WaitRequest) -> Ticket:
        """Carry out a participant's orders and put it to sleep; the next `move`s wake it.

        A step that is repeated has the ticket it had: it never acts twice.

        Raises:
            JoinFirst: it has not joined, was dropped, or skipped a step.
            Conflict: it still waits, or a repeated step is not the same.
            BadRequest: the conditions make no sense, or their time has passed.
        """
        participant = self._present(account)
        participant.turn_since_ms = self._clock.now_ms()
        if (repeated := participant.repeated(request)) is not None:
            return repeated.ticket
        self._views.check(request.want)
        self._refuse_past(request)
        participant.known_fills = participant.seen_fills
        step = Step(
            request=request,
            watches=self._watches(request.wake_on, participant.step),
            time_bar=NEVER if request.until_ms is None else self._bar_at(request.until_ms),
            close_bar=self._close_bar(request),
        )
        fills, bar = self._views.fill_count(account), self._world.engine.bar
        # remembered first: whatever happens below, the same step never acts again
        participant.step = step
        for action in request.orders:
            step.deliveries.append(self.send(account, action))
        if request.wake_on.fill and self._views.fill_count(account) > fills:
            # It happened at the open of the bar that starts now, so it wakes at that bar's end.
            step.fill_ends(bar + 1)
        if self._world.finished:
            self._wake(participant, step, ("ended",))
        elif step.time_bar <= bar:
            self._wake(participant, step, ("time",))
        elif participant.asked_step == request.step_seq:
            self._wake(participant, step, ("asked",))
        return step.ticket

    def wake(self, account: int, step_seq: int) -> None:
        """End a participant's wait, its orders carried out and answered as ever.

        A wait that is over is left alone; one that is still to come ends as soon as it does.
        """
        participant = self._present(account)
        participant.turn_since_ms = self._clock.now_ms()
        participant.asked_step = step_seq
        step = participant.waiting
        if step is not None and step.request.step_seq == step_seq:
            self._wake(participant, step, ("asked",))

    def send(self, account: int, action: Action) -> Delivery[ActionReply]:
        """Send one action of an account on its way to the venue, and log it as decided now."""
        self._world.books[account].log_decision(self._world.now_ms, action)

        def act() -> ActionReply:
            return self._venue.submit(account, action)

        kind = "cancel" if isinstance(action, CancelOrder) else "order"
        sent = ActionReply(status="ok", response={"type": kind, "data": {"statuses": [SENT]}})
        if isinstance(action, PlaceOrder | CancelOrder | ModifyOrder):
            return self._latency_queue.send(act, sent)
        return answered(act())

    def heartbeat(self, account: int) -> None:
        """Keep the lease of a participant that thinks for long.

        Raises:
            JoinFirst: it has not joined, or was dropped.
        """
        self._present(account).turn_since_ms = self._clock.now_ms()

    def leave(self, account: int) -> None:
        """Take no part any more; time no longer waits for it."""
        participant = self.participants.pop(account, None)
        if participant is not None:
            participant.interrupt(Conflict("the participant has left"))
            self._left[account] = participant

    def give_up(self, account: int) -> None:
        """Let time go on without a participant that its supervisor has given up.

        Raises:
            NotFound: it takes no part.
        """
        participant = self.participants.get(account)
        if participant is None:
            raise NotFound("this account takes no part in time")
        participant.interrupt(Conflict("its supervisor gave the participant up"))
        participant.drop("because its supervisor gave it up")
        self.degraded.add(account)

    def close(self) -> None:
        """End every wait; the world is no more."""
        gone = NotFound("the world was deleted")
        for participant in self.participants.values():
            participant.interrupt(gone)
        self.participants.clear()
        self._latency_queue.close(gone)

    def touch(self, account: int) -> None:
        """Note a sign of life that is not a step."""
        participant = self.participants.get(account)
        if participant is not None:
            participant.turn_since_ms = self._clock.now_ms()

    def _present(self, account: int) -> Participant:
        participant = self.participants.get(account)
        if participant is None or not participant.joined:
            raise JoinFirst("join first: POST /clock/join")
        if participant.dropped:
            raise JoinFirst(
                f"{participant.name} was dropped {participant.reason}; join again: POST /clock/join"
            )
        return participant

    def _refuse_past(self, request: WaitRequest) -> None:
        """Time never goes back; in a paced world it may have gone on while its client decided."""
        until_ms, now_ms = request.until_ms, self._world.now_ms
        if until_ms is None or self._paced or self._world.finished:
            return
        if until_ms < now_ms:
            raise BadRequest(f"until_ms {until_ms} has passed; world time is {now_ms}")

    # what moves time

    @property
    def ready(self) -> bool:
        """Everyone waits: a lockstep world may move."""
        someone = False
        for participant in self.participants.values():
            if not participant.dropped:
                if participant.waiting is None:
                    return False
                someone = True
        return someone

    @property
    def waits_for(self) -> tuple[str, ...]:
        """Those who are expected and have neither joined nor been given up: time does not begin."""
        missing = (p for p in self.participants.values() if not p.joined and not p.dropped)
        return tuple(participant.name for participant in missing)

    @property
    def started(self) -> bool:
        """All who are expected have joined, or were given up."""
        return not self.waits_for

    def move(self) -> bool:
        """Move a lockstep world a piece; say whether to call again at once."""
        if self._paced or self._world.finished or not self.ready:
            return False
        waiting = self._waiting()
        self.moves += 1
        self._advance(min(step.until_bar for _, step in waiting), waiting)
        return True

    def tick(self) -> None:
        """Move a paced world one bar; who has not answered by now is late."""
        if self._world.finished or not self.started:
            return
        for participant in self.participants.values():
            participant.late += participant.deciding
        self._advance(self._world.engine.bar + 1, self._waiting())

    def advance(self, until_ms: int) -> None:
        """Move a world without participants.

        Raises:
            Conflict: someone takes part, or a timer moves the world.
            BadRequest: the time has passed.
        """
        self._world.play(self.bar_to_advance_to(until_ms))

    def bar_to_advance_to(self, until_ms: int) -> int:
        """Boundary to which a world without participants may be moved; errors as of `advance`."""
        if self._paced:
            raise Conflict("this world is paced: its time moves by a timer")
        if any(p.joined and not p.dropped for p in self.participants.values()):
            raise Conflict("this world has participants: its time moves when all of them wait")
        if until_ms < self._world.now_ms:
            raise BadRequest(f"until_ms {until_ms} has passed; world time is {self._world.now_ms}")
        return self._bar_at(until_ms)

    def tell_missing(self) -> None:
        """Tell those who wait for too long who has not joined; what they have asked for goes on.

        Called now and then with wall time passing, as `silent` is.
        """
        missing, started = self.waits_for, self._first_join_ms
        if self._supervised or not missing or started is None:
            return
        if self._clock.now_ms() - started < JOIN_LIMIT_MS:
            return
        fault = Conflict(f"{', '.join(missing)} did not join within {JOIN_LIMIT_MS // 1000} s")
        for _, step in self._waiting():
            # It waits on: its orders are placed, and whoever repeats it asks for this ticket.
            failed, step.ticket = step.ticket, Ticket()
            failed.resolve(fault)

    def silent(self) -> tuple[int, ...]:
        """Find those who have been silent for too long in their own turn."""
        if self._supervised:
            return ()
        now_ms = self._clock.now_ms()
        return tuple(
            participant.account
            for participant in self.participants.values()
            if participant.deciding and now_ms - participant.turn_since_ms >= SILENCE_LIMIT_MS
        )

    def drop_silent(self, accounts: Iterable[int]) -> None:
        """Let time go on without some."""
        for account in accounts:
            self.participants[account].drop(f"after {SILENCE_LIMIT_MS // 1000} s of silence")
            self.degraded.add(account)

    def resume(self) -> None:
        """Count nobody's silence from before now: who could not be reached was not heard."""
        now_ms = self._clock.now_ms()
        for participant in self.participants.values():
            participant.turn_since_ms = now_ms
        if self._first_join_ms is not None:
            self._first_join_ms = now_ms

    # how

    def _waiting(self) -> list[tuple[Participant, Step]]:
        return [(p, p.waiting) for p in self.participants.values() if p.waiting is not None]

    def _advance(self, until_bar: int, waiting: list[tuple[Participant, Step]]) -> None:
        watches: list[PriceWatch] = []
        owners: list[int] = []
        for participant, step in waiting:
            watches.extend(step.watches)
            owners.extend([participant.account] * len(step.watches))
        on = [(p.account, step.request.wake_on) for p, step in waiting]
        stops = Stops(
            fill=frozenset(account for account, wake in on if wake.fill or wake.liquidation),
            order=frozenset(account for account, wake in on if wake.order),
            watches=tuple(watches),
        )
        events, advanced = self._world.advance(until_bar, stops)
        crossed = {owners[index] for index in advanced.watches_met}
        happened: dict[int, set[type[Event]]] = {}
        for event in events:
            if not isinstance(event, Advanced):
                happened.setdefault(event.account, set()).add(type(event))
        woken: list[tuple[Participant, Step, tuple[str, ...]]] = []
        touched, finished = crossed.union(happened), self._world.finished
        for participant, step in waiting:
            due = finished or step.until_bar <= advanced.bar
            if not due and participant.account not in touched:
                continue  # no reason can be met
            own = happened.get(participant.account, set())
            met = participant.account in crossed
            if reasons := self._reasons(step, advanced.bar, own, crossed=met):
                woken.append((participant, step, reasons))
        for participant, step, reasons in woken:
            self._wake(participant, step, reasons)

    def _reasons(
        self, step: Step, bar: int, happened: set[type[Event]], *, crossed: bool
    ) -> tuple[str, ...]:
        """Find what ends a wait after an advance; nothing when it goes on.

        Args:
            step: the wait.
            bar: boundary that was reached.
            happened: kinds of the account's events on the way there.
            crossed: a price did that the step waits for.
        """
        wake, reasons = step.request.wake_on, []
        if step.time_bar <= bar:
            reasons.append("time")
        if step.close_bar <= bar:
            reasons.append("bar")
        if step.fill_bar <= bar or (wake.fill and Fill in happened):
            reasons.append("fill")
        if wake.liquidation and Liquidated in happened:
            reasons.append("liquidation")
        if wake.order and not happened.isdisjoint(_ORDER_EVENTS):
            reasons.append("order")
        if crossed:
            reasons.append("price")
        if self._world.finished:
            reasons.append("ended")
        return tuple(reasons)

    def _wake(self, participant: Participant, step: Step, reasons: tuple[str, ...]) -> None:
        request = step.request
        reply = self._views.reply(
            participant.account,
            request.want,
            first_fill=participant.seen_fills,
            step_seq=request.step_seq,
            woke_by=reasons,
            results=step.results,
        )
        if request.want.fills:
            participant.seen_fills = self._views.fill_count(participant.account)
        participant.turn_since_ms = self._clock.now_ms()
        step.ticket.resolve(reply)

    def _watches(self, wake_on: WakeOn, last: Step | None) -> tuple[PriceWatch, ...]:
        """Read the prices of a wait; those of the wait before are not read again."""
        if last is not None and wake_on is last.request.wake_on:
            return last.watches
        return tuple(self._venue.watch(cross) for cross in wake_on.price)

    def _close_bar(self, request: WaitRequest) -> int:
        """Boundary of the next close of a bar that is waited for."""
        if request.wake_on.bar is None:
            return NEVER
        interval_ms = INTERVAL_MS[request.wake_on.bar]
        return self._bar_at((self._world.now_ms // interval_ms + 1) * interval_ms)

    def _bar_at(self, time_ms: int) -> int:
        return self._world.market.tape.bar_at(time_ms)
