"""The barrier: world time moves to the earliest wake-up over all participants.

No thread, no task and no waiting in here. `join` and `wait` take note of a participant, `step`
moves time when all wait, and a `Ticket` holds the reply once there is one. The in-process runner
calls `step` in a plain loop; the HTTP layer does so too and awaits the tickets.

Neither the order in which participants arrive nor how long they think changes a result: accounts
never meet in the engine, time stands while one of them has not answered, and what a reply shows is
the state at its own time.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import msgspec

from perp_engine.commands import PriceWatch
from perp_engine.events import Advanced, Event, Fill, OrderChanged, OrderClosed, OrderOpened
from suite.bars import INTERVAL_MS
from suite.clock import Clock
from suite.contracts.clock import PriceCross, WaitReply, WaitRequest, Want
from suite.contracts.venue import ActionReply
from suite.errors import BadRequest, Conflict, SuiteError
from suite.fixed import Price
from virtual_exchange.application.venue import Venue
from virtual_exchange.application.views import Views
from virtual_exchange.application.world import Stops, World

JOIN_LIMIT_MS = 60_000
SILENCE_LIMIT_MS = 120_000
_NEVER = 1 << 62


class Ticket:
    """A reply that is there, or will be."""

    def __init__(self) -> None:
        self.reply: WaitReply | None = None
        self.fault: SuiteError | None = None
        self._listeners: list[Callable[[], None]] = []

    @property
    def done(self) -> bool:
        """There is a reply, or a reason why there is none."""
        return self.reply is not None or self.fault is not None

    def on_done(self, listener: Callable[[], None]) -> None:
        """Call back when it is done, at once when it is already."""
        if self.done:
            listener()
        else:
            self._listeners.append(listener)

    def result(self) -> WaitReply:
        """Take the reply.

        Raises:
            SuiteError: why there is none.
        """
        if self.fault is not None:
            raise self.fault
        if self.reply is None:
            raise Conflict("the reply is not there yet")
        return self.reply

    def resolve(self, reply: WaitReply | SuiteError) -> None:
        """Settle it, once."""
        if isinstance(reply, WaitReply):
            self.reply = reply
        else:
            self.fault = reply
        listeners, self._listeners = self._listeners, []
        for listener in listeners:
            listener()


@dataclass(slots=True)
class _Pending:
    """A wait that has not ended."""

    request: WaitRequest
    results: tuple[ActionReply, ...]
    until_bar: int
    watches: tuple[PriceWatch, ...]
    ticket: Ticket
    filled: bool = False


@dataclass(slots=True)
class Participant:
    """One account whose decisions hold time.

    Attributes:
        step_seq: number of its last step, 0 after a join.
        turn_since_ms: wall time since which it is its turn, or since it was last heard in it.
        degraded: it was dropped for silence at some time.
        late: bars of a paced world that passed while it was deciding.
    """

    account: int
    name: str
    joined: bool = False
    dropped: bool = False
    degraded: bool = False
    late: int = 0
    step_seq: int = 0
    seen_fills: int = 0
    turn_since_ms: int = 0
    last: Ticket | None = field(default=None)
    pending: _Pending | None = field(default=None)


class Barrier:
    """Time of one world and those who wait in it.

    Args:
        world: moves.
        venue: carries out the orders that come with a wait.
        views: builds what replies bring.
        clock: wall time, for limits on silence only.
        expected: accounts without which time does not start.
        paced: time moves by `tick` alone and waits for nobody who has joined.
        supervised: nobody is dropped for silence.
    """

    def __init__(
        self,
        *,
        world: World,
        venue: Venue,
        views: Views,
        clock: Clock,
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
        self._first_join_ms: int | None = None
        self.participants: dict[int, Participant] = {
            account: Participant(account, world.accounts[account].account_id)
            for account in sorted(set(expected))
        }

    # what participants do

    def join(self, account: int, want: Want) -> WaitReply:
        """Take part from now on; a participant that joins again begins its steps at 1 again."""
        self._views.check(want)
        participant = self.participants.get(account)
        if participant is None:
            name = self._world.accounts[account].account_id
            participant = self.participants[account] = Participant(account, name)
        if participant.pending is not None:
            participant.pending.ticket.resolve(Conflict("the participant joined again"))
            participant.pending = None
        participant.joined, participant.dropped = True, False
        participant.step_seq, participant.last = 0, None
        participant.turn_since_ms = self._clock.now_ms()
        if self._first_join_ms is None:
            self._first_join_ms = participant.turn_since_ms
        reply = self._views.reply(account, want, first_fill=participant.seen_fills)
        if want.fills:
            participant.seen_fills = self._views.fills_of(account)
        return msgspec.structs.replace(reply, ended=self._world.finished)

    def wait(self, account: int, request: WaitRequest) -> Ticket:
        """Carry out a participant's orders and put it to sleep; the next `step`s wake it.

        Raises:
            Conflict: it has not joined, was dropped, or skipped a step.
            BadRequest: the conditions make no sense.
        """
        participant = self._present(account)
        participant.turn_since_ms = self._clock.now_ms()
        if request.step_seq == participant.step_seq and participant.last is not None:
            return participant.last
        if request.step_seq != participant.step_seq + 1:
            raise Conflict(
                f"step_seq {request.step_seq} is out of order; the next is "
                f"{participant.step_seq + 1}"
            )
        self._views.check(request.want)
        until_bar = self._until(request)
        watches = tuple(self._watch(cross) for cross in request.wake_on.price)
        fills = self._views.fills_of(account)
        results = tuple(self._venue.submit(account, action) for action in request.orders)
        filled = request.wake_on.fill and self._views.fills_of(account) > fills
        pending = _Pending(request, results, until_bar, watches, Ticket(), filled=filled)
        if filled:
            # It happened at the open of the bar that starts now, so it wakes at that bar's end.
            pending.until_bar = min(until_bar, self._world.engine.bar + 1)
        participant.step_seq, participant.last = request.step_seq, pending.ticket
        participant.pending = pending
        if self._world.finished:
            self._wake(participant, ("ended",))
        elif until_bar <= self._world.engine.bar:
            self._wake(participant, ("time",))
        return pending.ticket

    def heartbeat(self, account: int) -> None:
        """Keep the lease of a participant that thinks for long.

        Raises:
            Conflict: it has not joined, or was dropped.
        """
        self._present(account).turn_since_ms = self._clock.now_ms()

    def leave(self, account: int) -> None:
        """Take no part any more; time no longer waits for it."""
        participant = self.participants.pop(account, None)
        if participant is not None and participant.pending is not None:
            participant.pending.ticket.resolve(Conflict("the participant has left"))

    def touch(self, account: int) -> None:
        """Note a sign of life that is not a step."""
        participant = self.participants.get(account)
        if participant is not None:
            participant.turn_since_ms = self._clock.now_ms()

    def _present(self, account: int) -> Participant:
        participant = self.participants.get(account)
        if participant is None or not participant.joined:
            raise Conflict("join first: POST /clock/join")
        if participant.dropped:
            raise Conflict(
                f"{participant.name} was dropped after {SILENCE_LIMIT_MS // 1000} s of silence; "
                "join again: POST /clock/join"
            )
        return participant

    # what moves time

    @property
    def ready(self) -> bool:
        """Everyone waits: a lockstep world may move."""
        present = [p for p in self.participants.values() if not p.dropped]
        return bool(present) and all(p.pending is not None for p in present)

    @property
    def started(self) -> bool:
        """All who are expected have joined."""
        return all(p.joined for p in self.participants.values())

    def step(self) -> bool:
        """Move a lockstep world a piece; say whether to call again at once."""
        if self._paced or self._world.finished or not self.ready:
            return False
        waiting = self._waiting()
        self._advance(min(p.until_bar for _, p in waiting), waiting)
        return True

    def tick(self) -> None:
        """Move a paced world one bar; who has not answered by now is late."""
        if self._world.finished or not self.started:
            return
        for participant in self.participants.values():
            if participant.pending is None and participant.joined and not participant.dropped:
                participant.late += 1
        self._advance(self._world.engine.bar + 1, self._waiting())

    def advance(self, until_ms: int) -> None:
        """Move a world without participants.

        Raises:
            Conflict: someone takes part, or a timer moves the world.
            BadRequest: the time has passed.
        """
        if self._paced:
            raise Conflict("this world is paced: its time moves by a timer")
        if any(p.joined and not p.dropped for p in self.participants.values()):
            raise Conflict("this world has participants: its time moves when all of them wait")
        if until_ms < self._world.now_ms:
            raise BadRequest(f"until_ms {until_ms} has passed; world time is {self._world.now_ms}")
        until_bar = self._bar_at(until_ms)
        while self._world.engine.bar < until_bar:
            self._world.advance(until_bar, Stops())

    def expire(self) -> None:
        """Act on those who are silent for too long; called now and then with wall time passing."""
        now_ms = self._clock.now_ms()
        missing = [p.name for p in self.participants.values() if not p.joined]
        started = self._first_join_ms
        if missing and started is not None and now_ms - started >= JOIN_LIMIT_MS:
            seconds = JOIN_LIMIT_MS // 1000
            fault = Conflict(f"{', '.join(missing)} did not join within {seconds} s")
            for participant in self.participants.values():
                if participant.pending is not None:
                    participant.step_seq -= 1
                    ticket, participant.pending = participant.pending.ticket, None
                    participant.last = None
                    ticket.resolve(fault)
        if self._supervised:
            return
        for participant in self.participants.values():
            silent_ms = now_ms - participant.turn_since_ms
            its_turn = participant.joined and participant.pending is None
            if its_turn and not participant.dropped and silent_ms >= SILENCE_LIMIT_MS:
                participant.dropped = participant.degraded = True

    # how

    def _waiting(self) -> list[tuple[Participant, _Pending]]:
        return [(p, p.pending) for p in self.participants.values() if p.pending is not None]

    def _advance(self, until_bar: int, waiting: list[tuple[Participant, _Pending]]) -> None:
        watches: list[PriceWatch] = []
        owners: list[int] = []
        for participant, pending in waiting:
            watches.extend(pending.watches)
            owners.extend([participant.account] * len(pending.watches))
        on = [(p.account, pending.request.wake_on) for p, pending in waiting]
        stops = Stops(
            fill=frozenset(account for account, wake in on if wake.fill),
            order=frozenset(account for account, wake in on if wake.order),
            watches=tuple(watches),
        )
        events, advanced = self._world.advance(until_bar, stops)
        crossed = {owners[index] for index in advanced.watches_met}
        woken = [
            (participant, reasons)
            for participant, pending in waiting
            if (reasons := self._reasons(participant, pending, events, advanced, crossed))
        ]
        for participant, reasons in woken:
            self._wake(participant, reasons)

    def _reasons(
        self,
        participant: Participant,
        pending: _Pending,
        events: tuple[Event, ...],
        advanced: Advanced,
        crossed: set[int],
    ) -> tuple[str, ...]:
        """Find what ends a wait after an advance; nothing when it goes on."""
        reasons: list[str] = []
        request, wake = pending.request, pending.request.wake_on
        if pending.until_bar <= advanced.bar:
            if request.until_ms is not None and request.until_ms <= advanced.time_ms:
                reasons.append("time")
            elif not pending.filled:
                reasons.append("bar")
        own = [
            e for e in events if not isinstance(e, Advanced) and e.account == participant.account
        ]
        if pending.filled or (wake.fill and any(isinstance(e, Fill) for e in own)):
            reasons.append("fill")
        if wake.order and any(isinstance(e, _ORDER_EVENTS) for e in own):
            reasons.append("order")
        if participant.account in crossed:
            reasons.append("price")
        if self._world.finished:
            reasons = [reason for reason in reasons if reason != "bar"] + ["ended"]
        return tuple(reasons)

    def _wake(self, participant: Participant, reasons: tuple[str, ...]) -> None:
        pending = participant.pending
        if pending is None:
            return
        want = pending.request.want
        reply = self._views.reply(participant.account, want, first_fill=participant.seen_fills)
        if want.fills:
            participant.seen_fills = self._views.fills_of(participant.account)
        participant.pending = None
        participant.turn_since_ms = self._clock.now_ms()
        pending.ticket.resolve(
            msgspec.structs.replace(
                reply,
                step_seq=pending.request.step_seq,
                woke_by=reasons,
                results=pending.results,
                ended=self._world.finished,
            )
        )

    def _until(self, request: WaitRequest) -> int:
        """Latest boundary of a wait: its time, or the next close of a bar it waits for."""
        until_bar = _NEVER
        if request.until_ms is not None:
            until_bar = self._bar_at(request.until_ms)
        if request.wake_on.bar is not None:
            step = INTERVAL_MS[request.wake_on.bar]
            until_bar = min(until_bar, self._bar_at((self._world.now_ms // step + 1) * step))
        return min(until_bar, self._world.end_bar)

    def _bar_at(self, time_ms: int) -> int:
        return min(self._world.market.tape.bar_at(time_ms), self._world.end_bar)

    def _watch(self, cross: PriceCross) -> PriceWatch:
        symbol = self._venue.symbol(cross.coin)
        if symbol is None:
            raise BadRequest(f"unknown coin {cross.coin[:20]!r} in wake_on.price")
        value = cross.above if cross.above is not None else cross.below
        try:
            price = self._world.market.instruments[symbol].parse_price(value or 0)
        except ValueError as error:
            raise BadRequest(f"wake_on.price: {error}") from None
        if not 0 < price < 1 << 53:
            raise BadRequest("wake_on.price: the price must be positive and possible")
        return PriceWatch(symbol=symbol, price=Price(price), above=cross.above is not None)


_ORDER_EVENTS = (OrderOpened, OrderClosed, OrderChanged, Fill)
