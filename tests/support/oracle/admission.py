"""What is refused, and why: the whole batch by its form, then each order by the state."""

from tests.support.oracle import margin
from tests.support.oracle.account import Account
from tests.support.oracle.market import Market, Scene
from tests.support.oracle.world import World

from perp_engine.commands import NewOrder
from suite.enums import Grouping, Side, Tif, Tpsl
from suite.errors import RejectReason

SIZES = 3 * 10**9
LARGEST_VALUE = 10**15
MOST_ORDERS = 1000


def batch_fault(
    market: Market, account: Account, orders: tuple[NewOrder, ...], grouping: Grouping
) -> RejectReason | None:
    """First fault in the form of a batch: order by order, then what makes its legs a group."""
    for order in orders:
        fault = form_fault(market, order, may_follow=grouping is Grouping.POSITION_TPSL)
        if fault is not None:
            return fault
    if grouping is Grouping.NONE:
        return None
    coin = orders[0].symbol
    legs, reference = orders, int(market.marks[coin])
    if grouping is Grouping.NORMAL_TPSL:
        entry, legs = orders[0], orders[1:]
        limit, trigger = int(entry.limit_price), entry.trigger
        if trigger is not None:
            limit, reference = 0 if trigger.is_market else limit, trigger.price
        reference = expected_price(entry.side, limit, reference)
    faults = (leg_fault(leg, coin=coin, reference=reference) for leg in legs)
    fault = next((fault for fault in faults if fault), None)
    if fault is None and grouping is Grouping.NORMAL_TPSL:
        return _group_fault(account, orders)
    return fault


def _group_fault(account: Account, orders: tuple[NewOrder, ...]) -> RejectReason | None:
    cloids = [order.cloid for order in orders if order.cloid is not None]
    known = {order.cloid for order in account.orders.values()}
    if len(set(cloids)) < len(cloids) or known & set(cloids):
        return RejectReason.DUPLICATE_CLOID
    if len(account.orders) + len(orders) > MOST_ORDERS:
        return RejectReason.TOO_MANY_OPEN_ORDERS
    return None


def form_fault(market: Market, order: NewOrder, *, may_follow: bool) -> RejectReason | None:
    """What is wrong with an order whatever the account holds."""
    symbol, size, trigger = order.symbol, order.size, order.trigger
    if not 0 <= symbol < market.tape.symbols or symbol in market.delisted:
        return RejectReason.UNKNOWN_COIN
    mark = market.marks[symbol]
    trigger_price = trigger.price if trigger else 0
    prices = [price for price in (order.limit_price, trigger_price) if price]
    is_trigger_incomplete = trigger is not None and (
        not trigger.price or (not trigger.is_market and not order.limit_price)
    )
    faults = (
        (size == 0 and not may_follow, RejectReason.ZERO_SIZE),
        (size < 0 or size >= SIZES, RejectReason.INVALID_SIZE),
        (any(_is_off_grid(market, symbol, price) for price in prices), RejectReason.INVALID_PRICE),
        (
            any(not mark < 5 * price <= 25 * mark for price in prices),
            RejectReason.PRICE_TOO_FAR,
        ),
        (is_trigger_incomplete, RejectReason.BAD_TRIGGER_PRICE),
        (size * max(mark, *prices, 0) > LARGEST_VALUE, RejectReason.VALUE_TOO_LARGE),
    )
    return next((reason for holds, reason in faults if holds), None)


def _is_off_grid(market: Market, symbol: int, price: int) -> bool:
    return price < 0 or price % market.tick(symbol, price) != 0


def expected_price(side: int, limit: int, market: int) -> int:
    """Where an entry trades: at the market of its time, or at a limit that is better."""
    better = min if side > 0 else max
    return better(limit, market) if limit else market


def leg_fault(leg: NewOrder, *, coin: int, reference: int) -> RejectReason | None:
    """What is wrong with a leg of a group."""
    trigger = leg.trigger
    if trigger is None or leg.symbol != coin:
        return RejectReason.BAD_TRIGGER_PRICE
    if not leg.reduce_only:
        return RejectReason.TRIGGER_NOT_REDUCE_ONLY
    is_met = condition_holds(leg.side, trigger.tpsl, trigger.price, reference)
    return RejectReason.BAD_TRIGGER_PRICE if is_met or _limit_lies_before(leg) else None


def _limit_lies_before(order: NewOrder) -> bool:
    """Whether a market trigger could not trade when it fires."""
    trigger, limit = order.trigger, order.limit_price
    if trigger is None or not trigger.is_market or not limit:
        return False
    return order.side * limit < order.side * trigger.price


def condition_holds(side: Side, tpsl: Tpsl, trigger: int, mark: int) -> bool:
    """Whether a trigger is met at a mark."""
    rises_to_it = (side is Side.BUY) == (tpsl is Tpsl.STOP_LOSS)
    return mark >= trigger if rises_to_it else mark <= trigger


def order_fault(world: World, account: Account, order: NewOrder) -> RejectReason | None:
    """Why the state of an account does not allow an order; its size is already trimmed."""
    market = world.market
    position = account.positions[order.symbol]
    if order.reduce_only and position.room(order.side) == 0:
        return RejectReason.REDUCE_ONLY_INCREASES
    if order.trigger is None and not order.limit_price and not market.prints[order.symbol]:
        return RejectReason.IOC_NO_MATCH
    return _market_fault(world, account, order)


def place_fault(account: Account, order: NewOrder) -> RejectReason | None:
    """Why an account has no place for an order."""
    if order.cloid is not None and order.cloid in {o.cloid for o in account.orders.values()}:
        return RejectReason.DUPLICATE_CLOID
    if len(account.orders) >= MOST_ORDERS:
        return RejectReason.TOO_MANY_OPEN_ORDERS
    return None


def trigger_fault(market: Market, order: NewOrder) -> RejectReason | None:
    """What is wrong with a trigger as the mark is now."""
    trigger = order.trigger
    if trigger is None:
        return None
    mark = market.marks[order.symbol]
    is_late = trigger.tpsl is Tpsl.STOP_LOSS and condition_holds(
        order.side, trigger.tpsl, trigger.price, mark
    )
    return RejectReason.BAD_TRIGGER_PRICE if is_late or _limit_lies_before(order) else None


def trades_at_once(world: World, order: NewOrder) -> bool:
    """Whether an order meets the book: it is no dormant trigger, and its limit reaches."""
    trigger, market = order.trigger, world.market
    mark = market.marks[order.symbol]
    if trigger and not condition_holds(order.side, trigger.tpsl, trigger.price, mark):
        return False
    scene = Scene(world.bar, in_path=False)
    return market.reachable(order.symbol, order.side, order.limit_price, scene)


def _market_fault(world: World, account: Account, order: NewOrder) -> RejectReason | None:
    market, trigger = world.market, order.trigger
    position = account.positions[order.symbol]
    at_once = trades_at_once(world, order)
    limit_or_trigger = order.limit_price or (trigger.price if trigger else 0)
    price, fee = limit_or_trigger, None
    if at_once:
        price = market.quote(
            order.symbol, order.side, order.size, order.limit_price, Scene(world.bar, in_path=False)
        )
        fee = world.fee(account, order.size, price, taker=True)
    if not order.reduce_only and order.size > position.closed_by(order.side * order.size):
        if order.size * price < world.rules.min_notional_usd:
            return RejectReason.MIN_NOTIONAL
        trade = margin.Trade(order.symbol, order.side, order.size, price)
        refused = margin.refusal(world, account, trade, fee=fee)
        if refused:
            return refused
    if trigger is None and order.tif is Tif.ALO and at_once:
        return RejectReason.POST_ONLY_WOULD_MATCH
    fires = trigger is not None and condition_holds(
        order.side, trigger.tpsl, trigger.price, market.marks[order.symbol]
    )
    takes_only = (fires and trigger is not None and trigger.is_market) or (
        trigger is None and order.tif is Tif.IOC
    )
    if takes_only and not at_once:
        return RejectReason.IOC_NO_MATCH
    return None
