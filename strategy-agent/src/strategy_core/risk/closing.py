"""What a status asks of the account, whatever the strategy wants."""

from collections.abc import Container

from strategy_core.port import Observation
from strategy_core.sizing.targets import market_order
from suite.contracts.venue import Action, CancelOrder
from suite.enums import TraderStatus


def actions_for(
    status: TraderStatus, observation: Observation, *, foreign: Container[int] = ()
) -> tuple[Action, ...]:
    """Take down what a status does not allow to rest.

    PAUSED and STOPPED cancel whatever could open or add; protective and other reduce-only orders
    stay, once STOPPED until their coin is flat.

    Args:
        status: of the trader.
        observation: what is known.
        foreign: ids of orders that are not the trader's; they are never touched.
    """
    if status is TraderStatus.LIVE:
        return ()
    return tuple(
        CancelOrder(coin=order.coin, oid=order.oid)
        for order in observation.open_orders
        if order.oid not in foreign
        and (
            not order.reduceOnly
            or (status is TraderStatus.STOPPED and not observation.size_of(order.coin))
        )
    )


def flatten(observation: Observation) -> tuple[Action, ...]:
    """Close every position at the market, reduce-only."""
    return tuple(
        market_order(coin, -position.size, reduce_only=True)
        for coin, position in observation.positions.items()
        if position.size
    )
