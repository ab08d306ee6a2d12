"""Stops and targets of what has been filled, kept to its size; and the watch for naked positions.

What a parent order has filled gets a stop and a target from here. What a plain entry with legs has
filled is protected by those legs, which the venue places once the entry is complete; until then,
and whenever a leg is not there, a stop from here stands in. A position that lacks a part of the
stop its trader asked for is naked: the stop is placed within the turn, and when it is not confirmed
in time, the part is closed at market.

A stop that its trader places as an order of its own may be of the same part as a stop from here, as
one that was moved is; so it is watched beside the others and takes none of their part.
"""

from decimal import Decimal

from strategy_core.orders.desk import Desk, at_trigger
from strategy_core.orders.escalation import close_at_market
from strategy_core.orders.memory import ZERO, Child, Guard
from suite.contracts.hyperliquid_info import OpenOrder
from suite.contracts.venue import CancelOrder, PlaceOrder
from suite.enums import Tpsl
from suite.fixed import parse_decimal


def protect(desk: Desk) -> None:
    """Bring the protection of every position in line with it."""
    _adopt_stops(desk)
    guards = desk.memory.guards
    for coin in sorted({guard.coin for guard in guards.values()}):
        of_coin = [guard for guard in guards.values() if guard.coin == coin]
        for guard in of_coin:
            _learn_legs(desk, guard)
        held = desk.seen.size_of(coin)
        # a stop that its trader placed lies over the parts of others: it is given a room of its own
        room = {False: abs(held), True: abs(held)}
        for guard in reversed(of_coin):  # what was opened first counts as closed first
            if desk.memory.settled(coin):
                same_side = bool(held) and (held > 0) == guard.is_buy
                asked = guard.stop_px is not None or not guard.by_trader
                fits = same_side and asked
                guard.size = min(guard.size, room[guard.by_trader]) if fits else ZERO
                room[guard.by_trader] -= guard.size
                if guard.size <= 0 and not _stands(desk, guard, same_side=same_side):
                    _drop(desk, guard)
            if guard.size > 0:
                _protect(desk, guard)


def _adopt_stops(desk: Desk) -> None:
    """A stop that its trader placed as an order of its own is watched once it rests."""
    for child in desk.memory.children.values():
        if child.tpsl != Tpsl.STOP_LOSS or child.role != "plain" or not child.seen:
            continue
        guard = desk.memory.guards.get(child.cloid)
        size = desk.seen.size_of(child.coin)
        if guard is not None:
            if guard.stop_px is not None:  # else it was taken back, and is about to go
                guard.stop_px = child.px
                guard.size = max(guard.size, child.resting)
        elif child.reduce_only and size and (size < 0) == child.is_buy:
            desk.memory.guards[child.cloid] = Guard(
                key=child.cloid,
                decision=child.decision,
                leg=child.leg,
                coin=child.coin,
                is_buy=not child.is_buy,
                size=child.resting,
                stop_px=child.px,
                by_trader=True,
                stop=child.cloid,
            )


# ---- legs that the venue placed -------------------------------------------------------------


def _learn_legs(desk: Desk, guard: Guard) -> None:
    """Find the legs of an entry among the open orders: they come without an id of ours."""
    if not guard.entry:
        return
    rows = {row.oid: row for row in desk.seen.open_orders if _closes(row, guard)}
    guard.stop_legs = [oid for oid in guard.stop_legs if oid in rows]
    guard.other_legs = [oid for oid in guard.other_legs if oid in rows]
    taken = {
        oid for other in desk.memory.guards.values() for oid in other.stop_legs + other.other_legs
    }
    mid = desk.seen.mids.get(guard.coin, ZERO)
    first, last = _numbers(desk, guard)
    for oid, row in rows.items():
        if oid in taken or desk.memory.child_of(oid) is not None or not first < oid < last:
            continue
        price = parse_decimal(row.limitPx)
        if price == guard.target_px:
            guard.other_legs.append(oid)
        elif price == guard.stop_px or (mid > 0 and (price < mid) == guard.is_buy):
            guard.stop_legs.append(oid)


def _numbers(desk: Desk, guard: Guard) -> tuple[int, int]:
    """Bounds of the ids that legs of an entry can have: after its own, before the next entry's."""
    memory = desk.memory
    entry = memory.child(guard.entry)
    first = entry.oids[0] if entry is not None and entry.oids else 0
    others = [memory.child(other.entry) for other in memory.guards.values() if other.entry]
    ended_too = (*memory.children.values(), *memory.closed.values())
    others += [child for child in ended_too if child.grouped]
    later = [
        other.oids[0]
        for other in others
        if other is not None and other.oids and other.coin == guard.coin and other.oids[0] > first
    ]
    return first, min(later, default=1 << 63)


def _closes(row: OpenOrder, guard: Guard) -> bool:
    return row.coin == guard.coin and row.reduceOnly and (row.side == "A") == guard.is_buy


def _stands(desk: Desk, guard: Guard, *, same_side: bool) -> bool:
    """Whether its orders still stand for something, though it has nothing left."""
    if guard.entry in desk.memory.children:  # legs that are asleep
        return True
    stands = guard.by_trader and guard.key in desk.memory.children
    return same_side and bool(stands or guard.stop_legs or guard.other_legs)


def _legs(desk: Desk, guard: Guard) -> list[OpenOrder]:
    """Legs that stand as a stop; those of an entry that still rests are asleep."""
    if guard.entry in desk.memory.children:
        return []
    return [row for row in desk.seen.open_orders if row.oid in guard.stop_legs]


# ---- one part of a position -----------------------------------------------------------------


def _protect(desk: Desk, guard: Guard) -> None:
    if guard.stop_px is not None:
        _keep_stop(desk, guard, guard.stop_px)
    if guard.target_px is not None and not guard.entry:
        _keep_target(desk, guard, guard.target_px)


def _keep_stop(desk: Desk, guard: Guard, price: Decimal) -> None:
    legs = _legs(desk, guard)
    own = desk.memory.children.get(guard.stop)
    wanted = max(ZERO, guard.size - sum((parse_decimal(row.sz) for row in legs), ZERO))
    standing = own.resting if own is not None else ZERO
    if standing >= wanted:
        placed = [row.timestamp for row in legs] + ([own.placed_ms] if own and standing else [])
        _confirm(desk, guard, max(placed, default=desk.now_ms))
        if own is not None and own.role == "stop" and standing > wanted:
            _resize(desk, own, wanted, Tpsl.STOP_LOSS)
        return
    if standing >= guard.wanted and guard.looked_ms is not None and own is not None:
        # what was asked for stands; more has been filled since
        since_ms = guard.latest_ms
        _confirm(desk, guard, own.placed_ms)
        guard.filled_ms = guard.latest_ms = since_ms
    _watch(desk, guard, price)
    guard.wanted = wanted
    if guard.closing in desk.memory.exits:
        return
    if own is not None:
        if standing:
            _resize(desk, own, wanted, Tpsl.STOP_LOSS)
        return
    child = _place(desk, guard, wanted, price, Tpsl.STOP_LOSS)
    if child is not None:
        guard.stop = child.cloid


def _keep_target(desk: Desk, guard: Guard, price: Decimal) -> None:
    if guard.closing in desk.memory.exits:
        return
    own = desk.memory.children.get(guard.target)
    if own is not None:
        if own.resting and own.resting != guard.size:
            _resize(desk, own, guard.size, Tpsl.TAKE_PROFIT)
        return
    mid = desk.seen.mids.get(guard.coin, ZERO)
    if mid > 0 and ((mid >= price) if guard.is_buy else (mid <= price)):
        _close(desk, guard, f"its target {price} has been passed")
        return
    child = _place(desk, guard, guard.size, price, Tpsl.TAKE_PROFIT)
    if child is not None:
        guard.target = child.cloid


def _place(desk: Desk, guard: Guard, size: Decimal, price: Decimal, tpsl: Tpsl) -> Child | None:
    """Place a protective order of a part of a position."""
    is_stop = tpsl is Tpsl.STOP_LOSS
    desk.memory.issued += 1
    order = PlaceOrder(
        coin=guard.coin,
        is_buy=not guard.is_buy,
        sz=size,
        order_type=at_trigger(price, tpsl),
        reduce_only=True,
    )
    return desk.place(
        order,
        role="stop" if is_stop else "target",
        decision=guard.decision,
        leg=f"{guard.leg}/{'stop' if is_stop else 'target'}",
        generation=desk.memory.issued,
        owner=guard.key,
    )


def _resize(desk: Desk, own: Child, size: Decimal, tpsl: Tpsl) -> None:
    """Bring a protective order to another size; one in flight is left alone until it is known."""
    if own.state != "open" or own.resting == size:
        return
    if size <= 0:
        desk.cancel(own)
    else:
        desk.modify(own, px=own.px, sz=size, order_type=at_trigger(own.px, tpsl))


# ---- naked ----------------------------------------------------------------------------------


def _confirm(desk: Desk, guard: Guard, placed_ms: int) -> None:
    """The stop stands: count how long it did not."""
    since_ms = guard.filled_ms if guard.filled_ms is not None else guard.naked_ms
    if since_ms is not None:
        desk.memory.naked.add(max(0, placed_ms - since_ms))
    guard.filled_ms = guard.latest_ms = guard.naked_ms = guard.looked_ms = None


def _watch(desk: Desk, guard: Guard, price: Decimal) -> None:
    """Count the time without a stop, and close when it gets too long or the stop is passed."""
    if guard.looked_ms is None:
        guard.looked_ms = desk.now_ms
        guard.naked_ms = guard.filled_ms if guard.filled_ms is not None else desk.now_ms
    mid = desk.seen.mids.get(guard.coin, ZERO)
    passed = mid > 0 and ((mid <= price) if guard.is_buy else (mid >= price))
    naked_ms = desk.now_ms - guard.looked_ms
    if passed:
        _close(desk, guard, f"its stop {price} has been passed and was not there")
    elif naked_ms > desk.rules.naked_ms:
        _close(desk, guard, f"no stop was confirmed for {naked_ms} ms")
    else:
        desk.wake(guard.looked_ms + desk.rules.naked_ms + 1)


def _close(desk: Desk, guard: Guard, why: str) -> None:
    """Close a part of a position that cannot be protected."""
    if guard.closing in desk.memory.exits:
        return
    desk.notes.append(f"{guard.coin}: {guard.size} closed at market: {why}")
    if guard.naked_ms is not None:
        desk.memory.naked.closed += 1
    desk.memory.issued += 1
    close_at_market(desk, guard, f"{guard.leg}/close{desk.memory.issued}")


def _drop(desk: Desk, guard: Guard) -> None:
    """The part is no longer held: its orders must not meet the next position."""
    if guard.looked_ms is not None:
        desk.memory.naked.add(max(0, desk.now_ms - guard.looked_ms))
    del desk.memory.guards[guard.key]
    for cloid in (guard.stop, guard.target):
        own = desk.memory.children.get(cloid)
        if own is not None and own.role != "plain":
            desk.cancel(own)
    for oid in guard.stop_legs + guard.other_legs:
        desk.send(CancelOrder(coin=guard.coin, oid=oid))
