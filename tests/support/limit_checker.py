"""A second opinion on what the gate lets through: each limit, in the plainest words."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import product
from typing import Any

from tests.support.risk_market import FEE, LATTICE, RiskMarket

from strategy_core.intents import ParentOrder
from strategy_core.port import Observation
from strategy_core.risk.limits import RiskLimits
from suite.contracts.venue import CancelOrder, ModifyOrder, PlaceOrder, SetLeverage
from suite.enums import TraderStatus

ZERO = Decimal(0)
DAY_MS = 86_400_000


def worst_of(position: Decimal, resting: Iterable[Decimal]) -> Decimal:
    """Largest position after any of the resting orders were filled, the signs being all it has."""
    bought = sum((size for size in resting if size > 0), ZERO)
    sold = sum((size for size in resting if size < 0), ZERO)
    return max(abs(position + a + b) for a, b in product((ZERO, bought), (ZERO, sold)))


@dataclass
class Account:
    """What an account holds and could come to hold: signed sizes of orders by id."""

    positions: dict[str, Decimal]
    resting: dict[str, dict[object, Decimal]] = field(default_factory=dict)
    orders: int = 0

    def worst(self, coin: str) -> Decimal:
        return worst_of(self.positions.get(coin, ZERO), self.resting.get(coin, {}).values())


@dataclass
class LimitChecker:
    """Looks at every decision that passed, with a memory of its own."""

    limits: RiskLimits
    times: list[int] = field(default_factory=list)
    sent: list[tuple[int, str]] = field(default_factory=list)
    breaches: list[str] = field(default_factory=list)
    checked: int = 0

    def look(self, seen: Observation, passed: tuple[Any, ...], status: TraderStatus) -> None:
        """Check what passed in one decision, one after another."""
        account = Account({c: p.size for c, p in seen.positions.items()})
        for row in seen.open_orders:
            account.orders += 1
            if not row.reduceOnly:
                signed = Decimal(row.sz) * (1 if row.side == "B" else -1)
                account.resting.setdefault(row.coin, {})[row.oid] = signed
        adding = 0
        for number, item in enumerate(passed):
            self.checked += 1
            match item:
                case CancelOrder():
                    self._take_down(account, seen, item)
                case SetLeverage():
                    most = max(1, min(int(self.limits.max_leverage), LATTICE[item.coin][1]))
                    self._must(1 <= item.leverage <= most, f"leverage {item}")
                case PlaceOrder() | ModifyOrder() | ParentOrder():
                    before = {name: account.worst(name) * seen.mids[name] for name in LATTICE}
                    if isinstance(item, ModifyOrder):
                        self._take_down(account, seen, item)
                    if item.reduce_only:
                        self._reducing(account, item)
                    else:
                        adding += 1
                        self._must(status is TraderStatus.LIVE, f"{status}: {item}")
                        self._adding(account, seen, item, number, before)
        self._must(adding <= self.limits.max_actions, f"{adding} actions")
        rate = [time for time in self.times if time > seen.now_ms - 60_000]
        self._must(len(rate) <= self.limits.max_orders_per_minute, f"{len(rate)} in a minute")

    def _must(self, holds: bool, what: str) -> None:
        if not holds:
            self.breaches.append(what)

    def _take_down(
        self, account: Account, seen: Observation, item: CancelOrder | ModifyOrder
    ) -> None:
        if any(row.oid == item.oid and row.coin == item.coin for row in seen.open_orders):
            old = account.resting.get(item.coin, {}).pop(item.oid, ZERO)
            account.orders -= 1
            if isinstance(item, ModifyOrder):  # refused, it leaves the old one: the larger counts
                new = ZERO if item.reduce_only else item.sz * (1 if item.is_buy else -1)
                left = old if old * new <= 0 else old - new
                if left * old > 0:
                    account.resting[item.coin]["left", item.oid] = left

    def _reducing(self, account: Account, item: Any) -> None:
        held = account.positions.get(item.coin, ZERO)
        market = isinstance(item, PlaceOrder) and not item.limit_px
        if market and item.order_type.limit is not None and (held < 0) == item.is_buy:
            left = max(ZERO, abs(held) - item.sz)
            account.positions[item.coin] = left if held > 0 else -left
        if not isinstance(item, ParentOrder):
            account.orders += _rests(item)

    def _adding(
        self,
        account: Account,
        seen: Observation,
        item: Any,
        number: int,
        before: dict[str, Decimal],
    ) -> None:
        """One order that may open or add, against every limit."""
        limits, equity, coin = self.limits, seen.equity, item.coin
        mid, decimals = seen.mids[coin], LATTICE[coin][0]
        held = account.positions.get(coin, ZERO)
        signed = item.sz if item.is_buy else -item.sz
        account.resting.setdefault(coin, {})["new", number] = signed
        after = {name: account.worst(name) * seen.mids[name] for name in LATTICE}
        most = Decimal(str(limits.max_coin_exposure)) * equity
        self._must(after[coin] <= max(most, before[coin]), f"coin exposure {after} {item}")
        most = Decimal(str(limits.max_leverage)) * equity
        self._must(
            sum(after.values()) <= max(most, sum(before.values())), f"leverage {after} {item}"
        )
        opened = max(ZERO, abs(held + signed) - abs(held) if held * signed >= 0 else
                     item.sz - abs(held))  # fmt: skip
        self._must(opened * mid <= Decimal(str(limits.max_order_notional)) * equity, f"{item}")
        price = getattr(item, "limit_px", ZERO)
        self._must(not opened or item.sz * (price or mid) >= 10, f"minimum {item}")
        self._must(item.sz == round(item.sz, decimals) and item.sz > 0, f"lot {item}")
        if price:
            self._on_tick(price, decimals, item)
        if price and item.order_type.limit:
            worse = (price / mid - 1) * (1 if item.is_buy else -1)
            self._must(worse <= Decimal(str(limits.price_collar)), f"collar {item}")
        if not isinstance(item, ParentOrder):
            self._counted(account, seen, item)

    def _on_tick(self, price: Decimal, decimals: int, item: Any) -> None:
        digits = len(price.normalize().as_tuple().digits)
        whole = price == price.to_integral_value()
        fine = price == round(price, 6 - decimals) and (whole or digits <= 5)
        self._must(fine, f"tick {item}")

    def _counted(self, account: Account, seen: Observation, item: Any) -> None:
        account.orders += _rests(item)
        account.orders += getattr(item, "stop_loss", None) is not None
        account.orders += getattr(item, "take_profit", None) is not None
        self._must(account.orders <= self.limits.max_open_orders, f"{account.orders} orders")
        self.times.append(seen.now_ms)
        name = repr((item, item.coin, item.sz))
        window = self.limits.duplicate_window_s * 1000
        lately = [text for time, text in self.sent if time > seen.now_ms - window]
        self._must(name not in lately, f"twice {name}")
        self.sent = [*self.sent[-1200:], (seen.now_ms, name)]


def _rests(item: Any) -> bool:
    """Whether an order can come to rest at the venue."""
    if item.order_type.limit is None:
        return True
    return bool(item.limit_px) and item.order_type.limit.tif != "Ioc"


@dataclass
class DayChecker:
    """The loss of a day: at most the limit and what the bar that broke it moved."""

    limit: Decimal
    day: int = -1
    start: Decimal = ZERO
    floor: Decimal | None = None
    largest: Decimal = ZERO
    breaches: list[str] = field(default_factory=list)

    def look(self, market: RiskMarket) -> None:
        """Take in the equity at a bar's close, before anything is sent."""
        equity, day = market.equity(), market.now_ms // DAY_MS
        if day != self.day:
            self.day, self.start, self.floor = day, equity, None
        if self.floor is not None and equity < self.floor:
            self.breaches.append(f"equity {equity} below {self.floor} after the day was lost")
        if self.start > 0:
            self.largest = max(self.largest, 1 - equity / self.start)
        if self.floor is None and equity <= self.start * (1 - self.limit):
            gross = sum(
                (abs(size) * market.mids[coin] for coin, size in market.positions.items()), ZERO
            )
            self.floor = equity - gross * FEE
