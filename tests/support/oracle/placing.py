"""New orders come in: singly, in groups, or in the stead of another."""

from dataclasses import dataclass, replace

from tests.support.oracle import admission, margin, orders
from tests.support.oracle.account import Account, Order
from tests.support.oracle.world import World

from perp_engine.commands import ModifyOrder, NewOrder, PlaceOrders
from perp_engine.events import ActionRejected, OrderRejected
from suite.enums import Grouping, OrderStatus
from suite.errors import RejectReason
from suite.fixed import Size


@dataclass(frozen=True)
class Ties:
    """How a new order belongs to others.

    Attributes:
        entry: oid whose fill it waits for, or waited for.
        family: orders of which one cancels the others.
        of_position: a leg of the position as it is.
        replaces: the order in whose stead it comes.
    """

    entry: int = 0
    family: int = 0
    of_position: bool = False
    is_waiting: bool = False
    replaces: Order | None = None

    @property
    def is_leg(self) -> bool:
        """Whether it protects an entry, waiting for it or not."""
        return self.entry > 0


def place(world: World, account: Account, command: PlaceOrders) -> None:
    """Carry out a batch."""
    reason = None
    if world.finished:
        reason = RejectReason.HALTED
    elif command.expires_after_ms and world.arrived_ms > command.expires_after_ms:
        reason = RejectReason.EXPIRED
    else:
        reason = admission.batch_fault(world.market, account, command.orders, command.grouping)
    if reason is not None:
        for index, order in enumerate(command.orders):
            _refuse(world, account, order, index, reason)
        return
    world.families += 1
    family = world.families
    if command.grouping is Grouping.NORMAL_TPSL:
        _place_with_legs(world, account, command.orders, family)
        return
    ties = Ties()
    if command.grouping is Grouping.POSITION_TPSL:
        ties = Ties(family=family, of_position=True)
    for index, order in enumerate(command.orders):
        outcome = _place_one(world, account, order, ties)
        if isinstance(outcome, RejectReason):
            _refuse(world, account, order, index, outcome)


def _place_with_legs(
    world: World, account: Account, batch: tuple[NewOrder, ...], family: int
) -> None:
    entry = _place_one(world, account, batch[0], Ties())
    if isinstance(entry, RejectReason):
        for index, order in enumerate(batch):
            _refuse(world, account, order, index, entry)
        return
    for index, leg in enumerate(batch[1:], 1):
        ties = Ties(entry=entry.oid, family=family, is_waiting=entry.oid in account.orders)
        outcome = _place_one(world, account, leg, ties)
        if isinstance(outcome, RejectReason):
            _refuse(world, account, leg, index, outcome)


def _refuse(
    world: World, account: Account, order: NewOrder, index: int, reason: RejectReason
) -> None:
    world.events.append(
        OrderRejected(
            time_ms=world.now_ms,
            account=account.index,
            symbol=order.symbol,
            index=index,
            reason=reason,
        )
    )


def modify(world: World, account: Account, command: ModifyOrder) -> None:
    """Put an order in another's stead; that one stays when the new one is refused."""
    old = account.orders.get(command.oid)
    new = command.order
    reason: RejectReason | None = None
    if world.finished:
        reason = RejectReason.HALTED
    elif old is None:
        reason = RejectReason.CANNOT_MODIFY
    else:
        reason = admission.form_fault(world.market, new, may_follow=old.of_position)
        if reason is None and old.family:
            entry = account.orders.get(old.entry)
            reference = world.market.marks[old.symbol]
            if entry:
                limit = entry.limit
                if entry.tpsl is not None:
                    limit, reference = 0 if entry.is_market else limit, entry.trigger
                reference = admission.expected_price(entry.side, limit, reference)
            reason = admission.leg_fault(new, coin=old.symbol, reference=reference)
    if reason is None and old is not None:
        ties = Ties(old.entry, old.family, old.of_position, old.waits_for_entry, old)
        del account.orders[old.oid]
        outcome = _place_one(world, account, new, ties)
        if isinstance(outcome, RejectReason):
            account.orders[old.oid] = old
            reason = outcome
    if reason is not None:
        world.events.append(
            ActionRejected(time_ms=world.now_ms, account=account.index, reason=reason)
        )


def _place_one(world: World, account: Account, new: NewOrder, ties: Ties) -> Order | RejectReason:
    room = account.positions[new.symbol].room(new.side)
    follows = ties.of_position and new.size == 0
    is_fitted_later = ties.is_leg and ties.replaces is None
    is_too_large = new.reduce_only and new.size > room
    if room and not ties.is_waiting and not is_fitted_later and (follows or is_too_large):
        new = replace(new, size=Size(room))
    reason = None
    if not ties.is_leg or ties.replaces is not None:
        reason = admission.place_fault(account, new)
    if reason is None and not ties.is_leg:
        reason = admission.trigger_fault(world.market, new)
        reason = reason or admission.order_fault(world, account, new)
    if reason is not None:
        return reason
    at_once = not ties.is_leg and admission.trades_at_once(world, new)
    order = _accepted(world, account, new, ties, follows=follows)
    if ties.replaces is not None:
        old = ties.replaces
        account.orders[old.oid] = old
        for other in account.orders.values():
            if other.entry == old.oid and other.waits_for_entry:
                other.entry = order.oid
        world.closed(account, old, OrderStatus.CANCELED, margin.hold(account, old))
    world.opened(account, order, margin.hold(account, order))
    if at_once:
        if not orders.take(world, account, order):
            raise AssertionError("admitted, yet not affordable")
    elif order.status is OrderStatus.OPEN and order.is_plain and order.reduce_only:
        orders.crowd_out(world, account, order)
    elif ties.is_leg and not ties.is_waiting:
        orders.fit_to_position(world, account, order.symbol)
    return order


def _accepted(world: World, account: Account, new: NewOrder, ties: Ties, *, follows: bool) -> Order:
    trigger = new.trigger
    status = OrderStatus.OPEN
    if ties.is_waiting:
        status = OrderStatus.WAITING_FOR_FILL
    elif trigger is not None:
        mark = world.market.marks[new.symbol]
        holds = admission.condition_holds(new.side, trigger.tpsl, trigger.price, mark)
        if ties.is_leg or not holds:
            status = OrderStatus.WAITING_FOR_TRIGGER
    return Order(
        oid=account.next_oid(world.bar),
        symbol=new.symbol,
        side=int(new.side),
        size=new.size,
        limit=new.limit_price,
        trigger=trigger.price if trigger else 0,
        tpsl=trigger.tpsl if trigger else None,
        is_market=trigger.is_market if trigger else False,
        reduce_only=new.reduce_only,
        status=status,
        cloid=new.cloid,
        expires_ms=new.expires_ms,
        entry=ties.entry,
        family=ties.family,
        of_position=ties.of_position,
        follows=follows,
        is_plain=trigger is None and not ties.family,
    )
