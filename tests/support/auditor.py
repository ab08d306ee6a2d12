"""Every fill of a run, checked again: what the rules say of it, from the tape and the requests.

The auditor never runs the engine and shares no arithmetic with it. It follows the events of a run
one by one, keeps its own orders, positions and money in integers and fractions, and lists what
cannot be. What should have happened and did not is the oracle's matter, with three exceptions:
funding that was due, the end of every order, and the money of every account at the end.

A refusal does not say of which action it is. Where actions take time, an account must therefore
not change or cancel an order while it has anything else on its way.

    log = [(command, engine.apply(command)) for command in commands]
    report = audit(engine.instruments, engine.tape, engine.rules, log)
    assert report.faults == []
"""

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from math import ceil

from tests.support.audited_account import AuditedAccount, AuditedOrder, AuditedPosition
from tests.support.audited_market import AuditedMarket, Instant

from perp_engine.commands import (
    Advance,
    CancelByCloid,
    CancelOrder,
    Command,
    ModifyOrder,
    NewOrder,
    PlaceOrders,
)
from perp_engine.events import (
    ActionRejected,
    ActionSent,
    Advanced,
    Deposited,
    Event,
    FeesSet,
    Fill,
    FundingPaid,
    InsuranceMoved,
    LeverageSet,
    Liquidated,
    MarginMoved,
    OrderChanged,
    OrderClosed,
    OrderOpened,
    OrderRejected,
)
from perp_engine.rules import Rules
from perp_engine.tape import Tape
from suite.enums import FillCause, Grouping, OrderStatus, Side, Tif, Tpsl
from suite.fixed import RATE_ONE
from suite.instrument import Instrument

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


def audit(
    instruments: Sequence[Instrument],
    tape: Tape,
    rules: Rules,
    log: Log,
    *,
    money: Sequence[int] | None = None,
) -> AuditReport:
    """Check a whole run.

    Args:
        instruments, tape, rules: of the engine.
        log: every command from the start, with the events that it caused.
        money: cash and isolated margin of every account at the end, as the engine says.
    """
    auditor = _Auditor(AuditedMarket(instruments, tape, rules))
    for command, events in log:
        auditor.follow(command, events)
    auditor.finish(money)
    return auditor.report


@dataclass
class _Sent:
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
class _Ruin:
    """A liquidation in progress.

    Attributes:
        seized: value of the pool when the backstop took it.
    """

    event: Liquidated
    seized: int | None = None


class _Auditor:
    def __init__(self, market: AuditedMarket) -> None:
        self.market = market
        self.report = AuditReport()
        self.accounts: dict[int, AuditedAccount] = {}
        self.orders: dict[int, AuditedOrder] = {}
        self.sent: dict[int, deque[_Sent]] = {}
        self.ruins: dict[int, _Ruin] = {}
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

    def follow(self, command: Command, events: Sequence[Event]) -> None:
        """Follow one command and its events."""
        pushed = self.expect(command)
        for event in events:
            if event.time_ms < self.now_ms:
                self.fault(event, f"at {event.time_ms}, before {self.now_ms}")
            self.now_ms = event.time_ms
            if isinstance(event, ActionRejected):
                self.refuse(command, event, pushed)
            elif isinstance(event, ActionSent):
                for sent in list(self.sent[event.account])[-pushed:]:
                    sent.arrives_ms = event.arrives_ms
            else:
                self.take(event)
        if self.market.rules.decision_latency_ms == 0:
            for account, waiting in self.sent.items():
                if any(sent.order is not None for sent in waiting):
                    self.report.faults.append(f"account {account}: nothing became of an order")
                waiting.clear()

    def expect(self, command: Command) -> int:
        """Note what a command asks for. Returns how many outcomes it can have."""
        found: list[_Sent] = []
        match command:
            case PlaceOrders(orders=orders, grouping=grouping):
                whole = grouping is Grouping.POSITION_TPSL
                for index, order in enumerate(orders):
                    found.append(_Sent(order, index, follows=whole and order.size == 0))
            case ModifyOrder(oid=oid, order=order):
                old = self.orders.get(oid)
                follows = old is not None and old.follows and order.size == 0
                found.append(_Sent(order, follows=follows, replaces=oid))
            case CancelOrder() | CancelByCloid():
                found.append(_Sent())
            case _:
                return 0
        self.sent.setdefault(command.account, deque()).extend(found)
        return len(found)

    def refuse(self, command: Command, event: ActionRejected, pushed: int) -> None:
        """An action was refused: as it was sent, or on its arrival."""
        waiting = self.sent.setdefault(event.account, deque())
        if not isinstance(command, Advance):
            for _ in range(min(pushed, len(waiting))):
                waiting.pop()
            return
        while waiting and waiting[0].order is None and waiting[0].arrives_ms < event.time_ms:
            waiting.popleft()
        if waiting and (waiting[0].order is None or waiting[0].replaces is not None):
            waiting.popleft()

    def take(self, event: Event) -> None:
        """Follow one event."""
        match event:
            case OrderOpened():
                self.open(event)
            case OrderRejected():
                sent = self.next_sent(event.account)
                if sent is None or sent.index != event.index:
                    self.fault(event, f"refused order {event.index} was not the next one")
            case OrderChanged():
                self.change(event)
            case OrderClosed():
                self.close(event)
            case Fill():
                self.fill(event)
            case Liquidated():
                self.begin_ruin(event)
            case Advanced():
                self.settle_funding(event.time_ms)
                self.check_pools(event)
            case _:
                self.take_money(event)

    def take_money(self, event: Event) -> None:
        """Follow an event that moves money, or changes its terms."""
        match event:
            case FundingPaid():
                self.pay(event)
            case Deposited(account=account, usd=usd):
                self.account(account).cash += usd
            case LeverageSet(account=account, symbol=symbol):
                position = self.account(account).positions[symbol]
                if position.size and position.mode is not event.mode:
                    self.fault(event, "margin mode changed under a position")
                position.leverage, position.mode = event.leverage, event.mode
            case MarginMoved(account=account, symbol=symbol, usd=usd):
                self.account(account).cash -= usd
                self.account(account).positions[symbol].bucket += usd
            case InsuranceMoved():
                self.insure(event)
            case FeesSet():
                self.check_fees(event)
            case _:
                pass

    def finish(self, money: Sequence[int] | None) -> None:
        """Check what can only be said at the end."""
        tape = self.market.tape
        if self.now_ms == tape.time_ms(tape.length):
            for order in self.orders.values():
                if order.ended is None:
                    self.report.faults.append(f"order {order.oid} has no end")
        for index, expected in enumerate(money or ()):
            found = self.account(index).money
            if found != expected:
                self.report.faults.append(
                    f"account {index}: money is {expected}, its events make it {found}"
                )

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

    def next_sent(self, account: int) -> _Sent | None:
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

    def fill(self, event: Fill) -> None:
        """Check a fill, then book it."""
        self.report.fills += 1
        at = self.market.instant(event.time_ms)
        if at is None or not self.is_possible(event, at):
            self.fault(event, "no trade can happen there and then")
            return
        if event.cause is not FillCause.SETTLEMENT:
            self.settle_funding(event.time_ms)
        account = self.account(event.account)
        self.require(event, "tid", event.tid, account.next_tid(at.bar))
        held = account.positions[event.symbol].size
        self.require(event, "start position", event.start_position, held)
        if event.cause is FillCause.ORDER:
            self.check_order_fill(event, at)
        else:
            self.check_venue_fill(event, at)
        realized, fee = account.realized(event), self.fee(account, event)
        self.require(event, "realized profit", event.realized_pnl_usd, realized)
        self.require(event, "fee", event.fee_usd, fee)
        account.book(event, realized, fee)
        path = (event.account, event.symbol, event.time_ms)
        self.visited.setdefault(path, set()).add(event.reference_price)

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

    def check_venue_fill(self, event: Fill, at: Instant) -> None:
        """Liquidation, backstop and settlement."""
        position = self.account(event.account).positions[event.symbol]
        if event.side * position.size >= 0:
            self.fault(event, "the venue opened a position")
        if not event.is_taker:
            self.fault(event, "the venue trades as a taker only")
        self.require(event, "size left", event.order_size_left, 0)
        if event.oid in self.orders:
            self.fault(event, "the venue used an order's oid")
        if event.cause is FillCause.SETTLEMENT:
            mark = self.market.boundary_mark(event.symbol, at.bar)
            self.require(event, "settlement price", event.price, mark)
            self.require(event, "reference", event.reference_price, mark)
            self.require(event, "settled size", event.size, abs(position.size))
            return
        ruin = self.ruins.get(event.account)
        if ruin is None or ruin.event.time_ms != event.time_ms:
            self.fault(event, "no liquidation was told of")
            return
        marks = self.marks(ruin.event, at)
        self.require(event, "reference", event.reference_price, marks[event.symbol])
        account = self.account(event.account)
        value, needed = account.pool(self.market, ruin.event.symbol, marks)
        if event.cause is FillCause.LIQUIDATION:
            if not 2 * needed <= 3 * value < 3 * needed:
                self.fault(event, f"sold with {value} of {needed}")
            self.check_price(event, at, 0)
            self.check_sold(event, at, abs(position.size))
            return
        if ruin.seized is None:
            ruin.seized = value
            if 3 * value >= 2 * needed:
                self.fault(event, f"taken over with {value} of {needed}")
        self.require(event, "backstop price", event.price, marks[event.symbol])
        self.require(event, "size taken over", event.size, abs(position.size))

    def check_sold(self, event: Fill, at: Instant, held: int) -> None:
        """A fifth of a large position the first time in a bar, else all of it."""
        key = (event.account, event.symbol, at.bar)
        large = held * event.reference_price > self.market.rules.partial_liquidation_usd
        size = held
        if large and key not in self.cut:
            size = ceil(Fraction(held, 5))
        self.cut.add(key)
        self.require(event, "size sold", event.size, size)

    def marks(self, ruin: Liquidated, at: Instant) -> list[int]:
        """Marks of all coins as a liquidation sees them."""
        marks = [
            self.market.mark(symbol, at, ruin.symbol) for symbol in range(self.market.tape.symbols)
        ]
        marks[ruin.symbol] = ruin.mark
        return marks

    def begin_ruin(self, event: Liquidated) -> None:
        """Check that a pool was below its maintenance margin."""
        self.report.liquidations += 1
        at = self.market.instant(event.time_ms)
        if at is None or not self.market.has_bar(event.symbol, at.bar):
            self.fault(event, "no liquidation can happen there and then")
            return
        self.settle_funding(event.time_ms)
        account = self.account(event.account)
        self.ruins[event.account] = _Ruin(event)
        low, high = self.market.extent(event.symbol, at)
        if not low <= event.mark <= high:
            self.fault(event, f"mark outside {low} to {high}")
        position = account.positions[event.symbol]
        self.require(event, "mode", event.mode, position.mode)
        if position.size == 0:
            self.fault(event, "nothing to liquidate")
        value, needed = account.pool(self.market, event.symbol, self.marks(event, at))
        self.require(event, "equity", event.equity_usd, value)
        self.require(event, "maintenance", event.maintenance_usd, needed)
        if value >= needed:
            self.fault(event, "liquidated without need")

    def insure(self, event: InsuranceMoved) -> None:
        """Insurance brings a pool to 0: what lacks, or what the backstop left."""
        account = self.account(event.account)
        position, ruin = account.positions[event.symbol], self.ruins.get(event.account)
        seized = ruin.seized if ruin and ruin.event.time_ms == event.time_ms else None
        if position.size == 0 and position.bucket < 0:
            self.require(event, "insured bucket", event.usd, -position.bucket)
            position.bucket = 0
        elif seized is not None and event.usd < 0:
            self.require(event, "what the backstop keeps", event.usd, -seized)
            account.cash += event.usd
        else:
            if account.has_cross:
                self.fault(event, "insurance of a pool with positions")
            self.require(event, "insured cash", event.usd, -account.cash)
            account.cash += event.usd

    def check_pools(self, event: Advanced) -> None:
        """No pool without positions is below 0, nor has a flat position a margin."""
        for account in self.accounts.values():
            if account.cash < 0 and not account.has_cross:
                self.fault(event, f"account {account.index} is flat and owes {-account.cash}")
            for position in account.positions:
                if position.size == 0 and (position.bucket or position.cost):
                    self.fault(event, f"account {account.index} is flat, yet {position}")

    def check_fees(self, event: FeesSet) -> None:
        rates = self.market.fee_rates(self.account(event.account).fee_volume(event.time_ms))
        self.require(event, "fees", (event.taker, event.maker), rates)

    # ---- funding --------------------------------------------------------------------------------

    def pay(self, event: FundingPaid) -> None:
        """Check a payment against the next stamp of its coin."""
        self.report.funding += 1
        self.settle_funding(event.time_ms - 1)
        key = (event.account, event.symbol)
        number = max(self.paid.get(key, 0), self.settled[event.symbol])
        self.paid[key] = number + 1
        stamps = self.stamps[event.symbol]
        at = self.market.instant(event.time_ms)
        if at is None or number >= len(stamps) or stamps[number][0] != event.time_ms:
            self.fault(event, "no funding is due")
            return
        position = self.account(event.account).positions[event.symbol]
        rate = stamps[number][1]
        self.require(event, "size", event.size, position.size)
        self.require(event, "rate", event.rate, rate)
        mark = self.market.boundary_mark(event.symbol, at.bar)
        payment = round(Fraction(position.size * mark * rate, RATE_ONE))
        self.require(event, "payment", event.usd, -payment)
        if position.is_cross:
            self.account(event.account).cash -= payment
        else:
            position.bucket -= payment

    def settle_funding(self, until_ms: int) -> None:
        """Note who did not pay what was due by a time, before anything else changes."""
        for symbol, stamps in enumerate(self.stamps):
            first = end = self.settled[symbol]
            while end < len(stamps) and stamps[end][0] <= until_ms:
                end += 1
            if end == first:
                continue
            self.settled[symbol] = end
            for account in self.accounts.values():
                number = max(first, self.paid.get((account.index, symbol), 0))
                if account.positions[symbol].size and number < end:
                    self.report.faults.append(
                        f"account {account.index}, coin {symbol}: {end - number} payments of "
                        f"funding due by {until_ms} are missing"
                    )
