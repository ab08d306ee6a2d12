"""The leaderboard as it is published: numbers that are known, None where they are not."""

from typing import Literal

import msgspec

Baseline = Literal["hodl", "random", "flat"]
Standing = Literal["ranked", "ruined", "new", "stale"]
Memory = Literal["after_cutoff", "may_have_seen", "generated", "masked"]
"""What a language model may remember of the prices: nothing, where its training ended before."""


class ConfidenceInterval(msgspec.Struct, frozen=True, kw_only=True):
    """Values that the data do not rule out, at 95 %."""

    low: float
    high: float


class LeaderboardRow(msgspec.Struct, frozen=True, kw_only=True):
    """One trader over the window of the board; a trader that is stale or new has no values.

    Attributes:
        group: what its seeds have in common, as a model.
        baseline: what it is a yardstick of, None for a competitor.
        standing: `ranked`; `ruined`: had nothing left, ranks last; `new`: younger than the window
            needs, or without any sample; `stale`: its last sample is too old, so nothing is known.
        rank: 1 + number of traders that are significantly better.
        rank_worst: number of traders that are not significantly worse.
        tied_with: ids of the others of this rank.
        stale_ms: age of the last sample, None without any.
        own_from_ms, own_to_ms: what it has samples of; may be longer than the window.
        profit_usd: micro-USD, change of equity less deposits and costs.
        equity_usd: micro-USD at the end of the window, costs not taken off.
        cost_usd: micro-USD that its thinking cost in the window, as an LLM's bill.
        is_replayed: nobody paid that now: a cassette answered, and it is what the answers cost when
            they were recorded.
        memory: what its language model may remember; None where it asks none.
        total_return: time-weighted, net of fees, funding and costs.
        sharpe, sortino, calmar: of days, annualized.
        max_drawdown: 0 to 1.
        exposure: share of samples with a position.
        mean_leverage: mean of notional / equity.
        turnover: traded notional / mean equity, a day.
        trades: closed in the window.
    """

    trader_id: str
    group: str | None
    seed: int | None
    baseline: Baseline | None
    standing: Standing
    rank: int | None = None
    rank_worst: int | None = None
    tied_with: tuple[str, ...] = ()
    stale_ms: int | None = None
    own_from_ms: int | None = None
    own_to_ms: int | None = None
    profit_usd: int | None = None
    equity_usd: int | None = None
    cost_usd: int | None = None
    tokens: int | None = None
    is_replayed: bool = False
    memory: Memory | None = None
    total_return: float | None = None
    return_interval: ConfidenceInterval | None = None
    sharpe: float | None = None
    sharpe_interval: ConfidenceInterval | None = None
    sortino: float | None = None
    calmar: float | None = None
    max_drawdown: float | None = None
    win_rate: float | None = None
    profit_factor: float | None = None
    exposure: float | None = None
    mean_leverage: float | None = None
    turnover: float | None = None
    trades: int | None = None


class LeaderboardGroup(msgspec.Struct, frozen=True, kw_only=True):
    """All seeds of one group.

    Attributes:
        seeds: how many have values.
        unknown_seeds: how many have none.
        mean_return: mean over the seeds.
        return_interval: of that mean over other seeds in the same market, None under three.
    """

    group: str
    seeds: int
    unknown_seeds: int
    mean_return: float | None
    return_interval: ConfidenceInterval | None


class Leaderboard(msgspec.Struct, frozen=True, kw_only=True):
    """All traders over the window that those who are ranked share.

    Attributes:
        from_ms, to_ms: the window, None when there is none.
        step_ms: between the samples that intervals are made of.
        rows: best first.
        missing_baselines: yardsticks that were not given.
    """

    from_ms: int | None
    to_ms: int | None
    step_ms: int
    rows: tuple[LeaderboardRow, ...]
    groups: tuple[LeaderboardGroup, ...]
    missing_baselines: tuple[Baseline, ...]
