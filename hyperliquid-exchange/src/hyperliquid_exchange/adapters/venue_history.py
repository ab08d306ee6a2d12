"""What the venue keeps of accounts, read by `POST /info`: for reports and checks, never in a loop.

It needs no key and no token: it asks the venue itself, by address.
"""

# ruff: noqa: N815 - the names are the wire's

from collections.abc import Sequence
from typing import Final

import msgspec

from hyperliquid_exchange.domain.live_orders import ALIVE, VenueFill, VenueOrder
from suite.contracts.hyperliquid_info import UserFill
from suite.fixed import USD_DECIMALS, Usd, parse_fixed
from suite.instrument import Instrument, MarginTier
from suite.service.upstream import Upstream

_PAGE: Final = 2000
_PAGES: Final = 25
"""Pages of fills that are read at the most: 50,000."""


class _Asset(msgspec.Struct):
    name: str
    szDecimals: int
    maxLeverage: int
    marginTableId: int = 0


class _Tier(msgspec.Struct):
    lowerBound: str
    maxLeverage: int


class _Table(msgspec.Struct):
    marginTiers: list[_Tier]


class _Meta(msgspec.Struct):
    universe: list[_Asset]
    marginTables: list[tuple[int, _Table]] = []


class _Order(msgspec.Struct):
    coin: str
    oid: int
    timestamp: int
    cloid: str | None = None


class _Row(msgspec.Struct):
    order: _Order
    status: str
    statusTimestamp: int


_meta = msgspec.json.Decoder(_Meta)
_history = msgspec.json.Decoder(list[_Row])
_open = msgspec.json.Decoder(list[_Order])
_fills = msgspec.json.Decoder(list[UserFill])


class InfoHistory:
    """A `VenueHistory` over HTTP.

    Args:
        url: of the venue.
    """

    def __init__(self, url: str) -> None:
        self._upstream = Upstream("the venue", url)

    async def universe(self) -> Sequence[Instrument]:
        """List what is traded, in the order of asset ids."""
        meta = await self._upstream.read(_meta, "/info", body={"type": "meta"})
        tables = dict(meta.marginTables)
        return tuple(_instrument(asset, tables) for asset in meta.universe)

    async def orders(self, address: str) -> Sequence[VenueOrder]:
        """List the latest orders, those that are open too."""
        body = {"type": "historicalOrders", "user": address}
        rows = await self._upstream.read(_history, "/info", body=body, weight=20)
        found = {row.order.oid: _told(row.order, row.status, row.statusTimestamp) for row in rows}
        body = {"type": "frontendOpenOrders", "user": address}
        for order in await self._upstream.read(_open, "/info", body=body, weight=20):
            if order.oid not in found or found[order.oid].status not in ALIVE:
                found[order.oid] = _told(order, "open", order.timestamp)
        return tuple(found.values())

    async def fills(self, address: str, since_ms: int) -> Sequence[VenueFill]:
        """List fills since a time, page by page."""
        found: dict[tuple[int, int], UserFill] = {}
        from_ms = since_ms
        for _ in range(_PAGES):
            body = {"type": "userFillsByTime", "user": address, "startTime": from_ms}
            rows = await self._upstream.read(_fills, "/info", body=body, weight=20)
            news = {(row.oid, row.tid): row for row in rows} | found
            if len(rows) < _PAGE or len(news) == len(found):
                found = news
                break
            found, from_ms = news, max(row.time for row in rows)
        ordered = sorted(found.values(), key=lambda row: (row.time, row.tid))
        return tuple(_fill(row) for row in ordered)

    async def close(self) -> None:
        """Close the connections."""
        await self._upstream.close()


def _instrument(asset: _Asset, tables: dict[int, _Table]) -> Instrument:
    table = tables.get(asset.marginTableId)
    tiers = tuple(
        MarginTier(
            lower_bound_usd=Usd(parse_fixed(tier.lowerBound, USD_DECIMALS)),
            max_leverage=tier.maxLeverage,
        )
        for tier in (table.marginTiers if table is not None else ())
    )
    if not tiers:
        tiers = (MarginTier(lower_bound_usd=Usd(0), max_leverage=asset.maxLeverage),)
    return Instrument(coin=asset.name, sz_decimals=asset.szDecimals, tiers=tiers)


def _told(order: _Order, status: str, status_ms: int) -> VenueOrder:
    return VenueOrder(
        coin=order.coin,
        oid=order.oid,
        cloid=order.cloid,
        status=status,
        status_ms=status_ms,
        placed_ms=order.timestamp,
    )


def _fill(row: UserFill) -> VenueFill:
    return VenueFill(
        coin=row.coin,
        oid=row.oid,
        tid=row.tid,
        time_ms=row.time,
        price=row.px,
        size=row.sz,
        fee=row.fee,
        is_taker=row.crossed,
        start_position=row.startPosition,
    )
