"""What a run leaves behind: everything a report is made of, in integers."""

from dataclasses import dataclass, field
from typing import Any

from perp_engine.events import Fill, FundingPaid, InsuranceMoved, Liquidated
from suite.bars import I64
from suite.enums import OrderStatus, Side
from suite.fixed import Price, Size, Usd
from suite.instrument import Instrument


@dataclass(slots=True, kw_only=True)
class OrderRecord:
    """One order's life.

    Attributes:
        kind: `market`, `limit`, `stop` or `take_profit`.
        limit_price, trigger_price: price units; 0 when it has none.
        held_usd, refunded_usd: margin reserved at placement and released since, micro-USD.
        decision_price: mid of the book when it was placed, price units (twice the unit is not
            needed: the mid is the print it was built around).
        parent_oid: entry of its `normalTpsl` group, 0 when none.
    """

    oid: int
    cloid: str | None
    symbol: int
    kind: str
    side: Side
    size: Size
    remaining: Size
    limit_price: Price
    trigger_price: Price
    reduce_only: bool
    status: OrderStatus
    placed_ms: int
    closed_ms: int | None
    held_usd: Usd
    refunded_usd: Usd
    decision_price: Price
    parent_oid: int = 0


@dataclass(slots=True, kw_only=True)
class AccountRecord:
    """One trader's run.

    Attributes:
        strategy: `{"kind": ..., "params": ...}` as configured; empty for a bare account.
        equity_usd: shape (m,), micro-USD at `RunRecord.equity_time_ms`.
        exposure_usd: shape (m,), sum of abs(position notional) at the same times, micro-USD.
        liquidations: when a pool fell below its maintenance margin.
        insurance: what the venue's insurance paid, or kept when negative.
        decisions_sha256: hash of every action the account sent with its world time.
        rejected_orders: how many orders the venue refused.
    """

    account_id: str
    strategy: dict[str, Any]
    initial_balance_usd: Usd
    equity_usd: I64
    exposure_usd: I64
    fills: list[Fill]
    funding: list[FundingPaid]
    orders: list[OrderRecord]
    decisions_sha256: str
    rejected_orders: int
    liquidations: list[Liquidated] = field(default_factory=list)
    insurance: list[InsuranceMoved] = field(default_factory=list)
    degraded: bool = False


@dataclass(slots=True, kw_only=True)
class MarketRecord:
    """What a report draws of one coin: candles of a coarse interval.

    Attributes:
        open, high, low, close: shape (k,), price units.
    """

    instrument: Instrument
    source: str
    synthetic: bool
    open_time_ms: I64
    open: I64
    high: I64
    low: I64
    close: I64
    volume: I64


@dataclass(slots=True, kw_only=True)
class RunRecord:
    """A finished (or running) world.

    Attributes:
        equity_time_ms: shape (m,), bar boundaries at which equity was sampled, first is the start
            and last the end of the run; at least every hour, and every UTC midnight.
        interval_ms: length of the world's bars.
        rules: every parameter of the market model, by name, as JSON values.
        manifest: commit, engine version, data hash, config hash, seed, data file count, warnings.
    """

    run_id: str
    from_ms: int
    to_ms: int
    interval_ms: int
    finished: bool
    markets: list[MarketRecord]
    accounts: list[AccountRecord]
    equity_time_ms: I64
    rules: dict[str, Any]
    manifest: dict[str, Any] = field(default_factory=dict)
