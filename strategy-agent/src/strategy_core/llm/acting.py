"""From decisions that were read to orders: what can be done of them, and why the rest cannot.

Nothing here is a limit of risk: leverage, exposure, money and statuses are the gate's. This only
makes sure that an order means what the model asked: a size from money, stop and target on their
sides of the price, a stop that only moves in the position's favor.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from strategy_core.intents import ExitPlan, Intent
from strategy_core.lattice import round_price, round_size_down
from strategy_core.llm.answer import Flaw, FlawKind, Item, Refused, Signal
from strategy_core.llm.memory import Idea
from strategy_core.llm.windows import COSTS
from strategy_core.orders.desk import at_trigger
from strategy_core.port import ZERO, Instruments, Observation
from strategy_core.sizing.targets import MIN_NOTIONAL, Protection, market_order, size_for
from suite.contracts.venue import (
    CancelOrder,
    Leg,
    LimitType,
    OrderType,
    PlaceOrder,
    SetLeverage,
)
from suite.enums import Tif, Tpsl
from suite.fixed import is_decimal
from suite.instrument import Instrument

FARTHEST: Final = Decimal("0.5")
"""Largest distance of a stop, and of a limit, from the price, as a fraction of it."""
FARTHEST_TARGET: Final = Decimal(9)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What a trader demands of an entry.

    Attributes:
        require_stop: an entry without a stop is refused.
        valid_ms: how long an entry may rest that says nothing of it.
    """

    require_stop: bool = True
    valid_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What one decision became.

    Attributes:
        actions: in their order.
        plan: of how the position shall end; None for no change.
        idea: to be remembered in place of what was; None to leave that.
    """

    actions: tuple[Intent, ...] = ()
    plan: ExitPlan | None = None
    idea: Idea | None = None


def act_on(
    item: Item,
    seen: Observation,
    instruments: Instruments,
    ideas: Mapping[str, Idea],
    rules: Rules,
) -> Done:
    """Turn one decision into orders.

    Args:
        item: as read.
        seen: what is known now.
        instruments: lattice of each coin.
        ideas: of the coins it has taken a position in, or wants to.
        rules: of the trader.

    Raises:
        Refused: it cannot be done.
    """
    price = seen.mids.get(item.coin, ZERO)
    if price <= 0 and item.signal is not Signal.CLOSE:
        raise Refused(FlawKind.NO_PRICE, f"there is no price of {item.coin} now")
    match item.signal:
        case Signal.BUY | Signal.SELL:
            return _enter(item, seen, instruments[item.coin], price, rules)
        case Signal.CLOSE:
            return _close(item, seen, instruments[item.coin], price)
        case Signal.ADJUST:
            return _adjust(item, seen, instruments[item.coin], price, ideas.get(item.coin))
        case Signal.HOLD:
            return Done()


def flaw_of(item: Item, refused: Refused) -> Flaw:
    """Name the decision that cannot be done."""
    return Flaw(kind=refused.kind, text=refused.text, item=item.place)


def cancel_entries(seen: Observation, coin: str) -> tuple[CancelOrder, ...]:
    """Take down what still rests to open or add to a position."""
    return tuple(
        CancelOrder(coin=coin, oid=order.oid)
        for order in seen.open_orders
        if order.coin == coin and not order.reduceOnly
    )


def _enter(
    item: Item, seen: Observation, instrument: Instrument, price: Decimal, rules: Rules
) -> Done:
    side = 1 if item.signal is Signal.BUY else -1
    held = seen.size_of(item.coin)
    if held:
        have = "long" if held > 0 else "short"
        what = "adjust it" if held * side > 0 else "close it first, then enter at the next turn"
        raise Refused(FlawKind.HAS_POSITION, f"{item.coin} is {have} already: {what}")
    entry = price if item.limit is None else round_price(instrument, item.limit, up=side < 0)
    if abs(entry - price) > FARTHEST * price:
        raise Refused(FlawKind.TOO_FAR, f"the limit {entry:f} is far from the price {price:f}")
    if item.stop_loss is None and rules.require_stop:
        raise Refused(FlawKind.NO_STOP, "an entry needs a stop_loss")
    protection = _protection(item, instrument, entry, side)
    size = _size_of(item, instrument, entry, protection.stop_loss)
    order = market_order(item.coin, side * size, protection=protection)
    if item.limit is not None:
        order = PlaceOrder(
            coin=item.coin,
            is_buy=side > 0,
            sz=size,
            limit_px=entry,
            order_type=OrderType(limit=LimitType(tif=Tif.GTC)),
            stop_loss=protection.stop_loss,
            take_profit=protection.take_profit,
        )
    leverage: tuple[SetLeverage, ...] = ()
    if item.leverage is not None:
        most = instrument.tiers[0].max_leverage
        leverage = (SetLeverage(coin=item.coin, leverage=min(item.leverage, most)),)
    stop = protection.stop_loss.price if protection.stop_loss else None
    target = protection.take_profit.price if protection.take_profit else None
    return Done(
        actions=(*cancel_entries(seen, item.coin), *leverage, order),
        plan=_plan(item, stop, target),
        idea=Idea(
            coin=item.coin,
            side=side,
            since_ms=seen.now_ms,
            until_ms=seen.now_ms + (item.valid_for_ms or rules.valid_ms),
            stop=stop,
            target=target,
            invalidation=item.invalidation,
            confidence=item.confidence,
            reasoning=item.reasoning,
        ),
    )


def _close(item: Item, seen: Observation, instrument: Instrument, price: Decimal) -> Done:
    held = seen.size_of(item.coin)
    cancels = tuple(
        CancelOrder(coin=item.coin, oid=order.oid)
        for order in seen.open_orders
        if order.coin == item.coin
    )
    if not held:
        if not cancels:
            raise Refused(FlawKind.NO_POSITION, f"there is no position in {item.coin} to close")
        return Done(actions=cancels)
    if item.size_usd is not None and price > 0:
        part = abs(size_for(instrument, notional=item.size_usd, price=price))
        if 0 < part < abs(held):
            size = -part if held > 0 else part
            # what protects the rest stays, and shrinks with it
            return Done(actions=(market_order(item.coin, size, reduce_only=True),))
    return Done(actions=(*cancels, market_order(item.coin, -held, reduce_only=True)))


def _adjust(
    item: Item, seen: Observation, instrument: Instrument, price: Decimal, idea: Idea | None
) -> Done:
    held = seen.size_of(item.coin)
    if not held:
        raise Refused(FlawKind.NO_POSITION, f"there is no position in {item.coin} to adjust")
    side = 1 if held > 0 else -1
    if item.stop_loss is None and item.take_profit is None and not item.invalidation:
        raise Refused(FlawKind.NOTHING_TO_DO, "adjust sets stop_loss, take_profit or invalidation")
    protection = _protection(item, instrument, price, side)
    before = idea or Idea(coin=item.coin, side=side, since_ms=seen.now_ms, until_ms=seen.now_ms)
    stop = protection.stop_loss.price if protection.stop_loss else before.stop
    target = protection.take_profit.price if protection.take_profit else before.target
    if before.stop is not None and stop is not None and (stop - before.stop) * side < 0:
        raise Refused(
            FlawKind.STOP_LOOSENED,
            f"the stop stands at {before.stop:f} and moves in the position's favor only",
        )
    actions: tuple[Intent, ...] = ()
    if (stop, target) != (before.stop, before.target):
        placed = [
            _trigger(item.coin, -held, leg, tpsl)
            for leg, tpsl in ((stop, Tpsl.STOP_LOSS), (target, Tpsl.TAKE_PROFIT))
            if leg is not None
        ]
        old = [
            CancelOrder(coin=item.coin, oid=order.oid)
            for order in seen.open_orders
            if order.coin == item.coin and order.reduceOnly and is_decimal(order.sz)
        ]
        actions = (*placed, *old)  # the position is never without
    return Done(
        actions=actions,
        plan=_plan(item, stop, target),
        idea=Idea(
            coin=item.coin,
            side=side,
            since_ms=before.since_ms,
            until_ms=before.until_ms,
            stop=stop,
            target=target,
            invalidation=item.invalidation or before.invalidation,
            confidence=before.confidence if item.confidence is None else item.confidence,
            reasoning=item.reasoning or before.reasoning,
        ),
    )


def _plan(item: Item, stop: Decimal | None, target: Decimal | None) -> ExitPlan:
    """How the position shall end, by where stop and target are put."""
    return ExitPlan(
        coin=item.coin,
        confidence=None if item.confidence is None else float(item.confidence),
        invalidation=item.invalidation,
        stop=stop,
        target=target,
    )


def _protection(item: Item, instrument: Instrument, entry: Decimal, side: int) -> Protection:
    """Read stop and target as legs, each on its side of the price.

    Raises:
        Refused: one is on the wrong side, or absurdly far.
    """
    legs: list[Leg | None] = []
    for name, asked, way in (
        ("stop_loss", item.stop_loss, -side),
        ("take_profit", item.take_profit, side),
    ):
        if asked is None:
            legs.append(None)
            continue
        # a stop is rounded towards the entry, and so is a target
        at = round_price(instrument, asked, up=way < 0)
        if (at - entry) * way <= 0:
            where = "above" if way > 0 else "below"
            raise Refused(
                FlawKind.WRONG_SIDE,
                f"{name} {asked:f} must be {where} the price {entry:f}, in USD of the coin",
            )
        farthest = FARTHEST if name == "stop_loss" else FARTHEST_TARGET
        if abs(at - entry) > farthest * entry or at <= 0:
            raise Refused(
                FlawKind.TOO_FAR,
                f"{name} {asked:f} is no price near {entry:f}: give a price in USD",
            )
        legs.append(Leg(price=at))
    return Protection(stop_loss=legs[0], take_profit=legs[1])


def _size_of(item: Item, instrument: Instrument, entry: Decimal, stop: Leg | None) -> Decimal:
    """Size of an entry, units of the coin, positive.

    Raises:
        Refused: it names none, two, or one that the venue would not take.
    """
    if item.size_usd is not None and item.risk_usd is not None:
        raise Refused(FlawKind.TWO_SIZES, "give size_usd or risk_usd, not both")
    if item.size_usd is not None:
        notional = item.size_usd
    elif item.risk_usd is None:
        raise Refused(FlawKind.NO_SIZE, "an entry needs size_usd or risk_usd")
    elif stop is None:
        raise Refused(FlawKind.NO_STOP, "risk_usd is lost at the stop_loss: give one")
    else:
        notional = item.risk_usd / (abs(entry - stop.price) / entry + COSTS)
    size = round_size_down(instrument, notional / entry)
    if size * entry < MIN_NOTIONAL:
        raise Refused(
            FlawKind.TOO_SMALL, f"{notional:.2f} USD is less than the least order of {MIN_NOTIONAL}"
        )
    return size


def _trigger(coin: str, size: Decimal, at: Decimal, tpsl: Tpsl) -> PlaceOrder:
    return PlaceOrder(
        coin=coin,
        is_buy=size > 0,
        sz=abs(size),
        order_type=at_trigger(at, tpsl),
        reduce_only=True,
    )
