"""An account's money and positions as its events alone make them, for the auditor."""

from dataclasses import dataclass, field
from fractions import Fraction
from math import ceil, floor

from tests.support.audited_market import AuditedMarket

from perp_engine.commands import NewOrder
from perp_engine.events import Fill
from suite.enums import FillCause, MarginMode, OrderStatus

DAY_MS = 86_400_000
FEE_DAYS = 14


@dataclass
class AuditedPosition:
    """Signed size and cost basis; a bucket when isolated."""

    leverage: int
    size: int = 0
    cost: int = 0
    bucket: int = 0
    mode: MarginMode = MarginMode.CROSS

    @property
    def is_cross(self) -> bool:
        return self.mode is MarginMode.CROSS

    def profit(self, mark: int) -> int:
        return self.size * mark - self.cost


@dataclass
class AuditedOrder:
    """An order, from what was sent and what happened to it.

    Attributes:
        size: still open.
        follows: its size is that of the position.
        armed_ms: when its entry was filled.
        fired_ms: when its trigger was met.
        maker_bars: bars of whose volume it had a share.
        ended: how; None while it lives.
    """

    request: NewOrder
    oid: int
    account: int
    status: OrderStatus
    opened_ms: int
    size: int
    follows: bool
    armed_ms: int | None = None
    fired_ms: int | None = None
    maker_bars: set[int] = field(default_factory=set)
    ended: OrderStatus | None = None


@dataclass
class AuditedAccount:
    """One account.

    Attributes:
        traded: notional by UTC day.
        fills_of_bar: bar, and fills in it so far.
    """

    index: int
    positions: list[AuditedPosition]
    cash: int = 0
    traded: dict[int, int] = field(default_factory=dict)
    fills_of_bar: tuple[int, int] = (-1, 0)

    @property
    def money(self) -> int:
        """Cash and buckets."""
        return self.cash + sum(position.bucket for position in self.positions)

    @property
    def has_cross(self) -> bool:
        return any(position.size and position.is_cross for position in self.positions)

    def next_tid(self, bar: int) -> int:
        """Id of the account's next fill."""
        count = self.fills_of_bar[1] if self.fills_of_bar[0] == bar else 0
        self.fills_of_bar = (bar, count + 1)
        return bar * 2**26 + self.index * 2**14 + count + 1

    def fee_volume(self, time_ms: int) -> int:
        """Notional of the full days that decide the fees of a time."""
        today = time_ms // DAY_MS
        return sum(self.traded.get(day, 0) for day in range(today - FEE_DAYS, today))

    def realized(self, fill: Fill) -> int:
        """Profit that a fill books."""
        position = self.positions[fill.symbol]
        closed = _closed(position.size, fill)
        direction = 1 if position.size > 0 else -1
        return direction * closed * fill.price - _released(position, closed)

    def book(self, fill: Fill, realized: int, fee: int) -> None:
        """Book a fill."""
        position = self.positions[fill.symbol]
        held, change = position.size, fill.side * fill.size
        closed = _closed(held, fill)
        opened = fill.size - closed
        self.cash -= fee
        if position.is_cross:
            self.cash += realized
        elif closed:
            margin = position.bucket
            if closed < abs(held):
                margin = floor(Fraction(position.bucket * closed, abs(held)))
            position.bucket -= margin
            proceeds = margin + realized
            self.cash += max(proceeds, 0)
            position.bucket += min(proceeds, 0)
        if opened and not position.is_cross:
            margin = ceil(Fraction(fill.price * opened, position.leverage))
            self.cash -= margin
            position.bucket += margin
        position.cost += fill.side * opened * fill.price - _released(position, closed)
        position.size += change
        if fill.cause in {FillCause.ORDER, FillCause.LIQUIDATION}:
            day = fill.time_ms // DAY_MS
            self.traded[day] = self.traded.get(day, 0) + fill.price * fill.size

    def pool(self, market: AuditedMarket, symbol: int, marks: list[int]) -> tuple[int, int]:
        """Value and maintenance of the pool that stands behind a position."""
        position = self.positions[symbol]
        members = [(symbol, position)] if position.size else []
        value = position.bucket
        if position.is_cross:
            members = [(s, p) for s, p in enumerate(self.positions) if p.size and p.is_cross]
            value = self.cash
        value += sum(held.profit(marks[s]) for s, held in members)
        needed = sum(market.maintenance(s, abs(held.size) * marks[s]) for s, held in members)
        return value, needed


def _closed(held: int, fill: Fill) -> int:
    return min(abs(held), fill.size) if held * fill.side < 0 else 0


def _released(position: AuditedPosition, closed: int) -> int:
    """Cost basis that leaves with a closed part, half to even."""
    if closed == 0:
        return 0
    return round(Fraction(position.cost * closed, abs(position.size)))
