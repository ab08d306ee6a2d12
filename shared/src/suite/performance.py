"""Performance of an equity curve and of closed trades: one definition of each metric.

Equity is in micro-USD; a metric that is not defined is None, never a huge number. Days are UTC;
annualization uses 365. Source: `docs/report.md`, which states every formula.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist

import numpy as np

from suite.bars import DAY_MS, F64, I64

Curve = I64 | F64
"""Equity, micro-USD: of an account, or of what one would have become without deposits."""

DAYS_A_YEAR = 365
SHARPE_DAYS_MIN = 30
CAGR_DAYS_MIN = 90


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawdown:
    """The deepest fall from a peak.

    Attributes:
        depth: (peak - trough) / peak, 0 to 1 (more when equity went below zero).
        duration_ms: longest time since the last peak that any sample shows.
    """

    depth: float
    duration_ms: int


def daily_equity(time_ms: I64, equity: Curve) -> Curve:
    """Equity at the start, at every UTC midnight inside, and at the end.

    Args:
        time_ms: shape (n,), rising; every midnight in between must be sampled.
        equity: shape (n,).

    Returns:
        Shape (days + 1,). A last part of a day shorter than a day is left out, unless it is all.
    """
    midnights = time_ms % DAY_MS == 0
    keep = midnights.copy()
    keep[0] = True
    if not midnights[1:].any():
        keep[-1] = True
    kept: Curve = equity[keep]
    return kept


def returns_of(equity: Curve) -> F64:
    """Relative changes `E[t] / E[t-1] - 1`, shape (n - 1,); after a ruin (E <= 0) they are 0."""
    before, after = equity[:-1].astype(np.float64), equity[1:].astype(np.float64)
    result = np.zeros(len(before))
    np.divide(after - before, before, out=result, where=before > 0)
    return result


def total_return(equity: Curve) -> float:
    """`E[last] / E[first] - 1`."""
    return float(equity[-1]) / float(equity[0]) - 1.0


def cagr(daily_returns: F64) -> float | None:
    """Compound annual growth `prod(1 + r)^(365 / n) - 1`; None under 90 days or after a ruin."""
    days = len(daily_returns)
    growth = float(np.prod(1.0 + daily_returns))
    if days < CAGR_DAYS_MIN or growth <= 0:
        return None
    return float(growth ** (DAYS_A_YEAR / days)) - 1.0


def volatility(daily_returns: F64) -> float | None:
    """`std(r, ddof=1) * sqrt(365)`; None under two days."""
    if len(daily_returns) < 2:
        return None
    return float(np.std(daily_returns, ddof=1)) * sqrt(DAYS_A_YEAR)


def sharpe(daily_returns: F64) -> float | None:
    """`mean(r) / std(r, ddof=1) * sqrt(365)`, risk-free rate 0.

    None under 30 days, where the number would say more about luck than about the trader, and for
    returns that do not vary.
    """
    if len(daily_returns) < SHARPE_DAYS_MIN:
        return None
    deviation = float(np.std(daily_returns, ddof=1))
    if deviation <= 1e-15:
        return None
    return float(np.mean(daily_returns)) / deviation * sqrt(DAYS_A_YEAR)


def sharpe_above(
    benchmark: float, *, ratio: float, days: int, skew: float, kurtosis: float
) -> float | None:
    """Probability that the true Sharpe ratio is above a benchmark, given how few days there are.

    `Phi((SR - b) * sqrt(n - 1) / sqrt(1 - g3 * SR + (g4 - 1) / 4 * SR^2))`

    Args:
        benchmark, ratio: Sharpe ratios a day, not annualized.
        days: how many returns the ratio is made of.
        skew, kurtosis: of the returns; 0 and 3 for a normal distribution.

    Returns:
        0 to 1; None where the formula has no root.

    Source: Bailey, López de Prado, "The Sharpe Ratio Efficient Frontier", 2012.
    """
    variance = 1 - skew * ratio + (kurtosis - 1) / 4 * ratio**2
    if variance <= 0:
        return None
    return NormalDist().cdf((ratio - benchmark) * sqrt((days - 1) / variance))


def probabilistic_sharpe(daily_returns: F64) -> float | None:
    """Probability that the true Sharpe ratio is above 0 (`sharpe_above`); None as for Sharpe."""
    if sharpe(daily_returns) is None:
        return None
    mean, spread = float(np.mean(daily_returns)), float(np.std(daily_returns))
    standard = (daily_returns - mean) / spread
    return sharpe_above(
        0.0,
        ratio=mean / float(np.std(daily_returns, ddof=1)),
        days=len(daily_returns),
        skew=float(np.mean(standard**3)),
        kurtosis=float(np.mean(standard**4)),
    )


def sortino(daily_returns: F64) -> float | None:
    """`mean(r) / sqrt(mean(min(r, 0)^2)) * sqrt(365)`, over all days; None as for Sharpe."""
    if len(daily_returns) < SHARPE_DAYS_MIN:
        return None
    downside = sqrt(float(np.mean(np.minimum(daily_returns, 0.0) ** 2)))
    if downside <= 1e-15:
        return None
    return float(np.mean(daily_returns)) / downside * sqrt(DAYS_A_YEAR)


def max_drawdown(time_ms: I64, equity: Curve) -> Drawdown:
    """Deepest fall from the running peak, which includes the start, and longest time since one."""
    peak = np.maximum.accumulate(equity)
    depth = float(np.max((peak - equity) / np.maximum(peak, 1)))
    at_peak = np.where(equity >= peak, np.arange(len(equity)), 0)
    since_peak = time_ms - time_ms[np.maximum.accumulate(at_peak)]
    return Drawdown(depth=depth, duration_ms=int(since_peak.max()))


def calmar(daily_returns: F64, depth: float) -> float | None:
    """CAGR over the depth of the deepest drawdown; None where either is undefined or 0."""
    growth = cagr(daily_returns)
    return None if growth is None or depth == 0 else growth / depth


@dataclass(frozen=True, slots=True, kw_only=True)
class TradeStatistics:
    """Closed trades, each net of fees and funding, micro-USD.

    A trade is from flat to flat; partial exits belong to it. Exact zeros are neither wins nor
    losses.

    Attributes:
        win_rate: wins / (wins + losses).
        profit_factor: sum of wins / abs(sum of losses); None without losses.
        expectancy: mean net result of a trade.
        payoff: mean win / abs(mean loss).
    """

    wins: int
    losses: int
    breakevens: int
    win_rate: float | None
    average_win: float | None
    average_loss: float | None
    profit_factor: float | None
    expectancy: float | None
    payoff: float | None


def trade_statistics(net_results: Sequence[int]) -> TradeStatistics:
    """Sum up closed trades.

    Args:
        net_results: micro-USD a trade.
    """
    wins = [result for result in net_results if result > 0]
    losses = [result for result in net_results if result < 0]
    decided = len(wins) + len(losses)
    average_win = sum(wins) / len(wins) if wins else None
    average_loss = sum(losses) / len(losses) if losses else None
    both = average_win is not None and average_loss is not None
    return TradeStatistics(
        wins=len(wins),
        losses=len(losses),
        breakevens=len(net_results) - decided,
        win_rate=len(wins) / decided if decided else None,
        average_win=average_win,
        average_loss=average_loss,
        profit_factor=sum(wins) / -sum(losses) if losses else None,
        expectancy=sum(net_results) / len(net_results) if net_results else None,
        payoff=average_win / -average_loss if both and average_win and average_loss else None,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Exposure:
    """How much of the time, and of the money, was at risk.

    Attributes:
        time_share: share of samples with a position.
        mean_leverage: mean of notional / equity.
    """

    time_share: float
    mean_leverage: float


def exposure_of(equity: I64, notional: I64) -> Exposure:
    """Exposure over samples of equity and of the summed absolute position values."""
    alive = equity > 0
    ratio = np.zeros(len(equity))
    np.divide(notional, equity, out=ratio, where=alive)
    return Exposure(time_share=float(np.mean(notional > 0)), mean_leverage=float(np.mean(ratio)))


def turnover_per_day(traded_usd: int, equity: I64, days: float) -> float | None:
    """Summed absolute notional traded / mean equity / days; None for no time or no money."""
    mean = float(np.mean(equity))
    return None if days <= 0 or mean <= 0 else traded_usd / mean / days


def basis_points(amount_usd: int, traded_usd: int) -> float | None:
    """An amount in basis points of what was traded; None when nothing was."""
    return amount_usd / traded_usd * 1e4 if traded_usd else None
