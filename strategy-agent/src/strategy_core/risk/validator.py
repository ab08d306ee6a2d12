"""Whether an order has a form that the venue takes, and its numbers on the venue's lattice.

Decimal throughout. A number that is moved onto the lattice never raises the risk: sizes go down,
the limits of makers and stops towards safety, and what is normalized once stays as it is.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import msgspec

from strategy_core.lattice import round_price, round_size_down
from strategy_core.numbers import is_number
from strategy_core.port import ZERO, Observation
from strategy_core.risk.exposure import Exposure, Order
from strategy_core.risk.limits import RiskLimits
from strategy_core.sizing.targets import MIN_NOTIONAL
from suite.contracts.venue import Leg, ModifyOrder
from suite.enums import Tif, Tpsl
from suite.instrument import Instrument


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """An order as it may go on.

    Attributes:
        order: with its numbers on the lattice; as it was when it is refused.
        rule: what was changed or why it is refused; empty for neither.
        refused: it may not go on.
        before, after: the number changed, a size or a price.
    """

    order: Order
    rule: str = ""
    refused: bool = False
    before: Decimal = ZERO
    after: Decimal = ZERO


class OrderValidator:
    """Rules of form, in their order; the first that is broken decides."""

    def __init__(self, limits: RiskLimits) -> None:
        self._collar = Decimal(str(limits.price_collar))
        self._exit_collar = Decimal(str(limits.exit_price_collar))

    def has_numbers(self, order: Order) -> bool:
        """Whether sizes and prices are numbers, positive where they must be."""
        trigger = order.order_type.trigger
        positive = [order.sz, *(leg.price for leg in _legs(order) if leg)]
        positive += [trigger.triggerPx] if trigger else []
        return (
            all(is_number(number) and number > 0 for number in positive)
            and is_number(order.limit_px)
            and order.limit_px >= 0
        )

    def check(
        self,
        order: Order,
        instrument: Instrument,
        exposure: Exposure,
        observation: Observation,
        *,
        is_exit: bool,
    ) -> Checked:
        """Bring an order onto the lattice and look at prices and sides.

        Args:
            order: with numbers that `numbers` lets through.
            instrument: of its coin.
            exposure: before it.
            observation: mids, and the book where a snapshot has one.
            is_exit: it only reduces: the wider collar clamps it, and a minimum does not bind.
        """
        moved = _on_lattice(order, instrument)
        if moved.refused:
            return moved
        order = moved.order
        price = exposure.price(order.coin, order.limit_px)
        opening = ZERO if is_exit else order.sz - exposure.closing(order)
        at_limit = order.limit_px or price
        if opening > 0 and order.sz * at_limit < MIN_NOTIONAL:
            return _refused(order, "min_notional")
        collared = self._inside_collar(order, instrument, exposure, is_exit=is_exit)
        if collared is not None:
            moved = collared
        if moved.refused:
            return moved
        order = moved.order
        if _is_on_wrong_side(order, exposure.price(order.coin)):
            return _refused(order, "trigger_side")
        if not is_exit and _would_cross(order, exposure.price(order.coin), observation):
            return _refused(order, "would_cross")
        return moved

    def _inside_collar(
        self, order: Order, instrument: Instrument, exposure: Exposure, *, is_exit: bool
    ) -> Checked | None:
        """Look whether an order could trade much worse than the mid, or than its trigger.

        Returns:
            None when it could not. A resting order on the far side of the mid cannot, at any
            distance; nor is a stop that protects bounded: it shall fill.
        """
        trigger = order.order_type.trigger
        if not order.limit_px or (is_exit and trigger):
            return None
        reference = trigger.triggerPx if trigger else exposure.price(order.coin)
        if reference <= 0:
            return None
        width = self._exit_collar if is_exit else self._collar
        edge = reference * (1 + width) if order.is_buy else reference * (1 - width)
        if (order.limit_px <= edge) if order.is_buy else (order.limit_px >= edge):
            return None
        if not is_exit:
            return _refused(order, "collar")
        price = round_price(instrument, edge, up=not order.is_buy)
        return Checked(
            order=msgspec.structs.replace(order, limit_px=price),
            rule="collar",
            before=order.limit_px,
            after=price,
        )


def _on_lattice(order: Order, instrument: Instrument) -> Checked:
    """Round size and prices; the size, then the price that moved is the one reported."""
    size = order.sz
    rounded = round_size_down(instrument, size)
    if not rounded:
        return _refused(order, "lot")
    changes: dict[str, Any] = {"sz": size if rounded == size else rounded}
    moves: list[tuple[Decimal, Decimal]] = []

    def to_tick(price: Decimal, *, up: bool) -> Decimal:
        ticked = round_price(instrument, price, up=up)
        moves.append((price, ticked))
        return price if ticked == price else ticked

    trigger, limit = order.order_type.trigger, order.order_type.limit
    takes = trigger.isMarket if trigger else limit is not None and limit.tif is Tif.IOC
    if order.limit_px:
        changes["limit_px"] = to_tick(order.limit_px, up=order.is_buy == takes)
    if trigger:
        # towards the market: a stop earlier, a target sooner
        up = (trigger.tpsl is Tpsl.STOP_LOSS) != order.is_buy
        price = to_tick(trigger.triggerPx, up=up)
        changes["order_type"] = msgspec.structs.replace(
            order.order_type, trigger=msgspec.structs.replace(trigger, triggerPx=price)
        )
    stop, target = _legs(order)
    if stop:
        changes["stop_loss"] = Leg(price=to_tick(stop.price, up=order.is_buy))
    if target:
        changes["take_profit"] = Leg(price=to_tick(target.price, up=not order.is_buy))
    if any(after <= 0 for _, after in moves):
        return _refused(order, "tick")  # 0 would mean the market
    moved = [(before, after) for before, after in moves if before != after]
    if rounded == size and not moved:
        return Checked(order=order)
    before, after = moved[0] if rounded == size else (size, rounded)
    return Checked(
        order=msgspec.structs.replace(order, **changes),
        rule="tick" if rounded == size else "lot",
        before=before,
        after=after,
    )


def _is_on_wrong_side(order: Order, mid: Decimal) -> bool:
    """Whether a trigger, or a leg of an entry, stands where it would fire at once.

    A target that is reached already only closes at once, so one that reduces may be placed.
    """
    side = 1 if order.is_buy else -1
    trigger = order.order_type.trigger
    if trigger and mid > 0:
        ahead = side * (trigger.triggerPx - mid)
        if trigger.tpsl is Tpsl.STOP_LOSS and ahead <= 0:
            return True
        if trigger.tpsl is Tpsl.TAKE_PROFIT and ahead >= 0 and not order.reduce_only:
            return True
    entry = _entry_price(order, mid)
    stop, target = _legs(order)
    if entry <= 0:
        return False
    return bool(
        (stop and side * (entry - stop.price) <= 0)
        or (target and side * (target.price - entry) <= 0)
    )


def _entry_price(order: Order, mid: Decimal) -> Decimal:
    """Where an entry trades as far as that is known, USD; its legs stand around it."""
    trigger = order.order_type.trigger
    market = trigger.triggerPx if trigger else mid
    if not order.limit_px or (trigger and trigger.isMarket):
        return market
    if market <= 0:
        return order.limit_px
    return min(order.limit_px, market) if order.is_buy else max(order.limit_px, market)


def _would_cross(order: Order, mid: Decimal, observation: Observation) -> bool:
    """Whether a post-only order would take, by the present mid and the last known spread."""
    limit = order.order_type.limit
    if limit is None or limit.tif is not Tif.ALO or mid <= 0:
        return False
    try:
        book = observation.snapshots[order.coin]["common_info"]["order_book"]
        half_spread = Decimal(str(book["spread"])) / 2
    except (KeyError, TypeError, ArithmeticError):
        return False
    if not is_number(half_spread):
        return False
    if order.is_buy:
        return order.limit_px >= mid + half_spread
    return order.limit_px <= mid - half_spread


def _legs(order: Order) -> tuple[Leg | None, Leg | None]:
    """Stop and target attached to an entry."""
    if isinstance(order, ModifyOrder):
        return None, None
    return order.stop_loss, order.take_profit


def _refused(order: Order, rule: str) -> Checked:
    return Checked(order=order, rule=rule, refused=True)
