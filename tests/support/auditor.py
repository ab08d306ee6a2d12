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
from fractions import Fraction
from math import ceil

from tests.support.audited_market import AuditedMarket, Instant
from tests.support.audited_orders import AuditReport, OrderAuditor, Ruin, Sent

from perp_engine.commands import (
    Advance,
    CancelByCloid,
    CancelOrder,
    Command,
    ModifyOrder,
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
from suite.enums import FillCause, Grouping
from suite.fixed import RATE_ONE
from suite.instrument import Instrument

Log = Iterable[tuple[Command, Sequence[Event]]]


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


class _Auditor(OrderAuditor):
    """Follows everything else: commands, money, and what the venue does."""

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
        found: list[Sent] = []
        match command:
            case PlaceOrders(orders=orders, grouping=grouping):
                whole = grouping is Grouping.POSITION_TPSL
                for index, order in enumerate(orders):
                    found.append(Sent(order, index, follows=whole and order.size == 0))
            case ModifyOrder(oid=oid, order=order):
                old = self.orders.get(oid)
                follows = old is not None and old.follows and order.size == 0
                found.append(Sent(order, follows=follows, replaces=oid))
            case CancelOrder() | CancelByCloid():
                found.append(Sent())
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
        self.ruins[event.account] = Ruin(event)
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
