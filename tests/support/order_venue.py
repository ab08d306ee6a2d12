"""A venue of few lines for the order manager: one account, prices and faults by script.

It knows nothing of the manager: orders rest, fill in part or in whole, stop and end by the rules of
the venue's documentation, and it keeps its own sums. What it says of them may be falsified.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from unittest.mock import patch

import msgspec

from strategy_core.intents import Intent
from strategy_core.orders import manager as order_manager
from strategy_core.orders.manager import SmartOrderManager, Upkeep
from strategy_core.orders.memory import OrderMemory
from strategy_core.orders.rules import ExecutionRules
from strategy_core.port import Observation
from suite.contracts.clock import PositionView
from suite.contracts.hyperliquid_info import OpenOrder, UserFill
from suite.contracts.venue import (
    Action,
    ActionReply,
    CancelOrder,
    Leg,
    LimitType,
    ModifyOrder,
    OrderType,
    PlaceOrder,
    TriggerType,
)
from suite.enums import Tif, Tpsl, TraderStatus
from suite.fixed import Usd
from suite.instrument import Instrument, MarginTier

NOT_KNOWN = ActionReply(status="ok", response={"type": "order", "data": {"statuses": ["sent"]}})
"""What a connection answers while it does not know what became of an action."""
START_MS = 1_746_403_200_000
COIN = "BTC"
INSTRUMENTS = {
    COIN: Instrument(
        coin=COIN,
        sz_decimals=5,
        tiers=(MarginTier(lower_bound_usd=Usd(0), max_leverage=40),),
    )
}
ZERO = Decimal(0)
WOULD_MATCH = "Post only order would have immediately matched, bbo was 1@2. asset=0"
NO_MATCH = "Order could not immediately match against any resting orders. asset=0"
WOULD_INCREASE = "Reduce only order would increase position. asset=0"
ALREADY_GONE = "Order was never placed, already canceled, or filled. asset=0"
CANNOT_MODIFY = "Cannot modify canceled or filled order"
BAD_TRIGGER = "Invalid TP/SL price. asset=0"


@dataclass
class Resting:
    """An order of the book, or a trigger."""

    oid: int
    cloid: str | None
    is_buy: bool
    sz: Decimal
    original: Decimal
    px: Decimal
    reduce_only: bool
    placed_ms: int
    tpsl: str = ""
    parent: int = 0


@dataclass
class OrderVenue:
    """One coin, one account.

    Attributes:
        bid, ask: the touch.
        depth: most that one immediate order finds to trade with.
        refusals: texts that the next orders are refused with, whatever they are.
        atr, volume: of each minute, for the snapshot; None leaves the snapshot out.
        silent: orders and answers of the next sending are lost.
    """

    bid: Decimal = Decimal(1999)
    ask: Decimal = Decimal(2001)
    depth: Decimal = Decimal(10**9)
    refusals: list[str] = field(default_factory=list)
    atr: float | None = None
    volume: float | None = None
    now_ms: int = START_MS
    position: Decimal = ZERO
    orders: dict[int, Resting] = field(default_factory=dict)
    executed: dict[str, Decimal] = field(default_factory=dict)
    sent: list[Action] = field(default_factory=list)
    fills: list[UserFill] = field(default_factory=list)
    results: list[ActionReply] = field(default_factory=list)
    status: TraderStatus = TraderStatus.LIVE
    woke_by: tuple[str, ...] = ("time",)
    last: int = 0

    # ---- what the account sees ----------------------------------------------------------------

    def observe(self) -> Observation:
        fills, self.fills = tuple(self.fills), []
        results, self.results = tuple(self.results), []
        mid = (self.bid + self.ask) / 2
        held = PositionView(
            coin=COIN, size=self.position, entry_px=mid, unrealized_pnl=ZERO, leverage=1
        )
        return Observation(
            now_ms=self.now_ms,
            woke_by=self.woke_by,
            equity=Decimal(10**6),
            positions={COIN: held} if self.position else {},
            open_orders=tuple(self._row(order) for order in self.orders.values()),
            mids={COIN: mid},
            snapshots={COIN: self._snapshot()},
            fills=fills,
            results=results,
            status=self.status,
        )

    def _row(self, order: Resting) -> OpenOrder:
        return OpenOrder(
            coin=COIN,
            side="B" if order.is_buy else "A",
            limitPx=str(order.px),
            sz=str(order.sz),
            oid=order.oid,
            timestamp=order.placed_ms,
            origSz=str(order.original),
            cloid=order.cloid,
            reduceOnly=order.reduce_only,
        )

    def _snapshot(self) -> dict[str, Any]:
        block: dict[str, Any] = {"timeframe": 1, "atr_14": self.atr, "bars": []}
        if self.volume is not None:
            minute = self.now_ms // 60_000
            block["bars"] = [
                [(minute - 50 + n) * 60_000, 1.0, 1.0, 1.0, 1.0, self.volume] for n in range(50)
            ]
        ticker = {"best_bid_price": float(self.bid), "best_ask_price": float(self.ask)}
        return {"common_info": {"ticker": ticker}, "intervals_data": {"1": block}}

    # ---- what it does with orders -------------------------------------------------------------

    def send(self, actions: Sequence[Action]) -> None:
        """Carry out a step's actions; their answers come with the next observation."""
        self.sent += actions
        self.results = [self._act(action) for action in actions]

    def _act(self, action: Action) -> ActionReply:
        match action:
            case PlaceOrder():
                return self._place(action)
            case CancelOrder():
                found = self._find(action.oid, action.cloid)
                if found is None:
                    return _status({"error": ALREADY_GONE}, kind="cancel")
                self._end(found)
                return _status("success", kind="cancel")
            case ModifyOrder():
                return self._modify(action)
        return ActionReply(status="ok", response={"type": "default"})

    def _place(self, action: PlaceOrder) -> ActionReply:
        if self.refusals:
            return _status({"error": self.refusals.pop(0)})
        if any(order.cloid == action.cloid for order in self.orders.values()):
            return _status({"error": "Order has a duplicate cloid."})
        status = self._enter(action, action.cloid)
        if "error" not in status:
            ids = status.get("resting") or status["filled"]
            for tpsl, leg in (
                (Tpsl.TAKE_PROFIT, action.take_profit),
                (Tpsl.STOP_LOSS, action.stop_loss),
            ):
                if leg is not None:
                    self._rest(
                        is_buy=not action.is_buy,
                        sz=action.sz,
                        px=leg.price,
                        reduce_only=True,
                        tpsl=tpsl,
                        parent=ids["oid"] if ids["oid"] in self.orders else 0,
                    )
        return _status(status)

    def _modify(self, action: ModifyOrder) -> ActionReply:
        old = self._find(action.oid, action.cloid)
        if old is None:
            return ActionReply(status="err", response=CANNOT_MODIFY)
        if self.refusals:
            return _status({"error": self.refusals.pop(0)})
        del self.orders[old.oid]
        status = self._enter(action, old.cloid)
        if "error" in status:
            self.orders[old.oid] = old
        return _status(status)

    def _enter(self, action: PlaceOrder | ModifyOrder, cloid: str | None) -> dict[str, Any]:
        size, trigger, limit = action.sz, action.order_type.trigger, action.order_type.limit
        if action.reduce_only:
            room = -self.position if action.is_buy else self.position
            if room <= 0:
                return {"error": WOULD_INCREASE}
            size = min(size, room)
        if trigger is not None:
            up = (trigger.tpsl is Tpsl.STOP_LOSS) == action.is_buy
            mid = (self.bid + self.ask) / 2
            if (mid >= trigger.triggerPx) if up else (mid <= trigger.triggerPx):
                return {"error": BAD_TRIGGER}
            rest = self._rest(
                is_buy=action.is_buy,
                sz=size,
                px=trigger.triggerPx,
                reduce_only=action.reduce_only,
                tpsl=trigger.tpsl,
                cloid=cloid,
            )
            return {"resting": {"oid": rest.oid}}
        best = self.ask if action.is_buy else self.bid
        market = action.limit_px == 0
        crosses = market or (action.limit_px >= best if action.is_buy else action.limit_px <= best)
        tif = Tif.IOC if market or limit is None else limit.tif
        if tif is Tif.ALO and crosses:
            return {"error": WOULD_MATCH}
        traded = min(size, self.depth) if crosses else ZERO
        if tif is Tif.IOC and not traded:
            return {"error": NO_MATCH}
        rest = self._rest(
            is_buy=action.is_buy,
            sz=size,
            px=action.limit_px,
            reduce_only=action.reduce_only,
            cloid=cloid,
        )
        if traded:
            self.fill(rest, traded, price=best)
        if rest.oid in self.orders and tif is Tif.IOC:
            self._end(rest)
        if rest.oid not in self.orders:
            return {"filled": {"oid": rest.oid, "totalSz": str(traded), "avgPx": str(best)}}
        return {"resting": {"oid": rest.oid}}

    def _rest(
        self,
        *,
        is_buy: bool,
        sz: Decimal,
        px: Decimal,
        reduce_only: bool,
        tpsl: str = "",
        parent: int = 0,
        cloid: str | None = None,
    ) -> Resting:
        self.last += 1
        order = Resting(
            oid=self.last,
            cloid=cloid,
            is_buy=is_buy,
            sz=sz,
            original=sz,
            px=px,
            reduce_only=reduce_only,
            placed_ms=self.now_ms,
            tpsl=tpsl,
            parent=parent,
        )
        self.orders[order.oid] = order
        return order

    def _find(self, oid: int | None, cloid: str | None) -> Resting | None:
        if oid is not None:
            return self.orders.get(oid)
        return next((o for o in self.orders.values() if o.cloid == cloid), None)

    def _end(self, order: Resting) -> None:
        """Take an order out; legs of one that has filled in part wake, others go with it."""
        self.orders.pop(order.oid, None)
        for leg in [leg for leg in self.orders.values() if leg.parent == order.oid]:
            if order.sz < order.original:
                leg.parent, leg.sz = 0, order.original - order.sz
            else:
                del self.orders[leg.oid]

    # ---- what the market does with it ---------------------------------------------------------

    def fill(self, order: Resting, size: Decimal, *, price: Decimal | None = None) -> None:
        """Trade a part of an order."""
        if order.reduce_only:
            size = min(size, -self.position if order.is_buy else self.position)
        size = min(size, order.sz)
        if size <= 0:
            self._end(order)
            return
        signed = size if order.is_buy else -size
        self.last += 1
        self.fills.append(
            UserFill(
                coin=COIN,
                px=str(price if price is not None else order.px),
                sz=str(size),
                side="B" if order.is_buy else "A",
                time=self.now_ms,
                startPosition=str(self.position),
                dir="Open Long",
                closedPnl="0.0",
                hash="0x",
                oid=order.oid,
                crossed=price is not None,
                fee="0.0",
                tid=self.last,
                cloid=order.cloid or msgspec.UNSET,
            )
        )
        if order.cloid:
            self.executed[order.cloid] = self.executed.get(order.cloid, ZERO) + size
        self.position += signed
        order.sz -= size
        if order.sz == 0:
            self.orders.pop(order.oid, None)
            for leg in self.orders.values():
                leg.parent = 0 if leg.parent == order.oid else leg.parent
        self._follow()

    def _follow(self) -> None:
        """Reduce-only orders are never larger than the position."""
        for order in list(self.orders.values()):
            if not order.reduce_only or order.parent:
                continue
            room = -self.position if order.is_buy else self.position
            if room <= 0:
                del self.orders[order.oid]
            else:
                order.sz = min(order.sz, room)

    def move(self, bid: str, ask: str | None = None) -> None:
        """Bring the touch elsewhere; what it meets trades, triggers at the new touch."""
        self.bid = Decimal(bid)
        self.ask = Decimal(ask) if ask is not None else self.bid + 2
        mid = (self.bid + self.ask) / 2
        for order in list(self.orders.values()):
            if order.oid not in self.orders or order.parent:
                continue
            if order.tpsl:
                up = (order.tpsl == Tpsl.STOP_LOSS) == order.is_buy
                if (mid >= order.px) if up else (mid <= order.px):
                    self.fill(order, order.sz, price=self.ask if order.is_buy else self.bid)
            elif (self.ask <= order.px) if order.is_buy else (self.bid >= order.px):
                self.fill(order, order.sz)

    def stops(self) -> Decimal:
        """Size that resting stops protect."""
        return sum(
            (o.sz for o in self.orders.values() if o.tpsl == Tpsl.STOP_LOSS and not o.parent), ZERO
        )

    def drop(self, tpsl: Tpsl) -> None:
        """Lose the protective orders of a kind, without a word."""
        for order in [order for order in self.orders.values() if order.tpsl == tpsl]:
            del self.orders[order.oid]


def _status(status: dict[str, Any] | str, *, kind: str = "order") -> ActionReply:
    return ActionReply(status="ok", response={"type": kind, "data": {"statuses": [status]}})


@dataclass
class Managed:
    """A manager at this venue; each turn is also taken by one that was just restarted.

    That one takes in everything anew, be it that nothing has happened.
    """

    venue: OrderVenue = field(default_factory=OrderVenue)
    rules: ExecutionRules = field(default_factory=ExecutionRules)
    memory: OrderMemory = field(default_factory=OrderMemory)
    turns: int = 0
    trouble: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    until_ms: int | None = None

    def manager(self, memory: OrderMemory) -> SmartOrderManager:
        return SmartOrderManager(
            account_id="a",
            trader_id="t",
            instruments=INSTRUMENTS,
            rules=self.rules,
            memory=memory,
        )

    def turn(
        self, *intents: Intent, ms: int = 1000, sends: Callable[..., Sequence[Action]] | None = None
    ) -> tuple[Action, ...]:
        """Observe, decide, send what the gate makes of it, and let some time pass."""
        seen = self.venue.observe()
        self.turns += 1
        twin = restarted(self.memory)
        actions, upkeep = self._take(self.memory, seen, intents)
        with patch.object(order_manager, "brings_nothing", return_value=False):
            assert (actions, upkeep) == self._take(twin, seen, intents)
        assert msgspec.json.encode(self.memory) == msgspec.json.encode(twin)
        self.trouble += upkeep.trouble
        self.notes += upkeep.notes
        if sends is not None:
            actions = tuple(sends(actions))
            self.manager(self.memory).sent(actions)
        self.venue.send(actions)
        self.venue.now_ms += ms
        return actions

    def _take(
        self, memory: OrderMemory, seen: Observation, intents: Sequence[Intent]
    ) -> tuple[tuple[Action, ...], Upkeep]:
        manager = self.manager(memory)
        upkeep = manager.observe(seen)
        taken = manager.take(intents, seen, turn=self.turns)
        self.until_ms = manager.until_ms
        return upkeep.actions + taken, upkeep


def restarted(memory: OrderMemory) -> OrderMemory:
    """The memory as another process reads it."""
    return msgspec.json.decode(msgspec.json.encode(memory), type=OrderMemory)


def entry(
    size: str, *, stop: str | None = None, target: str | None = None, limit: str = "0"
) -> PlaceOrder:
    """A plain order to buy."""
    return PlaceOrder(
        coin=COIN,
        is_buy=True,
        sz=Decimal(size),
        limit_px=Decimal(limit),
        stop_loss=Leg(price=Decimal(stop)) if stop else None,
        take_profit=Leg(price=Decimal(target)) if target else None,
    )


def close(size: str, *, limit: str = "0") -> PlaceOrder:
    """A reduce-only order to sell at once."""
    return PlaceOrder(
        coin=COIN,
        is_buy=False,
        sz=Decimal(size),
        limit_px=Decimal(limit),
        order_type=OrderType(limit=LimitType(tif=Tif.IOC)),
        reduce_only=True,
    )


def stop_order(size: str, price: str) -> PlaceOrder:
    """A stop of a long, as an order of its own."""
    return PlaceOrder(
        coin=COIN,
        is_buy=False,
        sz=Decimal(size),
        order_type=OrderType(
            trigger=TriggerType(isMarket=True, triggerPx=Decimal(price), tpsl=Tpsl.STOP_LOSS)
        ),
        reduce_only=True,
    )
