"""One turn of the order manager: what is seen, what is sent, and what is worth saying."""

from decimal import Decimal

import msgspec

from strategy_core.orders.identity import cloid_for
from strategy_core.orders.market import Touch, touch_of
from strategy_core.orders.memory import ZERO, Child, Guard, Missed, OrderMemory, Role, Sent, Work
from strategy_core.orders.rules import ExecutionRules
from strategy_core.port import Instruments, Observation
from suite.contracts.venue import (
    Action,
    CancelOrder,
    LimitType,
    ModifyOrder,
    OrderType,
    PlaceOrder,
    TriggerType,
)
from suite.enums import Tif, Tpsl

POST_ONLY = OrderType(limit=LimitType(tif=Tif.ALO))
IMMEDIATE = OrderType(limit=LimitType(tif=Tif.IOC))


def at_trigger(price: Decimal, tpsl: Tpsl) -> OrderType:
    """Type of a protective order that goes to the market when its price is reached."""
    return OrderType(trigger=TriggerType(isMarket=True, triggerPx=price, tpsl=tpsl))


class Desk:
    """Where the parts of the manager put what they do in one turn.

    Attributes:
        seen: the observation.
        actions: to be sent, in this order; notes: for the journal; trouble: what cannot be.
        until_ms: when to look again at the latest.
    """

    def __init__(
        self,
        seen: Observation,
        memory: OrderMemory,
        *,
        names: tuple[str, str],
        instruments: Instruments,
        rules: ExecutionRules,
    ) -> None:
        self.seen = seen
        self.memory = memory
        self.rules = rules
        self.instruments = instruments
        self.actions: list[Action] = []
        self.notes: list[str] = []
        self.trouble: list[str] = []
        self.until_ms: int | None = None
        self._names = names
        self._touches: dict[str, Touch] = {}

    @property
    def now_ms(self) -> int:
        """The venue's time."""
        return self.seen.now_ms

    def touch(self, coin: str) -> Touch:
        """Best prices of a coin."""
        if coin not in self._touches:
            self._touches[coin] = touch_of(self.seen, self.instruments[coin], self.rules)
        return self._touches[coin]

    def wake(self, at_ms: int) -> None:
        """Look again at a time, or earlier."""
        at_ms = max(at_ms, self.now_ms + 1)
        self.until_ms = at_ms if self.until_ms is None else min(self.until_ms, at_ms)

    def place(
        self,
        order: PlaceOrder,
        *,
        role: Role,
        decision: int,
        leg: str,
        generation: int = 0,
        owner: str = "",
    ) -> Child | None:
        """Send an order under its own name; one that has been used is never sent again."""
        cloid = order.cloid or cloid_for(*self._names, decision, leg, generation)
        if self.memory.child(cloid) is not None:
            self.notes.append(f"{order.coin}: order {cloid} has been sent already, not again")
            return None
        trigger = order.order_type.trigger
        child = Child(
            cloid=cloid,
            coin=order.coin,
            is_buy=order.is_buy,
            sz=order.sz,
            role=role,
            owner=owner,
            decision=decision,
            leg=leg,
            reduce_only=order.reduce_only,
            px=trigger.triggerPx if trigger else order.limit_px,
            tpsl=trigger.tpsl if trigger else "",
            stop_px=order.stop_loss.price if order.stop_loss else None,
            target_px=order.take_profit.price if order.take_profit else None,
            grouped=bool(order.stop_loss or order.take_profit),
            sent_ms=self.now_ms,
        )
        self.memory.children[cloid] = child
        self.send(msgspec.structs.replace(order, cloid=cloid), child)
        return child

    def modify(self, child: Child, *, px: Decimal, sz: Decimal, order_type: OrderType) -> None:
        """Replace what is left of an order; it keeps its name."""
        trigger = order_type.trigger
        self.send(
            ModifyOrder(
                coin=child.coin,
                is_buy=child.is_buy,
                sz=sz,
                limit_px=ZERO if trigger else px,
                cloid=child.cloid,
                order_type=order_type,
                reduce_only=child.reduce_only,
            ),
            child,
        )
        child.state, child.refusal = "sent", ""

    def cancel(self, child: Child) -> None:
        """Take an order back."""
        self.send(CancelOrder(coin=child.coin, cloid=child.cloid), child)

    def send(self, action: Action, child: Child | None = None) -> None:
        """Send an action and remember its place, so that the answer finds it."""
        self.actions.append(action)
        self.memory.outbox.append(
            Sent(
                action=action,
                cloid=child.cloid if child else "",
                before=child.done if child else ZERO,
            )
        )

    def credit(self, child: Child, at_ms: int) -> None:
        """Pass what an order has newly traded on to what it is a part of.

        Args:
            child: the order.
            at_ms: when it traded.
        """
        memory, size = self.memory, child.done - child.counted
        if size <= 0:
            return
        child.counted = child.done
        if (work := memory.works.get(child.owner)) is not None:
            work.filled += size
        if (exiting := memory.exits.get(child.owner)) is not None:
            exiting.left -= size
        self.reduce(exiting.guard if exiting else child.owner or child.cloid, child, size)
        if child.reduce_only or (child.stop_px is None and child.target_px is None):
            return
        key = child.cloid if child.grouped else child.owner
        guard = memory.guards.setdefault(
            key,
            Guard(
                key=key,
                decision=child.decision,
                leg=child.leg,
                coin=child.coin,
                is_buy=child.is_buy,
                stop_px=child.stop_px,
                target_px=child.target_px,
                entry=child.cloid if child.grouped else "",
            ),
        )
        guard.size += size
        guard.latest_ms = at_ms
        if guard.filled_ms is None:
            guard.filled_ms = at_ms

    def reduce(self, key: str, child: Child, size: Decimal) -> None:
        """What protects a part of a position has closed some of that very part."""
        guard = self.memory.guards.get(key)
        if guard is not None and guard.is_buy != child.is_buy:
            guard.size = max(ZERO, guard.size - size)

    def miss(self, work: Work, why: str) -> None:
        """Give up what is left of an entry, and keep it for its outcome."""
        order = work.order
        self.notes.append(
            f"MISSED {order.coin} {'buy' if order.is_buy else 'sell'} {work.left} of {work.goal}: "
            f"{why}"
        )
        mid = self.seen.mids.get(order.coin, ZERO)
        if mid > 0:
            self.memory.missed.append(
                Missed(
                    coin=order.coin,
                    is_buy=order.is_buy,
                    sz=work.left,
                    px=mid,
                    at_ms=self.now_ms,
                    why=why,
                )
            )
