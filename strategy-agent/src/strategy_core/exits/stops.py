"""Where the stop of an open position belongs; it moves in the position's favor or not at all."""

from collections.abc import Container
from decimal import Decimal
from typing import Final

from strategy_core.exits.kinds import ExitKind
from strategy_core.exits.memory import CoinMemory, StopOrder
from strategy_core.exits.rules import ExitRules
from strategy_core.lattice import exact, round_price
from strategy_core.sizing.bracket import (
    break_even_stop,
    structure_stop,
    tighter,
    trailing_stop,
)
from strategy_core.sizing.stop_distance import Costs
from suite.contracts.hyperliquid_info import OpenOrder
from suite.contracts.venue import CancelOrder, OrderType, PlaceOrder, TriggerType
from suite.enums import Side, Tpsl
from suite.fixed import parse_decimal
from suite.instrument import Instrument

STEP: Final = Decimal("0.1")
"""A trailing stop is moved once this share of its distance is gained, not for every tick."""
SEEN_AFTER_MS: Final = 10_000
"""A stop that is not among the open orders after so long is placed again."""


def trailing_price(held: CoinMemory, atr: Decimal | None) -> Decimal | None:
    """Price of the trailing stop, USD; never behind a stop that was placed before."""
    trail = trailing_stop(held.direction, held.best, atr=atr, unit_risk=held.unit_risk)
    return tighter(held.direction, held.stop.price if held.stop else None, trail)


def has_own_stop(held: CoinMemory, rules: ExitRules) -> bool:
    """Whether there is, or may be, a stop of a position that the exits look after."""
    moves = held.partial_taken or held.trailing or rules.structure_trail
    return moves or held.stop is not None


def wanted_stop(
    held: CoinMemory,
    rules: ExitRules,
    instrument: Instrument,
    *,
    mark: Decimal,
    atr: Decimal | None,
) -> Decimal | None:
    """Price at which the stop should stand now, on the lattice.

    Args:
        held: the position.
        rules: of the trader.
        instrument: lattice of the coin.
        mark: USD.
        atr: average true range, USD; None when unknown.

    Returns:
        USD; None where the stop stays: nothing is better by enough, or the mark is already beyond.
    """
    if not (held.partial_taken or held.trailing or rules.structure_trail):
        return None
    side = held.direction
    costs = Costs(exact(rules.taker_fee), exact(rules.slippage))
    old = held.stop.price if held.stop else held.stop_asked
    wanted = old
    if held.partial_taken and rules.is_on(ExitKind.PARTIAL_TAKE_PROFIT):
        wanted = tighter(side, wanted, break_even_stop(side, held.entry_price, costs))
    swing = held.plan.swing if held.plan else None
    gained = held.unit_risk is not None and side * (mark - held.entry_price) >= held.unit_risk
    if rules.structure_trail and gained and swing is not None and atr is not None:
        wanted = tighter(side, wanted, structure_stop(side, swing, atr))
    if held.trailing:
        trail = trailing_stop(side, held.best, atr=atr, unit_risk=held.unit_risk)
        if trail is not None and _worth_moving(side, old, trail, held.best):
            wanted = tighter(side, wanted, trail)
    if wanted is None or wanted == old:
        return None
    # towards the mark, so that what was better stays better
    rounded = round_price(instrument, wanted, up=side is Side.BUY)
    return rounded if rounded > 0 and side * (mark - rounded) > 0 else None


def stop_is_short(held: CoinMemory, orders: tuple[OpenOrder, ...], now_ms: int) -> bool:
    """Whether the stop that was moved last does not cover the position, or is not there."""
    if held.stop is None:
        return False
    if held.stop.size < held.size:
        return True
    there = any(order.cloid == held.stop.cloid for order in orders)
    return not there and now_ms - held.stop.sent_ms >= SEEN_AFTER_MS


def place_stop(held: CoinMemory, trader_id: str, price: Decimal, now_ms: int) -> PlaceOrder:
    """Make the order of a moved stop: reduce-only, at market, triggered by the mark."""
    what = ExitKind.TRAILING_TAKE_PROFIT if held.trailing else "stop_loss"
    cloid = held.name_order(trader_id, str(what))
    held.stop = StopOrder(cloid=cloid, price=price, size=held.size, sent_ms=now_ms)
    trigger = TriggerType(isMarket=True, triggerPx=price, tpsl=Tpsl.STOP_LOSS)
    return PlaceOrder(
        coin=held.coin,
        is_buy=held.side < 0,
        sz=held.size,
        order_type=OrderType(trigger=trigger),
        reduce_only=True,
        cloid=cloid,
    )


def outdated_stops(
    held: CoinMemory, orders: tuple[OpenOrder, ...], *, foreign: Container[int]
) -> list[CancelOrder]:
    """Cancel the stops behind the moved one, once that one rests: never both are missing.

    Args:
        held: the position.
        orders: open ones.
        foreign: ids of those that are not the trader's; they stay, whatever they do.
    """
    if held.stop is None or all(order.cloid != held.stop.cloid for order in orders):
        return []
    exit_side = "A" if held.side > 0 else "B"
    return [
        CancelOrder(coin=held.coin, oid=order.oid)
        for order in orders
        if order.coin == held.coin
        and order.oid not in foreign
        and order.reduceOnly
        and order.side == exit_side
        and order.cloid != held.stop.cloid
        and (
            held.side * (held.stop.price - parse_decimal(order.limitPx)) > 0
            or held.ids.get(order.cloid or "") is not None
        )
    ]


def _worth_moving(side: Side, old: Decimal | None, new: Decimal, best: Decimal) -> bool:
    return old is None or side * (new - old) >= STEP * abs(best - new)
