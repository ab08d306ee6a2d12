"""The worst case of an account, moved on with every action that is let through.

A coin counts with the larger of what it would be if every resting buy, or every resting sell, were
filled. Reduce-only orders count for nothing until they fill. An order of this decision counts as
resting too, whatever its kind: the venue may yet refuse it. Only a reduce-only market order counts
as filled, since nothing but the position decides about it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple, TypeAlias

from strategy_core.intents import ParentOrder
from strategy_core.lattice import exact
from strategy_core.port import ZERO, Instruments, Observation
from strategy_core.risk.limits import RiskLimits
from suite.contracts.hyperliquid_info import OpenOrder
from suite.contracts.venue import CancelOrder, ModifyOrder, PlaceOrder
from suite.enums import Tif
from suite.fixed import parse_decimal

Order: TypeAlias = PlaceOrder | ModifyOrder
FEE_MARGIN = Decimal("0.0005")
"""What a fill may cost, as a fraction of its notional: the venue's base taker fee is 0.00045.

Source: venue documentation, "Fees", read 2026-11.
"""


class Room(NamedTuple):
    """How large an order may be, and which limit says so."""

    rule: str
    size: Decimal


@dataclass(slots=True)
class _Coin:
    """Signed position, sizes of resting orders that could add to it, and their best price."""

    position: Decimal = ZERO
    buys: Decimal = ZERO
    sells: Decimal = ZERO
    highest: Decimal = ZERO

    def worst(self) -> Decimal:
        """Largest position that fills of the resting orders can lead to."""
        return max(abs(self.position), self.position + self.buys, self.sells - self.position)

    def ahead(self, *, is_buy: bool) -> Decimal:
        """Position in the direction of a side when its resting orders are filled."""
        return self.position + self.buys if is_buy else self.sells - self.position

    def rest(self, size: Decimal, *, is_buy: bool) -> None:
        """Add to the resting orders of a side; a negative size takes away."""
        if is_buy:
            self.buys += size
        else:
            self.sells += size


class Exposure:
    """Positions and resting orders as they would be after the actions let through so far."""

    def __init__(
        self,
        observation: Observation,
        *,
        limits: RiskLimits,
        instruments: Instruments,
        pending: Sequence[PlaceOrder | ParentOrder] = (),
    ) -> None:
        """Begin with what is observed.

        Args:
            observation: positions, open orders, mids and equity.
            limits: of the trader.
            instruments: leverage of a coin that has none set.
            pending: orders under way that the venue does not show: children yet to be sent of
                orders worked over time, and orders whose fate is unknown.
        """
        self._seen = observation
        self._limits = limits
        self._instruments = instruments
        self._capital = observation.capital
        self._free = observation.available
        self._leverage: dict[str, int] = {}
        self._coins: dict[str, _Coin] = {}
        for coin, position in observation.positions.items():
            self._coins[coin] = _Coin(position.size)
        self._gone: set[int] = set()
        self._reducing: dict[_Kind, Decimal] = {}
        self.resting = len(pending)
        for order in observation.open_orders:
            self._rest(order, 1)
        for waiting in pending:
            if not waiting.reduce_only:
                self._coin(waiting.coin).rest(waiting.sz, is_buy=waiting.is_buy)

    def held(self, coin: str) -> Decimal:
        """Signed position."""
        return self._coin(coin).position

    def reducible(self, order: Order, *, at_once: bool) -> Decimal:
        """Largest size of a reduce-only order that could ever fill.

        What rests at limits is worth no more than the position all together, and so are orders
        that take at a limit; those with a trigger stand in for each other, and one at the market
        goes before all of them.

        Args:
            order: reduce-only.
            at_once: a market order, not one worked over time.
        """
        least = ZERO if at_once else self._reducing.get(_kind(order), ZERO)
        return max(ZERO, self._coin(order.coin).ahead(is_buy=not order.is_buy) - least)

    def closing(self, order: Order) -> Decimal:
        """Part of an order that closes what is held; the rest opens or adds."""
        held = self.held(order.coin) * (-1 if order.is_buy else 1)
        return min(order.sz, max(ZERO, held))

    def price(self, coin: str, limit_px: Decimal = ZERO) -> Decimal:
        """What a unit is worth, USD; 0 when unknown."""
        mid = self._seen.mids.get(coin)
        return mid if mid is not None and mid.is_finite() and mid > 0 else limit_px

    def leverage(self, coin: str) -> int:
        """Leverage at which a coin is traded, the highest there is when it is not known."""
        position = self._seen.positions.get(coin)
        if coin in self._leverage:
            return self._leverage[coin]
        return position.leverage if position else self._instruments[coin].max_leverage

    def set_leverage(self, coin: str, leverage: int) -> None:
        """Trade a coin at another leverage from here on."""
        self._leverage[coin] = leverage

    def room(self, order: Order) -> Room:
        """How large an order may be so that the worst case stays within every limit."""
        price = self.price(order.coin, order.limit_px)
        coin, closing = self._coin(order.coin), self.closing(order)
        elsewhere = sum(
            (other.worst() * self._worth(name) for name, other in self._coins.items()
             if name != order.coin),
            ZERO,
        )  # fmt: skip
        ahead = coin.ahead(is_buy=order.is_buy)
        of_account = exact(self._limits.max_leverage) * self._capital - elsewhere
        rooms = (
            Room(
                "max_coin_exposure",
                max(self._share("max_coin_exposure") / price, coin.worst()) - ahead,
            ),
            Room("max_leverage", max(of_account / price, coin.worst()) - ahead),
            Room("max_order_notional", closing + self._share("max_order_notional") / price),
            Room("margin", closing + self._affordable(order.coin, price, closing)),
        )
        least = min(rooms, key=lambda room: room.size)
        return Room(least.rule, max(ZERO, least.size))

    def count(self, order: Order, *, at_once: bool) -> None:
        """Move the worst case on by an order that goes out.

        Args:
            at_once: a market order, not one worked over time.
        """
        self.resting += places(order)
        coin, closing = self._coin(order.coin), self.closing(order)
        price = self.price(order.coin, order.limit_px)
        if order.reduce_only:
            if at_once:
                coin.position += closing if order.is_buy else -closing
                self._free += closing * price / self.leverage(order.coin)
            elif order.order_type.limit is not None:
                kind = _kind(order)
                self._reducing[kind] = self._reducing.get(kind, ZERO) + order.sz
            return
        coin.rest(order.sz, is_buy=order.is_buy)
        coin.highest = max(coin.highest, order.limit_px)
        opening = order.sz - closing
        self._free -= opening * self._cost(order.coin, price)

    def cancel(self, action: CancelOrder | ModifyOrder) -> OpenOrder | None:
        """Take the order that is about to go out of the worst case.

        Returns:
            The order, for `restore`; None when there is no such one.
        """
        order = self.listed(action)
        if order is None or order.oid in self._gone:
            return None
        self._gone.add(order.oid)
        self._rest(order, -1)
        return order

    def listed(self, action: CancelOrder | ModifyOrder) -> OpenOrder | None:
        """Open order that an action is about; None when there is no such one."""
        name = (action.cloid or "").lower()
        for order in self._seen.open_orders:
            if action.oid is not None:
                is_it = order.oid == action.oid
            else:
                is_it = bool(order.cloid) and (order.cloid or "").lower() == name
            if is_it and order.coin == action.coin:
                return order
        return None

    def restore(self, order: OpenOrder, *, instead_of: Order | None) -> None:
        """Count an order again that was to be modified.

        Args:
            order: as `cancel` returned it.
            instead_of: what shall replace it and counts already; None where that was refused here.
                The venue may refuse it too, and leave the order: the larger of both counts.
        """
        if instead_of is None:
            self._gone.discard(order.oid)
            self._rest(order, 1)
        elif not order.reduceOnly:
            size, is_buy = parse_decimal(order.sz), order.side == "B"
            if not instead_of.reduce_only and instead_of.is_buy == is_buy:
                size = max(ZERO, size - instead_of.sz)
            self._coin(order.coin).rest(size, is_buy=is_buy)

    def _rest(self, order: OpenOrder, sign: int) -> None:
        """Count an order of the venue, or let it go."""
        self.resting += sign
        if not order.reduceOnly:
            coin = self._coin(order.coin)
            coin.rest(sign * parse_decimal(order.sz), is_buy=order.side == "B")
            coin.highest = max(coin.highest, parse_decimal(order.limitPx))

    def _affordable(self, coin: str, price: Decimal, closing: Decimal) -> Decimal:
        """Size that the free margin opens, with what the closing part frees."""
        free = self._free + closing * price / self.leverage(coin)
        return max(ZERO, free) / self._cost(coin, price)

    def _cost(self, coin: str, price: Decimal) -> Decimal:
        """Margin and fee of one unit."""
        return price / self.leverage(coin) + price * FEE_MARGIN

    def _share(self, limit: str) -> Decimal:
        return exact(getattr(self._limits, limit)) * self._capital

    def _worth(self, coin: str) -> Decimal:
        """Price of another coin: its mid, else what was paid or is bid for it."""
        held = self._seen.positions.get(coin)
        paid = held.entry_px if held else ZERO
        return self.price(coin, max(paid, self._coin(coin).highest))

    def _coin(self, coin: str) -> _Coin:
        return self._coins.setdefault(coin, _Coin())


class _Kind(NamedTuple):
    """Reduce-only orders of this decision that share what there is to reduce."""

    coin: str
    is_buy: bool
    takes: bool
    has_trigger: bool


def _kind(order: Order) -> _Kind:
    limit = order.order_type.limit
    takes = limit is not None and limit.tif is Tif.IOC and order.limit_px > 0
    return _Kind(order.coin, order.is_buy, takes, limit is None)


def places(order: Order) -> int:
    """Resting orders that an order and its legs can become."""
    limit = order.order_type.limit
    rests = limit is None or (limit.tif is not Tif.IOC and order.limit_px > 0)
    if isinstance(order, ModifyOrder):
        return int(rests)
    return rests + (order.stop_loss is not None) + (order.take_profit is not None)
