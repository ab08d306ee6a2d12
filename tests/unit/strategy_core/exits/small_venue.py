"""One position at a venue of few lines: closes at the mark, stops at their price, nothing flips."""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import msgspec

from strategy_core.exits.manager import ExitManager, Review
from strategy_core.exits.memory import ExitMemory, ExitRecord
from strategy_core.exits.rules import ExitRules
from strategy_core.intents import ExitPlan
from strategy_core.port import Observation
from suite.bars import MINUTE_MS
from suite.contracts.clock import PositionView
from suite.contracts.hyperliquid_info import OpenOrder, UserFill
from suite.contracts.venue import Action, CancelOrder, PlaceOrder
from suite.fixed import Usd
from suite.instrument import Instrument, MarginTier

START_MS = 1_746_403_200_000
TIERS = (MarginTier(lower_bound_usd=Usd(0), max_leverage=25),)
ETH = Instrument(coin="ETH", sz_decimals=3, tiers=TIERS)
BTC = Instrument(coin="BTC", sz_decimals=5, tiers=TIERS)
FEE = Decimal("0.00045")


@dataclass
class SmallVenue:
    """An account with positions, and a manager that looks after them.

    Every step is a life of its own when `restarts` is set: the memory is written out and read back,
    and each observation is reviewed twice, as after a crash before the orders left.
    """

    rules: ExitRules
    equity: Decimal = Decimal(10_000)
    restarts: bool = False
    takes: bool = True
    now_ms: int = START_MS
    memory: ExitMemory = field(default_factory=ExitMemory)
    sizes: dict[str, Decimal] = field(default_factory=dict)
    entries: dict[str, Decimal] = field(default_factory=dict)
    leverage: int = 3
    marks: dict[str, Decimal] = field(default_factory=dict)
    orders: list[OpenOrder] = field(default_factory=list)
    fills: list[UserFill] = field(default_factory=list)
    sent: list[Action] = field(default_factory=list)
    closed: list[ExitRecord] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    snapshots: dict[str, dict[str, Any]] = field(default_factory=dict)
    foreign: set[int] = field(default_factory=set)
    ids: int = 0

    def open(self, size: str, price: str, coin: str = "ETH") -> None:
        self._fill(coin, Decimal(size), Decimal(price), cloid="0xentry")

    def observe(self) -> Observation:
        positions = {
            coin: PositionView(
                coin=coin,
                size=size,
                entry_px=self.entries[coin],
                unrealized_pnl=size * (self.marks[coin] - self.entries[coin]),
                leverage=self.leverage,
            )
            for coin, size in self.sizes.items()
            if size
        }
        return Observation(
            now_ms=self.now_ms,
            woke_by=("time",),
            equity=self.equity + sum((p.unrealized_pnl for p in positions.values()), Decimal(0)),
            positions=positions,
            open_orders=tuple(self.orders),
            mids=dict(self.marks),
            fills=tuple(self.fills),
            snapshots=self.snapshots,
        )

    def manager(self) -> ExitManager:
        if self.restarts:
            raw = msgspec.json.encode(self.memory)
            self.memory = msgspec.json.decode(raw, type=ExitMemory)
        return ExitManager(
            self.rules,
            trader_id="t",
            interval_ms=MINUTE_MS,
            instruments={"ETH": ETH, "BTC": BTC},
            memory=self.memory,
        )

    def step(
        self, mark: str, *, minutes: float = 1, coin: str = "ETH", plan: ExitPlan | None = None
    ) -> Review:
        """Let time and price go on, look after the positions, and carry out what is asked."""
        self.now_ms += round(minutes * MINUTE_MS)
        self.marks[coin] = Decimal(mark)
        self._trigger()
        observation = self.observe()
        review = self.manager().review(observation, foreign=self.foreign)
        if self.restarts:
            again = self.manager().review(observation, foreign=self.foreign)
            assert places(review.actions) == places(again.actions)
        actions = list(review.actions)
        if plan is not None:
            adopted = self.manager().adopt((plan,), observation)
            actions += adopted.actions
            self.notes += adopted.notes
            review = Review(
                actions=tuple(actions),
                notes=(*review.notes, *adopted.notes),
                closed=review.closed,
                wrong=adopted.wrong,
                watch=adopted.watch,
            )
        self.fills = []
        self.closed += review.closed
        self.sent += actions
        if self.takes:
            for action in actions:
                self.carry_out(action)
        return review

    def carry_out(self, action: Action) -> None:
        match action:
            case PlaceOrder() if action.order_type.trigger is not None:
                self._rest(action)
            case PlaceOrder():
                assert action.reduce_only
                self._close(action.coin, action.sz, action.is_buy, self.marks[action.coin], action)
            case CancelOrder():
                self.orders = [
                    order
                    for order in self.orders
                    if action.oid != order.oid and order.cloid != (action.cloid or "none")
                ]

    def _rest(self, action: PlaceOrder) -> None:
        assert action.order_type.trigger is not None
        self.ids += 1
        price, size = str(action.order_type.trigger.triggerPx), str(action.sz)
        self.orders.append(
            OpenOrder(
                coin=action.coin,
                side="B" if action.is_buy else "A",
                limitPx=price,
                sz=size,
                oid=self.ids,
                timestamp=self.now_ms,
                origSz=size,
                cloid=action.cloid,
                reduceOnly=True,
            )
        )

    def protect(self, price: str, coin: str = "ETH") -> None:
        """Rest the leg of an entry: a stop without an id of ours."""
        self.ids += 1
        size = str(abs(self.sizes[coin]))
        side = "A" if self.sizes[coin] > 0 else "B"
        self.orders.append(
            OpenOrder(
                coin=coin,
                side=side,  # type: ignore[arg-type]
                limitPx=price,
                sz=size,
                oid=self.ids,
                timestamp=self.now_ms,
                origSz=size,
                reduceOnly=True,
            )
        )

    def _trigger(self) -> None:
        for order in list(self.orders):
            is_buy, price = order.side == "B", Decimal(order.limitPx)
            mark = self.marks[order.coin]
            if (mark >= price) if is_buy else (mark <= price):
                self._close(order.coin, Decimal(order.sz), is_buy, price, order)

    def _close(
        self, coin: str, size: Decimal, is_buy: bool, price: Decimal, by: PlaceOrder | OpenOrder
    ) -> None:
        held = self.sizes.get(coin, Decimal(0))
        room = max(Decimal(0), -held if is_buy else held)
        if room:
            signed = min(size, room) * (1 if is_buy else -1)
            self._fill(coin, signed, price, cloid=by.cloid)

    def _fill(self, coin: str, signed: Decimal, price: Decimal, *, cloid: str | None) -> None:
        before = self.sizes.get(coin, Decimal(0))
        self.ids += 1
        reduces = before * signed < 0
        gain = -signed * (price - self.entries[coin]) if reduces else Decimal(0)
        if not reduces:
            worth = before * self.entries.get(coin, price) + signed * price
            self.entries[coin] = worth / (before + signed)
        self.sizes[coin] = before + signed
        self.marks[coin] = price
        self.equity += gain
        self.fills.append(
            UserFill(
                coin=coin,
                px=str(price),
                sz=str(abs(signed)),
                side="B" if signed > 0 else "A",
                time=self.now_ms,
                startPosition=str(before),
                dir="",
                closedPnl=str(gain),
                hash="",
                oid=self.ids,
                crossed=True,
                fee=str(abs(signed) * price * FEE),
                tid=self.ids,
                cloid=cloid if cloid is not None else msgspec.UNSET,
            )
        )
        if not self.sizes[coin]:
            self.orders = [order for order in self.orders if order.coin != coin]


def places(actions: tuple[Action, ...]) -> list[Action]:
    """Orders among actions, without cancels and stops."""
    return [
        action
        for action in actions
        if isinstance(action, PlaceOrder) and action.order_type.trigger is None
    ]


def stops(actions: tuple[Action, ...]) -> list[Decimal]:
    """Prices of the stops that are placed."""
    return [
        action.order_type.trigger.triggerPx
        for action in actions
        if isinstance(action, PlaceOrder) and action.order_type.trigger is not None
    ]
