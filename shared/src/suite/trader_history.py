"""What is known of one trader of a leaderboard."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from suite.bars import I64
from suite.checks import check
from suite.contracts.leaderboard import Baseline

FLAT_USD: Final = 10_000_000_000


def _none() -> I64:
    return np.zeros(0, dtype=np.int64)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TraderHistory:
    """Samples of one account and its closed trades; money in micro-USD.

    Attributes:
        time_ms: shape (n,), strictly rising; every trader's on the same marks, and one right after
            each deposit.
        equity_usd: shape (n,), after fees and funding.
        deposits_usd: shape (n,), cumulative, withdrawals negative.
        costs_usd: shape (n,), cumulative, what it cost outside of the account, as an LLM's bill.
        notional_usd: shape (n,), summed absolute position values.
        traded_usd: shape (n,), cumulative notional of fills.
        tokens: shape (n,), cumulative.
        closed_time_ms, closed_net_usd: shape (trades,), closed trades net of fees and funding.
        group, seed, baseline: as of `LeaderboardRow`.
        removed: it was taken away at its last sample, and stands still from there on.
    """

    trader_id: str
    time_ms: I64
    equity_usd: I64
    deposits_usd: I64
    costs_usd: I64
    notional_usd: I64
    traded_usd: I64
    tokens: I64
    closed_time_ms: I64 = field(default_factory=_none)
    closed_net_usd: I64 = field(default_factory=_none)
    group: str | None = None
    seed: int | None = None
    baseline: Baseline | None = None
    removed: bool = False

    def __post_init__(self) -> None:
        columns = (
            *(self.equity_usd, self.deposits_usd, self.costs_usd),
            *(self.notional_usd, self.traded_usd, self.tokens),
        )
        same = all(column.shape == self.time_ms.shape for column in columns)
        check(same, f"{self.trader_id}: columns of different lengths")
        check(np.all(np.diff(self.time_ms) > 0), f"{self.trader_id}: samples are not in order")
        paired = self.closed_time_ms.shape == self.closed_net_usd.shape
        check(paired, f"{self.trader_id}: closed trades without a time or a result")


def flat_history(histories: Sequence[TraderHistory]) -> TraderHistory:
    """The trader that never trades, for as long as any other has samples."""
    sampled = [history.time_ms for history in histories if len(history.time_ms)]
    ends = {int(times[0]) for times in sampled} | {int(times[-1]) for times in sampled}
    moments = sorted({min(ends), max(ends)}) if ends else []
    nothing = np.zeros(len(moments), dtype=np.int64)
    return TraderHistory(
        trader_id="flat",
        time_ms=np.array(moments, dtype=np.int64),
        equity_usd=nothing + FLAT_USD,
        deposits_usd=nothing,
        costs_usd=nothing,
        notional_usd=nothing,
        traded_usd=nothing,
        tokens=nothing,
        baseline="flat",
    )
