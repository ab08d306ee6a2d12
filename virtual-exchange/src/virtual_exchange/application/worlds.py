"""The worlds of this process, by name."""

import asyncio
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal

from suite.clock import Clock
from suite.contracts.world import WorldRequest
from suite.errors import BadRequest, Conflict, NotFound, StorageError
from virtual_exchange.application.exchange.gateway import Signatures, Strictness
from virtual_exchange.application.inputs import Head, InputClock, head_of
from virtual_exchange.application.market.building import query_of
from virtual_exchange.application.market.markets import Markets
from virtual_exchange.application.paper.opening import open_paper_session
from virtual_exchange.application.ports import (
    LiveFeed,
    MarketSource,
    WorldJournal,
    WorldJournals,
)
from virtual_exchange.application.session import Session, capacity_of, open_session

DEFAULT = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorldLimits:
    """What a process holds at most.

    Attributes:
        worlds: at a time.
        positions: of one world: room for accounts, times coins.
        minutes: of one world: stored bars of all its coins, those before its range included.
    """

    worlds: int = 128
    positions: int = 65_536
    minutes: int = 10_000_000

    def check_request(self, request: WorldRequest) -> None:
        """Refuse more accounts and coins than a world may have, before anything is loaded.

        Raises:
            BadRequest: says what there is room for.
        """
        coins, room = len(query_of(request).coins), capacity_of(request)
        if coins * room > self.positions:
            raise BadRequest(
                f"{room} accounts times {coins} coins are too many for one world: "
                f"at most {self.positions} positions"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Keeping:
    """Which worlds survive the end of the process.

    Attributes:
        journals: where they are written down.
        which: `supervised` ones alone, or `all`; a paper world never is: what moves it is a market
            that goes on meanwhile.
    """

    journals: WorldJournals
    which: Literal["supervised", "all"] = "supervised"

    def wants(self, request: WorldRequest) -> bool:
        """Whether a world is kept."""
        return request.clock != "paper" and (request.supervised or self.which == "all")


class Worlds:
    """Registry of the sessions a process serves.

    Args:
        source: of their markets.
        clock: wall time.
        limits: how many there may be, and how large.
        warn: told of signed actions that the live venue would refuse.
        rate_limited: accounts may send only as many actions as the venue lets them.
        signatures: network that signed actions have to be for.
        feed: the live market of paper worlds, None where there is none.
        keeping: of worlds beyond the end of the process; None keeps none.
    """

    def __init__(
        self,
        *,
        source: MarketSource,
        feed: LiveFeed | None = None,
        clock: Clock,
        limits: WorldLimits = WorldLimits(),
        warn: Callable[..., object] = lambda *_args, **_values: None,
        rate_limited: bool = False,
        signatures: Signatures = "any",
        keeping: Keeping | None = None,
    ) -> None:
        self._keeping = keeping
        self._warn = warn
        self._strictness = Strictness(limits=rate_limited, signatures=signatures)
        self._markets = Markets(source, minutes_max=limits.minutes)
        self._feed = feed
        self._clock = clock
        self._limits = limits
        self._sessions: dict[str, Session] = {}
        self._building = asyncio.Lock()

    async def create(self, request: WorldRequest, *, world_id: str | None = None) -> Session:
        """Build a world beside the event loop, one at a time, and serve it.

        Args:
            request: what it is like.
            world_id: its name; a random one when not given.

        Raises:
            Conflict: there are too many.
            BadRequest: it is too large.
            SuiteError: it cannot be built.
        """
        async with self._building:
            if len(self._sessions) >= self._limits.worlds:
                raise Conflict(f"there are {self._limits.worlds} worlds already; delete one first")
            self._limits.check_request(request)
            name = secrets.token_hex(6) if world_id is None else world_id
            clock, at_ms = InputClock(self._clock), self._clock.now_ms()
            with clock.standing(at_ms):
                session = await self._open(request, name, clock, self._strictness)
            if self._keeping is not None and self._keeping.wants(request):
                head = _head_of(session, at_ms, self._strictness)
                session.recorder.begin(self._keeping.journals.begin(name), head)
            self._sessions[name] = session
        return session

    async def restore(self) -> list[Session]:
        """Play the worlds of earlier lives again, up to the last that came to them.

        Returns:
            Them, oldest first; they go on to be kept.

        Raises:
            StorageError: a journal is damaged, or its market is another than it was.
            SuiteError: a market cannot be loaded.
        """
        if self._keeping is not None:
            for journal in self._keeping.journals.kept():
                session = await self._restored(journal)
                self._sessions[session.world.world_id] = session
        return self.all()

    async def _restored(self, journal: WorldJournal) -> Session:
        contents = journal.read()
        head = head_of(next(contents, b""))
        clock = InputClock(self._clock)
        strictness = Strictness(limits=head.rate_limited, signatures=head.signatures)
        with clock.standing(head.at_ms):
            session = await self._open(head.request, head.world_id, clock, strictness)
        if session.world.market.manifest.get("data") != head.data:
            raise StorageError(
                f"the world {session.world.name} cannot go on: the market that it is made of is "
                f"another now; restore the data, or remove {journal.place}"
            )
        session.unique_id = head.unique_id
        try:
            await asyncio.to_thread(session.recorder.play_back, session, contents)
        except StorageError as error:
            raise StorageError(f"{journal.place}: {error}") from None
        session.barrier.resume()
        session.recorder.journal = journal
        return session

    async def _open(
        self, request: WorldRequest, name: str, clock: InputClock, strictness: Strictness
    ) -> Session:
        open_it = partial(
            open_session,
            clock=clock,
            world_id=name,
            encoded=True,
            warn=self._warn,
            strictness=strictness,
        )
        if request.clock == "paper":
            return await open_paper_session(request, self._feed, self._clock, open_it)
        return await asyncio.to_thread(open_it, request, source=self._markets)

    def get(self, world_id: str) -> Session:
        """Find a world.

        Raises:
            NotFound: there is none of that name.
        """
        session = self._sessions.get(world_id)
        if session is None:
            text = (
                f"no world {world_id[:40]!r}" if world_id else "this service has no default world"
            )
            raise NotFound(text)
        return session

    def delete(self, world_id: str) -> Session:
        """Forget a world; whoever waits in it is told so.

        Raises:
            NotFound: there is none of that name.
            Conflict: it is the default world.
        """
        session = self.get(world_id)
        if world_id == DEFAULT:
            raise Conflict("the default world cannot be deleted")
        del self._sessions[world_id]
        session.barrier.close()
        session.streams.close()
        if session.recorder.journal is not None and self._keeping is not None:
            self._keeping.journals.remove(world_id)
            session.recorder.journal.close()
            session.recorder.journal = None
        return session

    def all(self) -> list[Session]:
        """Every world, oldest first."""
        return list(self._sessions.values())

    def close(self) -> None:
        """Let another process have those that are kept."""
        for session in self._sessions.values():
            if session.recorder.journal is not None:
                session.recorder.journal.close()


def _head_of(session: Session, at_ms: int, strictness: Strictness) -> Head:
    return Head(
        world_id=session.world.world_id,
        unique_id=session.unique_id,
        request=session.request,
        at_ms=at_ms,
        data=session.world.market.manifest.get("data"),
        rate_limited=strictness.limits,
        signatures=strictness.signatures,
    )
