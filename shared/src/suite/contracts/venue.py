"""What an account may ask of a venue: the bodies of the simple REST and the orders of a step.

Numbers are decimals: JSON strings or numbers, read from their text without passing through a float.
"""

from decimal import Decimal
from typing import Annotated, Literal

import msgspec

from suite.enums import Tif, Tpsl
from suite.ids import CloidText

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]


class Wire(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of everything a client sends: frozen, strict."""


class LimitType(Wire, frozen=True, kw_only=True):
    """A limit order's time in force."""

    tif: Tif = Tif.GTC


class TriggerType(Wire, frozen=True, kw_only=True):
    """A stop or take-profit, dormant until the mark price reaches `triggerPx`."""

    isMarket: bool  # noqa: N815 - the wire's own name
    triggerPx: Decimal  # noqa: N815
    tpsl: Tpsl


class OrderType(Wire, frozen=True, kw_only=True):
    """Exactly one of the two."""

    limit: LimitType | None = None
    trigger: TriggerType | None = None

    def __post_init__(self) -> None:
        if (self.limit is None) == (self.trigger is None):
            raise ValueError('order_type must be {"limit": ...} or {"trigger": ...}')


class Leg(Wire, frozen=True, kw_only=True):
    """Price of a protective order attached to an entry."""

    price: Decimal


class PlaceOrder(Wire, frozen=True, kw_only=True, tag="order", tag_field="type"):
    """`POST /exchange/order`.

    Attributes:
        sz: units of the coin, positive.
        limit_px: USD; 0 means market.
        stop_loss, take_profit: with either, entry and protection are one `normalTpsl` group.
    """

    coin: Name
    is_buy: bool
    sz: Decimal
    limit_px: Decimal = Decimal(0)
    order_type: OrderType = OrderType(limit=LimitType())
    reduce_only: bool = False
    cloid: CloidText | None = None
    stop_loss: Leg | None = None
    take_profit: Leg | None = None


class CancelOrder(Wire, frozen=True, kw_only=True, tag="cancel", tag_field="type"):
    """`POST /exchange/cancel`, by either id."""

    coin: Name
    oid: int | None = None
    cloid: CloidText | None = None

    def __post_init__(self) -> None:
        if (self.oid is None) == (self.cloid is None):
            raise ValueError("name the order by oid or by cloid")


class ModifyOrder(Wire, frozen=True, kw_only=True, tag="modify", tag_field="type"):
    """`POST /exchange/modify`: cancel and place anew, with a new oid and the same cloid."""

    coin: Name
    is_buy: bool
    sz: Decimal
    limit_px: Decimal
    oid: int | None = None
    cloid: CloidText | None = None
    order_type: OrderType = OrderType(limit=LimitType())
    reduce_only: bool = False

    def __post_init__(self) -> None:
        if (self.oid is None) == (self.cloid is None):
            raise ValueError("name the order by oid or by cloid")


class SetLeverage(Wire, frozen=True, kw_only=True, tag="leverage", tag_field="type"):
    """`POST /exchange/leverage`."""

    coin: Name
    leverage: int
    is_cross: bool = True


class AdjustMargin(Wire, frozen=True, kw_only=True, tag="isolated-margin", tag_field="type"):
    """`POST /exchange/isolated-margin`: USD added to an isolated position, negative to remove."""

    coin: Name
    margin: Decimal


Action = PlaceOrder | CancelOrder | ModifyOrder | SetLeverage | AdjustMargin


class ActionReply(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The venue's answer to one action, in Hyperliquid's shape.

    Attributes:
        status: `ok` or `err`.
        response: `{"type": "order", "data": {"statuses": [...]}}`, or the text of the refusal.
    """

    status: Literal["ok", "err"]
    response: object
