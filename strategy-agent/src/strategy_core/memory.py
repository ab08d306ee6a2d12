"""All that a trader remembers from one turn to the next."""

import msgspec

from strategy_core.exits.memory import ExitMemory
from strategy_core.orders.memory import OrderMemory
from strategy_core.risk.memory import RiskMemory


class TraderMemory(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Plain values, changed in place by the loop.

    A driver that keeps it before it carries out a request can go on after a restart where it was,
    with ids that were never given before.

    Attributes:
        epoch: part of every order's id, other for each memory that begins afresh where old orders
            may still rest; empty in a simulated world, whose runs are to be equal.
        turns: how many there were, over all restarts.
        risk, exits, orders: of the gate, the exits and the order manager.
    """

    epoch: str = ""
    turns: int = 0
    risk: RiskMemory = msgspec.field(default_factory=RiskMemory)
    exits: ExitMemory = msgspec.field(default_factory=ExitMemory)
    orders: OrderMemory = msgspec.field(default_factory=OrderMemory)
