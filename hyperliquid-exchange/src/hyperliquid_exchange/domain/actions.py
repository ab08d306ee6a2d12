"""What may leave at all, and what an action means.

The list is the whole of it: everything that is not named here is refused before anything else is
asked, and no other action is ever signed.
"""

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias, TypeGuard

from suite.contracts import hyperliquid_exchange as wire

Allowed: TypeAlias = (
    wire.Order
    | wire.Cancel
    | wire.CancelByCloid
    | wire.Modify
    | wire.BatchModify
    | wire.UpdateLeverage
    | wire.UpdateIsolatedMargin
    | wire.ScheduleCancel
    | wire.Noop
)
"""Actions that an agent may send here: none of them moves money out of an account."""

ALLOWED: Final = frozenset(
    {
        "order",
        "cancel",
        "cancelByCloid",
        "modify",
        "batchModify",
        "updateLeverage",
        "updateIsolatedMargin",
        "scheduleCancel",
        "noop",
    }
)
"""Their names on the wire."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderLeg:
    """One order that an action places.

    Attributes:
        place: in the action, from 0.
        asset: index in the universe.
        is_buy: its side.
        price: limit price, decimal text as on the wire.
        size: decimal text; `0` stands for the whole position in a `positionTpsl` group.
        reduce_only: it can only make a position smaller.
        tif: of a limit order; None for a trigger order.
        trigger_price: decimal text; None for a limit order.
        trigger: `tp` or `sl`; None for a limit order.
        trigger_is_market: it fills at market once triggered.
        cloid: the client's id, lower case; None without.
        replaces: the order it takes the place of, by oid or cloid; None for a new one.
        is_child: it waits for the first order of its `normalTpsl` group.
    """

    place: int
    asset: int
    is_buy: bool
    price: str
    size: str
    reduce_only: bool
    tif: Literal["Gtc", "Ioc", "Alo", "FrontendMarket"] | None = None
    trigger_price: str | None = None
    trigger: Literal["tp", "sl"] | None = None
    trigger_is_market: bool = False
    cloid: str | None = None
    replaces: int | str | None = None
    is_child: bool = False

    @property
    def takes(self) -> bool:
        """Whether it fills now or is canceled."""
        return self.tif in {"Ioc", "FrontendMarket"}


def is_allowed(action: wire.L1Action) -> TypeGuard[Allowed]:
    """Whether an action is one of those that may leave."""
    return isinstance(action, Allowed)


def name_of(action: wire.L1Action) -> str:
    """Name an action as the wire does."""
    return str(action.__struct_config__.tag)


def forbidden(action: wire.L1Action) -> str | None:
    """Tell why an action may never leave, whoever asks; None where it may be judged further.

    An order that pays somebody besides the venue's own fee moves money out of the account.
    """
    if not is_allowed(action):
        return f"{name_of(action)} is never sent from here: it is not on the list of actions"
    if isinstance(action, wire.Order):
        if action.builder is not None and action.builder.f:
            return "an order with a builder fee is never sent from here: it pays somebody else"
        if not isinstance(action.grouping, str):
            return "an order with a priority fee is never sent from here"
    return None


def legs_of(action: Allowed) -> tuple[OrderLeg, ...]:
    """List the orders that an action places, in their order; none for other actions."""
    match action:
        case wire.Order():
            grouped = action.grouping == "normalTpsl"
            return tuple(
                _leg(place, item, None, is_child=grouped and place > 0)
                for place, item in enumerate(action.orders)
            )
        case wire.Modify():
            return (_leg(0, action.order, action.oid),)
        case wire.BatchModify():
            return tuple(
                _leg(place, change.order, change.oid)
                for place, change in enumerate(action.modifies)
            )
    return ()


def assets_of(action: Allowed) -> tuple[int, ...]:
    """List the assets that an action is about, each once; none where it names none."""
    match action:
        case wire.Order():
            found = [item.a for item in action.orders]
        case wire.Cancel():
            found = [item.a for item in action.cancels]
        case wire.CancelByCloid():
            found = [item.asset for item in action.cancels]
        case wire.Modify():
            found = [action.order.a]
        case wire.BatchModify():
            found = [change.order.a for change in action.modifies]
        case wire.UpdateLeverage() | wire.UpdateIsolatedMargin():
            found = [action.asset]
        case _:
            found = []
    return tuple(dict.fromkeys(found))


def may_add_risk(action: Allowed) -> bool:
    """Whether an action may make the worst case of the account worse, by its form alone.

    Orders that are not reduce-only, a choice of leverage, margin taken out, and a time at which
    all orders are canceled, since those that protect a position are among them. A cancel by itself
    always passes.
    """
    match action:
        case wire.Order() | wire.Modify() | wire.BatchModify():
            return any(not leg.reduce_only for leg in legs_of(action))
        case wire.UpdateLeverage():
            return True
        case wire.UpdateIsolatedMargin():
            return action.ntli <= 0
        case wire.ScheduleCancel():
            return action.time is not None
    return False


def _leg(
    place: int, item: wire.OrderItem, replaces: int | str | None, *, is_child: bool = False
) -> OrderLeg:
    limit, trigger = item.t.limit, item.t.trigger
    return OrderLeg(
        place=place,
        asset=item.a,
        is_buy=item.b,
        price=item.p,
        size=item.s,
        reduce_only=item.r,
        tif=None if limit is None else limit.tif,
        trigger_price=None if trigger is None else trigger.triggerPx,
        trigger=None if trigger is None else trigger.tpsl,
        trigger_is_market=trigger is not None and trigger.isMarket,
        cloid=item.c,
        replaces=replaces,
        is_child=is_child,
    )
