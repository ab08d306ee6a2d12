"""From the simple REST to the venue's own actions.

What the venue would find wrong in the form of an order is told here in its own words and shape, and
never leaves. Prices on the wire are limits: a market order is one that fills now or not at all, at
most `MARKET_SLIPPAGE` beyond the mid.
"""

import hashlib
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
)
from suite.enums import Tpsl
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
        self, account: LiveAccount, key: str, action: Action, *, old_cloid: str | None = None
    ) -> Allowed:
        """Write an action as the venue takes it.

        Args:
            account: whose action it is.
            key: of the request.
            action: what it asks for.
            old_cloid: of the order that a modification replaces, where it is known.

        Raises:
            Refused: its form is wrong.
            UpstreamUnavailable: what is needed for it is not known yet.
        """
        asset, instrument = self._listed(action.coin)
        match action:
            case PlaceOrder():
                return self._order(account, key, action, asset, instrument)
            case CancelOrder():
                return _cancel(action, asset)
            case ModifyOrder():
                return self._modify(account, key, action, asset, instrument, old_cloid)
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

    def _order(
        self,
        account: LiveAccount,
        key: str,
        action: PlaceOrder,
        asset: int,
        instrument: Instrument,
    ) -> wire.Order:
        entry = self._item(account, action, asset, instrument)
        entry.c = cloid_of(account.trader_id, key, 0) if action.cloid is None else action.cloid
        items = [entry]
        legs = (("tp", action.take_profit), ("sl", action.stop_loss))
        for tpsl, leg in legs:
            if leg is not None:
                price = _price(instrument, leg.price)
                child = _child(entry, instrument, price, "tp" if tpsl == "tp" else "sl")
                child.c = cloid_of(account.trader_id, key, len(items))
                items.append(child)
        order = wire.Order(orders=items, grouping="na" if len(items) == 1 else "normalTpsl")
        wire.canonical(order)
        return order

    def _modify(
        self,
        account: LiveAccount,
        key: str,
        action: ModifyOrder,
        asset: int,
        instrument: Instrument,
        old_cloid: str | None,
    ) -> wire.BatchModify:
        item = self._item(account, action, asset, instrument)
        item.c = old_cloid or cloid_of(account.trader_id, key, 0)
        if action.cloid is not None:
            named: int | str = action.cloid
        elif action.oid is not None and 0 < action.oid < LARGEST:
            named = action.oid
        else:
            raise Refused(answers.err(answers.CANNOT_MODIFY))
        change = wire.BatchModify(modifies=[wire.ModifyItem(oid=named, order=item)])
        wire.canonical(change)
        return change

    def _item(
        self,
        account: LiveAccount,
        action: PlaceOrder | ModifyOrder,
        asset: int,
        instrument: Instrument,
    ) -> wire.OrderItem:
        size = _size(instrument, action.sz)
        kind, market = action.order_type, action.limit_px.is_zero()
        trigger = kind.trigger
        if trigger is not None:
            trigger_price = _price(instrument, trigger.triggerPx)
            if not market:
                limit = _price(instrument, action.limit_px)
            elif trigger.isMarket:
                limit = beyond(instrument, trigger_price, TRIGGER_SLIPPAGE, up=action.is_buy)
            else:
                raise _refused(answers.INVALID_PRICE)
            sent = wire.Kind(
                trigger=wire.TriggerKind(
                    isMarket=trigger.isMarket,
                    triggerPx=instrument.format_price(trigger_price),
                    tpsl="tp" if trigger.tpsl is Tpsl.TAKE_PROFIT else "sl",
                )
            )
        elif market:
            limit = self._market_price(account, asset, instrument, is_buy=action.is_buy)
            sent = wire.Kind(limit=wire.LimitKind(tif="Ioc"))
        else:
            limit = _price(instrument, action.limit_px)
            tif = kind.limit.tif if kind.limit is not None else "Gtc"
            sent = wire.Kind(limit=wire.LimitKind(tif=_tif(str(tif))))
        return wire.OrderItem(
            a=asset,
            b=action.is_buy,
            p=instrument.format_price(limit),
            s=instrument.format_size(size),
            r=action.reduce_only,
            t=sent,
        )

    def _market_price(
        self, account: LiveAccount, asset: int, instrument: Instrument, *, is_buy: bool
    ) -> Price:
        facts = self._facts.facts(account.trader_id)
        mid = None if facts is None else facts.mids.get(asset)
        if mid is None:
            raise UpstreamUnavailable(f"no price of {instrument.coin} is known yet")
        reach = Rate(min(MARKET_SLIPPAGE, account.limits.price_collar))
        return beyond(instrument, mid, reach, up=is_buy)


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


def _tif(name: str) -> Literal["Gtc", "Ioc", "Alo"]:
    return "Ioc" if name == "Ioc" else "Alo" if name == "Alo" else "Gtc"


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
