"""Native actions on orders, leverage and margin."""

from collections.abc import Iterable
from typing import Final

from suite.contracts import hyperliquid_exchange as wire
from suite.enums import Grouping, MarginMode
from suite.errors import RejectReason
from suite.ids import Oid, parse_cloid
from virtual_exchange.application.book import AccountBook
from virtual_exchange.application.exchange.answers import DONE, Answer, data, err
from virtual_exchange.application.exchange.identity import Identity
from virtual_exchange.application.exchange.new_orders import LARGEST, Refused, wire_order
from virtual_exchange.application.exchange.texts import error_text
from virtual_exchange.application.exchange.trading import Status, Trading
from virtual_exchange.application.world import World

_MAX_BUILDER_FEE: Final = 100
_NO_BUILDER_FEE: Final = "Builder fee has not been approved."


class TradeActions:
    """What the keys of an account and its agents may do."""

    def __init__(self, world: World, trading: Trading, identity: Identity) -> None:
        self._world = world
        self._trading = trading
        self._identity = identity

    def place(self, book: AccountBook, action: wire.Order) -> Answer:
        """`order`."""
        items = action.orders
        if not items:
            return _statuses([{"error": "Orders are empty."}])
        if (unknown := self._unknown(item.a for item in items)) is not None:
            book.rejected += len(items)
            return _statuses([{"error": unknown}])
        if not self._builder_allowed(book, action.builder):
            book.rejected += len(items)
            return _statuses([{"error": _NO_BUILDER_FEE} for _ in items])
        grouping = Grouping.NONE
        if isinstance(action.grouping, str):
            grouping = Grouping(action.grouping)
        whole = grouping is Grouping.POSITION_TPSL
        try:
            orders = tuple(wire_order(self._world, item, whole=whole) for item in items)
        except Refused as refused:
            book.rejected += len(items)
            return _statuses([{"error": error_text(refused.reason, 0)}])
        markets = frozenset(index for index, item in enumerate(items) if _is_market(item))
        return _statuses(self._trading.place(book, orders, grouping, markets=markets))

    def cancel(self, book: AccountBook, action: wire.Cancel | wire.CancelByCloid) -> Answer:
        """`cancel` and `cancelByCloid`."""
        return data("cancel", statuses=[self._cancel(book, item) for item in action.cancels])

    def _cancel(self, book: AccountBook, item: wire.CancelItem | wire.CancelCloidItem) -> Status:
        if isinstance(item, wire.CancelItem):
            asset, oid = item.a, _oid(item.o)
        else:
            asset, oid = item.asset, book.live_oid(parse_cloid(item.cloid))
            if oid is not None and book.orders[oid].symbol != asset:
                oid = None
        if not self._is_listed(asset):
            return {"error": error_text(RejectReason.UNKNOWN_ORDER, asset)}
        return self._trading.cancel(book, asset, oid)

    def modify(self, book: AccountBook, action: wire.Modify) -> Answer:
        """`modify`: of the new order only its refusal is told."""
        status = self._replace(book, action, place_anyway=action.a)
        if isinstance(status, dict) and "error" in status:
            return err(str(status["error"]))
        return DONE

    def modify_batch(self, book: AccountBook, action: wire.BatchModify) -> Answer:
        """`batchModify`."""
        statuses = [self._replace(book, one, place_anyway=action.a) for one in action.modifies]
        return _statuses(statuses)

    def _replace(
        self, book: AccountBook, change: wire.ModifyItem | wire.Modify, *, place_anyway: bool
    ) -> Status:
        item = change.order
        if (unknown := self._unknown((item.a,))) is not None:
            book.rejected += 1
            return {"error": unknown}
        try:
            order = wire_order(self._world, item, whole=False)
        except Refused as refused:
            book.rejected += 1
            return {"error": error_text(refused.reason, 0)}
        old = self._target(book, change.oid)
        market = _is_market(item)
        if old is not None and book.orders[old].symbol != item.a:
            return {"error": "Attempted to modify to invalid new order"}
        if old is None and place_anyway:
            markets = frozenset({0} if market else ())
            return self._trading.place(book, (order,), markets=markets)[0]
        status = self._trading.modify(book, old, order, market=market)
        if isinstance(status, RejectReason):
            return {"error": error_text(status, item.a)}
        return status

    def _target(self, book: AccountBook, named: int | str) -> Oid | None:
        """The live order that is named, None when there is none."""
        if isinstance(named, str):
            return book.live_oid(parse_cloid(named))
        oid = _oid(named)
        record = None if oid is None else book.orders.get(oid)
        return None if record is None or record.status.terminal else oid

    def leverage(self, book: AccountBook, action: wire.UpdateLeverage) -> Answer:
        """`updateLeverage`."""
        if (unknown := self._unknown((action.asset,))) is not None:
            return err(unknown)
        mode = MarginMode.CROSS if action.isCross else MarginMode.ISOLATED
        reason = self._trading.leverage(book, action.asset, action.leverage, mode)
        return DONE if reason is None else err(error_text(reason, action.asset))

    def margin(self, book: AccountBook, action: wire.UpdateIsolatedMargin) -> Answer:
        """`updateIsolatedMargin`."""
        if (unknown := self._unknown((action.asset,))) is not None:
            return err(unknown)
        reason = self._trading.margin(book, action.asset, action.ntli)
        return DONE if reason is None else err(error_text(reason, action.asset))

    def schedule(self, book: AccountBook, action: wire.ScheduleCancel) -> Answer:
        """`scheduleCancel`: the client's wall clock, counted from the world's now."""
        time_ms = None
        if action.time is not None:
            time_ms = self._world.now_ms + action.time - self._identity.now_ms
            if not 0 < time_ms < LARGEST:
                return err(error_text(RejectReason.SCHEDULE_TOO_SOON, 0))
        reason = self._trading.schedule_cancel(book, time_ms)
        return DONE if reason is None else err(error_text(reason, 0))

    def _is_listed(self, asset: int) -> bool:
        return asset < len(self._world.market.instruments)

    def _unknown(self, assets: Iterable[int]) -> str | None:
        """Why assets cannot be traded, None when all can."""
        unknown = next((asset for asset in assets if not self._is_listed(asset)), None)
        if unknown is None:
            return None
        count = len(self._world.market.instruments)
        return f"Invalid asset {unknown}: this world lists assets 0 to {count - 1}."

    def _builder_allowed(self, book: AccountBook, builder: wire.Builder | None) -> bool:
        if builder is None or builder.f == 0:
            return True
        account = book.account
        owner = account.index if account.master is None else account.master
        allowed = self._identity.max_builder_fee(owner, builder.b)
        return builder.f <= min(allowed, _MAX_BUILDER_FEE)


def _statuses(statuses: list[Status]) -> Answer:
    return data("order", statuses=statuses)


def _is_market(item: wire.OrderItem) -> bool:
    return item.t.limit is not None and item.t.limit.tif == "FrontendMarket"


def _oid(number: int) -> Oid | None:
    """Only ids below 2^53 exist."""
    return Oid(number) if 0 < number < LARGEST else None
