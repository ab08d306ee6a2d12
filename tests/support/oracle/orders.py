"""The life of an accepted order: it trades, shrinks with others, and ends."""

from tests.support.oracle import margin
from tests.support.oracle.account import Account, Order
from tests.support.oracle.world import World

from suite.enums import OrderStatus


def take(world: World, account: Account, order: Order) -> bool:
    """Trade an order's whole size at the market; False when there is no margin for it."""
    market, scene = world.market, world.scene
    price = market.quote(order.symbol, order.side, order.size, order.limit, scene)
    fee = world.fee(account, order.size, price, taker=True)
    if _is_refused(world, account, order, size=order.size, price=price, fee=fee):
        return False
    fill(world, account, order, size=order.size, price=price, taker=True)
    return True


def make(world: World, account: Account, order: Order, price: int) -> None:
    """Let a resting limit that is met trade, as far as the volume allows."""
    scene = world.scene
    position = account.positions[order.symbol]
    order.met_in = scene.volume_bar
    size = min(order.size, position.room(order.side)) if order.reduce_only else order.size
    if world.rules.participation:
        if position.taken_in != scene.volume_bar:
            position.taken, position.taken_in = 0, scene.volume_bar
        volume = world.market.volume(order.symbol, scene.volume_bar)
        cap = volume * world.rules.participation // 10**9
        size = min(size, cap - position.taken)
    if size <= 0:
        return
    fee = world.fee(account, size, price, taker=False)
    if _is_refused(world, account, order, size=size, price=price, fee=fee):
        end(world, account, order, OrderStatus.MARGIN_CANCELED)
        return
    position.taken += size
    fill(world, account, order, size=size, price=price, taker=False)


def _is_refused(
    world: World, account: Account, order: Order, *, size: int, price: int, fee: int
) -> bool:
    trade = margin.Trade(order.symbol, order.side, size, price)
    own_hold = margin.hold(account, order)
    return margin.refusal(world, account, trade, fee=fee, own_hold=own_hold) is not None


def fill(
    world: World, account: Account, order: Order, *, size: int, price: int, taker: bool
) -> None:
    """Trade a part of an order, and let everything follow that hangs on it or the position."""
    order.size -= size
    order.filled += size
    world.trade(
        account,
        order.symbol,
        order.side * size,
        price=price,
        fee=world.fee(account, size, price, taker=taker),
        reference=world.market.marks[order.symbol] if taker else price,
        taker=taker,
        oid=order.oid,
        left=order.size,
    )
    if order.size == 0:
        end(world, account, order, OrderStatus.FILLED)
    if order.family:
        _take_from_family(world, account, order, size)
    fit_to_position(world, account, order.symbol)
    world.make_good(account, order.symbol)


def _take_from_family(world: World, account: Account, filled: Order, size: int) -> None:
    for other in list(account.orders.values()):
        if other.family != filled.family or other is filled:
            continue
        if other.size <= size:
            end(world, account, other, OrderStatus.SIBLING_FILLED_CANCELED)
        else:
            other.size -= size
            world.changed(account, other)


def fit_to_position(world: World, account: Account, symbol: int) -> None:
    """Shrink reduce-only orders to their position; what follows it grows with it, too."""
    position = account.positions[symbol]
    for order in account.orders_in(symbol):
        if not order.reduce_only or order.waits_for_entry:
            continue
        room = position.room(order.side)
        if room == 0:
            end(world, account, order, OrderStatus.REDUCE_ONLY_CANCELED)
        elif order.size > room or (order.follows and order.size != room):
            order.size = room
            world.changed(account, order)


def crowd_out(world: World, account: Account, resting: Order) -> None:
    """End the oldest plain reduce-only limits that exceed the position with a new one."""
    room = account.positions[resting.symbol].room(resting.side)
    alike = [
        order
        for order in account.orders_in(resting.symbol)
        if order.reduce_only and order.is_plain and order.side == resting.side
    ]
    while sum(order.size for order in alike) > room and len(alike) > 1:
        end(world, account, alike.pop(0), OrderStatus.REDUCE_ONLY_CANCELED)


def end(world: World, account: Account, order: Order, status: OrderStatus) -> None:
    """End an order; the legs that wait for it are armed or end as well."""
    world.closed(account, order, status, margin.hold(account, order))
    legs = [
        leg
        for leg in account.orders_in(order.symbol)
        if leg.entry == order.oid and leg.waits_for_entry
    ]
    armed = status is OrderStatus.FILLED or (
        status is OrderStatus.MARGIN_CANCELED and order.filled > 0
    )
    for leg in legs:
        if armed:
            leg.status = OrderStatus.WAITING_FOR_TRIGGER
            world.changed(account, leg)
        else:
            end(world, account, leg, OrderStatus.CANCELED)
    if legs and armed:
        fit_to_position(world, account, order.symbol)


def end_all(world: World, account: Account, orders: list[Order], status: OrderStatus) -> None:
    """End orders alike: legs before their entries, lest these take them along as canceled."""
    for order in sorted(orders, key=lambda order: (not order.waits_for_entry, order.oid)):
        end(world, account, order, status)
