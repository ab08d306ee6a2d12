"""The account of a rehearsal: a few lines that fill, rest, and change under a strategy's hands."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

import msgspec
import numpy as np

from strategy_core.port import ZERO
from suite.contracts.clock import PositionView
from suite.contracts.hyperliquid_info import OpenOrder, UserFill
from suite.contracts.venue import Action, CancelOrder, ModifyOrder, PlaceOrder
from suite.enums import Tif
from suite.instrument import Instrument

BALANCE: Final = Decimal(10_000)
"""USD at the start, and again after a liquidation or a debt."""
LEVERAGE: Final = 5


@dataclass(slots=True)
class _Held:
    """A signed position and its average entry price."""

    size: Decimal
    entry: Decimal


class Account:
    """Positions, orders and fills of one trader.

    Args:
        chance: what is filled when.

    Attributes:
        orders: that rest.
        fills: since they were last asked for.
    """

    def __init__(self, chance: np.random.Generator) -> None:
        self._chance = chance
        self._cash = BALANCE
        self._held: dict[str, _Held] = {}
        self._number = 0
        self.orders: list[OpenOrder] = []
        self.fills: list[UserFill] = []

    def equity(self, mids: Mapping[str, Decimal]) -> Decimal:
        """Value of the account, USD."""
        return self._cash + sum(
            (mids[coin] - held.entry) * held.size for coin, held in self._held.items()
        )

    def margin(self, mids: Mapping[str, Decimal]) -> Decimal:
        """Margin in use, USD."""
        held = (abs(item.size) * mids[coin] for coin, item in self._held.items())
        return sum(held, ZERO) / LEVERAGE

    def positions(self, mids: Mapping[str, Decimal]) -> dict[str, PositionView]:
        """Open positions as a strategy sees them."""
        return {
            coin: PositionView(
                coin=coin,
                size=held.size,
                entry_px=held.entry,
                unrealized_pnl=(mids[coin] - held.entry) * held.size,
                leverage=LEVERAGE,
            )
            for coin, held in self._held.items()
        }

    def new_fills(self) -> tuple[UserFill, ...]:
        """Take what was filled since the last time."""
        fills, self.fills = tuple(self.fills), []
        return fills

    def carry_out(self, action: Action, mids: Mapping[str, Decimal], now_ms: int) -> None:
        """Fill an order at the mid or let it rest, or take one back."""
        match action:
            case PlaceOrder():
                limit = action.order_type.limit
                now = action.limit_px == 0 or (limit is not None and limit.tif == Tif.IOC)
                if now:
                    self._fill(action, mids[action.coin], now_ms, action.cloid)
                    self._protect(action, now_ms)
                else:
                    self._rest(action, action.limit_px, now_ms)
            case CancelOrder(oid=oid, cloid=cloid):
                self._take_back(oid, cloid)
            case ModifyOrder(oid=oid, cloid=cloid):
                if self._take_back(oid, cloid):
                    self._rest(action, action.limit_px, now_ms)
            case _:
                return  # leverage and margin change nothing that is shown here

    def affords(self, action: Action, mids: Mapping[str, Decimal]) -> bool:
        """Whether the venue would take an order, as far as its margin is concerned."""
        if not isinstance(action, PlaceOrder | ModifyOrder) or action.reduce_only:
            return True
        return action.sz * mids[action.coin] <= LEVERAGE * self.equity(mids)

    def live_on(self, mids: Mapping[str, Decimal], now_ms: int) -> None:
        """Fill some of what rests; nobody stays without money."""
        for order in list(self.orders):
            if float(self._chance.random()) < 0.2:
                self.orders.remove(order)
                taken = PlaceOrder(
                    coin=order.coin,
                    is_buy=order.side == "B",
                    sz=Decimal(order.sz),
                    reduce_only=order.reduceOnly,
                )
                self._fill(taken, Decimal(order.limitPx), now_ms, order.cloid)
        if self.equity(mids) < BALANCE / 10:
            self._cash, self._held, self.orders = BALANCE, {}, []

    def turn(self, coin: str, instrument: Instrument, mid: Decimal) -> None:
        """Have somebody else turn a position round, or open one."""
        held = self._held.get(coin)
        size = -held.size if held else Decimal(1).scaleb(2 - instrument.sz_decimals)
        self._held[coin] = _Held(size, mid)

    def close(self, coin: str) -> None:
        """Drop a position without a trace."""
        self._held.pop(coin, None)

    def liquidate(self, mids: Mapping[str, Decimal], now_ms: int) -> None:
        """Have the venue close everything."""
        for coin, held in list(self._held.items()):
            order = PlaceOrder(coin=coin, is_buy=held.size < 0, sz=abs(held.size), reduce_only=True)
            self._fill(order, mids[coin], now_ms, None)
        self.orders = []

    def _fill(self, order: PlaceOrder, price: Decimal, now_ms: int, cloid: str | None) -> None:
        held = self._held.get(order.coin, _Held(ZERO, price))
        change = order.sz if order.is_buy else -order.sz
        if order.reduce_only:
            if held.size * change >= 0:
                return
            change = max(-held.size, change) if change < 0 else min(-held.size, change)
        after = held.size + change
        closed = min(abs(held.size), abs(change)) if held.size * change < 0 else ZERO
        profit = closed * (price - held.entry) * (1 if held.size > 0 else -1)
        self._cash += profit
        self._number += 1
        self.fills.append(
            UserFill(
                coin=order.coin,
                px=str(price),
                sz=str(abs(change)),
                side="B" if change > 0 else "A",
                time=now_ms,
                startPosition=str(held.size),
                dir=_direction(held.size, after),
                closedPnl=str(profit),
                hash="0x" + "0" * 64,
                oid=self._number,
                crossed=True,
                fee="0.0",
                tid=self._number,
                cloid=cloid if cloid is not None else msgspec.UNSET,
            )
        )
        if after == 0:
            self._held.pop(order.coin, None)
            self.orders = [
                rest for rest in self.orders if not (rest.reduceOnly and rest.coin == order.coin)
            ]
            return
        grown = held.size * change >= 0
        total = held.entry * abs(held.size) + price * abs(change)
        entry = total / abs(after) if grown else held.entry if closed == abs(change) else price
        self._held[order.coin] = _Held(after, entry)

    def _protect(self, order: PlaceOrder, now_ms: int) -> None:
        """Let the legs of an entry rest."""
        for leg in (order.stop_loss, order.take_profit):
            if leg is not None and order.coin in self._held:
                other = PlaceOrder(
                    coin=order.coin, is_buy=not order.is_buy, sz=order.sz, reduce_only=True
                )
                self._rest(other, leg.price, now_ms)

    def _rest(self, order: PlaceOrder | ModifyOrder, price: Decimal, now_ms: int) -> None:
        self._number += 1
        self.orders.append(
            OpenOrder(
                coin=order.coin,
                side="B" if order.is_buy else "A",
                limitPx=str(price),
                sz=str(order.sz),
                oid=self._number,
                timestamp=now_ms,
                origSz=str(order.sz),
                cloid=order.cloid,
                reduceOnly=order.reduce_only,
            )
        )

    def _take_back(self, oid: int | None, cloid: str | None) -> bool:
        before = len(self.orders)
        self.orders = [
            order
            for order in self.orders
            if not (order.oid == oid if oid is not None else order.cloid == cloid)
        ]
        return len(self.orders) < before


def _direction(before: Decimal, after: Decimal) -> str:
    """Name a fill as the venue does."""
    if before * after < 0:
        return "Long > Short" if before > 0 else "Short > Long"
    if abs(after) > abs(before):
        return "Open Long" if after > 0 else "Open Short"
    return "Close Long" if before > 0 else "Close Short"
