"""A gate with everything around it made up: accounts, facts, time, and a ladder that remembers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from hyperliquid_exchange.application.budgets import Budgets
from hyperliquid_exchange.application.gate import RiskGate
from hyperliquid_exchange.domain.accounts import GlobalLimits, LiveAccount, TraderLimits
from hyperliquid_exchange.domain.facts import AccountFacts, RestingOrder
from hyperliquid_exchange.domain.marks import Marks
from hyperliquid_exchange.domain.safety import Cause, Level, level_of
from hyperliquid_exchange.domain.verdicts import Verdict
from suite.clock import ManualClock
from suite.contracts.hyperliquid_exchange import (
    Kind,
    L1Action,
    LimitKind,
    Order,
    OrderItem,
    TriggerKind,
)
from suite.fixed import Price, Rate, Size, Usd
from suite.ids import TraderId
from suite.instrument import Instrument, default_instrument

ANNA, BERT = TraderId("anna"), TraderId("bert")
UNIVERSE: tuple[Instrument, ...] = (
    default_instrument("BTC", 1),
    default_instrument("ETH", 2),
    default_instrument("SOL", 3),
)
USD = 1_000_000
NOW_MS = 1_790_000_000_000

LIMITS = TraderLimits(
    max_order_usd=Usd(10_000 * USD),
    max_position_usd=Usd(20_000 * USD),
    max_account_usd=Usd(30_000 * USD),
    max_leverage=5,
    max_open_orders=20,
    max_orders_per_s=10,
    max_orders_per_minute=60,
    max_day_loss_usd=Usd(500 * USD),
    max_drawdown_usd=Usd(800 * USD),
    max_executions=100,
    price_collar=Rate(20_000_000),
    duplicate_s=2.0,
    facts_age_s=20.0,
)
OVERALL = GlobalLimits(
    max_gross_usd=Usd(50_000 * USD), max_orders_per_s=15, max_day_loss_usd=Usd(700 * USD)
)
FACTS = AccountFacts(
    equity_usd=Usd(10_000 * USD),
    positions={},
    orders=(),
    mids={0: Price(500_000), 1: Price(200_000), 2: Price(1_000_000)},  # 50,000, 2,000, 100 USD
    instruments=UNIVERSE,
    age_s=0.0,
    trouble=(),
    executions=0,
    net_deposits_usd=Usd(10_000 * USD),
    state_age_s=0.0,
)


def account(trader_id: TraderId = ANNA, **limits: Any) -> LiveAccount:
    """A trader of BTC and ETH, with the limits of above but for those given."""
    address = f"0x{trader_id.encode().hex():0>40}"
    return LiveAccount(
        trader_id=trader_id,
        address=address,
        master=address,
        signer="0x" + "1" * 40,
        native="resign",
        client_signers=(),
        symbols=("BTC", "ETH"),
        limits=replace(LIMITS, **limits),
    )


class Memory:
    """Marks in memory."""

    def __init__(self, marks: Mapping[str, Marks] | None = None) -> None:
        self.marks = dict(marks or {})

    def load(self) -> Mapping[str, Marks]:
        return self.marks

    def save(self, marks: Mapping[str, Marks]) -> None:
        self.marks = dict(marks)


class Ladder:
    """A ladder that only remembers."""

    def __init__(self) -> None:
        self.causes: list[Cause] = []

    def level(self, trader_id: TraderId) -> Level:
        return level_of(self.causes, trader_id)

    def engage(self, cause: Cause) -> None:
        self.causes.append(cause)

    def release(self, scope: str, by: str) -> None:
        self.causes = [one for one in self.causes if (one.scope, one.by) != (scope, by)]


@dataclass
class Setting:
    """A gate and what it is surrounded by; time stands still until it is moved."""

    accounts: Sequence[LiveAccount] = field(default_factory=lambda: [account()])
    overall: GlobalLimits = OVERALL
    known: dict[TraderId, AccountFacts | None] = field(default_factory=dict)
    now_s: float = 1_000.0
    clock: ManualClock = field(default_factory=lambda: ManualClock(NOW_MS))
    memory: Memory = field(default_factory=Memory)

    def __post_init__(self) -> None:
        self.ladder = Ladder()
        self.budgets = Budgets(now_s=lambda: self.now_s)
        for one in self.accounts:
            self.known.setdefault(one.trader_id, FACTS)
        self.gate = RiskGate(
            accounts=self.accounts,
            overall=self.overall,
            facts=self,
            safety=self.ladder,
            marks=self.memory,
            clock=self.clock,
            budgets=self.budgets,
            now_s=lambda: self.now_s,
        )

    def facts(self, trader_id: TraderId) -> AccountFacts | None:
        return self.known[trader_id]

    def universe(self) -> Sequence[Instrument]:
        return UNIVERSE

    def tell(self, trader_id: TraderId = ANNA, **changed: Any) -> None:
        """Change what is known of a trader."""
        self.known[trader_id] = replace(self.known[trader_id] or FACTS, **changed)

    def judge(self, action: L1Action, trader_id: TraderId = ANNA) -> Verdict:
        return self.gate.judge(trader_id, action)

    def rule(self, action: L1Action, trader_id: TraderId = ANNA) -> str | None:
        """Name the rule that refuses; None where none does."""
        refusal = self.judge(action, trader_id).refusal
        return None if refusal is None else refusal.partition(":")[0]


def item(
    size: str = "0.01",
    price: str = "50000",
    *,
    asset: int = 0,
    is_buy: bool = True,
    reduce_only: bool = False,
    tif: str = "Gtc",
    cloid: str | None = None,
) -> OrderItem:
    """An order of BTC, unless said otherwise."""
    kind = Kind(limit=LimitKind(tif=tif))  # type: ignore[arg-type]
    return OrderItem(a=asset, b=is_buy, p=price, s=size, r=reduce_only, t=kind, c=cloid)


def trigger(
    size: str,
    at: str,
    *,
    asset: int = 0,
    is_buy: bool = False,
    reduce_only: bool = True,
    tpsl: str = "sl",
    price: str | None = None,
) -> OrderItem:
    """A stop of BTC, unless said otherwise."""
    kind = Kind(trigger=TriggerKind(isMarket=True, triggerPx=at, tpsl=tpsl))  # type: ignore[arg-type]
    return OrderItem(a=asset, b=is_buy, p=price or at, s=size, r=reduce_only, t=kind)


def order(*items: OrderItem, grouping: str = "na") -> Order:
    return Order(orders=list(items), grouping=grouping)  # type: ignore[arg-type]


def resting(
    oid: int,
    size: int,
    price: int,
    *,
    asset: int = 0,
    is_buy: bool = True,
    reduce_only: bool = False,
    cloid: str | None = None,
    stop: int | None = None,
) -> RestingOrder:
    """An order at the venue; a stop where a trigger price is given."""
    return RestingOrder(
        oid=oid,
        cloid=cloid,
        asset=asset,
        is_buy=is_buy,
        price=Price(price),
        size=Size(size),
        reduce_only=reduce_only,
        trigger=None if stop is None else "sl",
        trigger_price=None if stop is None else Price(stop),
    )
