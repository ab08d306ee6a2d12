"""From the simple REST to the venue's own actions.

What the venue would find wrong in the form of an order is told here in its own words and shape, and
never leaves. Prices on the wire are limits: a market order is one that fills now or not at all, at
most `MARKET_SLIPPAGE` beyond the mid.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, Literal

from hyperliquid_exchange.application import answers
from hyperliquid_exchange.application.answers import Reply
from hyperliquid_exchange.application.ports import FactsSource
from hyperliquid_exchange.domain.accounts import LiveAccount
from hyperliquid_exchange.domain.actions import Allowed
from suite.contracts import hyperliquid_exchange as wire
from suite.contracts.venue import (
    Action,
    AdjustMargin,
    CancelOrder,
    ModifyOrder,
    PlaceOrder,
    SetLeverage,
    TriggerType,
)
from suite.enums import Tif, Tpsl
from suite.errors import UpstreamUnavailable
from suite.fixed import RATE_ONE, USD_DECIMALS, Price, Rate, parse_fixed
from suite.ids import TraderId
from suite.instrument import Instrument, coin_of

LARGEST: Final = 1 << 53
"""Prices, sizes and order ids are below it."""
MARKET_SLIPPAGE: Final = Rate(50_000_000)
"""How far beyond the mid a market order may fill, 10^-9 of the mid: 5 %, as in the official SDK. An
account whose collar is tighter has that instead."""
TRIGGER_SLIPPAGE: Final = Rate(100_000_000)
"""How far beyond its trigger price a market trigger may fill, 10^-9 of it: 10 %, as on the venue's
own page."""


_TIFS: Final[Mapping[Tif, Literal["Gtc", "Ioc", "Alo"]]] = {
    Tif.GTC: "Gtc",
    Tif.IOC: "Ioc",
    Tif.ALO: "Alo",
}
_TPSLS: Final[Mapping[Tpsl, Literal["tp", "sl"]]] = {Tpsl.TAKE_PROFIT: "tp", Tpsl.STOP_LOSS: "sl"}


class Refused(Exception):
    """An action whose form the venue would refuse.

    Attributes:
        reply: in its own words and shape.
    """

    def __init__(self, reply: Reply) -> None:
        super().__init__(str(reply))
        self.reply = reply


def cloid_of(trader_id: str, key: str, place: int) -> str:
    """Derive the client id of an order that brings none: the same request, the same id.

    Args:
        trader_id: whose request it is.
        key: of the request.
        place: of the order in it, from 0.
    """
    return f"0x{hashlib.sha256(f'{trader_id}|{key}|{place}'.encode()).hexdigest()[:32]}"


class Translator:
    """Knows what is listed, and at what price.

    Args:
        facts: of accounts and the market.
    """

    def __init__(self, facts: FactsSource) -> None:
        self._facts = facts

    def translate(
        self,
        account: LiveAccount,
        key: str,
        action: Action,
        *,
        old_cloid: str | None = None,
        mid: Price | None = None,
    ) -> Allowed:
        """Write an action as the venue takes it.

        Args:
            account: whose action it is.
            key: of the request.
            action: what it asks for.
            old_cloid: of the order that a modification replaces, where it is known.
            mid: of its coin, where none was pushed yet.

        Raises:
            Refused: its form is wrong.
            UpstreamUnavailable: what is needed for it is not known yet.
        """
        asset, instrument = self._listed(action.coin)
        if mid is None:
            mid = self._mid(account.trader_id, asset)
        match action:
            case PlaceOrder():
                return _order(_Item(account, asset, instrument, mid), key, action)
            case CancelOrder():
                return _cancel(action, asset)
            case ModifyOrder():
                return _modify(_Item(account, asset, instrument, mid), key, action, old_cloid)
            case SetLeverage():
                return wire.UpdateLeverage(
                    asset=asset, isCross=action.is_cross, leverage=action.leverage
                )
            case AdjustMargin():
                return _margin(action, asset)

    def cloid_known(self, trader_id: TraderId, action: ModifyOrder) -> str | None:
        """Find the client id of an order that is to be modified; None where it is not known."""
        if action.cloid is not None:
            return action.cloid.lower()
        facts = self._facts.facts(trader_id)
        orders = () if facts is None else facts.orders
        return next((order.cloid for order in orders if order.oid == action.oid), None)

    def _listed(self, coin: str) -> tuple[int, Instrument]:
        universe = self._facts.universe()
        if not universe:
            raise UpstreamUnavailable("what the venue lists is not known yet")
        try:
            name = coin_of(coin)
        except ValueError:
            name = coin
        for asset, instrument in enumerate(universe):
            if instrument.coin in {coin, name}:
                return asset, instrument
        raise Refused(answers.err(f"Unknown coin {coin[:20]!r}."))

    def instrument(self, coin: str) -> Instrument:
        """Find what a coin is traded as.

        Raises:
            Refused: it is not listed.
            UpstreamUnavailable: nothing is known yet.
        """
        return self._listed(coin)[1]

    def lacks_mid(self, trader_id: TraderId, action: PlaceOrder | ModifyOrder) -> bool:
        """Whether an order is a market order of a coin whose price was not pushed yet."""
        if not action.limit_px.is_zero() or action.order_type.trigger is not None:
            return False
        return self._mid(trader_id, self._listed(action.coin)[0]) is None

    def _mid(self, trader_id: TraderId, asset: int) -> Price | None:
        facts = self._facts.facts(trader_id)
        return None if facts is None else facts.mids.get(asset)


@dataclass(frozen=True, slots=True)
class _Item:
    """One order to be written.

    Attributes:
        account: whose it is.
        asset: what it is about.
        instrument: its lattice.
        mid: its price, None where it is not known.
    """

    account: LiveAccount
    asset: int
    instrument: Instrument
    mid: Price | None

    def write(self, action: PlaceOrder | ModifyOrder) -> wire.OrderItem:
        """Write the order itself, without a client id."""
        instrument = self.instrument
        size = _size(instrument, action.sz)
        if action.order_type.trigger is not None:
            limit, kind = self._trigger(action, action.order_type.trigger)
        elif action.limit_px.is_zero():
            limit, kind = self._market(action), wire.Kind(limit=wire.LimitKind(tif="Ioc"))
        else:
            limit = _price(instrument, action.limit_px)
            tif = Tif.GTC if action.order_type.limit is None else action.order_type.limit.tif
            kind = wire.Kind(limit=wire.LimitKind(tif=_TIFS[tif]))
        return wire.OrderItem(
            a=self.asset,
            b=action.is_buy,
            p=instrument.format_price(limit),
            s=instrument.format_size(size),
            r=action.reduce_only,
            t=kind,
        )

    def _trigger(
        self, action: PlaceOrder | ModifyOrder, trigger: TriggerType
    ) -> tuple[Price, wire.Kind]:
        instrument = self.instrument
        price = _price(instrument, trigger.triggerPx)
        if not action.limit_px.is_zero():
            limit = _price(instrument, action.limit_px)
        elif trigger.isMarket:
            limit = beyond(instrument, price, TRIGGER_SLIPPAGE, up=action.is_buy)
        else:
            raise _refused(answers.INVALID_PRICE)
        sent = wire.TriggerKind(
            isMarket=trigger.isMarket,
            triggerPx=instrument.format_price(price),
            tpsl=_TPSLS[trigger.tpsl],
        )
        return limit, wire.Kind(trigger=sent)

    def _market(self, action: PlaceOrder | ModifyOrder) -> Price:
        if self.mid is None:
            raise UpstreamUnavailable(f"no price of {self.instrument.coin} is known yet")
        reach = Rate(min(MARKET_SLIPPAGE, self.account.limits.price_collar))
        return beyond(self.instrument, self.mid, reach, up=action.is_buy)


def _order(one: _Item, key: str, action: PlaceOrder) -> wire.Order:
    trader_id = one.account.trader_id
    entry = one.write(action)
    entry.c = cloid_of(trader_id, key, 0) if action.cloid is None else action.cloid
    items = [entry]
    for tpsl, leg in ((Tpsl.TAKE_PROFIT, action.take_profit), (Tpsl.STOP_LOSS, action.stop_loss)):
        if leg is not None:
            child = _child(entry, one.instrument, _price(one.instrument, leg.price), _TPSLS[tpsl])
            child.c = cloid_of(trader_id, key, len(items))
            items.append(child)
    order = wire.Order(orders=items, grouping="na" if len(items) == 1 else "normalTpsl")
    wire.canonical(order)
    return order


def _modify(one: _Item, key: str, action: ModifyOrder, old_cloid: str | None) -> wire.BatchModify:
    """Write it as a batch of one, which is answered with what became of the new order."""
    item = one.write(action)
    item.c = old_cloid or cloid_of(one.account.trader_id, key, 0)
    if action.cloid is not None:
        named: int | str = action.cloid
    elif action.oid is not None and 0 < action.oid < LARGEST:
        named = action.oid
    else:
        raise Refused(answers.err(answers.CANNOT_MODIFY))
    change = wire.BatchModify(modifies=[wire.ModifyItem(oid=named, order=item)])
    wire.canonical(change)
    return change


def beyond(instrument: Instrument, price: Price, reach: Rate, *, up: bool) -> Price:
    """Find the valid price at most so far beyond another.

    Args:
        instrument: its lattice.
        price: in its units.
        reach: 10^-9 of the price.
        up: above it, else below.

    Returns:
        The farthest price of the lattice that is not beyond the reach; at least the finest one.
    """
    if up:
        bound = price * (RATE_ONE + reach) // RATE_ONE
        found = bound - bound % instrument.tick(bound)
    else:
        bound = -(-price * (RATE_ONE - reach) // RATE_ONE)
        found = bound + -bound % instrument.tick(bound)
    return Price(max(found, 1))


def _child(
    entry: wire.OrderItem, instrument: Instrument, price: Price, tpsl: Literal["tp", "sl"]
) -> wire.OrderItem:
    """Make the protective order of an entry: opposite side, same size, reduce-only, at market."""
    limit = beyond(instrument, price, TRIGGER_SLIPPAGE, up=not entry.b)
    return wire.OrderItem(
        a=entry.a,
        b=not entry.b,
        p=instrument.format_price(limit),
        s=entry.s,
        r=True,
        t=wire.Kind(
            trigger=wire.TriggerKind(
                isMarket=True, triggerPx=instrument.format_price(price), tpsl=tpsl
            )
        ),
    )


def _cancel(action: CancelOrder, asset: int) -> wire.Cancel | wire.CancelByCloid:
    if action.cloid is not None:
        item = wire.CancelCloidItem(asset=asset, cloid=action.cloid.lower())
        return wire.CancelByCloid(cancels=[item])
    if action.oid is None or not 0 < action.oid < LARGEST:
        unknown = answers.of_asset(answers.UNKNOWN_ORDER, asset)
        raise Refused(answers.statuses("cancel", [unknown]))
    return wire.Cancel(cancels=[wire.CancelItem(a=asset, o=action.oid)])


def _margin(action: AdjustMargin, asset: int) -> wire.UpdateIsolatedMargin:
    try:
        usd = parse_fixed(action.margin, USD_DECIMALS)
    except ValueError as error:
        raise Refused(answers.err(f"margin: {error}")) from None
    return wire.UpdateIsolatedMargin(asset=asset, isBuy=True, ntli=usd)


def _refused(text: str) -> Refused:
    return Refused(answers.statuses("order", [{"error": text}]))


def _size(instrument: Instrument, value: Decimal) -> int:
    try:
        size = instrument.parse_size(value)
    except ValueError:
        raise _refused(answers.INVALID_SIZE) from None
    if size == 0:
        raise _refused(answers.ZERO_SIZE)
    if not 0 < size < LARGEST:
        raise _refused(answers.INVALID_SIZE)
    return size


def _price(instrument: Instrument, value: Decimal) -> Price:
    try:
        price = instrument.parse_price(value)
    except ValueError:
        too_far = value.is_finite() and value >= LARGEST
        raise _refused(answers.PRICE_TOO_FAR if too_far else answers.INVALID_PRICE) from None
    if price >= LARGEST:
        raise _refused(answers.PRICE_TOO_FAR)
    if not instrument.price_is_valid(price):
        raise _refused(answers.INVALID_PRICE)
    return price
