"""The end of a run: what could still open a position is canceled, what protects one stays."""

import asyncio
from collections.abc import Callable
from typing import Final

from strategy_agent.application.parts import Parts
from strategy_core.memory import TraderMemory
from suite.account.events import StatePush
from suite.contracts.hyperliquid_info import OpenOrder
from suite.contracts.venue import CancelOrder

CANCEL_LIMIT_S: Final = 10.0
"""How long a stop may take to cancel what rests at the venue."""
_SETTLE_S: Final = 5.0
"""Of it, for orders that are on their way: what has not arrived cannot be canceled."""


async def cancel_entries(
    parts: Parts,
    memory: TraderMemory | None,
    *,
    seen: Callable[[StatePush], None],
    tell: Callable[[str, str], None],
) -> str:
    """Cancel what could still open a position; orders the trader did not place itself are told.

    Args:
        parts: of the trader.
        memory: of the run, which knows the trader's own orders; None before it began.
        seen: is shown the account as it was found.
        tell: is told, as an alert of the kind `stop`, what is left and why.

    Returns:
        What was done, for a person.
    """
    try:
        async with asyncio.timeout(CANCEL_LIMIT_S):
            doubtful = await parts.settle(_SETTLE_S)
            found = await parts.account.fetch_account()
            seen(found)
            entries = [order for order in found.open_orders if not order.reduceOnly]
            foreign = [order.oid for order in entries if not _placed(order, memory)]
            exits = len(found.open_orders) - len(entries)
            own = [CancelOrder(coin=o.coin, oid=o.oid) for o in entries if _placed(o, memory)]
            replies = await parts.cancel(own) if own else ()
    except Exception as error:  # noqa: BLE001  the end of a run must come to its own end
        reason = str(error) or f"no answer within {CANCEL_LIMIT_S:g} s"
        left = f"resting orders may be left at the venue: {reason}"
        tell("stop", left)
        return left
    refused = [reply.response for reply in replies if reply.status == "err"]
    if refused:
        tell("stop", f"{len(refused)} cancellations were refused: {refused[0]}")
    if doubtful:
        tell("stop", f"orders of {', '.join(doubtful)} may still arrive: their fate is not known")
    if foreign:
        tell("stop", f"orders of others are left as they are: {foreign}")
    done = [f"entries canceled: {len(own) - len(refused)}", f"stops and targets left: {exits}"]
    done += [f"entries left: {len(refused)}"] if refused else []
    done += [f"orders of others left: {len(foreign)}"] if foreign else []
    return ", ".join(done)


def _placed(order: OpenOrder, memory: TraderMemory | None) -> bool:
    """Whether an order is the trader's own."""
    if memory is None:
        return False
    orders = memory.orders
    named = order.cloid is not None and orders.child(order.cloid.lower()) is not None
    return named or orders.child_of(order.oid) is not None
