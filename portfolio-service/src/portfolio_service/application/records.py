"""What traders did: from what is followed where that is enough, else asked of the manager."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Final, Protocol
from urllib.parse import quote

import msgspec

from portfolio_service.application.answers import FillRow, TraderRow
from portfolio_service.application.following import Followed
from portfolio_service.application.portfolio import Portfolio
from portfolio_service.application.ports import FleetReads
from portfolio_service.application.rebalancing import needs_telling
from portfolio_service.application.showing import fields_of
from suite.contracts.fills import TradeRow
from suite.errors import SuiteError, UpstreamRefused

_BOARD_S: Final = 5.0
"""For which a leaderboard is told again."""
_FEED_S: Final = 2.0
_AT_ONCE: Final = 8
_ASKED_MAX: Final = 16
"""Traders that are asked again for one look at the feed: what many of them cost is bounded."""
_OF_EACH: Final = 5


class _Trades(msgspec.Struct):
    trades: tuple[TradeRow, ...]


class _Decisions(msgspec.Struct):
    decisions: list[dict[str, Any]]


class PortfolioFiles(Protocol):
    """Writes rows of traders into a file."""

    def write(self, rows: Sequence[TraderRow], form: str) -> bytes:
        """Write all of them.

        Args:
            rows: a trader each.
            form: `csv` or `parquet`.
        """
        ...


class RowsNow(Protocol):
    """Tells how traders are now."""

    def __call__(self, names: Sequence[str]) -> Sequence[TraderRow]:
        """Tell those of some ids."""
        ...


class TradersRecords:
    """Fills, decisions and files.

    Args:
        reads: the manager.
        portfolio: what is followed.
        files: writes files of our own.
        rows: tells traders as they are now.
    """

    def __init__(
        self, reads: FleetReads, portfolio: Portfolio, files: PortfolioFiles, rows: RowsNow
    ) -> None:
        self._reads = reads
        self._portfolio = portfolio
        self._files = files
        self._rows = rows
        self._board: tuple[float, bytes] | None = None
        self._feed: tuple[float, list[dict[str, Any]]] | None = None
        self._asked = 0
        self._told: dict[str, tuple[int, int, list[dict[str, Any]]]] = {}
        self._asking = asyncio.Lock()

    async def trades(
        self, trader: str | None, since_ms: int | None, limit: int
    ) -> tuple[FillRow, ...]:
        """Tell fills, newest first.

        Args:
            trader: whose; the latest of each when not given.
            since_ms: from then on.
            limit: how many.

        Raises:
            SuiteError: the manager is away; not where no trader is named.
        """
        if trader is not None:
            query = {"limit": str(limit)} | ({} if since_ms is None else {"since": str(since_ms)})
            raw = await self._reads.passed_on(f"traders/{quote(trader, safe='')}/trades", query)
            found = [(trader, one) for one in _decoded(raw, _Trades).trades]
        else:
            found = [
                (name, fill)
                for name, one in self._portfolio.traders.items()
                for fill in one.recent
                if since_ms is None or fill.time_ms >= since_ms
            ]
        found.sort(key=lambda row: (row[1].time_ms, row[1].tid), reverse=True)
        return tuple(FillRow(trader=name, **fields_of(fill)) for name, fill in found[:limit])

    async def decisions(
        self, trader: str | None, limit: int, before: int | None
    ) -> Sequence[Mapping[str, Any]]:
        """Tell decisions, newest first, each with its trader.

        Args:
            trader: whose; the latest of all that run when not given.
            limit: how many.
            before: of one trader, those of a lower number only.

        Raises:
            SuiteError: the manager is away, or the trader that is named does not run.
        """
        if trader is not None:
            return await self._of(trader, limit, before)
        now_s = asyncio.get_running_loop().time()
        async with self._asking:
            if self._feed is None or now_s - self._feed[0] > _FEED_S:
                self._feed = (now_s, await self._of_all())
        return self._feed[1][:limit]

    async def leaderboard(self) -> bytes:
        """Tell the manager's board.

        Raises:
            SuiteError: the manager is away.
        """
        now_s = asyncio.get_running_loop().time()
        async with self._asking:
            if self._board is None or now_s - self._board[0] > _BOARD_S:
                self._board = (now_s, await self._reads.passed_on("leaderboard", {}))
        return self._board[1]

    async def export(
        self, kind: str, form: str, trader: str | None, names: Sequence[str]
    ) -> AsyncIterator[bytes]:
        """Write a file, piece by piece.

        Raises:
            SuiteError: the manager is away.
        """
        if kind == "portfolio":
            rows = self._rows(names)
            yield await asyncio.to_thread(self._files.write, rows, form)
            return
        query = {"kind": kind, "form": form} | ({} if trader is None else {"trader": trader})
        async for piece in self._reads.streamed("export", query):
            yield piece

    async def _of(self, trader: str, limit: int, before: int | None) -> list[dict[str, Any]]:
        query = {"limit": str(limit)} | ({} if before is None else {"before": str(before)})
        raw = await self._reads.passed_on(f"traders/{quote(trader, safe='')}/decisions", query)
        return [{"trader": trader, **row} for row in _decoded(raw, _Decisions).decisions]

    async def _of_all(self) -> list[dict[str, Any]]:
        """Ask those that have decided since they were asked, the longest unasked first."""
        running = {one.trader_id: one for one in self._portfolio.present if needs_telling(one)}
        self._told = {name: told for name, told in self._told.items() if name in running}
        due = [
            n for n, one in running.items() if n not in self._told or _turn(one) != self._told[n][1]
        ]
        due.sort(key=lambda name: self._told[name][0] if name in self._told else 0)
        self._asked += 1
        known = [name for name in due if name in self._told]
        asked = [*(name for name in due if name not in self._told), *known[:_ASKED_MAX]]
        limit = asyncio.Semaphore(_AT_ONCE)

        async def of(name: str) -> None:
            turn = _turn(running[name])
            rows: list[dict[str, Any]] = []
            async with limit:
                with contextlib.suppress(SuiteError):  # one that does not answer hides nobody
                    rows = await self._of(name, _OF_EACH, None)
            self._told[name] = (self._asked, turn, rows)

        await asyncio.gather(*map(of, asked))
        found = [row for _, _, rows in self._told.values() for row in rows]
        found.sort(key=_when, reverse=True)
        return found


def _turn(one: Followed) -> int:
    status = one.managed.status if one.managed else None
    return status.turn if status else 0


def _when(row: Mapping[str, Any]) -> int:
    at = row.get("now_ms") or row.get("time_ms") or 0
    return at if isinstance(at, int) else 0


def _decoded(raw: bytes, kind: Any) -> Any:
    try:
        return msgspec.json.decode(raw, type=kind)
    except msgspec.DecodeError as error:
        raise UpstreamRefused(f"the manager answers in another shape: {error}") from None
