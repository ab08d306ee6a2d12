"""What a run leaves behind: everything a report is made of, in integers."""

from dataclasses import dataclass, field
from typing import Any, Literal

from perp_engine.events import Fill, FundingPaid, InsuranceMoved, Liquidated
from suite.bars import I64
from suite.contracts.guards import GuardSummary
from suite.enums import OrderStatus, Side, Tif
from suite.fixed import Price, Size, Usd
from suite.instrument import Instrument


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderUpdate:
    """One change in the life of an order, as its owner is told of it.

    Attributes:
        status: `open` for every order that lives, `triggered` when it has just fired.
        remaining: size that is still open, or that was when it ended.
    """

    time_ms: int
    oid: int
    status: OrderStatus
    remaining: Size


LedgerKind = Literal[
    "deposit",
    "withdraw",
    "accountClassTransfer",
    "internalTransfer",
    "subAccountTransfer",
    "send",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerUpdate:
    """Money of an account that moved otherwise than by trading.

    Attributes:
        usd: micro-USD without the fee, positive; of a class transfer negative when it went from
            perp to spot.
        perp_usd: what the perp account gained by it, its fee included; negative when it lost.
        user, destination: addresses, empty where there is none.
        fee_usd: paid by the sender.
    """

    time_ms: int
    kind: LedgerKind
    usd: Usd
    perp_usd: Usd
    user: str = ""
    destination: str = ""
    fee_usd: Usd = Usd(0)


TwapStatus = Literal["activated", "finished", "terminated", "error"]


@dataclass(slots=True, kw_only=True)
class TwapRecord:
    """An order that is carried out in slices.

    Attributes:
        size, executed: size units; executed_usd: their value, micro-USD.
        minutes: over which it is spread.
    """

    twap_id: int
    symbol: int
    side: Side
    size: Size
    minutes: int
    reduce_only: bool
    randomize: bool
    started_ms: int
    executed: Size = Size(0)
    executed_usd: Usd = Usd(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class TwapUpdate:
    """A status of an order in slices, and what was executed by then."""

    time_ms: int
    twap: TwapRecord
    status: TwapStatus
    executed: Size
    executed_usd: Usd


@dataclass(slots=True, kw_only=True)
class OrderRecord:
    """One order's life.

    Attributes:
        kind: `market`, `limit`, `stop` or `take_profit`.
        tif: time in force, None for one with a trigger.
        limit_price, trigger_price: price units; 0 when it has none.
        trigger_is_market: it fills at the market when it fires.
        position_tpsl: it protects the position as a whole.
        held_usd, refunded_usd: margin reserved at placement and released since, micro-USD.
        decision_price: mid of the book when it was placed, price units (twice the unit is not
            needed: the mid is the print it was built around).
        parent_oid: entry of its `normalTpsl` group, 0 when none.
        twap_id: of the order it is a slice of, None for one of its own.
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
    trigger_is_market: bool = False
    position_tpsl: bool = False
    tif: Tif | None = None
    reduce_only: bool
    status: OrderStatus
    placed_ms: int
    closed_ms: int | None
    held_usd: Usd
    refunded_usd: Usd
    decision_price: Price
    parent_oid: int = 0
    twap_id: int | None = None

    @property
    def order_type(self) -> str:
        """What the venue calls it."""
        if self.kind in {"stop", "take_profit"}:
            name = "Stop" if self.kind == "stop" else "Take Profit"
            return f"{name} {'Market' if self.trigger_is_market else 'Limit'}"
        if self.twap_id is not None:
            return "Twap Slice"
        return "Market" if self.kind == "market" else "Limit"


@dataclass(slots=True, kw_only=True)
class AccountRecord:
    """One trader's run.

    Attributes:
        strategy: configuration of its trader; empty for a bare account.
        equity_usd: shape (m,), micro-USD at `RunRecord.equity_time_ms`.
        exposure_usd: shape (m,), sum of abs(position notional) at the same times, micro-USD.
        liquidations: when a pool fell below its maintenance margin.
        insurance: what the venue's insurance paid, or kept when negative.
        mids: of each fill, price units: the print its book stood around, or, of a quote that was
            met inside a bar, the one at that bar's start.
        decisions_sha256: hash of every action the account sent with its world time.
        rejected_orders: how many orders the venue refused.
        guards: what its trader says of what guarded it; None where none has said anything.
    """

    account_id: str
    strategy: dict[str, Any]
    initial_balance_usd: Usd
    equity_usd: I64
    exposure_usd: I64
    fills: list[Fill]
    mids: list[Price]
    funding: list[FundingPaid]
    orders: list[OrderRecord]
    decisions_sha256: str
    rejected_orders: int
    liquidations: list[Liquidated] = field(default_factory=list)
    insurance: list[InsuranceMoved] = field(default_factory=list)
    degraded: bool = False
    guards: GuardSummary | None = None


@dataclass(slots=True, kw_only=True)
class MarketRecord:
    """What a report draws of one coin: candles of a coarse interval.

    Attributes:
        mark: price at which positions are valued at the end of the run, price units.
        open, high, low, close: shape (k,), price units.
    """

    instrument: Instrument
    source: str
    synthetic: bool
    mark: Price
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
