"""A market of few rules for the risk gate: prices walk and jump, the venue refuses now and then."""

from dataclasses import dataclass, field, replace
from decimal import Decimal
from random import Random

from strategy_core.port import Observation
from suite.contracts.clock import PositionView
from suite.contracts.hyperliquid_info import OpenOrder, UserFill
from suite.contracts.venue import Action, CancelOrder, ModifyOrder, PlaceOrder, SetLeverage
from suite.enums import Tif
from suite.fixed import Usd
from suite.instrument import Instrument, MarginTier

ZERO = Decimal(0)
FEE = Decimal("0.00045")
BAR_MS = 900_000
START_MS = 1_746_403_200_000 - 40 * BAR_MS
LATTICE = {"BTC": (5, 40), "ETH": (4, 25), "DOGE": (0, 10)}
INSTRUMENTS = {
    coin: Instrument(
        coin=coin,
        sz_decimals=decimals,
        tiers=(MarginTier(lower_bound_usd=Usd(0), max_leverage=leverage),),
    )
    for coin, (decimals, leverage) in LATTICE.items()
}


@dataclass
class Resting:
    """An order at the venue; with a trigger it sleeps until that is reached."""

    oid: int
    coin: str
    is_buy: bool
    size: Decimal
    price: Decimal
    reduce_only: bool
    trigger: Decimal | None = None
    is_stop: bool = False


@dataclass
class RiskMarket:
    """One account and the prices it sees; bars of 15 minutes."""

    random: Random
    cash: Decimal = Decimal(10000)
    now_ms: int = START_MS
    mids: dict[str, Decimal] = field(
        default_factory=lambda: {
            "BTC": Decimal(60000), "ETH": Decimal(2500), "DOGE": Decimal("0.2")
        }
    )  # fmt: skip
    positions: dict[str, Decimal] = field(default_factory=dict)
    entries: dict[str, Decimal] = field(default_factory=dict)
    leverages: dict[str, int] = field(default_factory=dict)
    orders: list[Resting] = field(default_factory=list)
    fills: list[UserFill] = field(default_factory=list)
    oid: int = 0

    def equity(self) -> Decimal:
        return self.cash + sum(
            (size * self.mids[coin] for coin, size in self.positions.items()), ZERO
        )

    def observe(self) -> Observation:
        """What the trader sees; the fills since it last looked."""
        used = sum(
            (abs(size) * self.mids[coin] / self._leverage(coin)
             for coin, size in self.positions.items()),
            ZERO,
        )  # fmt: skip
        fills, self.fills = tuple(self.fills), []
        return Observation(
            now_ms=self.now_ms,
            equity=self.equity(),
            available=max(ZERO, self.equity() - used),
            positions={
                coin: PositionView(
                    coin=coin,
                    size=size,
                    entry_px=self.entries[coin],
                    unrealized_pnl=ZERO,
                    leverage=self._leverage(coin),
                )
                for coin, size in self.positions.items()
            },
            open_orders=tuple(
                OpenOrder(
                    coin=order.coin,
                    side="B" if order.is_buy else "A",
                    limitPx=str(order.price),
                    sz=f"{order.size:f}",
                    oid=order.oid,
                    timestamp=self.now_ms,
                    origSz=f"{order.size:f}",
                    reduceOnly=order.reduce_only,
                )
                for order in self.orders
            ),
            mids=dict(self.mids),
            fills=fills,
        )

    def send(self, actions: tuple[Action, ...]) -> None:
        """Carry actions out one after another; one in ten orders that may add is refused."""
        for action in actions:
            match action:
                case SetLeverage():
                    self.leverages[action.coin] = action.leverage
                case CancelOrder():
                    self._cancel(action)
                case ModifyOrder():
                    # one in ten is refused and leaves the order that it was to replace
                    if self.random.random() > 0.1 and self._cancel(action):
                        self._place(action)
                case PlaceOrder():
                    self._place(action)

    def move(self) -> None:
        """One bar: prices go to where they go, and fill what they pass."""
        self.now_ms += BAR_MS
        for coin, mid in self.mids.items():
            jump = self.random.random() < 0.03
            step = self.random.gauss(0, 0.06 if jump else 0.006)
            after = round(mid * Decimal(str(max(0.5, 1 + step))), 6)
            self._pass(coin, min(mid, after), max(mid, after))
            self.mids[coin] = after
        for order in [order for order in self.orders if order.reduce_only]:
            if order.coin not in self.positions and order.trigger is None:
                self.orders.remove(order)

    def _leverage(self, coin: str) -> int:
        return self.leverages.get(coin, 20 if coin != "DOGE" else 10)

    def _place(self, order: PlaceOrder | ModifyOrder) -> None:
        if not order.reduce_only and self.random.random() < 0.1:
            return
        self.oid += 1
        limit, trigger = order.order_type.limit, order.order_type.trigger
        resting = Resting(
            self.oid, order.coin, order.is_buy, order.sz, order.limit_px, order.reduce_only
        )
        if trigger is not None:
            resting.trigger, resting.is_stop = trigger.triggerPx, trigger.tpsl == "sl"
            self.orders.append(resting)
            return
        mid = self.mids[order.coin]
        takes = not order.limit_px or (order.limit_px >= mid) == order.is_buy
        if takes and limit is not None and (limit.tif is not Tif.ALO or not order.limit_px):
            self._fill(resting, mid)
        elif order.limit_px and limit is not None and limit.tif is not Tif.IOC:
            self.orders.append(resting)
        if isinstance(order, PlaceOrder):
            for leg, is_stop in ((order.stop_loss, True), (order.take_profit, False)):
                if leg is not None:
                    self.oid += 1
                    self.orders.append(
                        replace(
                            resting, oid=self.oid, is_buy=not order.is_buy, reduce_only=True,
                            price=ZERO, trigger=leg.price, is_stop=is_stop,
                        )
                    )  # fmt: skip

    def _cancel(self, action: CancelOrder | ModifyOrder) -> bool:
        found = [order for order in self.orders if order.oid == action.oid]
        for order in found:
            self.orders.remove(order)
        return bool(found)

    def _pass(self, coin: str, low: Decimal, high: Decimal) -> None:
        """Let a price go over a range, and fill or wake what lies in it."""
        for order in [order for order in self.orders if order.coin == coin]:
            level = order.price if order.trigger is None else order.trigger
            if low <= level <= high:
                self.orders.remove(order)
                self._fill(order, level)

    def _fill(self, order: Resting, price: Decimal) -> None:
        held = self.positions.get(order.coin, ZERO)
        size = order.size
        if order.reduce_only:
            size = min(size, max(ZERO, -held if order.is_buy else held))
        if not size:
            return
        signed = size if order.is_buy else -size
        fee = size * price * FEE
        closed = min(size, abs(held)) if held * signed < 0 else ZERO
        entry = self.entries.get(order.coin, price)
        earned = closed * (price - entry) * (1 if held > 0 else -1)
        self.cash -= signed * price + fee
        after = held + signed
        if held * after <= 0 or abs(after) > abs(held):
            self.entries[order.coin] = price
        self.positions[order.coin] = after
        if not after:
            del self.positions[order.coin]
        self.fills.append(
            UserFill(
                coin=order.coin,
                px=f"{price:f}",
                sz=f"{size:f}",
                side="B" if order.is_buy else "A",
                time=self.now_ms,
                startPosition=f"{held:f}",
                dir="",
                closedPnl=f"{earned:f}",
                hash="",
                oid=order.oid,
                crossed=True,
                fee=f"{fee:f}",
                tid=self.oid,
            )
        )
