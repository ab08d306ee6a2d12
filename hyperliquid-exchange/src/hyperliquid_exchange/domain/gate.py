"""Hard limits: whether an action may leave, as the last thing before a signature.

Pure: everything that a judgement depends on is in `Situation`. What can only reduce passes always:
cancels, a noop, margin added to a position, reduce-only orders that find something to reduce. A
reduce-only order that is larger than anything it could reduce is held against the size of an order.
Everything else passes all rules, in the order of `RULES`; the first that refuses is told, and one
refused item refuses the whole action.

Source: reliability reference S2; SEC rule 15c3-5 and EU RTS 6 article 15 for the choice of limits.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from hyperliquid_exchange.domain.accounts import GlobalLimits, LiveAccount
from hyperliquid_exchange.domain.actions import (
    Allowed,
    assets_of,
    forbidden,
    is_allowed,
    may_add_risk,
)
from hyperliquid_exchange.domain.exposure import (
    exposures,
    not_shown,
    reducible,
    total_usd,
    worth,
)
from hyperliquid_exchange.domain.facts import AccountFacts, RestingOrder
from hyperliquid_exchange.domain.wanted import WantedOrder, coin_name, wanted_orders
from suite.contracts.hyperliquid_exchange import (
    Cancel,
    CancelByCloid,
    L1Action,
    Order,
    UpdateLeverage,
)
from suite.fixed import RATE_DECIMALS, RATE_ONE, USD_DECIMALS, Price, Usd, format_fixed
from suite.instrument import Instrument

ELSEWHERE: Final = 10_000
"""From this asset id on: spot pairs and the markets of builders, which have no position here."""
TRIGGER_REACH: Final = 2
"""A trigger that may add waits between a half and the double of the mid."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """Everything that a judgement depends on.

    Attributes:
        account: whose action it is.
        overall: limits over all traders.
        facts: of the account; None while nothing is known.
        universe: what is listed.
        left: orders that left and may not be in the facts yet.
        others_usd: exposure of the other traders together, micro-USD.
        second, minute: orders of the trader that left within the last second and minute.
        all_second: orders of all traders that left within the last second.
        recent: contents of the orders that left within `duplicate_s`.
        executions: fills since a person allowed more.
        loss: why a loss forbids more risk; empty where none does.
        budget: why the venue's request limits forbid more; empty where they do not.
    """

    account: LiveAccount
    overall: GlobalLimits
    facts: AccountFacts | None
    universe: Sequence[Instrument]
    left: tuple[WantedOrder, ...] = ()
    others_usd: Usd = Usd(0)
    second: int = 0
    minute: int = 0
    all_second: int = 0
    recent: Collection[tuple[object, ...]] = ()
    executions: int = 0
    loss: str = ""
    budget: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What the gate says of an action.

    Attributes:
        coins: that it is about.
        orders: that it places.
        adds_risk: it may make a position larger, or take away what protects one.
        refusal: why it may not leave, `rule: reason`; None where it may.
    """

    coins: tuple[str, ...]
    orders: tuple[WantedOrder, ...]
    adds_risk: bool
    refusal: str | None = None


@dataclass(frozen=True, slots=True)
class _Asked:
    """An action that may add risk, in a situation.

    Attributes:
        action: as it was sent.
        orders: all that it places.
        adding: those that may add, or worsen a stop.
        facts: of the account.
        now: the situation.
        unseen: orders that left and show nowhere.
        exposure: by asset, with the action, micro-USD; None where a price is not known.
    """

    action: Allowed
    orders: tuple[WantedOrder, ...]
    adding: tuple[WantedOrder, ...]
    facts: AccountFacts
    now: Situation
    unseen: tuple[WantedOrder, ...]
    exposure: dict[int, Usd | None]

    def coin(self, asset: int) -> str:
        return coin_name(asset, self.now.universe)


def judge(action: L1Action, now: Situation) -> Judgement:
    """Hold an action against the limits.

    Args:
        action: in canonical form.
        now: everything it is held against.
    """
    reason = forbidden(action)
    if reason is not None or not is_allowed(action):
        return Judgement(coins=(), orders=(), adds_risk=True, refusal=f"action: {reason}")
    unlisted = _unlisted(action, now.universe)
    if unlisted:
        return Judgement(coins=(), orders=(), adds_risk=True, refusal=f"symbol: {unlisted}")
    orders = wanted_orders(action, now.universe)
    coins = tuple(coin_name(asset, now.universe) for asset in assets_of(action))
    adding = tuple(one for one in orders if _may_add(one, now))
    adds_risk = bool(adding) or may_add_risk(action)
    refusal = _refused(action, orders, adding, now) if adds_risk else None
    if refusal is None:
        refusal = _oversized(orders, now)
    return Judgement(coins=coins, orders=orders, adds_risk=adds_risk, refusal=refusal)


def _unlisted(action: Allowed, universe: Sequence[Instrument]) -> str:
    """Tell of an asset that is none here; reduce-only means nothing where nothing is held.

    What rests there already may be canceled. What is listed may not be known yet: the way out of
    a position stays open then.
    """
    if isinstance(action, Cancel | CancelByCloid):
        return ""
    end = min(ELSEWHERE, len(universe) or ELSEWHERE)
    return next((f"asset {one} is not traded here" for one in assets_of(action) if one >= end), "")


def _refused(
    action: Allowed,
    orders: tuple[WantedOrder, ...],
    adding: tuple[WantedOrder, ...],
    now: Situation,
) -> str | None:
    if now.facts is None:
        return "stale: nothing is known of the account yet"
    unseen = not_shown(now.left, now.facts)
    # a stop that moves away is judged, but makes no position larger
    weighing = [one for one in adding if not one.reduce_only]
    exposure = exposures(now.facts, _weighing(unseen), weighing)
    asked = _Asked(action, orders, adding, now.facts, now, unseen, exposure)
    for name, rule in RULES:
        found = next(rule(asked), None)
        if found is not None:
            return f"{name}: {found}"
    return None


def _may_add(order: WantedOrder, now: Situation) -> bool:
    """Whether an order may make a position larger, or takes the place of a better stop."""
    if not order.reduce_only:
        return True
    return order.replaces is not None and not _keeps_protection(order, now.facts)


def _oversized(orders: tuple[WantedOrder, ...], now: Situation) -> str | None:
    """Refuse reduce-only orders that find less than their size, where they are large.

    The venue trims them; that it does is not all that stands between an order and a position.
    Where facts are stale, what an order finds cannot be told, and the way out stays open.
    """
    facts, limits = now.facts, now.account.limits
    if facts is None or is_stale(facts, limits.facts_age_s):
        return None
    found: dict[tuple[int, bool], int] = {}
    for order in orders:
        if order.reduce_only and _flips(order, orders, facts, now, found):
            usd = worth(order, facts.mids.get(order.asset, Price(0)))
            if usd > limits.max_order_usd:
                coin = coin_name(order.asset, now.universe)
                most = _usd(limits.max_order_usd)
                return f"order_size: {_usd(usd)} in {coin}, more than is held and than {most}"
    return None


def _flips(
    order: WantedOrder,
    orders: tuple[WantedOrder, ...],
    facts: AccountFacts,
    now: Situation,
    found: dict[tuple[int, bool], int],
) -> bool:
    """Whether a reduce-only order is larger than all it could ever reduce.

    Args:
        order: it.
        orders: all of its action.
        facts: of the account.
        now: the situation.
        found: what there is to reduce by asset and side, as far as it was asked for: an action may
            have thousands of orders.
    """
    side = order.asset, order.is_buy
    if side not in found:
        # itself among them adds nothing: it is reduce-only
        others = (*now.left, *orders)
        found[side] = reducible(order.asset, is_buy=order.is_buy, facts=facts, others=others)
    return order.size > found[side]


def _keeps_protection(order: WantedOrder, facts: AccountFacts | None) -> bool:
    """Whether a reduce-only order is no worse a protection than the one that it replaces."""
    old = None if facts is None else _find(order.replaces, facts)
    if old is None:
        return False
    if old.trigger != "sl" or not old.reduce_only:
        return True
    if order.trigger != "sl" or (order.asset, order.is_buy) != (old.asset, old.is_buy):
        return False
    if 0 < order.size < old.size or old.trigger_price is None or order.trigger_price is None:
        return False
    if order.is_buy:
        return order.trigger_price <= old.trigger_price
    return order.trigger_price >= old.trigger_price


def _find(name: int | str | None, facts: AccountFacts) -> RestingOrder | None:
    return next((one for one in facts.orders if name in {one.oid, one.cloid}), None)


def is_stale(facts: AccountFacts, limit_s: float) -> bool:
    """Whether facts are too old, or troubled, for anything that may add risk."""
    return bool(facts.trouble) or facts.age_s >= limit_s


# the rules: each tells what is wrong, or nothing


def _loss(asked: _Asked) -> Iterator[str]:
    if asked.now.loss:
        yield asked.now.loss


def _executions(asked: _Asked) -> Iterator[str]:
    most = asked.now.account.limits.max_executions
    if asked.now.executions >= most:
        yield f"{asked.now.executions} fills; a person must allow more after {most}"


def _stale(asked: _Asked) -> Iterator[str]:
    limit_s = asked.now.account.limits.facts_age_s
    if asked.facts.trouble:
        yield f"the account is not sure: {', '.join(asked.facts.trouble)}"
    elif asked.facts.age_s >= limit_s:
        yield f"account or prices were last told {asked.facts.age_s:.1f} s ago, limit {limit_s:g} s"


def _symbol(asked: _Asked) -> Iterator[str]:
    for asset in assets_of(asked.action):
        coin = asked.coin(asset)
        if coin not in asked.now.account.symbols:
            yield f"{coin} is not on the list of {asked.now.account.trader_id}"


def _price(asked: _Asked) -> Iterator[str]:
    for order in asked.adding:
        if asked.facts.mids.get(order.asset, 0) <= 0:
            yield f"no price of {asked.coin(order.asset)} is known"


def _order_size(asked: _Asked) -> Iterator[str]:
    most = asked.now.account.limits.max_order_usd
    if isinstance(asked.action, Order) and asked.action.grouping == "positionTpsl":
        for order in asked.adding:
            if not order.reduce_only:
                yield f"a stop of the whole position in {asked.coin(order.asset)} only reduces"
    for order in asked.adding:
        usd = worth(order, asked.facts.mids[order.asset])
        if usd > most:
            yield f"{_usd(usd)} in {asked.coin(order.asset)} is more than {_usd(most)}"


def _collar(asked: _Asked) -> Iterator[str]:
    """A price that takes is near the mid; of a trigger order, near the price it waits for."""
    collar = asked.now.account.limits.price_collar
    for order in asked.adding:
        base = asked.facts.mids[order.asset] if order.trigger is None else order.trigger_price or 0
        beyond = order.price - base if order.is_buy else base - order.price
        if beyond * RATE_ONE > base * collar:
            far = f"more than {format_fixed(collar, RATE_DECIMALS - 2)} % beyond {_base(order)}"
            yield f"the price in {asked.coin(order.asset)} is {far}"


def _base(order: WantedOrder) -> str:
    return "the mid" if order.trigger is None else "its trigger"


def _trigger(asked: _Asked) -> Iterator[str]:
    for order in asked.adding:
        if order.trigger_price is not None:
            mid = asked.facts.mids[order.asset]
            if not mid <= order.trigger_price * TRIGGER_REACH <= mid * TRIGGER_REACH**2:
                yield f"the trigger in {asked.coin(order.asset)} is out of reach of the mid"


def _duplicate(asked: _Asked) -> Iterator[str]:
    seen = set(asked.now.recent)
    for order in asked.adding:
        if order.content in seen:
            within = asked.now.account.limits.duplicate_s
            yield f"an equal order in {asked.coin(order.asset)} left within {within:g} s"
        seen.add(order.content)


def _open_orders(asked: _Asked) -> Iterator[str]:
    most = asked.now.account.limits.max_open_orders
    resting = [one for one in asked.unseen if one.rests]
    count = len(asked.facts.orders) + len(resting) + sum(one.rests for one in asked.orders)
    if count > most and any(one.rests for one in asked.orders):
        yield f"{count} orders would rest, limit {most}"


def _position(asked: _Asked) -> Iterator[str]:
    """What has grown beyond its limit by itself takes reduce-only orders, and no others.

    A plain order against it relies on a position that may be gone when it fills.
    """
    most = asked.now.account.limits.max_position_usd
    for asset in {order.asset for order in asked.adding}:
        usd = asked.exposure.get(asset)
        if usd is not None and usd > most:
            yield f"{_usd(usd)} in {asked.coin(asset)} is more than {_usd(most)}"


def _account(asked: _Asked) -> Iterator[str]:
    most, total = asked.now.account.limits.max_account_usd, total_usd(asked.exposure)
    if asked.adding and total is None:
        yield "the price of a coin that is held is not known"
    elif asked.adding and total is not None and total > most:
        yield f"{_usd(total)} is more than {_usd(most)}"


def _gross(asked: _Asked) -> Iterator[str]:
    most, total = asked.now.overall.max_gross_usd, total_usd(asked.exposure)
    if asked.adding and total is not None and asked.now.others_usd + total > most:
        yield f"{_usd(asked.now.others_usd + total)} of all traders is more than {_usd(most)}"


def weighing_unseen(left: tuple[WantedOrder, ...], facts: AccountFacts) -> tuple[WantedOrder, ...]:
    """List orders that left, show nowhere, and may add."""
    return tuple(_weighing(not_shown(left, facts)))


def _weighing(unseen: tuple[WantedOrder, ...]) -> list[WantedOrder]:
    return [one for one in unseen if not one.reduce_only]


def _leverage(asked: _Asked) -> Iterator[str]:
    most = asked.now.account.limits.max_leverage
    if isinstance(asked.action, UpdateLeverage) and asked.action.leverage > most:
        yield f"{asked.action.leverage} is more than {most}"


def _rate(asked: _Asked) -> Iterator[str]:
    limits, count = asked.now.account.limits, max(1, len(asked.orders))
    if asked.now.second + count > limits.max_orders_per_s:
        yield f"more than {limits.max_orders_per_s} orders within a second"
    if asked.now.minute + count > limits.max_orders_per_minute:
        yield f"more than {limits.max_orders_per_minute} orders within a minute"
    if asked.now.all_second + count > asked.now.overall.max_orders_per_s:
        yield f"more than {asked.now.overall.max_orders_per_s} orders of all traders in a second"


def _budget(asked: _Asked) -> Iterator[str]:
    if asked.now.budget:
        yield asked.now.budget


def _usd(value: int) -> str:
    return f"{format_fixed(value, USD_DECIMALS)} USDC"


RULES: Final[tuple[tuple[str, Callable[[_Asked], Iterator[str]]], ...]] = (
    ("loss", _loss),
    ("executions", _executions),
    ("stale", _stale),
    ("symbol", _symbol),
    ("price", _price),
    ("order_size", _order_size),
    ("collar", _collar),
    ("trigger", _trigger),
    ("duplicate", _duplicate),
    ("open_orders", _open_orders),
    ("position", _position),
    ("account", _account),
    ("gross", _gross),
    ("leverage", _leverage),
    ("rate", _rate),
    ("budget", _budget),
)
"""By precedence: what is told where several refuse."""
