"""What the traders of the venue's present world did, as of the venue's time.

board = Board(store=store, venue=venue, comparison=Comparison(store))
compared = await board.compare_performance()
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, NamedTuple, TypeAlias

from suite.contracts.leaderboard import Leaderboard, LeaderboardRow
from suite.contracts.trader import near
from suite.errors import NotFound, SuiteError, UpstreamUnavailable
from suite.ids import TraderId, WorldId
from trader_manager.application.collecting import world_of
from trader_manager.application.comparing import ComparedStore, Comparison, best_of
from trader_manager.application.venue_reads import VenueReads
from trader_manager.domain.records import (
    EquitySeries,
    Moment,
    News,
    Positions,
    Reached,
    Trade,
)

_Asked: TypeAlias = tuple[WorldId, int | None, int | None, tuple[TraderId, ...] | None]
_REST: Final = 9.0
"""Times that a board took, until it is made anew."""
_BOARDS: Final = 16
"""Boards that are kept."""
_CLOCK_S: Final = 2.0
"""How long the venue's time is waited for; what is stored is there without it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """A board, and as of when it is."""

    moment: Moment
    board: Leaderboard


class _Made(NamedTuple):
    """A board that was made, as of when, when that was by the process's clock, and how long."""

    compared: Compared
    now_ms: int
    at_s: float
    took_s: float


class Board:
    """Looks at what is stored of the venue's present world.

    Args:
        store: of the traders and their records.
        venue: says which world it is, and what time.
        comparison: makes the leaderboard.
    """

    def __init__(self, *, store: ComparedStore, venue: VenueReads, comparison: Comparison) -> None:
        self._store = store
        self._venue = venue
        self._comparison = comparison
        self._last: Moment | None = None
        self._making = asyncio.Lock()
        self._made: dict[_Asked, _Made] = {}

    async def moment(self) -> Moment:
        """Say which world it is, and what time; the last known ones while the venue is away.

        Raises:
            SuiteError: the venue is away, and was since this process began.
        """
        try:
            async with asyncio.timeout(_CLOCK_S):
                clock = await self._venue.clock()
        except (SuiteError, TimeoutError) as error:
            silent = f"the venue does not answer within {_CLOCK_S:g} s"
            trouble = silent if isinstance(error, TimeoutError) else str(error)
            if self._last is None:
                raise UpstreamUnavailable(trouble) from None
            return replace(self._last, trouble=trouble)
        self._last = Moment(world=world_of(clock), now_ms=clock.now_ms)
        return self._last

    async def compare_performance(
        self,
        *,
        since_ms: int | None = None,
        until_ms: int | None = None,
        trader_ids: Sequence[str] | None = None,
    ) -> Compared:
        """Compare traders over the window that they share.

        Boards that are asked for again and again are made anew for a tenth of the time at most; the
        moment says as of when one is.

        Args:
            since_ms: samples from then on only, the venue's time.
            until_ms: samples before that only; the board is then of that time.
            trader_ids: who is compared; all when not given.

        Raises:
            NotFound: there never was one of them.
            SuiteError: the venue or the database is away.
        """
        names = None if trader_ids is None else await self._known(trader_ids)
        moment = await self.moment()
        asked = (moment.world, since_ms, until_ms, names)
        async with self._making:
            made = self._made.get(asked)
            now_s = asyncio.get_running_loop().time()
            if made is not None and now_s - made.at_s < _REST * made.took_s:
                return replace(made.compared, moment=replace(moment, now_ms=made.now_ms))
            board = await self._comparison.compare_performance(
                moment.world,
                now_ms=moment.now_ms,
                since_ms=since_ms,
                until_ms=until_ms,
                trader_ids=names,
            )
            compared = Compared(moment=moment, board=board)
            at_s = asyncio.get_running_loop().time()
            self._made.pop(asked, None)
            self._made[asked] = _Made(compared, moment.now_ms, at_s, at_s - now_s)
            while len(self._made) > _BOARDS:
                del self._made[next(iter(self._made))]
        return compared

    async def get_best_performer(self) -> tuple[Moment, LeaderboardRow | None]:
        """Find the first competitor of the board; None where nobody is ranked.

        Raises:
            SuiteError: the venue or the database is away.
        """
        compared = await self.compare_performance()
        return compared.moment, best_of(compared.board)

    async def get_history(
        self, trader_id: str, *, since_ms: int | None = None, until_ms: int | None = None
    ) -> tuple[Moment, EquitySeries]:
        """Read the samples of one trader; `since_ms` is included, `until_ms` is not.

        Raises:
            NotFound: there never was such a trader.
            SuiteError: the venue or the database is away.
        """
        moment, name = await self._of(trader_id)
        series = await self._comparison.get_history(
            moment.world, name, since_ms=since_ms, until_ms=until_ms
        )
        return moment, series

    async def get_trades(
        self, trader_id: str, *, since_ms: int | None = None, until_ms: int | None = None
    ) -> tuple[Moment, tuple[Trade, ...]]:
        """Read the fills of one trader, oldest first.

        Raises:
            NotFound: there never was such a trader.
            SuiteError: the venue or the database is away.
        """
        moment, name = await self._of(trader_id)
        trades = await self._store.get_trades(
            moment.world, name, since_ms=since_ms, until_ms=until_ms
        )
        return moment, trades

    async def get_positions(self, trader_id: str) -> tuple[Moment, Positions | None]:
        """Read the latest known positions of one trader; None where nothing is recorded.

        Raises:
            NotFound: there never was such a trader.
            SuiteError: the venue or the database is away.
        """
        moment, name = await self._of(trader_id)
        found: Mapping[TraderId, Positions] = await self._store.get_positions(moment.world)
        return moment, found.get(name)

    async def read_on(
        self, world: str, after: Mapping[TraderId, Reached]
    ) -> tuple[Moment, Mapping[TraderId, News], Mapping[TraderId, Positions]]:
        """Read all traders on from where they were read, and the latest positions.

        Args:
            world: that they were read in; in another one all is new.
            after: how far; those that are not among them are read as a whole.

        Raises:
            SuiteError: the venue or the database is away.
        """
        moment = await self.moment()
        known = after if moment.world == world else {}
        news = await self._store.read_on(moment.world, known)
        return moment, news, await self._store.get_positions(moment.world)

    async def recorded(self, trader_id: str | None = None) -> tuple[Moment, tuple[TraderId, ...]]:
        """Tell whose records there may be: of one trader, or of all, removed ones too.

        Raises:
            NotFound: there never was such a trader.
            SuiteError: the venue or the database is away.
        """
        traders = await self._store.list_traders(with_removed=True)
        names = tuple(one.trader_id for one in traders)
        chosen = names if trader_id is None else await self._known([trader_id])
        return await self.moment(), chosen

    async def _of(self, trader_id: str) -> tuple[Moment, TraderId]:
        (name,) = await self._known([trader_id])
        return await self.moment(), name

    async def _known(self, trader_ids: Sequence[str]) -> tuple[TraderId, ...]:
        known = [one.trader_id for one in await self._store.list_traders(with_removed=True)]
        for name in trader_ids:
            if name not in known:
                raise NotFound(f"there is no trader {name[:64]!r}{near(name, known)}")
        return tuple(TraderId(name) for name in dict.fromkeys(trader_ids))
