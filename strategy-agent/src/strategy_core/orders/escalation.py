"""Closes that go on until they are done: a limit at first, further through the touch each time.

    10 bp through the touch -> 30 bp -> 100 bp -> market, one pause (or one step) apart

An exit that its trader sent at market stays one. Every attempt is reduce-only, so none can flip the
position, and each has the next generation of the exit's id. But two can close twice as much as was
asked: only an exit of a whole position, or of a part that lacks its stop, goes on while the outcome
of the last attempt is unknown; another waits until that is known to have come to nothing.
"""

from decimal import Decimal
from typing import Final

import msgspec

from strategy_core.lattice import exact
from strategy_core.orders.desk import Desk
from strategy_core.orders.market import capped
from strategy_core.orders.memory import ZERO, Child, Exit, Guard, Work
from strategy_core.sizing.targets import market_order
from suite.contracts.venue import PlaceOrder
from suite.enums import Tif

UNKNOWN_EXIT_MS: Final = 10_000
"""How long an exit of a whole position that has not come to its end holds back the next attempt."""
ATTEMPTS: Final = 10
"""Attempts after which an exit that does not get through is trouble."""


def is_exit(order: PlaceOrder) -> bool:
    """Whether an order closes at once."""
    limit = order.order_type.limit
    return order.reduce_only and limit is not None and (not order.limit_px or limit.tif is Tif.IOC)


def follow(desk: Desk, child: Child) -> None:
    """Make sure that an exit just sent gets done; it takes the place of those that wait."""
    exits = desk.memory.exits
    for key, other in tuple(exits.items()):
        waits = desk.memory.children.get(other.child) is None
        if (other.coin, other.is_buy) == (child.coin, child.is_buy) and waits:
            del exits[key]
    key = f"{child.decision}/{child.leg}"
    child.role, child.owner = "exit", key
    exits[key] = Exit(
        key=key,
        decision=child.decision,
        leg=child.leg,
        coin=child.coin,
        is_buy=child.is_buy,
        left=child.sz,
        whole=child.sz >= abs(desk.seen.size_of(child.coin)),
        level=0 if child.px else len(desk.rules.exit_steps),
        child=child.cloid,
        sent_ms=desk.now_ms,
    )
    desk.wake(desk.now_ms + desk.rules.exit_pause_ms)


def close_at_market(desk: Desk, guard: Guard, leg: str) -> None:
    """Close a part of a position and see to it that it gets done."""
    size = -guard.size if guard.is_buy else guard.size
    order = market_order(guard.coin, size, reduce_only=True)
    child = desk.place(order, role="exit", decision=guard.decision, leg=leg)
    if child is not None:
        follow(desk, child)
        guard.closing = child.owner
        desk.memory.exits[child.owner].guard = guard.key


def close_rest(desk: Desk, work: Work) -> None:
    """Go on with what a parent order that closes has left."""
    order = work.order
    desk.memory.exits[work.key] = Exit(
        key=work.key,
        decision=work.decision,
        leg=work.leg,
        coin=order.coin,
        is_buy=order.is_buy,
        left=work.left,
        whole=work.left >= abs(desk.seen.size_of(order.coin)),
        level=-1,
        child=work.child,
        sent_ms=desk.now_ms - desk.rules.exit_pause_ms,
        generation=work.generation,
        attempts=0,
    )


def carry_on(desk: Desk) -> None:
    """Send the next attempt of every exit that is not done."""
    memory = desk.memory
    for key, exiting in tuple(memory.exits.items()):
        child = memory.children.get(exiting.child)
        if child is not None and not _may_repeat(desk, exiting, child):
            continue
        size = _closable(desk, exiting)
        ended = memory.closed.get(exiting.child)
        if size <= 0:
            del memory.exits[key]
        elif ended is not None and ended.ending == "withheld":
            del memory.exits[key]
            desk.trouble.append(f"{exiting.coin}: exit kept back: {ended.reason}")
        elif desk.now_ms < exiting.sent_ms + desk.rules.exit_pause_ms:
            desk.wake(exiting.sent_ms + desk.rules.exit_pause_ms)
        else:
            _again(desk, exiting, size, ended)


def _may_repeat(desk: Desk, exiting: Exit, child: Child) -> bool:
    """Whether the next attempt may go though nobody knows what became of the last."""
    held = abs(desk.seen.size_of(exiting.coin))
    if not exiting.guard and (not exiting.whole or exiting.left < held):
        return False  # `tracking` says when it can no longer be accepted
    if desk.now_ms - child.sent_ms < UNKNOWN_EXIT_MS:
        desk.wake(child.sent_ms + UNKNOWN_EXIT_MS)
        return False
    return True


def _closable(desk: Desk, exiting: Exit) -> Decimal:
    """Units that are left to close."""
    if not desk.memory.settled(exiting.coin):
        return exiting.left
    size = desk.seen.size_of(exiting.coin)
    return min(exiting.left, max(ZERO, -size if exiting.is_buy else size))


def _again(desk: Desk, exiting: Exit, size: Decimal, ended: Child | None) -> None:
    """Send the next attempt."""
    steps = desk.rules.exit_steps
    exiting.level = min(exiting.level + 1, len(steps))
    exiting.generation += 1
    exiting.attempts += 1
    touch = desk.touch(exiting.coin)
    price = ZERO
    if exiting.level < len(steps) and touch.mid > 0:
        price = capped(
            desk.instruments[exiting.coin],
            touch,
            is_buy=exiting.is_buy,
            cap=exact(steps[exiting.level]),
        )
    order = market_order(exiting.coin, size if exiting.is_buy else -size, reduce_only=True)
    child = desk.place(
        msgspec.structs.replace(order, limit_px=price),
        role="exit",
        decision=exiting.decision,
        leg=exiting.leg,
        generation=exiting.generation,
        owner=exiting.key,
    )
    why = (ended.reason or ended.ending) if ended else "no answer"
    desk.notes.append(
        f"{exiting.coin}: exit again, {size} at {price or 'market'}, attempt {exiting.attempts}: "
        f"{why}"
    )
    if exiting.attempts and exiting.attempts % ATTEMPTS == 0:
        desk.trouble.append(f"{exiting.coin}: exit failed {exiting.attempts - 1} times: {why}")
    exiting.sent_ms = desk.now_ms
    if child is not None:
        exiting.child = child.cloid
