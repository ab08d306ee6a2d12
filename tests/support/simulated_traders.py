"""Traders whose true edge is known, as histories of a leaderboard."""

from typing import Any, Literal

import numpy as np

from suite.bars import F64, HOUR_MS, I64
from suite.ranking import significantly_better
from suite.resampling import Resampler, block_lengths, growth_half_width
from suite.trader_history import TraderHistory

Process = Literal["independent", "fat tails", "trending", "volatility clusters"]

START_USD = 10_000_000_000
START_MS = 1_746_403_200_000  # 2025-05-05 00:00 UTC
_WARM = 100


def shocks(process: Process, shape: tuple[int, int], *, seed: int) -> F64:
    """Returns with mean 0, a row a trader.

    Fat tails are Student's with 3 degrees of freedom; trending returns take over a fifth of the
    one before; clusters are GARCH(1, 1) with 0.1 and 0.85.
    """
    dice = np.random.default_rng(seed)
    many, n = shape
    if process == "fat tails":
        return dice.standard_t(3, shape)
    noise = dice.standard_normal((many, n + _WARM))
    if process == "trending":
        for step in range(1, n + _WARM):
            noise[:, step] += 0.2 * noise[:, step - 1]
    elif process == "volatility clusters":
        variance = np.ones(many)
        for step in range(n + _WARM):
            noise[:, step] *= np.sqrt(variance)
            variance = 0.05 + 0.1 * noise[:, step] ** 2 + 0.85 * variance
    return noise[:, _WARM:]


def history_of(
    trader_id: str, growth: F64, *, step_ms: int = HOUR_MS, **known: Any
) -> TraderHistory:
    """A trader whose equity grows by given logarithmic returns, step by step, from 10,000 USD."""
    curve = START_USD * np.exp(np.concatenate([[0.0], np.cumsum(growth)]))
    return history(trader_id, np.round(curve).astype(np.int64), step_ms=step_ms, **known)


def history(
    trader_id: str, equity_usd: I64 | list[int], *, step_ms: int = HOUR_MS, **known: Any
) -> TraderHistory:
    """A trader by its equity; whatever is not given is nothing."""
    equity = np.asarray(equity_usd, dtype=np.int64)
    nothing = np.zeros_like(equity)
    columns: dict[str, Any] = {
        "time_ms": START_MS + np.arange(len(equity), dtype=np.int64) * step_ms,
        "deposits_usd": nothing,
        "costs_usd": nothing,
        "notional_usd": nothing,
        "traded_usd": nothing,
        "tokens": nothing,
    }
    return TraderHistory(trader_id=trader_id, equity_usd=equity, **(columns | known))


def coverage(process: Process, n: int, *, traders: int, seed: int) -> float:
    """Share of traders whose true mean growth lies in the 95 % interval around what it seemed."""
    edge = 0.05
    returns = shocks(process, (traders, n), seed=seed) + edge
    resampler, lengths = Resampler(n, resamples=2000, seed=1), block_lengths(returns)
    covered = 0
    for place in np.argsort(lengths, kind="stable").tolist():
        half = growth_half_width(returns[place], int(lengths[place]), resampler)
        covered += half is not None and abs(float(returns[place].mean()) - edge) <= half
    return covered / traders


def boards_with_a_false_order(
    process: Process, n: int, *, boards: int, traders: int, seed: int
) -> float:
    """Share of boards of equal traders, in one market, on which any two are told apart."""
    wrong = 0
    resampler = Resampler(n, resamples=2000, seed=1)
    for board in range(boards):
        market = shocks("fat tails", (1, n), seed=seed + board)
        growth = 0.7 * market + shocks(process, (traders, n), seed=seed + boards + board)
        wrong += bool(significantly_better(growth, block_lengths(growth), resampler).any())
    return wrong / boards
