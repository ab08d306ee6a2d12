"""Decisions that no sane strategy makes, and many that one does."""

from decimal import Decimal
from random import Random
from typing import Any

from tests.support.risk_market import LATTICE, RiskMarket

from strategy_core.intents import ParentOrder, Passive, Sliced
from suite.contracts.venue import (
    AdjustMargin,
    CancelOrder,
    Leg,
    LimitType,
    ModifyOrder,
    OrderType,
    PlaceOrder,
    SetLeverage,
    TriggerType,
)
from suite.enums import Tif, Tpsl

WILD = [Decimal(text) for text in (
    "NaN", "sNaN", "Infinity", "-Infinity", "1e400", "-1e400", "1e-400", "0", "-1", "1e17", "1e-9",
    "0.1234567890123456789012345678901234567890",
)]  # fmt: skip
NONSENSE: list[Any] = [None, 7, "buy", {"type": "order"}, float("nan"), [], Decimal(1)]
MULTIPLES = (0.001, 0.01, 0.1, 0.5, 1.0, 2.0, 3.0, 10.0, 1000.0)


def wild_decision(random: Random, market: RiskMarket) -> list[Any]:
    """Draw one decision: empty, small, or of a thousand orders."""
    many = 1000 if random.random() < 0.002 else random.choice((0, 1, 1, 2, 3, 6))
    intents = [_intent(random, market) for _ in range(many)]
    if intents and random.random() < 0.2:
        intents += [random.choice(intents)] * random.choice((1, 3))
    return intents


def _intent(random: Random, market: RiskMarket) -> Any:
    draw = random.random()
    coin = random.choice([*LATTICE, "BTC", "ETH"])
    if draw < 0.03:
        return random.choice(NONSENSE)
    if draw < 0.08:
        return SetLeverage(coin=coin, leverage=random.choice((-1, 0, 1, 5, 20, 10**30)))
    if draw < 0.11:
        return AdjustMargin(coin=coin, margin=random.choice([*WILD, Decimal(5)]))
    if draw < 0.2:
        return CancelOrder(coin=coin, oid=_oid(random, market))
    size, side = _size(random, market, coin), random.random() < 0.5
    if draw < 0.26:
        return ParentOrder(
            coin=coin, is_buy=side, sz=size, execution=random.choice((Passive(), Sliced())),
            reduce_only=random.random() < 0.3,
        )  # fmt: skip
    price = _price(random, market, coin)
    if draw < 0.36:
        return ModifyOrder(
            coin=coin, is_buy=side, sz=size, limit_px=price, oid=_oid(random, market),
            reduce_only=random.random() < 0.3, order_type=_kind(random, market, coin),
        )  # fmt: skip
    legs = random.random() < 0.2
    return PlaceOrder(
        coin=random.choice(("XRP", coin, coin, coin, coin, coin, coin)),
        is_buy=side,
        sz=size,
        limit_px=price,
        order_type=_kind(random, market, coin),
        reduce_only=random.random() < 0.35,
        stop_loss=Leg(price=_price(random, market, coin)) if legs else None,
        take_profit=Leg(price=_price(random, market, coin)) if legs else None,
    )


def _oid(random: Random, market: RiskMarket) -> int:
    known = [order.oid for order in market.orders]
    return random.choice([*known, 10**12])


def _kind(random: Random, market: RiskMarket, coin: str) -> OrderType:
    if random.random() < 0.8:
        return OrderType(limit=LimitType(tif=random.choice(list(Tif))))
    trigger = TriggerType(
        isMarket=random.random() < 0.5,
        triggerPx=_price(random, market, coin),
        tpsl=random.choice(list(Tpsl)),
    )
    return OrderType(trigger=trigger)


def _size(random: Random, market: RiskMarket, coin: str) -> Decimal:
    if random.random() < 0.04:
        return random.choice(WILD)
    held = abs(market.positions.get(coin, Decimal(0)))
    if held and random.random() < 0.4:
        return held * random.choice((1, 1, 2, Decimal("0.5")))
    share = Decimal(str(random.choice(MULTIPLES) * random.random()))
    return abs(market.equity()) * share / market.mids[coin]


def _price(random: Random, market: RiskMarket, coin: str) -> Decimal:
    draw = random.random()
    if draw < 0.03:
        return random.choice(WILD)
    if draw < 0.4:
        return Decimal(0)
    width = random.choice((0.001, 0.01, 0.03, 0.2))
    return market.mids[coin] * Decimal(str(1 + random.uniform(-width, width)))
