"""What traders did: fills, positions, equity and decisions.

A world is the identity of the venue's world or run that a row belongs to; its time is the venue's.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from decimal import Decimal
from typing import Any, Final

import numpy as np

from suite.bars import I64
from suite.enums import Side
from suite.fixed import Usd
from suite.ids import Cloid, Oid, TraderId, WorldId

LIVE_WORLD: Final = WorldId("live")
"""The world of a venue where market and money are real."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """As of when something is told.

    Attributes:
        now_ms: the venue's time.
        trouble: why that is no later; empty where it is the present.
    """

    world: WorldId
    now_ms: int
    trouble: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trade:
    """One fill; known by world, trader and `tid`.

    Attributes:
        time_ms: of the fill, the venue's time.
        price, size: USD, coin; positive, with the venue's decimals exactly.
        start_position: signed size before the fill.
        closed_pnl_usd: realized by it, before the fee.
        fee_usd: positive is paid.
        is_taker: it crossed the book.
        direction: in the venue's words, e.g. `Open Long`.
        cloid: of its order, where that has one.
    """

    world: WorldId
    trader_id: TraderId
    tid: int
    oid: Oid
    time_ms: int
    coin: str
    side: Side
    price: Decimal
    size: Decimal
    start_position: Decimal
    closed_pnl_usd: Decimal
    fee_usd: Decimal
    is_taker: bool
    direction: str
    cloid: Cloid | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FundingPayment:
    """One funding payment; known by world, trader, time and coin.

    Attributes:
        time_ms: of the payment, the venue's time.
        received_usd: negative when paid.
    """

    world: WorldId
    trader_id: TraderId
    time_ms: int
    coin: str
    received_usd: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenPosition:
    """One position of a trader.

    Attributes:
        size: signed, coin; not 0.
        entry_price: USD, average.
        mark_price: USD.
        unrealized_pnl_usd, margin_used_usd: at that mark.
        leverage: whole.
        liquidation_price: USD; None where nothing liquidates it.
    """

    coin: str
    size: Decimal
    entry_price: Decimal
    mark_price: Decimal
    unrealized_pnl_usd: Decimal
    margin_used_usd: Decimal
    leverage: int
    liquidation_price: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Positions:
    """All positions of a trader at one time; the latest known takes the place of earlier ones.

    Attributes:
        time_ms: the venue's time.
    """

    world: WorldId
    trader_id: TraderId
    time_ms: int
    positions: tuple[OpenPosition, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelBill:
    """What language models cost a trader in a world.

    Attributes:
        usd: micro-USD.
        tokens: of prompts and replies.
    """

    usd: Usd = Usd(0)
    tokens: int = 0


NO_BILL: Final = ModelBill()


@dataclass(frozen=True, slots=True, kw_only=True)
class EquitySample:
    """Money of a trader at one time, micro-USD; known by world, trader and time.

    Attributes:
        time_ms: the venue's time.
        equity_usd: cash and unrealized PnL.
        net_deposits_usd: paid in less taken out since the account began, its opening included.
        fees_usd: paid since then; a rebate lowers it.
        funding_usd: received since then; negative when paid, as the venue writes it.
        llm_cost_usd: bill of the models since then; no part of equity.
        notional_usd: sum of abs(size) x mark over its positions.
        llm_tokens: prompt and reply since then.
    """

    world: WorldId
    trader_id: TraderId
    time_ms: int
    equity_usd: Usd
    net_deposits_usd: Usd
    fees_usd: Usd
    funding_usd: Usd
    llm_cost_usd: Usd = Usd(0)
    notional_usd: Usd = Usd(0)
    llm_tokens: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """One decision of a trader; known by world, trader and number.

    Attributes:
        number: counts up in its world.
        time_ms: the venue's time.
        body: of the journal; plain JSON values.
    """

    world: WorldId
    trader_id: TraderId
    number: int
    time_ms: int
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Rows that are stored together or not at all; of one trader where a lease is shown."""

    trades: tuple[Trade, ...] = ()
    funding: tuple[FundingPayment, ...] = ()
    equity: tuple[EquitySample, ...] = ()
    decisions: tuple[Decision, ...] = ()
    positions: tuple[Positions, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a trader is recorded in a world; None where nothing is.

    Attributes:
        trades, decisions: rows.
        last_trade_ms, last_equity_ms: the latest, the venue's time.
        last_decision: the highest number.
    """

    trades: int = 0
    decisions: int = 0
    last_trade_ms: int | None = None
    last_equity_ms: int | None = None
    last_decision: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TradeTotals:
    """Sums over the fills of a trader in a world.

    Attributes:
        trades: fills.
        winning, losing: fills that realized a gain, a loss.
        volume_usd: sum of price x size.
        gross_profit_usd, gross_loss_usd: realized by those, before fees; the loss is not positive.
        fees_usd: positive is paid.
        first_ms, last_ms: the venue's time; None without fills.
    """

    trades: int = 0
    winning: int = 0
    losing: int = 0
    volume_usd: Decimal = Decimal(0)
    gross_profit_usd: Decimal = Decimal(0)
    gross_loss_usd: Decimal = Decimal(0)
    fees_usd: Decimal = Decimal(0)
    first_ms: int | None = None
    last_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TraderPerformance:
    """What a trader made in a world so far.

    Attributes:
        first, last: of its equity samples; None when there are none, which is not 0 USD.
        totals: over its fills.
    """

    trader_id: TraderId
    first: EquitySample | None
    last: EquitySample | None
    totals: TradeTotals


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EquitySeries:
    """The equity samples of one trader as arrays of shape (n,), by rising time, micro-USD."""

    time_ms: I64
    equity_usd: I64
    net_deposits_usd: I64
    fees_usd: I64
    funding_usd: I64
    llm_cost_usd: I64
    notional_usd: I64
    llm_tokens: I64


def _no_samples() -> EquitySeries:
    nothing = np.zeros(0, dtype=np.int64)
    return EquitySeries(**{field.name: nothing for field in fields(EquitySeries)})


EMPTY_SERIES: Final = _no_samples()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """How far the records of a trader were read: the latest times, -1 before any."""

    equity_ms: int = -1
    trade_ms: int = -1
    funding_ms: int = -1


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class News:
    """Records of a trader from where they were read.

    Attributes:
        series: samples after the last one that was read.
        trades, funding: by time; those of the last time that was read are among them, as more of
            them may have come.
    """

    series: EquitySeries
    trades: tuple[Trade, ...]
    funding: tuple[FundingPayment, ...]
