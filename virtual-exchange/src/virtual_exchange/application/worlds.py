"""The worlds of this process, by name."""

import asyncio
import secrets
from collections.abc import Callable

from suite.clock import Clock
from suite.contracts.world import WorldRequest
from suite.errors import Conflict, NotFound
from virtual_exchange.application.markets import Markets
from virtual_exchange.application.ports import MarketSource
from virtual_exchange.application.session import Session, open_session

DEFAULT = ""


class Worlds:
    """Registry of the sessions a process serves.

    Args:
        source: of their markets.
        clock: wall time.
        limit: how many there may be at a time.
        warn: told of signed actions that the live venue would refuse.
        rate_limited: accounts may send only as many actions as the venue lets them.
    """

    def __init__(
        self,
        *,
        source: MarketSource,
        clock: Clock,
        limit: int,
        warn: Callable[..., object] = lambda *_args, **_values: None,
        rate_limited: bool = False,
    ) -> None:
        self._warn = warn
        self._rate_limited = rate_limited
        self._markets = Markets(source)
        self._clock = clock
        self._limit = limit
        self._sessions: dict[str, Session] = {}
        self._building = asyncio.Lock()

    async def create(self, request: WorldRequest, *, world_id: str | None = None) -> Session:
        """Build a world beside the event loop, one at a time, and serve it.

        Args:
            request: what it is like.
            world_id: its name; a random one when not given.

        Raises:
            Conflict: there are too many.
            SuiteError: it cannot be built.
        """
        async with self._building:
            if len(self._sessions) >= self._limit:
                raise Conflict(f"there are {self._limit} worlds already; delete one first")
            name = secrets.token_hex(6) if world_id is None else world_id
            session = await asyncio.to_thread(
                open_session,
                request,
                source=self._markets,
                clock=self._clock,
                world_id=name,
                encoded=True,
                warn=self._warn,
                rate_limited=self._rate_limited,
            )
            self._sessions[name] = session
        return session

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
        """Forget a world; nobody who waits in it is answered any more.

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
        return session

    def all(self) -> list[Session]:
        """Every world, oldest first."""
        return list(self._sessions.values())
