"""What is answered: money in USD with up to six decimals, times in epoch ms.

Names without a unit are those of the source design (`total_pnl`, `allocation`, ...).
"""

from decimal import Decimal
from typing import Any

import msgspec

from portfolio_service.application.manager import HeldPosition, LearnedModel
from portfolio_service.domain.risk import Direction, Drift, Level, Severity
from suite.contracts.fills import TradeRow

Money = Decimal | None
"""USD; None where nobody knows, which is never 0."""


class TraderRow(msgspec.Struct, frozen=True, kw_only=True):
    """One trader.

    Attributes:
        status: LIVE, PAUSED, STOPPED or unknown; `reason` says why, where that is not plain.
        removed: the manager has it no more; it is in no sum.
        source: what its profit goes by: `fills` (its own fills and its account say the same),
            `account` (alone), `last_known` (of `sampled_ms`), `unknown`.
        pnl: net of fees and funding; `realized_usd + unrealized_usd + funding_usd - fees_usd`.
        exact: its fills and its account agree to the micro-USDC; null where that was not compared.
        difference_usd: what the fills say less what the account does.
        equity_usd, net_deposits_usd: of its account.
        allocation: what it may use of its account; null for all of it.
        told_allocation: what its process says that is; null where it says nothing.
        roi: time-weighted, net of the models' bill.
        health: 0 to 1.
        sampled_ms: the venue's time of what is known; seen_ms: wall time at which that came.
        model: of a trader that learns; null for another one.
        turn: number of its last turn; it has decided anew where that rises.
    """

    id: str
    name: str
    kind: str
    account: str
    symbols: tuple[str, ...]
    interval: str
    status: str
    reason: str
    removed: bool
    causes: dict[str, str]
    source: str
    pnl: Money
    realized_usd: Money
    unrealized_usd: Money
    fees_usd: Money
    funding_usd: Money
    llm_cost_usd: Money
    exact: bool | None
    difference_usd: Money
    equity_usd: Money
    net_deposits_usd: Money
    notional_usd: Money
    allocation: Money
    told_allocation: Money
    roi: float | None
    sharpe: float | None
    drawdown: float | None
    max_drawdown: float | None
    health: float
    fills: int
    wins: int
    losses: int
    positions: tuple[HeldPosition, ...]
    positions_ms: int | None
    sampled_ms: int | None
    seen_ms: int | None
    turn: int
    deciding_since_ms: int
    last_verdict: str
    alert: str
    alert_ms: int
    model: LearnedModel | None


class SumsChecked(msgspec.Struct, frozen=True, kw_only=True):
    """The sum over traders beside the sum over their accounts, checked at each sync.

    Attributes:
        ok: equal to the micro-USDC.
        compared: traders in both sums; `not_compared` are the others.
    """

    ok: bool
    compared: int
    traders_usd: Decimal
    accounts_usd: Decimal
    difference_usd: Decimal
    not_compared: tuple[str, ...]


class PortfolioTotals(msgspec.Struct, frozen=True, kw_only=True):
    """All traders together, without the removed.

    Attributes:
        now_ms: wall time; synced_ms: of the last sync that was answered.
        world, venue_ms: of the venue; trouble: why all of this is no later.
        total_pnl: realized, unrealized and funding; net_pnl: less `commission`, the fees.
        unknown: traders of which nothing is known, which are in no sum.
        total_capital: equity of all accounts, debts counting as nothing.
        available_balance: of it, what is allotted to nobody.
        unlimited: traders that may use the whole of their account.
        session_start_time: the first sample of anybody, the venue's time.
    """

    now_ms: int
    synced_ms: int | None
    world: str
    venue_ms: int | None
    trouble: str
    total_pnl: Money
    commission: Money
    net_pnl: Money
    realized_usd: Money
    unrealized_usd: Money
    funding_usd: Money
    llm_cost_usd: Money
    equity_usd: Money
    total_return: float | None
    portfolio_sharpe: float | None
    drawdown: float | None
    max_drawdown: float | None
    active_count: int
    total_count: int
    unknown: tuple[str, ...]
    risk_level: str
    total_capital: Decimal
    allocated: Decimal
    available_balance: Decimal
    unlimited: int
    session_start_time: int | None
    sums: SumsChecked


class AgedTrader(TraderRow, frozen=True, kw_only=True):
    """One trader, and how long ago its money was last seen, ms; null where never."""

    age_ms: int | None


class PortfolioAnswer(PortfolioTotals, frozen=True, kw_only=True):
    """`GET /api/portfolio`."""

    strategies: tuple[AgedTrader, ...]


class RiskAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Three indicators; a value is null where there is nothing to measure.

    Attributes:
        liquidation_buffer: distance of the nearest liquidation as a part of the mark; `nearest`
            says whose.
        inventory_drift: net value of all positions over equity.
        max_drawdown_status: of the present drawdown.
    """

    liquidation_buffer: float | None
    liquidation_buffer_status: Severity
    nearest: str
    inventory_drift: float | None
    inventory_drift_status: Drift
    inventory_direction: Direction
    drawdown: float | None
    max_drawdown: float | None
    max_drawdown_status: Severity
    overall_risk_level: Level


class RisksAnswer(RiskAnswer, frozen=True, kw_only=True):
    """`GET /api/risk-indicators`: of all together, and of each."""

    traders: dict[str, RiskAnswer]


class CurveOf(msgspec.Struct, frozen=True, kw_only=True):
    """A curve as columns: what a dollar became is `index`."""

    time_ms: list[int]
    equity_usd: list[Decimal]
    pnl_usd: list[Decimal]
    index: list[float]


class CurvesAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """`GET /api/equity`."""

    world: str
    venue_ms: int | None
    portfolio: CurveOf
    traders: dict[str, CurveOf]


class FillRow(TradeRow, frozen=True, kw_only=True):
    """A fill, and whose it is."""

    trader: str


class FillsAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """`GET /api/trades`: fills, newest first."""

    trades: tuple[FillRow, ...]


class FundingRow(msgspec.Struct, frozen=True, kw_only=True):
    """`GET /api/funding-rates`.

    Attributes:
        funding_rate: of an hour; positive means that longs pay shorts.
        daily_yield: 24 of them.
        direction: whom it favors: `short_favored`, `long_favored`, `neutral`.
    """

    symbol: str
    funding_rate: float
    daily_yield: float
    direction: str
    mark_price: float | None = None


class LimitsAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What bounds allocations."""

    weight_max: float
    reserve_min: float
    drawdown_stop: float
    method: str


class AllottedRow(msgspec.Struct, frozen=True, kw_only=True):
    """The limit of one trader.

    Attributes:
        allocation: null for the whole of its account.
        told_allocation: what its process says; null where it says nothing.
        in_force: its process says the same, or does not run and is told when it does.
        share: of the total capital.
        used_usd: margin that its positions take.
        over: it has more in use than its allocation: no new risk until that runs off.
    """

    id: str
    status: str
    allocation: Money
    told_allocation: Money
    in_force: bool
    share: float | None
    equity_usd: Money
    used_usd: Money
    over: bool


class StepRow(msgspec.Struct, frozen=True, kw_only=True):
    """One step of a plan; `from_usd` is null where the whole account was free to use."""

    number: int
    key: str
    trader: str
    from_usd: Money
    to_usd: Decimal
    status: str


class TransferRow(msgspec.Struct, frozen=True, kw_only=True):
    """Money that a person would have to move so that limits can be used; nothing here does."""

    from_trader: str
    to_trader: str
    usd: Decimal


class PlanAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A rebalance.

    Attributes:
        status: `planned`, `running`, `done`, or `outdated`; `note` says why, or what it waits for.
        steps: in their order, what is given up first; each `planned`, `allotted` (it holds from
            now on) or `done` (the trader has it, or has it when it runs).
        left: why a trader that is off its target is left alone.
        progress: of the steps, 0 to 1.
    """

    plan_id: str
    status: str
    note: str
    method: str
    reason: str
    actor: str
    made_ms: int
    total_capital: Decimal
    reserve_before: Decimal
    reserve_after: Decimal
    before: dict[str, Money]
    after: dict[str, Decimal]
    steps: tuple[StepRow, ...]
    left: dict[str, str]
    notes: tuple[str, ...]
    transfers: tuple[TransferRow, ...]
    progress: float


class AutomaticAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """When plans are made and run without anybody asking.

    Attributes:
        daily_at: time of day, `HH:MM` UTC; null for not daily.
        on_change: when a trader joins or leaves.
        next_ms: wall time of the next daily one.
        trouble: why one that is due could not be made yet; empty otherwise.
    """

    daily_at: str | None
    on_change: bool
    next_ms: int | None
    trouble: str


class AllocationAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """`GET /api/portfolio/allocation`."""

    total_capital: Decimal
    allocated: Decimal
    available_balance: Decimal
    limits: LimitsAnswer
    methods: tuple[str, ...]
    traders: tuple[AllottedRow, ...]
    running: PlanAnswer | None
    automatic: AutomaticAnswer
    trouble: str


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a command, in the manager's words."""

    trader: str
    command: str
    result: dict[str, Any]
