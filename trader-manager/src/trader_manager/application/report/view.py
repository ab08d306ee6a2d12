"""What the arena page shows, wherever it comes from; None is what the source does not say."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final, Literal

from suite.bars import F64, I64
from suite.contracts.leaderboard import Baseline, LeaderboardGroup, LeaderboardRow

_FEW: Final = 10
"""Traders of whom a page holds every decision of a month of quarters of an hour."""
Kind = Literal["backtest", "paper", "live"]
Amounts = Mapping[str, Decimal]
"""USD by the name of the part."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Curve:
    """Equity over time, shape (n,).

    Attributes:
        equity_usd: micro-USD.
        growth: what the first dollar became, deposits and the model's bill taken off; 1 at first.
    """

    time_ms: I64
    equity_usd: I64
    growth: F64


@dataclass(frozen=True, slots=True, kw_only=True)
class FillView:
    """One fill.

    Attributes:
        side: `buy` or `sell`.
        mid: that its spread is measured by.
        realized_usd: before the fee, which is positive when paid.
        cause: why, where that is not an order of the trader's own, as `liquidation`.
        start: signed size of the position before it.
        oids: of its order, then of the order that this one protects.
        cloid: of its order.
        decision: number of the one that led to it.
    """

    time_ms: int
    coin: str
    side: str
    price: Decimal
    size: Decimal
    fee_usd: Decimal
    realized_usd: Decimal
    is_taker: bool
    start: Decimal
    oids: tuple[int, ...]
    cloid: str | None = None
    mid: Decimal | None = None
    cause: str = ""
    decision: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TradeView:
    """One trade from flat to flat in one coin, or so far.

    Attributes:
        side: `long` or `short`.
        entry_ms, exit_ms: of its first and last fill; None for before what is known, and for open.
        size: the largest reached.
        entry_price, exit_price: averages.
        net_usd: realized less fees, with funding where that is known.
        stop: first stop of its entry.
        ended_by: what closed it, and the strategy's own rule where that had come true.
        entry_decision, exit_decision: numbers of those that led to its first and last fill.
    """

    coin: str
    side: str
    entry_ms: int | None
    exit_ms: int | None
    size: Decimal
    entry_price: Decimal | None
    exit_price: Decimal | None
    fees_usd: Decimal
    funding_usd: Decimal | None
    net_usd: Decimal
    stop: Decimal | None = None
    r_multiple: Decimal | None = None
    ended_by: str = ""
    rule: str = ""
    entry_decision: int | None = None
    exit_decision: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PositionView:
    """One open position; `size` is signed."""

    coin: str
    size: Decimal
    entry_price: Decimal
    mark_price: Decimal | None = None
    unrealized_usd: Decimal | None = None
    leverage: int | None = None
    liquidation_price: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionView:
    """One turn of a trader: from what it was told to what the venue answered.

    Attributes:
        body: of its journal, plain JSON values (`strategy_core.journal.DecisionRecord`).
    """

    number: int
    time_ms: int
    body: Mapping[str, Any]

    @property
    def acts(self) -> bool:
        """Something was wanted, sent, closed or wrong."""
        names = ("actions", "sent", "closed", "changes", "fault")
        return any(self.body.get(name) for name in names)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TraderPage:
    """One trader.

    Attributes:
        row: of the board.
        curve: None where nothing is known.
        strategy: its kind and parameters.
        flags: what to know before its numbers are read, as `failed`.
        metrics: by the names of docs/report.md, and `llm_cost`, `llm_tokens`.
        bridge: from gross to net; `net` is the sum.
        split: where profit came from, in total and under `coins`.
        positions_ms: the time that positions are of.
        trades: by their ends, the open ones last.
        fills: oldest first.
        guards: as `suite.contracts.guards.GuardSummary`, and `of_latest`, where not all
            decisions were summed up.
        decisions: those that are shown, by number; None where there is no journal.
        decisions_total: how many there were.
    """

    trader_id: str
    name: str
    row: LeaderboardRow
    curve: Curve | None
    strategy: Mapping[str, Any]
    fees_usd: Decimal | None = None
    funding_usd: Decimal | None = None
    flags: tuple[str, ...] = ()
    note: str = ""
    metrics: Mapping[str, Any] = field(default_factory=dict)
    bridge: Amounts | None = None
    split: Mapping[str, Any] | None = None
    positions: tuple[PositionView, ...] = ()
    positions_ms: int | None = None
    trades: tuple[TradeView, ...] = ()
    trades_total: int = 0
    fills: tuple[FillView, ...] = ()
    fills_total: int = 0
    guards: Mapping[str, Any] | None = None
    decisions: tuple[DecisionView, ...] | None = None
    decisions_total: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceView:
    """Candles of a coin: open time in ms, then open, high, low and close as texts."""

    interval_ms: int
    candles: tuple[tuple[Any, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ArenaView:
    """The whole page.

    Attributes:
        from_ms, to_ms: what is shown; None where there is nothing.
        window: that the board compares, where that is another.
        traders: in the order of the board.
        facts: shown at the top, by their names.
        made: what it was made of, as plain values by a heading.
        notes: what the reader must know, as that a run did not finish.
        models: what language models were asked and cost in all, a line each.
    """

    kind: Kind
    from_ms: int | None
    to_ms: int | None
    traders: tuple[TraderPage, ...]
    prices: Mapping[str, PriceView]
    board_note: str
    window: tuple[int, int] | None = None
    synthetic: bool = False
    groups: tuple[LeaderboardGroup, ...] = ()
    missing_baselines: tuple[Baseline, ...] = ()
    facts: tuple[tuple[str, str], ...] = ()
    made: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    models: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """How much of each trader a page can hold, so that it can still be opened.

    Attributes:
        points: of its curve.
        fills, trades, decisions: the latest.
        candles: of each coin.
    """

    points: int
    fills: int
    trades: int
    decisions: int
    candles: int

    @classmethod
    def for_traders(cls, traders: int, coins: int) -> "Bounds":
        """Divide what a page can hold among so many."""
        many = max(1, traders)
        return cls(
            points=_within(150_000 // many, 120, 2000),
            fills=_within(20_000 // many, 20, 2000),
            trades=_within(20_000 // many, 20, 2000),
            decisions=3000 if many <= _FEW else _within(20_000 // many, 15, 1500),
            candles=_within(60_000 // max(1, coins), 1000, 20_000),
        )


def _within(value: int, least: int, most: int) -> int:
    return max(least, min(most, value))
