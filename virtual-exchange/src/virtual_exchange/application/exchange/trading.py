"""Orders of an account on their way into the engine, and the venue's answers to them.

Both gateways come here: native actions and the simple REST. An answer is a status of the venue's
own (`{"resting": ...}`, `{"filled": ...}`, `{"error": text}`, `"success"`, ...), or the reason why
the action as a whole is refused.
"""

from collections.abc import Iterable
from typing import Any, Final

from perp_engine import commands
from perp_engine.commands import NewOrder
from perp_engine.events import ActionRejected, Event, Fill, OrderOpened, OrderRejected
from perp_engine.kernel.layout import OID_ACCOUNT, OID_BAR
from suite.enums import Grouping, MarginMode, OrderStatus, Tpsl
from suite.errors import RejectReason
from suite.fixed import Price, Size, Usd
from suite.ids import Oid
from virtual_exchange.application.book import AccountBook
from virtual_exchange.application.exchange.texts import FORM, REJECTED_AS, error_text
from virtual_exchange.application.world import World, mid_price
from virtual_exchange.domain.price_grid import at_or_above, at_or_below
from virtual_exchange.domain.record import OrderRecord

Status = dict[str, Any] | str
_BRACKETS: Final = {
    OrderStatus.WAITING_FOR_FILL: "waitingForFill",
    OrderStatus.WAITING_FOR_TRIGGER: "waitingForTrigger",
}
"""Legs of a group are answered with a bare word."""
REFUSED_KEPT: Final = 1024
"""Refused orders of an account that the venue remembers, a bar; they share its ids."""
_ACCEPTED_MAX: Final = OID_ACCOUNT - 2 * REFUSED_KEPT
"""Orders of an account that a bar has ids for; liquidations take some too."""


class Trading:
    """What accounts may do with orders in one world."""

    def __init__(self, world: World) -> None:
        self._world = world

    def place(
        self,
        book: AccountBook,
        orders: tuple[NewOrder, ...],
        grouping: Grouping = Grouping.NONE,
        *,
        markets: frozenset[int] = frozenset(),
        twap_id: int | None = None,
    ) -> list[Status]:
        """Place the orders of one action.

        Args:
            book: of the account.
            orders: as sent.
            grouping: how they belong together.
            markets: places in the batch of limit orders that stand for market orders.
            twap_id: the order whose slice this is.

        Returns:
            One status an order; a single one when the form of one refuses them all.
        """
        if book.accepted_in(self._world.engine.bar) + len(orders) > _ACCEPTED_MAX:
            book.rejected += len(orders)
            text = self.text(RejectReason.TOO_MANY_OPEN_ORDERS, orders[0].symbol)
            return [{"error": text} for _ in orders]
        registrar = _Registrar(self._world, book, orders, grouping, markets)
        registrar.twap_id = twap_id
        command = commands.PlaceOrders(account=book.account.index, orders=orders, grouping=grouping)
        events = self._world.apply(command, registrar)
        refused = {e.index: e.reason for e in events if isinstance(e, OrderRejected)}
        book.rejected += len(refused)
        reasons = set(refused.values())
        if (
            len(orders) > 1
            and len(refused) == len(orders)
            and len(reasons) == 1
            and reasons <= FORM
        ):
            return [{"error": self.text(refused[0], orders[0].symbol)}]
        fills = [e for e in events if isinstance(e, Fill)]
        accepted = iter(registrar.oids)
        first_leg = {Grouping.NONE: len(orders), Grouping.NORMAL_TPSL: 1, Grouping.POSITION_TPSL: 0}
        return [
            {"error": self.text(refused[index], order.symbol)}
            if index in refused
            else self._status(book, next(accepted), fills, leg=index >= first_leg[grouping])
            for index, order in enumerate(orders)
        ]

    def cancel(self, book: AccountBook, symbol: int, oid: Oid | None) -> Status:
        """Cancel an order; unknown, filled and canceled ones are told alike."""
        if oid is not None:
            command = commands.CancelOrder(account=book.account.index, symbol=symbol, oid=oid)
            if not _refusals(self._world.apply(command)):
                return "success"
        return {"error": error_text(RejectReason.UNKNOWN_ORDER, symbol)}

    def modify(
        self, book: AccountBook, old: Oid | None, order: NewOrder, *, market: bool = False
    ) -> Status | RejectReason:
        """Replace an order by another.

        Args:
            book: of the account.
            old: the order, None when what named it names none.
            order: the new one.
            market: it stands for a market order.

        Returns:
            The status of the new order; the reason when there is nothing to modify.
        """
        record = book.orders.get(old) if old is not None else None
        if old is None or record is None or record.status.terminal:
            book.rejected += 1
            return RejectReason.CANNOT_MODIFY
        if book.accepted_in(self._world.engine.bar) >= _ACCEPTED_MAX:
            book.rejected += 1
            return {"error": self.text(RejectReason.TOO_MANY_OPEN_ORDERS, order.symbol)}
        markets = frozenset({0} if market else ())
        registrar = _Registrar(self._world, book, (order,), Grouping.NONE, markets)
        registrar.parent_oid = record.parent_oid
        registrar.position_tpsl = record.position_tpsl
        command = commands.ModifyOrder(account=book.account.index, oid=old, order=order)
        events = self._world.apply(command, registrar)
        reasons = _refusals(events)
        if reasons:
            book.rejected += 1
            if reasons[0] is RejectReason.CANNOT_MODIFY:
                return RejectReason.CANNOT_MODIFY
            return {"error": self.text(reasons[0], order.symbol)}
        oid = registrar.oids[0]
        book.adopt(children_of=old, parent=oid)
        return self._status(book, oid, [e for e in events if isinstance(e, Fill)], leg=False)

    def leverage(
        self, book: AccountBook, symbol: int, leverage: int, mode: MarginMode
    ) -> RejectReason | None:
        """Choose leverage and margin mode of a coin."""
        if not 0 < leverage < 1 << 31:
            return RejectReason.INVALID_LEVERAGE
        command = commands.SetLeverage(
            account=book.account.index, symbol=symbol, leverage=leverage, mode=mode
        )
        return next(iter(_refusals(self._world.apply(command))), None)

    def margin(self, book: AccountBook, symbol: int, usd: int) -> RejectReason | None:
        """Add margin to an isolated position, micro-USD; negative takes it out."""
        command = commands.AdjustMargin(account=book.account.index, symbol=symbol, usd=Usd(usd))
        return next(iter(_refusals(self._world.apply(command))), None)

    def schedule_cancel(self, book: AccountBook, time_ms: int | None) -> RejectReason | None:
        """Cancel everything at a world time, or never when it is None."""
        command = commands.ScheduleCancel(account=book.account.index, time_ms=time_ms)
        return next(iter(_refusals(self._world.apply(command))), None)

    def text(self, reason: RejectReason, symbol: int) -> str:
        """Write a refusal as the venue does."""
        instrument, touch = self._world.market.instruments[symbol], self._world.engine.book(symbol)
        bid = at_or_below(instrument, touch.bid) if touch.print else 0
        ask = at_or_above(instrument, touch.ask) if touch.print else 0
        price = instrument.format_price
        return error_text(reason, symbol, bid=price(bid), ask=price(ask))

    def _status(self, book: AccountBook, oid: Oid, fills: list[Fill], *, leg: bool) -> Status:
        record = book.orders[oid]
        ids: dict[str, Any] = {"oid": oid}
        if record.cloid is not None:
            ids["cloid"] = record.cloid
        if leg and record.status in _BRACKETS:
            return _BRACKETS[record.status]
        own = [fill for fill in fills if fill.oid == oid]
        if own and record.status.terminal:
            instrument = self._world.market.instruments[record.symbol]
            size = sum(fill.size for fill in own)
            value = sum(fill.size * fill.price for fill in own)
            average = instrument.format_price(Price(value // size))
            total = instrument.format_size(Size(size))
            return {"filled": {"totalSz": total, "avgPx": average, **ids}}
        return {"resting": ids}


class _Registrar:
    """Writes the orders of a batch into the account's book as the engine decides on them.

    Attributes:
        oids: of the accepted ones, in their order.
        parent_oid, position_tpsl: what a modified order was a part of.
        twap_id: the order whose slice this is.
    """

    def __init__(
        self,
        world: World,
        book: AccountBook,
        orders: tuple[NewOrder, ...],
        grouping: Grouping,
        markets: frozenset[int],
    ) -> None:
        self._world = world
        self._book = book
        self._waiting = [(order, index in markets) for index, order in enumerate(orders)]
        self._grouping = grouping
        self.oids: list[Oid] = []
        self.parent_oid = 0
        self.twap_id: int | None = None
        self.position_tpsl = grouping is Grouping.POSITION_TPSL

    def rejected(self, event: OrderRejected) -> None:
        """Remember an order that was refused when it came to the book; its form left nothing."""
        order, market = self._waiting.pop(0)
        status = REJECTED_AS.get(event.reason)
        if status is None:
            return
        engine, account = self._world.engine, self._book.account.index
        used = self._book.refused_in(engine.bar)
        if used >= REFUSED_KEPT:
            return
        # they take ids from the end of the account's range of this bar
        oid = engine.bar * OID_BAR + (account + 1) * OID_ACCOUNT - 1 - used
        record = self._record(order, Oid(oid), status, event.time_ms, market=market)
        record.closed_ms = event.time_ms
        self._book.register(record)

    def opened(self, event: OrderOpened) -> None:
        """Register the next order."""
        order, market = self._waiting.pop(0)
        record = self._record(order, event.oid, event.status, event.time_ms, market=market)
        record.held_usd = event.held_usd
        record.parent_oid = self.parent_oid
        if self._grouping is Grouping.NORMAL_TPSL and self.oids:
            record.parent_oid = self.oids[0]
        self.oids.append(event.oid)
        self._book.register(record)
        self._book.count_accepted(self._world.engine.bar)

    def _record(
        self, order: NewOrder, oid: Oid, status: OrderStatus, time_ms: int, *, market: bool
    ) -> OrderRecord:
        return OrderRecord(
            oid=oid,
            cloid=order.cloid,
            symbol=order.symbol,
            kind="market" if market else _kind(order),
            side=order.side,
            size=order.size,
            remaining=order.size,
            limit_price=order.limit_price,
            trigger_price=order.trigger.price if order.trigger else Price(0),
            trigger_is_market=order.trigger is not None and order.trigger.is_market,
            position_tpsl=self.position_tpsl,
            tif=None if order.trigger else order.tif,
            reduce_only=order.reduce_only,
            status=status,
            placed_ms=time_ms,
            closed_ms=None,
            held_usd=Usd(0),
            refunded_usd=Usd(0),
            decision_price=mid_price(self._world, order.symbol),
            twap_id=self.twap_id,
        )


def _refusals(events: Iterable[Event]) -> list[RejectReason]:
    return [e.reason for e in events if isinstance(e, ActionRejected | OrderRejected)]


def _kind(order: NewOrder) -> str:
    if order.trigger is not None:
        return "stop" if order.trigger.tpsl is Tpsl.STOP_LOSS else "take_profit"
    return "limit" if order.limit_price else "market"
