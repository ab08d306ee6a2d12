"""What the auditor knows of orders, and what it asks of each of their fills."""

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from math import ceil

from tests.support.audited_account import AuditedAccount, AuditedOrder, AuditedPosition
from tests.support.audited_market import AuditedMarket, Instant

from perp_engine.commands import (
    Command,
    NewOrder,
)
from perp_engine.events import (
    Event,
    Fill,
    Liquidated,
    OrderChanged,
    OrderClosed,
    OrderOpened,
)
from suite.enums import FillCause, OrderStatus, Side, Tif, Tpsl
from suite.fixed import RATE_ONE

Log = Iterable[tuple[Command, Sequence[Event]]]


@dataclass
class AuditReport:
    """What an audit found.

    Attributes:
        faults: one line each; empty when all is well.
        fills, funding, liquidations: how many were checked.
    """

    faults: list[str] = field(default_factory=list)
    fills: int = 0
    funding: int = 0
    liquidations: int = 0


@dataclass
class Sent:
    """What became of it is not known yet: an order of a batch, a change of one, or a cancel.

    Attributes:
        order: None of a cancel.
        replaces: the order that a change is about.
        arrives_ms: when it is carried out.
    """

    order: NewOrder | None = None
    index: int = 0
    follows: bool = False
    replaces: int | None = None
    arrives_ms: int = 0


@dataclass
class Ruin:
    """A liquidation in progress.

    Attributes:
        seized: value of the pool when the backstop took it.
    """

    event: Liquidated
    seized: int | None = None


class OrderAuditor:
    """Follows the orders of every account."""

    def __init__(self, market: AuditedMarket) -> None:
        self.market = market
        self.report = AuditReport()
        self.accounts: dict[int, AuditedAccount] = {}
        self.orders: dict[int, AuditedOrder] = {}
        self.sent: dict[int, deque[Sent]] = {}
        self.ruins: dict[int, Ruin] = {}
        self.cut: set[tuple[int, int, int]] = set()
        """Account, coin and bar of liquidations that began with a part."""
        self.made: dict[tuple[int, int, int], int] = {}
        """What resting orders of an account and coin filled of a bar's volume."""
        self.visited: dict[tuple[int, int, int], set[int]] = {}
        """Prices at which an account traded a coin on one path: where a leg may be armed."""
        symbols = range(market.tape.symbols)
        self.stamps = [market.stamps(symbol) for symbol in symbols]
        self.settled = [0 for _ in symbols]
        """Stamps of each coin that are over for everybody."""
        self.paid: dict[tuple[int, int], int] = {}
        self.now_ms = market.tape.start_ms

    # ---- following ------------------------------------------------------------------------------

    def account(self, index: int) -> AuditedAccount:
        if index not in self.accounts:
            positions = [AuditedPosition(coin.max_leverage) for coin in self.market.instruments]
            self.accounts[index] = AuditedAccount(index, positions)
        return self.accounts[index]

    def fault(self, event: Event, what: str) -> None:
        self.report.faults.append(f"{what}: {event}")

    def require(self, event: Event, name: str, found: object, expected: object) -> None:
        """Note a value that is not what it must be."""
        if found != expected:
            self.fault(event, f"{name} is {found}, must be {expected}")

    # ---- orders ---------------------------------------------------------------------------------

    def next_sent(self, account: int) -> Sent | None:
        """The oldest order of an account that nothing became of yet."""
        waiting = self.sent.get(account, deque())
        while waiting:
            sent = waiting.popleft()
            if sent.order is not None:
                return sent
        return None

    def open(self, event: OrderOpened) -> None:
        sent = self.next_sent(event.account)
        if sent is None or sent.order is None or sent.order.symbol != event.symbol:
            self.fault(event, "an order that nobody sent")
            return
        if event.oid in self.orders:
            self.fault(event, "an oid that was given before")
        request, size = sent.order, int(sent.order.size)
        held = self.account(event.account).positions[event.symbol].size
        room = max(0, -held * request.side)
        if sent.follows:
            size = room
        elif request.reduce_only and event.status is not OrderStatus.WAITING_FOR_FILL and room:
            size = min(size, room)
        self.orders[event.oid] = AuditedOrder(
            request=request,
            oid=event.oid,
            account=event.account,
            status=event.status,
            opened_ms=event.time_ms,
            size=size,
            follows=sent.follows,
        )

    def living(self, event: OrderChanged | OrderClosed | Fill) -> AuditedOrder | None:
        """The order that an event is about."""
        order = self.orders.get(event.oid)
        if order is None or order.account != event.account or order.request.symbol != event.symbol:
            self.fault(event, "an order that was never opened")
            return None
        if order.ended is not None:
            self.fault(event, "an order that had ended")
            return None
        return order

    def change(self, event: OrderChanged) -> None:
        order = self.living(event)
        if order is None:
            return
        if event.size > order.size and not order.follows:
            self.fault(event, f"an order grew from {order.size}")
        if event.status is OrderStatus.OPEN and order.status is OrderStatus.WAITING_FOR_TRIGGER:
            order.fired_ms = event.time_ms
        if order.status is OrderStatus.WAITING_FOR_FILL:
            order.armed_ms = event.time_ms
        order.size, order.status = event.size, event.status

    def close(self, event: OrderClosed) -> None:
        order = self.living(event)
        if order is None:
            return
        if not event.status.terminal:
            self.fault(event, "an order ended with a status that is no end")
        self.require(event, "what remains", event.remaining, order.size)
        if (event.status is OrderStatus.FILLED) != (order.size == 0):
            self.fault(event, f"{order.size} of the order is open")
        if self.is_ioc(order) and event.time_ms != order.opened_ms:
            self.fault(event, "an Ioc order outlived its moment")
        order.ended = event.status

    def is_ioc(self, order: AuditedOrder) -> bool:
        request = order.request
        if request.trigger is not None:
            return False
        return request.tif is Tif.IOC or request.limit_price == 0

    # ---- fills ----------------------------------------------------------------------------------

    def is_possible(self, event: Fill, at: Instant) -> bool:
        """Whether the coin trades, or is settled, at an instant."""
        if event.size <= 0 or event.price <= 0:
            return False
        if event.cause is FillCause.SETTLEMENT:
            gone = self.market.last_bar(event.symbol) < at.bar < self.market.tape.length
            return gone and not at.in_path
        if event.cause is FillCause.BACKSTOP:
            return True
        return self.market.has_bar(event.symbol, at.bar)

    def fee(self, account: AuditedAccount, event: Fill) -> int:
        rate = 0
        if event.cause in {FillCause.ORDER, FillCause.LIQUIDATION}:
            taker, maker = self.market.fee_rates(account.fee_volume(event.time_ms))
            rate = taker if event.is_taker else maker
        return ceil(Fraction(event.price * event.size * rate, RATE_ONE))

    def check_order_fill(self, event: Fill, at: Instant) -> None:
        order = self.living(event)
        if order is None:
            return
        limit = order.request.limit_price
        if event.side is not order.request.side:
            self.fault(event, "the other side of its order")
        if limit and event.side * (limit - event.price) < 0:
            self.fault(event, f"worse than its limit {limit}")
        if order.request.reduce_only:
            after = event.start_position + event.side * event.size
            if abs(after) >= abs(event.start_position) or after * event.start_position < 0:
                self.fault(event, "a reduce-only order did not reduce")
        if order.status is not OrderStatus.OPEN:
            self.fault(event, f"its order was {order.status}")
        if event.is_taker:
            self.check_taker(event, at, order)
        else:
            self.check_maker(event, at, order)
        order.size -= event.size
        self.require(event, "size left", event.order_size_left, order.size)
        if order.size < 0:
            self.fault(event, "more than its order had left")

    def check_taker(self, event: Fill, at: Instant, order: AuditedOrder) -> None:
        """A taker pays what the book around its reference costs."""
        if order.fired_ms == event.time_ms:
            self.check_fired(event, at, order)
        elif order.opened_ms == event.time_ms and not at.in_path:
            self.check_arrival(event, at, order)
        else:
            self.fault(event, "a taker whose order neither arrived nor fired then")
            return
        self.check_price(event, at, order.request.limit_price)
        self.require(event, "what a taker trades of its order", event.size, order.size)

    def check_arrival(self, event: Fill, at: Instant, order: AuditedOrder) -> None:
        """An order that trades as it comes in, at the print."""
        request, print_ = order.request, self.market.print(event.symbol, at.bar)
        self.require(event, "reference", event.reference_price, print_)
        touch = self.market.touch(event.symbol, event.side, print_)
        if request.limit_price and event.side * (request.limit_price - touch) < 0:
            self.fault(event, f"its limit does not reach the touch {touch}")
        if request.trigger is None and request.tif is Tif.ALO:
            self.fault(event, "an Alo order took")
        if request.trigger is not None and request.trigger.tpsl is Tpsl.STOP_LOSS:
            self.fault(event, "a stop fired as it came in")

    def check_fired(self, event: Fill, at: Instant, order: AuditedOrder) -> None:
        """A trigger that was met: at its price, or where the path was when it was beyond."""
        trigger = order.request.trigger
        if trigger is None:
            self.fault(event, "an order without a trigger fired")
            return
        low, high = self.market.extent(event.symbol, at)
        reference = event.reference_price
        if not low <= reference <= high:
            self.fault(event, f"reference outside {low} to {high}")
        is_stop = trigger.tpsl is Tpsl.STOP_LOSS
        against = event.side if is_stop else -event.side
        if against * (reference - trigger.price) < 0:
            self.fault(event, f"its trigger {trigger.price} was not met")
        known = self.market.openings(event.symbol, at)
        if order.armed_ms == event.time_ms:
            known |= self.market.turns(event.symbol, at)
            known |= self.visited.get((event.account, event.symbol, event.time_ms), set())
        if reference != trigger.price and reference not in known:
            self.fault(event, f"neither its trigger {trigger.price} nor where the path jumped")

    def check_maker(self, event: Fill, at: Instant, order: AuditedOrder) -> None:
        """A resting limit trades at its price, or where the market was when that is better."""
        request = order.request
        limit, side = request.limit_price, event.side
        self.require(event, "reference", event.reference_price, event.price)
        if limit == 0 or (request.trigger is not None and request.trigger.is_market):
            self.fault(event, "an order that cannot rest")
            return
        if order.opened_ms >= event.time_ms or self.is_ioc(order):
            self.fault(event, "an order that did not rest")
        low, high = self.market.extent(event.symbol, at)
        level = self.market.level(event.symbol, side, limit)
        reached = low <= level if side is Side.BUY else high >= level
        if not reached:
            self.fault(event, f"its level {level} was not reached")
        known = self.market.openings(event.symbol, at)
        if at.in_path:
            starts = self.market.starts(event.symbol, at, side)
            known = {limit, *(price for price in starts if side * (limit - price) > 0)}
        if event.price not in known:
            self.fault(event, f"a maker's price must be one of {sorted(known)}")
        if at.volume_bar in order.maker_bars:
            self.fault(event, "a resting order traded twice in a bar")
        order.maker_bars.add(at.volume_bar)
        self.check_cap(event, at)

    def check_cap(self, event: Fill, at: Instant) -> None:
        key = (event.account, event.symbol, at.volume_bar)
        self.made[key] = self.made.get(key, 0) + event.size
        cap = self.market.cap(event.symbol, at)
        if cap is not None and self.made[key] > cap:
            self.fault(event, f"{self.made[key]} of resting orders exceed the cap {cap}")

    def check_price(self, event: Fill, at: Instant, limit: int) -> None:
        """Half spread, slippage and impact, exactly; in a path no further than the bar."""
        price = self.market.taken(
            event.symbol,
            event.side,
            event.reference_price,
            size=event.size,
            limit=limit,
            volume=self.market.volume(event.symbol, at.volume_bar),
        )
        if at.in_path:
            low, high = self.market.extent(event.symbol, at)
            price = min(max(price, low), high)
        self.require(event, "a taker's price", event.price, price)

    # ---- the venue's own fills ------------------------------------------------------------------
