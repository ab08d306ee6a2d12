"""Reads of fills, and of the orders that are carried out in slices."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

import msgspec

from perp_engine.events import Fill
from suite.contracts.hyperliquid_info import FillLiquidation, UserFill
from suite.enums import FillCause, Side
from suite.fixed import Price, Size, Usd
from suite.ids import Oid
from virtual_exchange.application.book import AccountBook
from virtual_exchange.application.info.request import InfoBody, in_range
from virtual_exchange.application.info.values import NO_HASH, made_hash, usd
from virtual_exchange.application.world import World
from virtual_exchange.domain.record import TwapRecord

_METHODS: Final[dict[FillCause, Literal["market", "backstop"]]] = {
    FillCause.LIQUIDATION: "market",
    FillCause.BACKSTOP: "backstop",
}
_MOST: Final = 2000
_MOST_KEPT: Final = 10_000
"""Fills that the venue still finds by time."""


@dataclass(slots=True)
class _Found:
    """Fills of an account's slices, and how many of its fills were looked at for them."""

    slices: list[Fill] = field(default_factory=list)
    looked_at: int = 0


class FillReads:
    """The fills of one world's accounts."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._instruments = world.market.instruments
        self._found: dict[int, _Found] = {}

    def between(
        self, book: AccountBook, first: int, end: int, *, aggregated: bool = False
    ) -> list[UserFill]:
        """Fills of an account from one to before another, oldest first."""
        fills = book.fills[first:end]
        return self._told(book, _merged(fills) if aggregated else fills)

    def rows(self, account: int | None, first: int = 0) -> tuple[UserFill, ...]:
        """Fills of an account from the `first` on, oldest first."""
        if account is None:
            return ()
        book = self._world.books[account]
        if first >= len(book.fills):
            return ()
        return tuple([self._fill(book, fill) for fill in book.fills[first:]])

    def latest(self, request: InfoBody, account: int | None) -> list[UserFill]:
        """Fills of an account, the newest first."""
        if account is None:
            return []
        book = self._world.books[account]
        if not request.aggregateByTime:
            return self._told(book, book.fills[-_MOST:])[::-1]
        return self._told(book, _merged(_newest_groups(book.fills, _MOST))[-_MOST:])[::-1]

    def by_time(self, request: InfoBody, account: int | None) -> list[UserFill]:
        """Fills in a range of time, the oldest first, so that a client can go on from the last."""
        if account is None:
            return []
        book = self._world.books[account]
        kept = book.fills[-_MOST_KEPT:]
        if not request.aggregateByTime:
            return self._told(book, in_range(kept, request, _time_of, most=_MOST))
        found = in_range(kept, request, _time_of, most=_MOST_KEPT)
        return self._told(book, _merged(_oldest_groups(found, _MOST))[:_MOST])

    def _told(self, book: AccountBook, fills: Iterable[Fill]) -> list[UserFill]:
        return [self._fill(book, fill) for fill in fills]

    def _fill(self, book: AccountBook, fill: Fill) -> UserFill:
        instrument, order = self._instruments[fill.symbol], book.orders.get(fill.oid)
        twap_id = order.twap_id if order else None
        settled = fill.cause is FillCause.SETTLEMENT
        return UserFill(
            coin=instrument.coin,
            px=instrument.format_price(fill.price),
            sz=instrument.format_size(fill.size),
            side=fill.side.wire,
            time=fill.time_ms,
            startPosition=instrument.format_size(fill.start_position),
            dir="Settlement" if settled else _direction(fill.side, fill.start_position, fill.size),
            closedPnl=usd(fill.realized_pnl_usd),
            hash=NO_HASH if twap_id is not None or settled else made_hash("fill", fill.tid),
            oid=fill.oid,
            crossed=fill.is_taker,
            fee=usd(fill.fee_usd),
            tid=fill.tid,
            twapId=twap_id,
            cloid=order.cloid if order and order.cloid else msgspec.UNSET,
            liquidation=self._liquidation(book, fill),
        )

    def _liquidation(self, book: AccountBook, fill: Fill) -> FillLiquidation | msgspec.UnsetType:
        method = _METHODS.get(fill.cause)
        if method is None:
            return msgspec.UNSET
        return FillLiquidation(
            liquidatedUser=book.account.address,
            markPx=self._instruments[fill.symbol].format_price(fill.reference_price),
            method=method,
        )

    def slices(self, account: int | None) -> list[dict[str, Any]]:
        """Fills of orders that are carried out in slices, the newest first."""
        if account is None:
            return []
        book = self._world.books[account]
        return self._slices(book, self._all_slices(book)[-_MOST:])[::-1]

    def slices_by_time(self, request: InfoBody, account: int | None) -> list[dict[str, Any]]:
        """The same in a range of time, the oldest first."""
        if account is None:
            return []
        book = self._world.books[account]
        found = in_range(self._all_slices(book), request, _time_of, most=_MOST)
        return self._slices(book, found)

    def slices_of(self, book: AccountBook, first: int, end: int) -> list[dict[str, Any]]:
        """The same of the fills from one to before another, the oldest first."""
        return self._slices(book, _of_slices(book, book.fills[first:end]))

    def _all_slices(self, book: AccountBook) -> list[Fill]:
        """Every fill of a slice; those that were found once are not looked for again."""
        found = self._found.setdefault(book.account.index, _Found())
        found.slices += _of_slices(book, book.fills[found.looked_at :])
        found.looked_at = len(book.fills)
        return found.slices

    def _slices(self, book: AccountBook, fills: Iterable[Fill]) -> list[dict[str, Any]]:
        return [{"fill": row, "twapId": row.twapId} for row in self._told(book, fills)]

    def twap_history(self, account: int | None) -> list[dict[str, Any]]:
        """What became of orders that are carried out in slices, the newest first."""
        if account is None:
            return []
        book = self._world.books[account]
        end = len(book.twap_updates)
        return self.twap_rows(book, max(0, end - _MOST), end)[::-1]

    def twap_rows(self, book: AccountBook, first: int, end: int) -> list[dict[str, Any]]:
        """What became of orders in slices, from one turn to before another, oldest first."""
        return [
            {
                "time": update.time_ms // 1000,
                "state": self.twap_state(book, update.twap, update.executed, update.executed_usd),
                "status": {"status": update.status, "description": ""},
                "twapId": update.twap.twap_id,
            }
            for update in book.twap_updates[first:end]
        ]

    def running_twaps(self, account: int | None) -> list[list[Any]]:
        """Orders in slices that are not at their end, each with its id."""
        if account is None:
            return []
        book = self._world.books[account]
        return [
            [twap.twap_id, self.twap_state(book, twap, twap.executed, twap.executed_usd)]
            for twap in book.twaps.values()
        ]

    def twap_state(
        self, book: AccountBook, twap: TwapRecord, executed: Size, executed_usd: Usd
    ) -> dict[str, Any]:
        """An order in slices, with what was executed of it by some time."""
        instrument = self._instruments[twap.symbol]
        return {
            "coin": instrument.coin,
            "user": book.account.address,
            "side": twap.side.wire,
            "sz": instrument.format_size(twap.size),
            "executedSz": instrument.format_size(executed),
            "executedNtl": usd(executed_usd),
            "minutes": twap.minutes,
            "reduceOnly": twap.reduce_only,
            "randomize": twap.randomize,
            "timestamp": twap.started_ms,
        }


def _direction(side: Side, start: Size, size: Size) -> str:
    """Name what a fill did to a position, in the venue's words.

    Args:
        side: of the fill.
        start: signed position before it.
        size: of the fill, positive.
    """
    end = start + side * size
    if start * side >= 0:
        return "Open Long" if side is Side.BUY else "Open Short"
    if end * start >= 0:
        return "Close Long" if start > 0 else "Close Short"
    return "Long > Short" if start > 0 else "Short > Long"


def _time_of(fill: Fill) -> int:
    return fill.time_ms


def _of_slices(book: AccountBook, fills: Iterable[Fill]) -> list[Fill]:
    return [
        fill
        for fill in fills
        if (order := book.orders.get(Oid(fill.oid))) and order.twap_id is not None
    ]


def _newest_groups(fills: Sequence[Fill], most: int) -> Sequence[Fill]:
    """So many of the newest fills that they merge into `most`; of each moment all or none."""
    seen: set[tuple[int, int]] = set()
    first, time_ms = len(fills), -1
    while first and (len(seen) < most or fills[first - 1].time_ms == time_ms):
        first -= 1
        time_ms = fills[first].time_ms
        seen.add((time_ms, fills[first].oid))
    return fills[first:]


def _oldest_groups(fills: Sequence[Fill], most: int) -> Iterator[Fill]:
    """So many of the oldest fills that they merge into `most`; of each moment all or none."""
    seen: set[tuple[int, int]] = set()
    time_ms = -1
    for fill in fills:
        if len(seen) >= most and fill.time_ms != time_ms:
            return
        time_ms = fill.time_ms
        seen.add((time_ms, fill.oid))
        yield fill


def _merged(fills: Iterable[Fill]) -> list[Fill]:
    """Put fills of one order at one time together; their average price is rounded down.

    Source: measured on the venue's testnet (hypercore-simulator captures), read 2026-11.
    """
    merged: dict[tuple[int, int], list[Fill]] = {}
    for fill in fills:
        merged.setdefault((fill.time_ms, fill.oid), []).append(fill)
    return [_sum(group) for group in merged.values()]


def _sum(group: list[Fill]) -> Fill:
    first, last = group[0], group[-1]
    if len(group) == 1:
        return first
    size = sum(fill.size for fill in group)
    value = sum(fill.size * fill.price for fill in group)
    return replace(
        first,
        size=Size(size),
        price=Price(value // size),
        realized_pnl_usd=Usd(sum(fill.realized_pnl_usd for fill in group)),
        fee_usd=Usd(sum(fill.fee_usd for fill in group)),
        order_size_left=last.order_size_left,
    )
