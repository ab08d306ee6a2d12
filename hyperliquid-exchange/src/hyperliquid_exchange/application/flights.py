"""Keys under way, and what is told to those who bring one again."""

import asyncio
from collections import OrderedDict
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from hyperliquid_exchange.application import answers
from hyperliquid_exchange.application.requests import Request, Told
from hyperliquid_exchange.domain.intents import Settled
from suite.checks import InvariantViolated
from suite.errors import Conflict, UpstreamTimeout

WAITED_S: Final = 4.0
"""How long a repeated request waits for the fate of the one before it."""
_PROMPT_MAX: Final = 20_000

Name = tuple[str, str]
"""Trader and key."""


@dataclass(slots=True)
class Flight:
    """A key under way.

    Attributes:
        fingerprint: of its request; empty for a noop.
        assets: that it is about.
        adds_risk: it may make a position larger.
        known: set once it has an answer, or lost it.
        leaving: its bytes may be on their way.
        unknown: its answer was lost.
        task: finds out what becomes of it.
    """

    name: Name
    fingerprint: str
    assets: tuple[int, ...] = ()
    adds_risk: bool = True
    known: asyncio.Event = field(default_factory=asyncio.Event)
    leaving: bool = False
    unknown: bool = False
    task: "asyncio.Task[Settled] | None" = None

    @property
    def trader_id(self) -> str:
        """Whose it is."""
        return self.name[0]

    async def first(self) -> Settled:
        """Wait for the answer, as the one does who brought the key first.

        Raises:
            UpstreamTimeout: it was lost.
        """
        await self.known.wait()
        if self.unknown:
            raise unknown_fate()
        return await asyncio.shield(self._task)

    async def fate(self) -> Settled:
        """Wait for what becomes of it, as those do who bring the key again.

        Raises:
            UpstreamTimeout: it is not known yet.
            SuiteError: it ended before anything left.
        """
        done, _ = await asyncio.wait({self._task}, timeout=WAITED_S)
        if not done:
            raise unknown_fate()
        return self._task.result()

    @property
    def _task(self) -> "asyncio.Task[Settled]":
        if self.task is None:
            raise InvariantViolated("a flight that was not begun")
        return self.task


class Flights:
    """All keys under way."""

    def __init__(self) -> None:
        self._flights: dict[Name, Flight] = {}
        self._prompt: OrderedDict[Name, None] = OrderedDict()

    def __iter__(self) -> Iterator[Flight]:
        """All of them."""
        return iter(tuple(self._flights.values()))

    def get(self, name: Name) -> Flight | None:
        """Find one."""
        return self._flights.get(name)

    def begin(self, flight: Flight, work: Coroutine[Any, Any, Settled]) -> Flight:
        """Let one begin; whoever waits for it may go, it goes on."""
        self._flights[flight.name] = flight
        flight.task = asyncio.ensure_future(self._flown(flight, work))
        return flight

    async def _flown(self, flight: Flight, work: Coroutine[Any, Any, Settled]) -> Settled:
        try:
            settled = await work
        finally:
            del self._flights[flight.name]
            flight.known.set()
        if not flight.unknown:
            self._prompt[flight.name] = None
            if len(self._prompt) > _PROMPT_MAX:
                self._prompt.popitem(last=False)
        return settled

    def unknown(self, trader_id: str) -> list[Flight]:
        """List those of a trader that have lost their answer."""
        return [f for f in self._flights.values() if f.unknown and f.name[0] == trader_id]

    def told_again(self, request: Request, name: Name, found: Settled) -> Told:
        """Tell what became of the request that used a key.

        Raises:
            Conflict: it was another request, or a noop.
        """
        check_same(request, "" if found.outcome == "never" else found.fingerprint)
        late = name not in self._prompt
        return Told(reply=found.reply or answers.DONE, replayed=True, late=late)

    async def close(self) -> None:
        """Stop them; what they were to find out stays unknown."""
        tasks = [flight.task for flight in self if flight.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def check_same(request: Request, fingerprint: str) -> None:
    """Make sure that a key belongs to a request.

    Args:
        request: that brings it.
        fingerprint: of the one that used it; empty for a noop.

    Raises:
        Conflict: it does not.
    """
    key = request.key
    if not fingerprint:
        raise Conflict(f"Idempotency-Key {key!r} was ended by a noop: nothing was carried out")
    if fingerprint != request.fingerprint:
        raise Conflict(
            f"Idempotency-Key {key!r} belongs to another request: nothing was carried out"
        )


def unknown_fate() -> UpstreamTimeout:
    """Say that nobody knows yet."""
    return UpstreamTimeout(
        "the venue's answer was lost: what became of the action is being found out; ask again with "
        "the same Idempotency-Key, or POST /exchange/noop with it"
    )
