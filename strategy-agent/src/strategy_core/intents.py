"""What a strategy may want beyond a plain order: orders worked over time, and exits."""

from decimal import Decimal
from typing import TypeAlias

from suite.contracts.venue import Action, Leg, LimitType, OrderType, PlaceOrder, Wire
from suite.enums import Tif


class Passive(Wire, frozen=True, kw_only=True, tag="passive", tag_field="type"):
    """Work an order post-only at the touch, moved with it, for as long as it may take.

    Attributes:
        timeout_ms: when to stop resting.
        edge: expected return of the trade, as a fraction of its notional; at the timeout the order
            crosses the spread where that still pays, else the entry is given up.
    """

    timeout_ms: int = 20_000
    edge: Decimal = Decimal(0)


class Sliced(Wire, frozen=True, kw_only=True, tag="sliced", tag_field="type"):
    """Work an order in equal market slices, none larger than its share of the volume.

    Attributes:
        interval_ms: between two slices.
        participation: largest slice as a fraction of the mean volume of a minute.
    """

    interval_ms: int = 15_000
    participation: Decimal = Decimal("0.05")


class ParentOrder(Wire, frozen=True, kw_only=True, tag="parent", tag_field="type"):
    """An order that the loop works by sending child orders.

    Attributes:
        sz: units of the coin, positive.
        execution: how it is worked.
        stop_loss, take_profit: protection of whatever has been filled, kept to its size.
    """

    coin: str
    is_buy: bool
    sz: Decimal
    execution: Passive | Sliced
    reduce_only: bool = False
    stop_loss: Leg | None = None
    take_profit: Leg | None = None

    def whole(self) -> PlaceOrder:
        """The same as one market order of the whole size."""
        return PlaceOrder(
            coin=self.coin,
            is_buy=self.is_buy,
            sz=self.sz,
            order_type=OrderType(limit=LimitType(tif=Tif.IOC)),
            reduce_only=self.reduce_only,
            stop_loss=self.stop_loss,
            take_profit=self.take_profit,
        )


class ExitPlan(Wire, frozen=True, kw_only=True):
    """How a position of one coin shall end, beside the orders that protect it at the venue.

    A plan counts from the moment it is given until the position is flat; a later one for the same
    coin replaces what it sets and leaves the entry's own record (time, risk, confidence) alone.
    What it says of the last bar close (confidence, structure, trend) counts for that close only.

    Attributes:
        confidence: probability of a win now, 0 to 1; None where the strategy has none.
        model_id: which model said so; a change of model starts the count of falling ones anew.
        invalidation: rule that ends the position when it comes true, e.g.
            `close(4h) < 2710 and macd_hist(4h) <= 0`; empty for none.
        structure, trend: market structure and trend alignment mirrored to the position's side,
            -1 to 1, at the last bar close; None where unknown.
        zone_edge: far edge of the order block the entry leaned on, USD.
        stop, target: where the entry's own protection stands, USD; the stop makes its initial risk.
            Not needed where the entry carries them as legs.
        swing: last confirmed swing behind the position, a low for a long, USD.
    """

    coin: str
    confidence: float | None = None
    model_id: str = ""
    invalidation: str = ""
    structure: float | None = None
    trend: float | None = None
    zone_edge: Decimal | None = None
    stop: Decimal | None = None
    target: Decimal | None = None
    swing: Decimal | None = None


Intent: TypeAlias = Action | ParentOrder
"""One item of a decision."""
