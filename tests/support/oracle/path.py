"""The path of prices inside a bar, and what an account meets on it."""

from dataclasses import dataclass

from tests.support.oracle import liquidation, orders
from tests.support.oracle.account import Account, Order
from tests.support.oracle.market import Scene
from tests.support.oracle.world import World

from perp_engine.rules import BarPath, LimitFill
from perp_engine.tape import Detail
from suite.enums import OrderStatus, Tpsl

LIQUIDATION, STOP, OTHER = range(3)


@dataclass(frozen=True)
class Piece:
    """A bar, or a finer one inside it."""

    open: int
    high: int
    low: int
    close: int


def play_bar(world: World) -> None:
    """Play the next bar: coin by coin, account by account."""
    market, bar = world.market, world.bar
    world.scene = Scene(bar, in_path=True)
    for symbol in market.names:
        if not market.has_bar(symbol, bar):
            continue
        for account in world.accounts:
            _play(world, account, symbol)
        market.marks[symbol] = market.close(symbol, bar)


def meet_opening(
    world: World, account: Account, symbol: int, price: int, *, best: int | None = None
) -> None:
    """Let an opening print meet orders and positions.

    Args:
        best: the price that resting limits may get instead of their own, when not the print.
    """
    world.market.marks[symbol] = price
    _stretch(world, account, symbol, price, rising=True, best=best)
    _stretch(world, account, symbol, price, rising=False, best=best)


def _play(world: World, account: Account, symbol: int) -> None:
    market, bar = world.market, world.bar
    whole = Piece(
        market.open(symbol, bar),
        market.high(symbol, bar),
        market.low(symbol, bar),
        market.close(symbol, bar),
    )
    pieces = [whole]
    detail = market.tape.detail
    if world.rules.bar_path is BarPath.RECORDED and detail is not None:
        pieces = _pieces(detail, symbol, bar) or pieces
    meet_opening(world, account, symbol, whole.open)
    for piece in pieces:
        if piece is not whole:
            before = market.marks[symbol]
            meet_opening(world, account, symbol, piece.open, best=before)
        # Each stretch has the direction of its turn, even where the prices are the same.
        high_first = _is_high_first(world, account, symbol, piece)
        first, second = (piece.high, piece.low) if high_first else (piece.low, piece.high)
        _stretch(world, account, symbol, first, rising=high_first)
        _stretch(world, account, symbol, second, rising=not high_first)
        _stretch(world, account, symbol, piece.close, rising=high_first)


def _pieces(detail: Detail, symbol: int, bar: int) -> list[Piece]:
    first, last = detail.first[symbol, bar], detail.first[symbol, bar + 1]
    return [Piece(*(int(price) for price in row)) for row in detail.rows[first:last]]


def _is_high_first(world: World, account: Account, symbol: int, piece: Piece) -> bool:
    if world.rules.bar_path in (BarPath.OHLC, BarPath.OLHC):
        return world.rules.bar_path is BarPath.OHLC
    size = account.positions[symbol].size
    if size:
        return size < 0
    sides = {order.side for order in account.orders_in(symbol) if not order.reduce_only}
    if len(sides) == 1:
        return sides == {1}
    return piece.high - piece.open < piece.open - piece.low


def _stretch(
    world: World,
    account: Account,
    symbol: int,
    end: int,
    *,
    rising: bool,
    best: int | None = None,
) -> None:
    """Play what is met between the mark and an end, the nearest first."""
    marks = world.market.marks
    best = marks[symbol] if best is None else best
    while True:
        start = marks[symbol]
        met: list[tuple[int, int, int, Order | None]] = []
        price = liquidation.first_price(world, account, symbol, end, rising=rising)
        if price is not None:
            met.append((abs(price - start), LIQUIDATION, 0, None))
        for order in account.orders_in(symbol):
            distance = _distance(world, order, start, end, rising=rising)
            if distance is not None:
                met.append((distance, STOP if order.is_stop else OTHER, order.oid, order))
        if not met:
            break
        distance, _, _, nearest = min(met, key=lambda item: item[:3])
        marks[symbol] = start + distance if rising else start - distance
        if nearest is None:
            liquidation.liquidate(world, account, symbol)
        elif nearest.waits_for_trigger:
            _fire(world, account, nearest)
        else:
            limit = nearest.limit
            orders.make(world, account, nearest, max(limit, best) if rising else min(limit, best))
    marks[symbol] = end


def _distance(world: World, order: Order, start: int, end: int, *, rising: bool) -> int | None:
    """How far the path goes until it meets an order; None when it does not."""
    if order.waits_for_entry:
        return None
    if order.waits_for_trigger:
        level = order.trigger
        met_rising = (order.side > 0) == (order.tpsl is Tpsl.STOP_LOSS)
    else:
        if order.met_in == world.scene.volume_bar:
            return None
        through = world.rules.limit_fill is LimitFill.THROUGH
        beyond = world.market.tick(order.symbol, order.limit) if through else 0
        level = order.limit - order.side * beyond
        met_rising = order.side < 0
    if met_rising != rising:
        return None
    ahead = level - start if rising else start - level
    return max(0, ahead) if ahead <= abs(end - start) else None


def _fire(world: World, account: Account, order: Order) -> None:
    """Turn a trigger into what it is when it fires: a taker, or a limit that may rest."""
    order.status = OrderStatus.OPEN
    order.tpsl = None
    if order.reduce_only:
        order.size = min(order.size, account.positions[order.symbol].room(order.side))
    world.changed(account, order)
    mark = world.market.marks[order.symbol]
    is_reachable = not order.limit or order.side * order.limit >= order.side * mark
    if is_reachable:
        if not orders.take(world, account, order):
            orders.end(world, account, order, OrderStatus.MARGIN_CANCELED)
    elif order.is_market:
        orders.end(world, account, order, OrderStatus.CANCELED)
