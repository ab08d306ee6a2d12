"""How much of a market an account may come to hold, in the worst case.

Of one coin, with a signed position and orders of which any may fill:

    long  = max(position, 0) * mid + sum of buys
    short = max(-position, 0) * mid + sum of sells
    exposure = max(long, short)

where an order is worth its size times the larger of its price and the mid, since it may fill at the
one and is worth the other. A sell is not taken off a long position: by the time it fills the
position may be gone, by a stop that nobody has told of yet. Reduce-only orders add nothing. All of
it is integers: price times size is micro-USD.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import chain

from hyperliquid_exchange.domain.facts import AccountFacts, RestingOrder
from hyperliquid_exchange.domain.wanted import WantedOrder
from suite.fixed import Price, Size, Usd


def order_usd(size: int, price: int, mid: int) -> Usd:
    """Worth of an order at its worst, micro-USD."""
    return Usd(size * max(price, mid))


def worth(order: WantedOrder, mid: Price) -> Usd:
    """Worth of a wanted order at its worst, micro-USD."""
    return order_usd(order.size, max(order.price, order.trigger_price or 0), mid)


def coin_usd(position: int, mid: int, buys_usd: int, sells_usd: int) -> Usd:
    """Exposure in one coin, micro-USD.

    Args:
        position: signed.
        mid: in the instrument's units.
        buys_usd, sells_usd: orders that may fill, micro-USD.
    """
    return Usd(max(max(position, 0) * mid + buys_usd, max(-position, 0) * mid + sells_usd))


def exposures(
    facts: AccountFacts, unseen: Iterable[WantedOrder], beyond: Iterable[WantedOrder] = ()
) -> dict[int, Usd | None]:
    """Tell the exposure by asset, micro-USD; None where its price is not known.

    Args:
        facts: of the account: its positions and what rests.
        unseen: orders that left and are not in the facts yet, those that may add.
        beyond: orders that are asked for, those that may add.
    """
    sums: dict[tuple[int, bool], int] = defaultdict(int)
    assets, mids = {asset for asset, size in facts.positions.items() if size}, facts.mids
    # written out: hundreds of orders may be under way, for each of which this is asked
    rest = (order for order in facts.orders if not order.reduce_only)
    every: Iterable[RestingOrder | WantedOrder] = chain(rest, unseen, beyond)
    for order in every:
        asset, price, at = order.asset, order.price, order.trigger_price
        mid = mids.get(asset, 0)
        most = max(price, mid) if at is None else max(price, mid, at)
        sums[asset, order.is_buy] += order.size * most
    assets |= {asset for asset, _ in sums}
    return {
        asset: (
            coin_usd(
                facts.positions.get(asset, 0),
                facts.mids[asset],
                sums[asset, True],
                sums[asset, False],
            )
            if facts.mids.get(asset, 0) > 0
            else None
        )
        for asset in sorted(assets)
    }


def total_usd(by_asset: Mapping[int, Usd | None]) -> Usd | None:
    """Sum over the coins, micro-USD; None where one is not known."""
    found = [value for value in by_asset.values() if value is not None]
    return Usd(sum(found)) if len(found) == len(by_asset) else None


def not_shown(left: Iterable[WantedOrder], facts: AccountFacts) -> tuple[WantedOrder, ...]:
    """Tell what of the orders that left does not rest at the venue: it may have filled.

    What rests accounts for one order of its name, side and price: two that share a name are two.

    Args:
        left: orders whose fate the facts need not have yet.
        facts: what the venue told.

    Returns:
        They, with what is left of their size; without those that rest as a whole.
    """
    rests: dict[tuple[object, ...], int] = defaultdict(int)
    names = set[str | None]()
    for one in facts.orders:
        if one.cloid is not None:
            rests[one.cloid, one.asset, one.is_buy, one.price] += one.size
            names.add(one.cloid)
    found = []
    for order in left:
        if order.cloid not in names:
            found.append(order)
            continue
        key = (order.cloid, order.asset, order.is_buy, order.price)
        shown = min(order.size, rests.get(key, 0))
        if not shown:
            found.append(order)
            continue
        rests[key] -= shown
        if order.size > shown:
            found.append(replace(order, size=Size(order.size - shown)))
    return tuple(found)


def reducible(
    asset: int, *, is_buy: bool, facts: AccountFacts, others: Iterable[WantedOrder]
) -> int:
    """Tell how much a reduce-only order can find to reduce, at the most, in size units.

    Args:
        asset: of it.
        is_buy: its side.
        facts: the position, and orders that may still make one.
        others: orders that left or are asked for beside it.
    """
    held = -facts.positions.get(asset, 0) if is_buy else facts.positions.get(asset, 0)
    around: tuple[RestingOrder | WantedOrder, ...] = (*facts.orders, *others)
    may_come = sum(
        one.size
        for one in around
        if one.asset == asset and one.is_buy != is_buy and not one.reduce_only
    )
    return max(0, held) + may_come
