"""Margin: what positions and orders need, what is free, whether an order can be afforded."""

from dataclasses import dataclass
from fractions import Fraction

from tests.support.oracle.account import Account, Order
from tests.support.oracle.exact import up
from tests.support.oracle.world import World

from suite.errors import RejectReason

LARGEST_POSITION = 3 * 10**9
"""Units; no order may be larger either."""


@dataclass(frozen=True)
class Trade:
    """What would trade, or rest: a size at a price."""

    symbol: int
    side: int
    size: int
    price: int


def hold(account: Account, order: Order) -> int:
    """Margin that an open order reserves: for the part that would open or increase."""
    if order.reduce_only:
        return 0
    position = account.positions[order.symbol]
    part = order.size - position.closed_by(order.side * order.size)
    return up(Fraction(order.price * part, position.leverage))


def cross_equity(world: World, account: Account) -> int:
    marks = world.market.marks
    return account.cash + sum(p.profit(marks[s]) for s, p in account.cross())


def cross_maintenance(world: World, account: Account) -> int:
    market = world.market
    return sum(market.maintenance(s, p.size, market.marks[s]) for s, p in account.cross())


def cross_notional(world: World, account: Account) -> int:
    return sum(abs(p.size) * world.market.marks[s] for s, p in account.cross())


def equity(world: World, account: Account) -> int:
    marks = world.market.marks
    return account.cash + sum(
        p.bucket + p.profit(marks[s]) for s, p in enumerate(account.positions) if p.size
    )


def available(world: World, account: Account) -> int:
    marks = world.market.marks
    positions = sum(p.initial_margin(marks[s]) for s, p in account.cross())
    orders = sum(hold(account, order) for order in account.orders.values())
    return cross_equity(world, account) - positions - orders


def refusal(
    world: World,
    account: Account,
    trade: Trade,
    *,
    fee: int | None,
    own_hold: int = 0,
) -> RejectReason | None:
    """Why an order may not open what it would open.

    Args:
        fee: of the trade, or None when the order would rest.
        own_hold: what the order holds already.
    """
    symbol, side, size, price = trade.symbol, trade.side, trade.size, trade.price
    position = account.positions[symbol]
    mark = world.market.marks[symbol]
    closed = position.closed_by(side * size)
    opened = size - closed
    if opened == 0:
        return None
    at = price if fee is None else max(price, mark)
    after = abs(position.size + side * size)
    highest = world.market.highest_leverage(symbol, after * price)
    if after >= LARGEST_POSITION or position.leverage > highest:
        return RejectReason.POSITION_LIMIT
    need = up(Fraction(at * opened, position.leverage))
    if fee is not None:
        need += fee + max(0, side * (price - mark)) * size
    have = available(world, account) + own_hold
    if position.is_cross:
        have += up(Fraction(mark * closed, position.leverage))
    return RejectReason.INSUFFICIENT_MARGIN if have < need else None
