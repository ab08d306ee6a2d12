"""Actions of an account: from what it sent to engine commands, and back to the venue's answer."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from perp_engine import commands
from perp_engine.commands import NewOrder, PriceWatch
from perp_engine.events import ActionRejected, Event, Fill, OrderOpened, OrderRejected
from suite.contracts.clock import PriceCross
from suite.contracts.venue import (
    Action,
    ActionReply,
    CancelOrder,
    ModifyOrder,
    PlaceOrder,
    SetLeverage,
)
from suite.enums import Grouping, MarginMode, OrderStatus, Tpsl
from suite.errors import BadRequest, RejectReason
from suite.fixed import Price, Usd
from suite.ids import Oid, parse_cloid
from virtual_exchange.application.book import AccountBook
from virtual_exchange.application.new_orders import LARGEST, Refused, new_order, new_orders
from virtual_exchange.application.wire_errors import error_text
from virtual_exchange.application.world import World, mid_price, symbol_of
from virtual_exchange.domain.record import OrderRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class _Batch:
    """Orders of one action on their way into the books."""

    symbol: int
    orders: tuple[NewOrder, ...]
    grouped: bool


class Venue:
    """The door through which accounts act on a world."""

    def __init__(self, world: World) -> None:
        self._world = world

    def submit(self, account: int, action: Action) -> ActionReply:
        """Carry out one action at the present world time.

        Args:
            account: index of the account that sent it.
            action: what it asks for.

        Returns:
            The venue's answer; a refusal is an answer too.
        """
        world = self._world
        book = world.books[account]
        book.log_decision(world.now_ms, action)
        if world.finished:
            book.rejected += isinstance(action, PlaceOrder | ModifyOrder)
            return _err(error_text(RejectReason.HALTED, 0))
        symbol = symbol_of(world, action.coin)
        if symbol is None:
            book.rejected += isinstance(action, PlaceOrder | ModifyOrder)
            return _err(f"Unknown coin {action.coin[:20]!r}.")
        match action:
            case PlaceOrder():
                return self._place(book, symbol, action)
            case CancelOrder():
                return self._cancel(book, symbol, action)
            case ModifyOrder():
                return self._modify(book, symbol, action)
            case SetLeverage():
                return self._leverage(book, symbol, action)

    def watch(self, cross: PriceCross) -> PriceWatch:
        """Read a price that somebody waits for.

        Raises:
            BadRequest: there is no such coin or price.
        """
        symbol = symbol_of(self._world, cross.coin)
        if symbol is None:
            raise BadRequest(f"unknown coin {cross.coin[:20]!r} in wake_on.price")
        value = cross.above if cross.above is not None else cross.below
        try:
            price = self._world.market.instruments[symbol].parse_price(value or 0)
        except ValueError as error:
            raise BadRequest(f"wake_on.price: {error}") from None
        if not 0 < price < LARGEST:
            raise BadRequest("wake_on.price: the price must be positive and possible")
        return PriceWatch(symbol=symbol, price=price, above=cross.above is not None)

    def _place(self, book: AccountBook, symbol: int, action: PlaceOrder) -> ActionReply:
        instrument = self._world.market.instruments[symbol]
        try:
            orders = new_orders(instrument, symbol, action, book)
        except Refused as refused:
            book.rejected += 1
            return _statuses("order", [{"error": self._text(refused.reason, symbol)}])
        grouped = len(orders) > 1
        command = commands.PlaceOrders(
            account=book.account.index,
            orders=orders,
            grouping=Grouping.NORMAL_TPSL if grouped else Grouping.NONE,
        )
        ids: list[Oid] = []
        batch = _Batch(symbol=symbol, orders=orders, grouped=grouped)
        events = self._world.apply(command, self._registrar(book, batch, ids))
        return _statuses("order", self._order_statuses(book, batch, ids, events))

    def _registrar(self, book: AccountBook, batch: _Batch, ids: list[Oid]) -> "_Registrar":
        return _Registrar(book, batch, ids, mid_price(self._world, batch.symbol))

    def _order_statuses(
        self, book: AccountBook, batch: _Batch, ids: list[Oid], events: Iterable[Event]
    ) -> list[Any]:
        refused = {e.index: e.reason for e in events if isinstance(e, OrderRejected)}
        book.rejected += len(refused)
        fills = [e for e in events if isinstance(e, Fill)]
        accepted = iter(ids)
        return [
            {"error": self._text(refused[index], batch.symbol)}
            if index in refused
            else self._status(book, next(accepted), fills, grouped=batch.grouped and index > 0)
            for index in range(len(batch.orders))
        ]

    def _status(self, book: AccountBook, oid: Oid, fills: list[Fill], *, grouped: bool) -> Any:
        record = book.orders[oid]
        ids: dict[str, Any] = {"oid": oid}
        if record.cloid is not None:
            ids["cloid"] = record.cloid
        if grouped and record.status is OrderStatus.WAITING_FOR_FILL:
            return "waitingForFill"
        if grouped and record.status is OrderStatus.WAITING_FOR_TRIGGER:
            return "waitingForTrigger"
        own = [fill for fill in fills if fill.oid == oid]
        if own and record.status.terminal:
            instrument = self._world.market.instruments[record.symbol]
            size = sum(fill.size for fill in own)
            value = sum(fill.size * fill.price for fill in own)
            average = instrument.format_price(value // size)
            return {"filled": {"totalSz": instrument.format_size(size), "avgPx": average, **ids}}
        return {"resting": ids}

    def _cancel(self, book: AccountBook, symbol: int, action: CancelOrder) -> ActionReply:
        oid = _target(book, action)
        if oid is not None:
            command = commands.CancelOrder(account=book.account.index, symbol=symbol, oid=oid)
            if not _refusals(self._world.apply(command)):
                return _statuses("cancel", ["success"])
        text = error_text(RejectReason.UNKNOWN_ORDER, symbol)
        return _statuses("cancel", [{"error": text}])

    def _modify(self, book: AccountBook, symbol: int, action: ModifyOrder) -> ActionReply:
        instrument = self._world.market.instruments[symbol]
        old = _target(book, action)
        record = book.orders.get(old) if old is not None else None
        if old is None or record is None or record.status.terminal or record.symbol != symbol:
            book.rejected += 1
            return _err(error_text(RejectReason.CANNOT_MODIFY, symbol))
        try:
            order = new_order(
                instrument,
                symbol,
                action,
                cloid=record.cloid,
            )
        except Refused as refused:
            book.rejected += 1
            return _statuses("order", [{"error": self._text(refused.reason, symbol)}])
        ids: list[Oid] = []
        batch = _Batch(symbol=symbol, orders=(order,), grouped=False)
        registrar = self._registrar(book, batch, ids)
        registrar.parent_oid = record.parent_oid
        command = commands.ModifyOrder(account=book.account.index, oid=old, order=order)
        events = self._world.apply(command, registrar)
        reasons = _refusals(events)
        if reasons:
            book.rejected += 1
            return _statuses("order", [{"error": self._text(reasons[0], symbol)}])
        book.adopt(children_of=old, parent=ids[0])
        return _statuses("order", self._order_statuses(book, batch, ids, events))

    def _leverage(self, book: AccountBook, symbol: int, action: SetLeverage) -> ActionReply:
        reasons: list[RejectReason] = [RejectReason.INVALID_LEVERAGE]
        if 0 < action.leverage < LARGEST:
            command = commands.SetLeverage(
                account=book.account.index,
                symbol=symbol,
                leverage=action.leverage,
                mode=MarginMode.CROSS if action.is_cross else MarginMode.ISOLATED,
            )
            reasons = _refusals(self._world.apply(command))
        if reasons:
            return _err(error_text(reasons[0], symbol))
        return ActionReply(status="ok", response={"type": "default"})

    def _text(self, reason: RejectReason, symbol: int) -> str:
        instrument, book = self._world.market.instruments[symbol], self._world.engine.book(symbol)
        price = instrument.format_price
        return error_text(reason, symbol, bid=price(book.bid), ask=price(book.ask))


class _Registrar:
    """Writes the orders of a batch into the account's book as the engine accepts them."""

    def __init__(self, book: AccountBook, batch: _Batch, ids: list[Oid], mid: Price) -> None:
        self._book = book
        self._batch = batch
        self._ids = ids
        self._mid = mid
        self._waiting = list(batch.orders)
        self.parent_oid = 0

    def rejected(self) -> None:
        """Skip the next order: the engine refused it."""
        self._waiting.pop(0)

    def opened(self, event: OrderOpened) -> None:
        """Register the next order."""
        order = self._waiting.pop(0)
        protects = self._batch.grouped and bool(self._ids)
        record = OrderRecord(
            oid=event.oid,
            cloid=order.cloid,
            symbol=order.symbol,
            kind=_kind(order),
            side=order.side,
            size=order.size,
            remaining=order.size,
            limit_price=order.limit_price,
            trigger_price=order.trigger.price if order.trigger else Price(0),
            reduce_only=order.reduce_only,
            status=event.status,
            placed_ms=event.time_ms,
            closed_ms=None,
            held_usd=event.held_usd,
            refunded_usd=Usd(0),
            decision_price=self._mid,
            parent_oid=self._ids[0] if protects else self.parent_oid,
        )
        self._ids.append(event.oid)
        self._book.register(record, None if order.trigger else order.tif)


def _target(book: AccountBook, action: CancelOrder | ModifyOrder) -> Oid | None:
    """Find the order an action names; only ids below 2^53 exist."""
    if action.cloid is not None:
        return book.latest.get(parse_cloid(action.cloid))
    return Oid(action.oid) if action.oid is not None and 0 < action.oid < LARGEST else None


def _refusals(events: Iterable[Event]) -> list[RejectReason]:
    return [e.reason for e in events if isinstance(e, ActionRejected | OrderRejected)]


def _kind(order: NewOrder) -> str:
    if order.trigger is not None:
        return "stop" if order.trigger.tpsl is Tpsl.STOP_LOSS else "take_profit"
    return "limit" if order.limit_price else "market"


def _err(text: str) -> ActionReply:
    return ActionReply(status="err", response=text)


def _statuses(kind: str, statuses: list[Any]) -> ActionReply:
    return ActionReply(status="ok", response={"type": kind, "data": {"statuses": statuses}})
