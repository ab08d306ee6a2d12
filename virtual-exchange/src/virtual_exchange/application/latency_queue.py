"""Actions on their way: what a world's latency holds until it arrives.

Carried out at the first boundary at or after its arrival, in the order in which it was sent, as the
engine itself does with a decision latency; until then the answer is that it was sent.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from suite.checks import InvariantViolated
from suite.errors import SuiteError
from virtual_exchange.application.world import World

T = TypeVar("T")

SENT: Final = "sent"
"""Status of an order, cancel or modification that is on its way."""


def _spent() -> Any:
    raise InvariantViolated("an action was carried out twice")


@dataclass(slots=True, kw_only=True)
class Delivery(Generic[T]):
    """An action, and the answer to it.

    Attributes:
        due_bar: boundary at which it arrives.
        answer: what is known of it: that it was sent, then what became of it.
        arrived: it was carried out, or never will be.
        fault: why it never will be.
    """

    act: Callable[[], T]
    due_bar: int
    answer: T
    arrived: bool = False
    fault: SuiteError | None = None
    listeners: tuple[Callable[[], None], ...] = ()

    def carry_out(self) -> None:
        """Do it now, once; what it was made of is let go of."""
        act, self.act = self.act, _spent
        self.answer = act()
        self._settle()

    def on_arrival(self, listener: Callable[[], None]) -> None:
        """Tell when it has arrived, or never will."""
        self.listeners = (*self.listeners, listener)

    def lose(self, fault: SuiteError) -> None:
        """Give it up."""
        self.fault = fault
        self._settle()

    def _settle(self) -> None:
        self.arrived = True
        listeners, self.listeners = self.listeners, ()
        for listener in listeners:
            listener()


def answered(answer: T) -> Delivery[T]:
    """An action that needed no time."""
    return Delivery(act=lambda: answer, due_bar=0, answer=answer, arrived=True)


class LatencyQueue:
    """The way to the venue of one world; an alarm of it.

    Args:
        world: acted on.
        latency_ms: how long an action takes; 0 carries it out at once.
    """

    def __init__(self, world: World, latency_ms: int) -> None:
        self._world = world
        self._latency_ms = latency_ms
        self._under_way: deque[Delivery[Any]] = deque()
        world.alarms.append(self)

    def send(self, act: Callable[[], T], sent: T) -> Delivery[T]:
        """Send an action; without latency, and once the world has ended, it is there at once.

        Args:
            act: carries it out and returns the answer.
            sent: the answer until then.
        """
        world = self._world
        due_bar = world.market.tape.bar_at(world.now_ms + self._latency_ms)
        delivery = Delivery(act=act, due_bar=due_bar, answer=sent)
        if self._latency_ms == 0 or world.finished:
            delivery.carry_out()
        else:
            self._under_way.append(delivery)
        return delivery

    def next_bar(self) -> int | None:
        """Boundary at which the next action arrives; at the end of the world all do."""
        if not self._under_way:
            return None
        return min(self._under_way[0].due_bar, self._world.end_bar)

    def ring(self) -> None:
        """Carry out what has arrived by now."""
        world = self._world
        while self._under_way and (
            world.finished or self._under_way[0].due_bar <= world.engine.bar
        ):
            self._under_way.popleft().carry_out()

    def close(self, fault: SuiteError) -> None:
        """Give up what is under way."""
        while self._under_way:
            self._under_way.popleft().lose(fault)
