"""Reads of orders in the venue's own shapes."""

from collections.abc import Iterator
from itertools import islice
from typing import Any, Final

from perp_engine.views import OrderState
from suite.contracts.hyperliquid_info import OpenOrder
from suite.enums import FillCause, OrderStatus
from suite.ids import Oid, parse_cloid
from suite.instrument import Instrument
from virtual_exchange.application.book import AccountBook
from virtual_exchange.application.info.request import InfoBody, UnknownRequest
from virtual_exchange.application.info.values import status_word, usd
from virtual_exchange.application.world import World
from virtual_exchange.domain.record import OrderRecord, OrderUpdate

_MOST_ROWS: Final = 2000


class OrderReads:
    """The orders of one world's accounts."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._instruments = world.market.instruments

    def open_orders(self, account: int | None) -> tuple[OpenOrder, ...]:
        """Orders that still live, oldest first; trigger orders show their limit price only."""
        live = self._live(account)
        if not live:
            return ()
        return tuple(
            OpenOrder(
                coin=instrument.coin,
                side=order.side.wire,
                limitPx=self.limit_text(book.orders[order.oid]),
                sz=instrument.format_size(order.size),
                oid=order.oid,
                timestamp=order.placed_ms,
                origSz=instrument.format_size(order.original_size),
                cloid=book.orders[order.oid].cloid,
                reduceOnly=order.reduce_only,
            )
            for instrument, order, book in live
        )

    def _live(self, account: int | None) -> list[tuple[Instrument, OrderState, AccountBook]]:
        if account is None:
            return []
        book = self._world.books[account]
        orders = self._world.engine.open_orders(account)
        return [(self._instruments[order.symbol], order, book) for order in orders]

    def frontend_orders(self, account: int | None) -> list[dict[str, Any]]:
        """Open orders with all that a user interface shows.

        What waits for the fill of an entry is listed by itself, and as a child of that entry.
        """
        return [
            self._frontend(book, book.orders[order.oid])
            for _instrument, order, book in self._live(account)
        ]

    def limit_text(self, record: OrderRecord) -> str:
        """Limit price of an order; of one without, its trigger, else the mid it was sent at."""
        price = record.limit_price or record.trigger_price or record.decision_price
        return self._instruments[record.symbol].format_price(price)

    def _frontend(self, book: AccountBook, record: OrderRecord) -> dict[str, Any]:
        instrument = self._instruments[record.symbol]
        is_trigger = record.kind in {"stop", "take_profit"}
        condition = "N/A"
        if is_trigger:
            above = (record.kind == "stop") == (record.side > 0)
            text = instrument.format_price(record.trigger_price).removesuffix(".0")
            condition = f"Price {'above' if above else 'below'} {text}"
        children = (
            child
            for child in book.children.get(Oid(record.oid), ())
            if child.status is OrderStatus.WAITING_FOR_FILL
        )
        return {
            "coin": instrument.coin,
            "side": record.side.wire,
            "limitPx": self.limit_text(record),
            "sz": instrument.format_size(record.remaining),
            "oid": record.oid,
            "timestamp": record.placed_ms,
            "triggerCondition": condition,
            "isTrigger": is_trigger,
            "triggerPx": instrument.format_price(record.trigger_price),
            "children": [self._frontend(book, child) for child in children],
            "isPositionTpsl": record.position_tpsl,
            "reduceOnly": record.reduce_only,
            "orderType": record.order_type,
            "origSz": instrument.format_size(record.size),
            "tif": _tif(record),
            "cloid": record.cloid,
        }

    def order_status(self, request: InfoBody, account: int | None) -> dict[str, Any]:
        """Where one order is, by its oid or cloid.

        Raises:
            UnknownRequest: the text is no cloid.
        """
        book = None if account is None else self._world.books[account]
        oid: Any = request.oid
        if isinstance(oid, str):
            try:
                cloid = parse_cloid(oid)
            except ValueError:
                raise UnknownRequest("wrong field `oid`") from None
            oid = book.latest.get(cloid) if book else None
        record = book.orders.get(oid) if book and oid is not None else None
        if book is None or record is None:
            return self._of_the_venue(book, oid) or {"status": "unknownOid"}
        return {
            "status": "order",
            "order": {
                "order": self._frontend(book, record),
                "status": status_word(record.status),
                "statusTimestamp": book.changed_ms[Oid(record.oid)],
            },
        }

    def _of_the_venue(self, book: AccountBook | None, oid: int | None) -> dict[str, Any] | None:
        """An order by which the venue itself liquidated; it leaves nothing but its fills."""
        fills = [f for f in book.fills if f.oid == oid] if book and book.liquidations else []
        if not fills or fills[0].cause is FillCause.SETTLEMENT:
            return None
        last, instrument = fills[-1], self._instruments[fills[0].symbol]
        size = instrument.format_size(sum(fill.size for fill in fills))
        order = {
            "coin": instrument.coin,
            "side": last.side.wire,
            "limitPx": instrument.format_price(last.price),
            "sz": "0.0",
            "oid": last.oid,
            "timestamp": fills[0].time_ms,
            "triggerCondition": "N/A",
            "isTrigger": False,
            "triggerPx": "0.0",
            "children": [],
            "isPositionTpsl": False,
            "reduceOnly": True,
            "orderType": "Market",
            "origSz": size,
            "tif": "LiquidationMarket",
            "cloid": None,
        }
        return {
            "status": "order",
            "order": {"order": order, "status": "filled", "statusTimestamp": last.time_ms},
        }

    def historical(self, account: int | None) -> list[dict[str, Any]]:
        """Changes of an account's orders, the newest first, each with the size left by then."""
        if account is None:
            return []
        book = self._world.books[account]
        return [self.change(book, update) for update in book.updates[: -_MOST_ROWS - 1 : -1]]

    def change(self, book: AccountBook, update: OrderUpdate) -> dict[str, Any]:
        """One change of an order, with the size left by then."""
        record = book.orders[Oid(update.oid)]
        size = self._instruments[record.symbol].format_size(update.remaining)
        return {
            "order": self._frontend(book, record) | {"sz": size, "children": []},
            "status": status_word(update.status),
            "statusTimestamp": update.time_ms,
        }

    def order_rows(self, account: int, before_oid: int | None = None) -> list[dict[str, Any]]:
        """Newest orders of an account, the newest first, with the margin each held and gave back.

        Args:
            account: its index.
            before_oid: only those with a smaller id, for who has seen that one and all newer ones.
        """
        orders = self._world.books[account].orders
        newest: Iterator[int] = reversed(orders)
        if before_oid is not None:
            newest = filter(before_oid.__gt__, newest)
        return [self._row(orders[Oid(oid)]) for oid in islice(newest, _MOST_ROWS)]

    def _row(self, record: OrderRecord) -> dict[str, Any]:
        instrument = self._instruments[record.symbol]
        price = instrument.format_price
        return {
            "oid": record.oid,
            "cloid": record.cloid,
            "coin": instrument.coin,
            "kind": record.kind,
            "side": record.side.wire,
            "sz": instrument.format_size(record.size),
            "remaining": instrument.format_size(record.remaining),
            "limit_px": price(record.limit_price),
            "trigger_px": price(record.trigger_price),
            "reduce_only": record.reduce_only,
            "status": str(record.status),
            "placed_ms": record.placed_ms,
            "closed_ms": record.closed_ms,
            "held_usd": usd(record.held_usd),
            "refunded_usd": usd(record.refunded_usd),
            "parent_oid": record.parent_oid or None,
        }


def _tif(record: OrderRecord) -> str | None:
    """Time in force, None for triggers; a market order's is the one of the venue's own page."""
    if record.tif is None:
        return None
    return "FrontendMarket" if record.kind == "market" else str(record.tif)
