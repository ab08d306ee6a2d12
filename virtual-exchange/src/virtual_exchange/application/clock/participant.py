"""Those whose decisions hold time: what each has asked for, and the reply it waits for."""

from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec

from perp_engine.commands import PriceWatch
from suite.contracts.clock import WaitReply, WaitRequest
from suite.contracts.venue import ActionReply
from suite.errors import Conflict, JoinFirst, SuiteError
from virtual_exchange.application.latency_queue import Delivery

_encode = msgspec.json.Encoder().encode
NEVER = 1 << 62
"""A boundary that does not come."""


class Ticket:
    """A reply that is there, or will be."""

    def __init__(self) -> None:
        self.reply: WaitReply | None = None
        self.fault: SuiteError | None = None
        self._listeners: dict[Callable[[], None], None] = {}

    @property
    def done(self) -> bool:
        """There is a reply, or a reason why there is none."""
        return self.reply is not None or self.fault is not None

    def on_done(self, listener: Callable[[], None]) -> None:
        """Call back when it is done, at once when it is already."""
        if self.done:
            listener()
        else:
            self._listeners[listener] = None

    def forget(self, listener: Callable[[], None]) -> None:
        """Call it back no more."""
        self._listeners.pop(listener, None)

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
        listeners, self._listeners = self._listeners, {}
        for listener in listeners:
            listener()


@dataclass(slots=True, kw_only=True)
class Step:
    """A wait: its orders are carried out, its ticket tells whether it has ended.

    Attributes:
        deliveries: its orders, on their way or answered.
        time_bar, close_bar: boundaries of its time and of the close of a bar it waits for.
        fill_bar: end of the bar at whose open its own orders were filled, when it waits for fills.
        until_bar: latest boundary at which it ends, the first of these.
    """

    request: WaitRequest
    deliveries: list[Delivery[ActionReply]] = field(default_factory=list)
    watches: tuple[PriceWatch, ...]
    time_bar: int
    close_bar: int
    fill_bar: int = NEVER
    until_bar: int = field(init=False)
    ticket: Ticket = field(default_factory=Ticket)

    def __post_init__(self) -> None:
        self.until_bar = min(self.time_bar, self.close_bar, self.fill_bar)

    def fill_ends(self, bar: int) -> None:
        """End at a boundary, the end of the bar at whose open its own orders were filled."""
        self.fill_bar = bar
        self.until_bar = min(self.until_bar, bar)

    @property
    def results(self) -> tuple[ActionReply, ...]:
        """Answers to its orders, as far as they are known."""
        return tuple(delivery.answer for delivery in self.deliveries)


@dataclass(slots=True)
class Participant:
    """One account whose decisions hold time.

    Attributes:
        step: its last one since it joined.
        turn_since_ms: wall time since which it is its turn, or since it was last heard in it.
        dropped: time no longer waits for it, until it joins again.
        reason: why it was dropped.
        seen_fills: fills that replies have shown.
        known_fills: those of replies that it has answered, and so has surely had.
        late: bars of a paced world that passed while it was deciding.
        asked_step: number of the step that is to end as soon as it comes; 0 for none.
    """

    account: int
    name: str
    joined: bool = False
    dropped: bool = False
    reason: str = ""
    late: int = 0
    seen_fills: int = 0
    known_fills: int = 0
    turn_since_ms: int = 0
    step: Step | None = None
    asked_step: int = 0

    @property
    def waiting(self) -> Step | None:
        """The step it sleeps in, None in its own turn."""
        return self.step if self.step is not None and not self.step.ticket.done else None

    @property
    def deciding(self) -> bool:
        """It takes part, and time has its answer to wait for."""
        return self.joined and not self.dropped and self.waiting is None

    def repeated(self, request: WaitRequest) -> Step | None:
        """Tell whether a request is for the last step again, None where it is for the next one.

        Raises:
            JoinFirst: it is neither.
            Conflict: it differs from the step it repeats, or comes during its sleep.
        """
        number, last = request.step_seq, self.step
        done = 0 if last is None else last.request.step_seq
        if last is not None and number == done:
            # compared as text: a NaN among the orders equals nothing, not even itself
            if request is not last.request and _encode(request) != _encode(last.request):
                raise Conflict(f"step {number} was another; it cannot be repeated with this body")
            return last
        if number != done + 1:
            raise JoinFirst(f"step_seq {number} is out of order; the next is {done + 1}")
        if self.waiting is not None:
            raise Conflict(f"step {done} still waits; a participant takes one step at a time")
        return None

    @property
    def state(self) -> str:
        """Where it is: `expected`, `deciding`, `waiting` or `dropped`."""
        if self.dropped:
            return "dropped"
        if not self.joined:
            return "expected"
        return "deciding" if self.waiting is None else "waiting"

    def drop(self, reason: str) -> None:
        """Let time go on without it."""
        self.dropped, self.reason = True, reason

    def interrupt(self, fault: SuiteError) -> None:
        """End its sleep without a reply, and forget the step."""
        if (step := self.waiting) is not None:
            step.ticket.resolve(fault)
        self.step = None
