"""What an account owns: cash, positions, open orders, and the bookkeeping of one trade."""

from dataclasses import dataclass, field
from fractions import Fraction

from tests.support.oracle.exact import down, half_even, sign, up

from suite.enums import MarginMode, OrderStatus, Tpsl


@dataclass
class Order:
    """An open order.

    Attributes:
        side: 1 buys, -1 sells.
        limit, trigger: prices; 0 where it has none.
        tpsl: of a trigger that has not fired yet.
        entry: oid of the order whose fill it waits for, or waited for.
        family: orders of one family are one-cancels-other; 0 is none.
        follows: its size is that of the position.
        is_plain: neither a trigger nor of a group.
        filled: what has traded of it.
        met_in: the bar whose volume it traded against last as a resting limit.
    """

    oid: int
    symbol: int
    side: int
    size: int
    limit: int
    trigger: int
    tpsl: Tpsl | None
    is_market: bool
    reduce_only: bool
    status: OrderStatus
    cloid: str | None
    expires_ms: int
    entry: int = 0
    family: int = 0
    of_position: bool = False
    follows: bool = False
    is_plain: bool = True
    filled: int = 0
    met_in: int = -1

    @property
    def price(self) -> int:
        """The price that stands for it while it does not trade."""
        return self.limit or self.trigger

    @property
    def waits_for_entry(self) -> bool:
        return self.status is OrderStatus.WAITING_FOR_FILL

    @property
    def waits_for_trigger(self) -> bool:
        return self.status is OrderStatus.WAITING_FOR_TRIGGER

    @property
    def is_stop(self) -> bool:
        return self.waits_for_trigger and self.tpsl is Tpsl.STOP_LOSS


@dataclass
class Position:
    """A position, flat or not.

    Attributes:
        taken: what its resting orders took of the volume of bar `taken_in`.
        fifth_in: bar in which a liquidation last sold only a fifth of it.
    """

    leverage: int
    mode: MarginMode = MarginMode.CROSS
    size: int = 0
    cost: int = 0
    bucket: int = 0
    taken: int = 0
    taken_in: int = -1
    fifth_in: int = -1

    @property
    def is_cross(self) -> bool:
        return self.mode is MarginMode.CROSS

    def profit(self, mark: int) -> int:
        return self.size * mark - self.cost

    def initial_margin(self, mark: int) -> int:
        return up(Fraction(abs(self.size) * mark, self.leverage))

    def closed_by(self, change: int) -> int:
        """How much of it a trade of this signed size closes."""
        if self.size * change >= 0:
            return 0
        return min(abs(self.size), abs(change))

    def room(self, side: int) -> int:
        """How much an order of this side could close."""
        return abs(self.size) if self.size * side < 0 else 0


@dataclass
class Account:
    """An account of the world."""

    index: int
    positions: list[Position]
    cash: int = 0
    orders: dict[int, Order] = field(default_factory=dict)
    fee_tier: int = 0
    traded: dict[int, int] = field(default_factory=dict)
    cancel_ms: int | None = None
    cancels: dict[int, int] = field(default_factory=dict)
    orders_of_bar: tuple[int, int] = (-1, 0)
    fills_of_bar: tuple[int, int] = (-1, 0)

    def next_oid(self, bar: int) -> int:
        self.orders_of_bar = _count(self.orders_of_bar, bar)
        return self._number(self.orders_of_bar)

    def next_tid(self, bar: int) -> int:
        self.fills_of_bar = _count(self.fills_of_bar, bar)
        return self._number(self.fills_of_bar)

    def _number(self, counted: tuple[int, int]) -> int:
        bar, count = counted
        return bar * 2**26 + self.index * 2**14 + count

    def orders_in(self, symbol: int) -> list[Order]:
        """Open orders of a coin, the oldest first."""
        return sorted(
            (order for order in self.orders.values() if order.symbol == symbol),
            key=lambda order: order.oid,
        )

    def cross(self) -> list[tuple[int, Position]]:
        """Open positions of the cross pool, with their symbols."""
        return [(s, p) for s, p in enumerate(self.positions) if p.is_cross and p.size]

    def trade(self, symbol: int, change: int, price: int, fee: int) -> int:
        """Book a trade. Returns the realized profit; the insurance is the caller's matter."""
        position = self.positions[symbol]
        held = position.size
        closed = position.closed_by(change)
        opened = abs(change) - closed
        realized = 0
        self.cash -= fee
        if closed:
            released = position.cost
            margin = position.bucket
            if closed < abs(held):
                released = half_even(Fraction(position.cost * closed, abs(held)))
                margin = down(Fraction(position.bucket * closed, abs(held)))
            realized = sign(held) * closed * price - released
            position.cost -= released
            if position.is_cross:
                self.cash += realized
            else:
                position.bucket -= margin
                proceeds = margin + realized
                if proceeds > 0:
                    self.cash += proceeds
                else:
                    position.bucket += proceeds
        if opened:
            position.cost += sign(change) * opened * price
            if not position.is_cross:
                margin = up(Fraction(price * opened, position.leverage))
                self.cash -= margin
                position.bucket += margin
        position.size += change
        return realized


def _count(counted: tuple[int, int], bar: int) -> tuple[int, int]:
    return (bar, counted[1] + 1) if counted[0] == bar else (bar, 1)
