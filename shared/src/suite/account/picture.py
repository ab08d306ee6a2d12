"""The account as it follows from what happened to it: fills, orders, funding, one by one.

It is held against every full state that the venue pushes. Neither is believed alone: a fill that
was lost shows as a position the venue has and the picture has not.
"""

from collections import deque
from collections.abc import Iterable
from decimal import Decimal
from typing import Final

from suite.account.events import (
    FundingPayment,
    OrderChange,
    StatePush,
    signed_size,
)
from suite.contracts.hyperliquid_info import OpenOrder, UserFill
from suite.enums import OrderStatus
from suite.fixed import parse_decimal

ZERO: Final = Decimal(0)
_ENDED_KEPT: Final = 2_000
_ALIVE: Final = frozenset(str(status) for status in OrderStatus if not status.terminal)


class AccountPicture:
    """Positions, cash and open orders of one account.

    Attributes:
        sizes: signed position by coin, units of it; flat coins may be there with 0.
        cash: USD, what the venue calls `totalRawUsd`; None before the first full state.
        orders: open ones by id.
    """

    def __init__(self) -> None:
        self.sizes: dict[str, Decimal] = {}
        self.cash: Decimal | None = None
        self.orders: dict[int, OpenOrder] = {}
        self._order_ms: dict[int, int] = {}
        self._ended: dict[int, int] = {}
        self._ended_order: deque[int] = deque()
        self._fill_ms: dict[str, int] = {}

    def begin(self, push: StatePush, fills: Iterable[UserFill]) -> None:
        """Begin with a state and the fills known with it.

        Where fills of a coin are known, the position begins where the newest of them left it and
        not where the state says: a state that they do not explain shall differ.

        Args:
            push: the first full state.
            fills: oldest first.
        """
        pushed = held_in(push)
        self.sizes = dict(pushed)
        ends: dict[str, tuple[int, list[Decimal]]] = {}
        for fill in fills:
            end = parse_decimal(fill.startPosition) + signed_size(fill)
            time_ms, candidates = ends.get(fill.coin, (-1, []))
            ends[fill.coin] = (
                fill.time,
                [*candidates, end] if fill.time == time_ms else [end],
            )
        for coin, (time_ms, candidates) in ends.items():
            self._fill_ms[coin] = time_ms
            if pushed.get(coin, ZERO) not in candidates:
                self.sizes[coin] = candidates[-1]
        self.take_cash(push)
        self.take_orders(push)

    def take_positions(self, push: StatePush) -> None:
        """Believe a state's positions, whatever the fills say."""
        self.sizes = dict(held_in(push))

    def take_cash(self, push: StatePush) -> None:
        """Believe a state's cash."""
        self.cash = parse_decimal(push.state.marginSummary.totalRawUsd)

    def take_orders(self, push: StatePush) -> None:
        """Believe a state's open orders, but for those of which something newer is known."""
        newer = {
            oid: order
            for oid, order in self.orders.items()
            if self._order_ms.get(oid, 0) > push.server_ms
        }
        listed = {
            order.oid: order
            for order in push.open_orders
            if order.oid not in newer and self._ended.get(order.oid, -1) <= push.server_ms
        }
        self.orders = {**listed, **newer}
        self._order_ms = {oid: self._order_ms.get(oid, push.server_ms) for oid in self.orders}

    def fill(self, fill: UserFill) -> None:
        """Take in a fill that was not known."""
        signed = signed_size(fill)
        self.sizes[fill.coin] = self.sizes.get(fill.coin, ZERO) + signed
        self._fill_ms[fill.coin] = max(fill.time, self._fill_ms.get(fill.coin, 0))
        if self.cash is not None:
            self.cash -= signed * parse_decimal(fill.px) + parse_decimal(fill.fee)

    def funding(self, payment: FundingPayment) -> None:
        """Take in a payment that was not known."""
        if self.cash is not None:
            self.cash += parse_decimal(payment.usdc)

    def moved(self, usd: Decimal) -> None:
        """Take in money that was put in, or taken out where it is negative, USD."""
        if self.cash is not None:
            self.cash += usd

    def order(self, change: OrderChange) -> bool:
        """Take in a change of an order.

        Returns:
            Whether something became of it that one may wait for: it was known, or is at its end.
        """
        order, at_ms = change.order, change.statusTimestamp
        parse_decimal(order.sz)
        oid, known = order.oid, change.order.oid in self.orders
        if oid in self._ended or at_ms < self._order_ms.get(oid, 0):
            return False  # an end is final, and the past is past
        if change.status in _ALIVE:
            changed = known and self.orders[oid] != order
            self.orders[oid] = order
            self._order_ms[oid] = at_ms
            return changed
        self.orders.pop(oid, None)
        self._order_ms.pop(oid, None)
        self._ended[oid] = at_ms
        self._ended_order.append(oid)
        if len(self._ended_order) > _ENDED_KEPT:
            del self._ended[self._ended_order.popleft()]
        return True

    def differences(self, push: StatePush, *, cash_tolerance: Decimal) -> dict[str, str]:
        """Hold the picture against a full state.

        What is newer here than the state is left out: the state cannot have it yet.

        Args:
            push: the state.
            cash_tolerance: USD by which cash may differ.

        Returns:
            What differs, `position ETH`, `cash`, `order ETH 77`, and by how much.
        """
        found: dict[str, str] = {}
        pushed = held_in(push)
        newest_ms = 0
        for coin in sorted(pushed.keys() | self.sizes.keys()):
            newest_ms = max(newest_ms, fill_ms := self._fill_ms.get(coin, 0))
            offset = pushed.get(coin, ZERO) - self.sizes.get(coin, ZERO)
            if offset and fill_ms <= push.server_ms:
                found[f"position {coin}"] = str(offset.normalize())
        if self.cash is not None and newest_ms <= push.server_ms:
            missing = parse_decimal(push.state.marginSummary.totalRawUsd) - self.cash
            if abs(missing) > cash_tolerance:
                found["cash"] = str(missing.normalize())
        listed = {order.oid: order for order in push.open_orders}
        for oid, order in listed.items():
            if self._ended.get(oid, -1) <= push.server_ms and oid not in self.orders:
                found[f"order {order.coin} {oid}"] = "unknown"
        for oid, order in self.orders.items():
            if self._order_ms.get(oid, 0) > push.server_ms:
                continue
            if oid not in listed:
                found[f"order {order.coin} {oid}"] = "gone"
            elif parse_decimal(listed[oid].sz) != parse_decimal(order.sz):
                found[f"order {order.coin} {oid}"] = f"{listed[oid].sz} instead of {order.sz}"
        return found


def check_numbers(push: StatePush) -> None:
    """Look whether everything that is calculated with is a number.

    Raises:
        ValueError: something is not.
    """
    summary = push.state.marginSummary
    numbers = [summary.accountValue, summary.totalRawUsd, summary.totalMarginUsed]
    for row in push.state.assetPositions:
        held = row.position
        numbers += [held.szi, held.entryPx, held.positionValue, held.marginUsed]
    numbers += [order.sz for order in push.open_orders]
    for number in numbers:
        parse_decimal(number)


def held_in(push: StatePush) -> dict[str, Decimal]:
    """Signed position by coin; flat coins are absent.

    Raises:
        ValueError: a size is no number.
    """
    sizes: dict[str, Decimal] = {}
    for row in push.state.assetPositions:
        size = parse_decimal(row.position.szi)
        if size:
            sizes[row.position.coin] = sizes.get(row.position.coin, ZERO) + size
    return sizes
