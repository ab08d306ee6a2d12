"""The simple gateway: actions of the REST and of a step, and the venue's answers to them."""

from perp_engine.commands import PriceWatch
from suite.contracts.clock import PriceCross
from suite.contracts.venue import (
    Action,
    ActionReply,
    AdjustMargin,
    CancelOrder,
    ModifyOrder,
    PlaceOrder,
    SetLeverage,
)
from suite.enums import Grouping, MarginMode
from suite.errors import BadRequest, RejectReason
from suite.fixed import USD_DECIMALS, parse_fixed
from suite.ids import Oid, parse_cloid
from virtual_exchange.application.book import AccountBook
from virtual_exchange.application.exchange.new_orders import LARGEST, Refused, new_order, new_orders
from virtual_exchange.application.exchange.texts import error_text
from virtual_exchange.application.exchange.trading import Status, Trading
from virtual_exchange.application.world import World, symbol_of


class Venue:
    """The gateway through which traders with a token act on a world."""

    def __init__(self, world: World, trading: Trading) -> None:
        self._world = world
        self._trading = trading

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
                oid = _target(book, action)
                return _statuses("cancel", [self._trading.cancel(book, symbol, oid)])
            case ModifyOrder():
                return self._modify(book, symbol, action)
            case SetLeverage():
                mode = MarginMode.CROSS if action.is_cross else MarginMode.ISOLATED
                reason = self._trading.leverage(book, symbol, action.leverage, mode)
                return _default(reason, symbol)
            case AdjustMargin():
                return self._margin(book, symbol, action)

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
            return _statuses("order", [{"error": self._trading.text(refused.reason, symbol)}])
        grouping = Grouping.NORMAL_TPSL if len(orders) > 1 else Grouping.NONE
        return _statuses("order", self._trading.place(book, orders, grouping))

    def _modify(self, book: AccountBook, symbol: int, action: ModifyOrder) -> ActionReply:
        old = _target(book, action)
        record = book.orders.get(old) if old is not None else None
        if record is None or record.symbol != symbol:
            book.rejected += 1
            return _err(error_text(RejectReason.CANNOT_MODIFY, symbol))
        instrument = self._world.market.instruments[symbol]
        try:
            order = new_order(instrument, symbol, action, cloid=record.cloid)
        except Refused as refused:
            book.rejected += 1
            return _statuses("order", [{"error": self._trading.text(refused.reason, symbol)}])
        status = self._trading.modify(book, old, order)
        if isinstance(status, RejectReason):
            return _err(error_text(status, symbol))
        return _statuses("order", [status])

    def _margin(self, book: AccountBook, symbol: int, action: AdjustMargin) -> ActionReply:
        try:
            usd = parse_fixed(action.margin, USD_DECIMALS)
        except ValueError as error:
            return _err(f"margin: {error}")
        return _default(self._trading.margin(book, symbol, usd), symbol)


def _target(book: AccountBook, action: CancelOrder | ModifyOrder) -> Oid | None:
    """Find the order an action names; only ids below 2^53 exist."""
    if action.cloid is not None:
        return book.latest.get(parse_cloid(action.cloid))
    return Oid(action.oid) if action.oid is not None and 0 < action.oid < LARGEST else None


def _err(text: str) -> ActionReply:
    return ActionReply(status="err", response=text)


def _default(reason: RejectReason | None, symbol: int) -> ActionReply:
    if reason is not None:
        return _err(error_text(reason, symbol))
    return ActionReply(status="ok", response={"type": "default"})


def _statuses(kind: str, statuses: list[Status]) -> ActionReply:
    return ActionReply(status="ok", response={"type": kind, "data": {"statuses": statuses}})
