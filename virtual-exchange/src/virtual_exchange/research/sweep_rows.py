"""What one backtest of a sweep comes to, and how that is written in columns."""

from collections.abc import Sequence
from typing import Any, Final

import msgspec
import numpy as np

from perp_engine.tally import Traded
from suite.bars import DAY_MS, F64, I64
from suite.fixed import USD_DECIMALS
from suite.performance import max_drawdown, returns_of, sharpe, sortino, turnover_per_day

METRICS: Final = (
    "return",
    "sharpe",
    "sortino",
    "max_drawdown",
    "trades",
    "fees_usd",
    "funding_usd",
    "turnover",
    "exposure",
)
_USD: Final = 10**USD_DECIMALS


class RunRow(msgspec.Struct, frozen=True, kw_only=True):
    """One backtest: a parameter set in one window of one symbol.

    Attributes:
        metrics: by name of `METRICS`; None where one is not defined or the run failed.
        returns: daily simple returns of equity, one a day of the window.
        error: why it failed, else empty.
    """

    trial: int
    fold: int
    part: str
    symbol: str
    metrics: dict[str, float | int | None]
    returns: list[float]
    error: str = ""


def metrics_of(
    traded: Traded, equity: I64, *, from_ms: int, to_ms: int
) -> tuple[dict[str, float | int | None], F64]:
    """Sum up a run.

    Args:
        traded: what it did.
        equity: shape (days + 1,), micro-USD at each midnight of the window.
        from_ms, to_ms: of the window.

    Returns:
        Metrics by name, and the daily returns, shape (days,). Return and drawdown are fractions,
        fees positive when paid, funding negative when paid, turnover notional over mean equity a
        day, exposure the share of time with a position.
    """
    returns = returns_of(equity)
    times = from_ms + DAY_MS * np.arange(len(equity), dtype=np.int64)
    return {
        "return": float(equity[-1]) / float(equity[0]) - 1.0,
        "sharpe": sharpe(returns),
        "sortino": sortino(returns),
        "max_drawdown": max_drawdown(times, equity).depth,
        "trades": traded.entered,
        "fees_usd": traded.fees / _USD,
        "funding_usd": traded.funding / _USD,
        "turnover": turnover_per_day(traded.notional, equity, (to_ms - from_ms) / DAY_MS),
        "exposure": traded.held_ms / (to_ms - from_ms),
    }, returns


def score_of(rows: Sequence[RunRow], objective: str) -> float | None:
    """Score a parameter set by its trainings: of their daily returns, one after the other.

    Args:
        rows: of one set; tests among them are left out.
        objective: `return`, `sharpe` or `sortino`; the last two a year, of however few days.

    Returns:
        Higher is better; None where a training failed. Returns that do not vary score 0.
    """
    trainings = [row for row in rows if row.part == "train"]
    if not trainings or any(row.error for row in trainings):
        return None
    if objective == "return":
        return float(np.mean([row.metrics["return"] for row in trainings]))
    daily = np.concatenate([row.returns for row in trainings])
    if len(daily) < 2:
        return 0.0
    spread = np.std(daily, ddof=1)
    if objective == "sortino":
        spread = np.sqrt(np.mean(np.minimum(daily, 0.0) ** 2))
    return float(np.mean(daily) / spread * np.sqrt(365)) if spread > 1e-15 else 0.0


def failed_row(*, trial: int, fold: int, part: str, symbol: str, error: str) -> RunRow:
    """Tell of a run that came to no end."""
    nothing: dict[str, Any] = dict.fromkeys(METRICS)
    return RunRow(
        trial=trial, fold=fold, part=part, symbol=symbol, metrics=nothing, returns=[], error=error
    )
