"""What happens to a pool that fell below its maintenance margin."""

from tests.support.oracle import margin, orders
from tests.support.oracle.account import Account, Position
from tests.support.oracle.exact import sign
from tests.support.oracle.world import World

from perp_engine.events import Liquidated
from suite.enums import FillCause, OrderStatus
from suite.fixed import Price, Usd


def standing(world: World, account: Account, symbol: int) -> tuple[int, int]:
    """Equity and maintenance of the pool that stands behind a position."""
    position = account.positions[symbol]
    if position.is_cross:
        return margin.cross_equity(world, account), margin.cross_maintenance(world, account)
    mark = world.market.marks[symbol]
    needed = world.market.maintenance(symbol, position.size, mark)
    return position.bucket + position.profit(mark), needed


def is_due(world: World, account: Account, symbol: int) -> bool:
    value, needed = standing(world, account, symbol)
    return value < needed


def first_price(
    world: World, account: Account, symbol: int, end: int, *, rising: bool
) -> int | None:
    """First price on the way from the mark to an end at which the position is liquidated.

    Between the two nothing but the mark moves, so once it holds it goes on to hold.
    """
    marks = world.market.marks
    start = marks[symbol]

    def due_at(price: int) -> bool:
        marks[symbol] = price
        due = is_due(world, account, symbol)
        marks[symbol] = start
        return due

    size = account.positions[symbol].size
    if size == 0 or (size < 0) != rising:
        return None
    if due_at(start):
        return start
    if not due_at(end):
        return None
    safe, fatal = start, end
    while abs(fatal - safe) > 1:
        middle = (safe + fatal) // 2
        safe, fatal = (safe, middle) if due_at(middle) else (middle, fatal)
    return fatal


def liquidate(world: World, account: Account, symbol: int) -> None:
    """Sell a pool until it is safe again, or empty."""
    position = account.positions[symbol]
    value, needed = standing(world, account, symbol)
    world.events.append(
        Liquidated(
            time_ms=world.now_ms,
            account=account.index,
            symbol=symbol,
            mode=position.mode,
            mark=Price(world.market.marks[symbol]),
            equity_usd=Usd(value),
            maintenance_usd=Usd(needed),
        )
    )
    ending = list(account.orders.values()) if position.is_cross else account.orders_in(symbol)
    orders.end_all(world, account, ending, OrderStatus.LIQUIDATED_CANCELED)
    while is_due(world, account, symbol):
        value, needed = standing(world, account, symbol)
        if value * 3 < needed * 2:
            _backstop(world, account, symbol)
            break
        target = _next_to_sell(world, account, symbol)
        if target is None:
            break
        _sell(world, account, target)
    world.make_good(account, symbol)


def _next_to_sell(world: World, account: Account, symbol: int) -> int | None:
    if account.positions[symbol].size:
        return symbol
    if not account.positions[symbol].is_cross:
        return None
    for other in world.market.names:
        position = account.positions[other]
        if position.size and position.is_cross and world.market.can_trade(other, world.scene):
            return other
    return None


def _sell(world: World, account: Account, symbol: int) -> None:
    position, market, scene = account.positions[symbol], world.market, world.scene
    size = abs(position.size)
    mark = market.marks[symbol]
    if size * mark > world.rules.partial_liquidation_usd and position.fifth_in != scene.bar:
        position.fifth_in = scene.bar
        size = -(-size // 5)
    side = -sign(position.size)
    price = market.quote(symbol, side, size, 0, scene)
    world.trade(
        account,
        symbol,
        side * size,
        price=price,
        fee=world.fee(account, size, price, taker=True),
        reference=mark,
        taker=True,
        cause=FillCause.LIQUIDATION,
    )


def _backstop(world: World, account: Account, symbol: int) -> None:
    """The venue takes the positions at their marks, and what is left or lacks."""
    position = account.positions[symbol]
    if position.is_cross:
        for other in world.market.names:
            if account.positions[other].size and account.positions[other].is_cross:
                _hand_over(world, account, other)
        left, account.cash = account.cash, 0
        world.insured(account, symbol, -left)
        return
    left = position.bucket + position.profit(world.market.marks[symbol])
    # The bucket leaves first, so that booking the trade cannot give any of it to the account.
    realized = left - position.bucket
    position.bucket = -realized
    _hand_over(world, account, symbol)
    world.insured(account, symbol, -left)


def _hand_over(world: World, account: Account, symbol: int) -> None:
    close_at_mark(world, account, symbol, FillCause.BACKSTOP)


def close_at_mark(world: World, account: Account, symbol: int, cause: FillCause) -> None:
    """Close a position at its mark, without a fee."""
    position: Position = account.positions[symbol]
    mark = world.market.marks[symbol]
    world.trade(
        account,
        symbol,
        -position.size,
        price=mark,
        fee=0,
        reference=mark,
        taker=True,
        cause=cause,
    )
