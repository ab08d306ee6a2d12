"""The honest leaderboard: one window for all, intervals, and ranks that the data bear out.

Source: `docs/leaderboard.md`, which states every formula and what a tie means.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import expm1, inf, sqrt
from statistics import fmean, stdev
from typing import Final, get_args

import msgspec
import numpy as np

from suite import performance
from suite.bars import DAY_MS, F64, HOUR_MS, I64
from suite.checks import check
from suite.contracts.leaderboard import (
    Baseline,
    ConfidenceInterval,
    Leaderboard,
    LeaderboardGroup,
    LeaderboardRow,
    Standing,
)
from suite.ranking import Ranks, ranks_of
from suite.resampling import (
    CONFIDENCE,
    Resampler,
    block_lengths,
    growth_half_width,
    ratio_half_width,
    student_quantile,
)
from suite.trader_history import FLAT_USD, TraderHistory, flat_history
from suite.wealth import wealth_index

SEEDS_MIN: Final = 3
STEPS_MAX: Final = 2200


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardRules:
    """How a board is made.

    Attributes:
        now_ms: when.
        step_ms: between the samples that intervals are made of; divides a day.
        stale_after_ms: age of a last sample above which a trader is unknown.
        new_before_ms: samples that span less are not compared beside longer ones.
        resamples: of every interval and of the ranks.
        seed: of the resamples.
        with_flat: whether to add the trader that never trades where none is given.
        with_removed: whether who was taken away has a row also once it is stale.
    """

    now_ms: int
    step_ms: int = HOUR_MS
    stale_after_ms: int = 3 * HOUR_MS
    new_before_ms: int = DAY_MS
    resamples: int = 2000
    seed: int = 0
    with_flat: bool = True
    with_removed: bool = True

    def __post_init__(self) -> None:
        whole = self.step_ms > 0 and DAY_MS % self.step_ms == 0
        check(whole, f"a step of {self.step_ms} ms does not divide a day")


def step_of(length_ms: int) -> int:
    """Shortest step from an hour to a day that makes at most `STEPS_MAX` of a window."""
    steps = (hours * HOUR_MS for hours in (1, 2, 4, 8, 12))
    return next((step for step in steps if length_ms <= STEPS_MAX * step), DAY_MS)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Trader:
    """A history, what its first dollar became, and what may be said of it."""

    history: TraderHistory
    index: F64
    standing: Standing

    @property
    def from_ms(self) -> int:
        return int(self.history.time_ms[0])

    @property
    def to_ms(self) -> int:
        return int(self.history.time_ms[-1])

    def rows_at(self, points_ms: I64) -> I64:
        """Rows of the last samples at or before some moments; the first where there is none."""
        rows = np.searchsorted(self.history.time_ms, points_ms, side="right") - 1
        return np.maximum(rows, 0)


def build_leaderboard(histories: Sequence[TraderHistory], rules: BoardRules) -> Leaderboard:
    """Compare traders over the window that all share.

    Args:
        histories: of each trader once, in any order.
        rules: how.

    Returns:
        The board, best first; baselines that it lacks are named.
    """
    given = {history.baseline for history in histories if not history.removed}
    shown, added = list(histories), None
    if rules.with_flat and "flat" not in given:
        added = flat_history(histories)
        shown.append(added)
        given.add("flat")
    ids = [history.trader_id for history in shown]
    check(len(set(ids)) == len(ids), "two traders of one name; flat is the baseline's")
    traders = [_with_standing(one, rules) for one in sorted(shown, key=lambda h: h.trader_id)]
    traders = _without_young(traders, rules.new_before_ms)
    ranked = [one for one in traders if one.standing == "ranked"]
    stay = [one for one in ranked if not one.history.removed and one.history is not added]
    window = _window(stay or ranked)
    traders = [_within(one, window) for one in traders]
    traders = [one for one in traders if rules.with_removed or not _is_gone(one)]
    ranked = [one for one in traders if one.standing == "ranked"]
    rows = _ranked_rows(ranked, window, rules) if window else []
    rows += _ruined_rows(traders, window, rules, better=len(rows))
    rows += [_identity(one, rules) for one in traders if one.standing in {"new", "stale"}]
    rows.sort(key=_place)
    return Leaderboard(
        from_ms=window[0] if window else None,
        to_ms=window[1] if window else None,
        step_ms=rules.step_ms,
        rows=tuple(rows),
        groups=_groups(rows),
        missing_baselines=tuple(b for b in get_args(Baseline) if b not in given),
    )


def _place(row: LeaderboardRow) -> tuple[float, float, str]:
    rank = inf if row.rank is None else row.rank
    return rank, -(row.total_return or 0.0), row.trader_id


# ---- who is compared, and over what ------------------------------------------------------------


def _with_standing(history: TraderHistory, rules: BoardRules) -> _Trader:
    if not len(history.time_ms):
        return _Trader(history=history, index=np.zeros(0), standing="new")
    index = wealth_index(history.equity_usd - history.costs_usd, history.deposits_usd)
    fresh = rules.now_ms - history.time_ms[-1] <= rules.stale_after_ms
    standing: Standing = "ruined" if index[-1] <= 0 else "ranked" if fresh else "stale"
    return _Trader(history=history, index=index, standing=standing)


def _without_young(traders: list[_Trader], new_before_ms: int) -> list[_Trader]:
    """Mark as new whom the others would have to shorten their window for; nobody, if all are."""
    young = [
        one.standing == "ranked" and one.to_ms - one.from_ms < new_before_ms for one in traders
    ]
    if not any(
        one.standing == "ranked"
        and one.history.baseline != "flat"
        and not (is_young or one.history.removed)
        for one, is_young in zip(traders, young, strict=True)
    ):
        return traders
    return [
        replace(one, standing="new") if is_young else one
        for one, is_young in zip(traders, young, strict=True)
    ]


def _within(trader: _Trader, window: tuple[int, int] | None) -> _Trader:
    """Mark whom the window does not compare: all without one, else who was removed outside it."""
    if trader.standing != "ranked":
        return trader
    if window is None or trader.from_ms > window[0]:
        return replace(trader, standing="new")
    return trader if trader.to_ms > window[0] else replace(trader, standing="stale")


def _is_gone(trader: _Trader) -> bool:
    return trader.history.removed and trader.standing == "stale"


def _window(ranked: list[_Trader]) -> tuple[int, int] | None:
    """From the last one's first sample to the first one's last; None when that is no time."""
    if not ranked:
        return None
    from_ms, to_ms = max(one.from_ms for one in ranked), min(one.to_ms for one in ranked)
    return (from_ms, to_ms) if to_ms > from_ms else None


def _points(window: tuple[int, int], step_ms: int) -> I64:
    """Both ends of a window, and every mark of the step inside."""
    from_ms, to_ms = window
    inside = np.arange(from_ms // step_ms * step_ms + step_ms, to_ms, step_ms)
    return np.array([from_ms, *inside.tolist(), to_ms], dtype=np.int64)


# ---- rows --------------------------------------------------------------------------------------


def _ranked_rows(
    ranked: list[_Trader], window: tuple[int, int], rules: BoardRules
) -> list[LeaderboardRow]:
    points = _points(window, rules.step_ms)
    curves = np.array([one.index[one.rows_at(points)] for one in ranked])
    curves *= FLAT_USD / curves[:, :1]
    growth = np.diff(np.log(curves), axis=1)
    resampler = Resampler(growth.shape[1], resamples=rules.resamples, seed=rules.seed)
    lengths = block_lengths(growth)
    returns = _return_intervals(growth, lengths, resampler)
    midnights = [performance.daily_equity(points, curve) for curve in curves]
    daily = np.array([performance.returns_of(curve) for curve in midnights])
    sharpes = _sharpe_intervals(daily, rules)
    ranks = ranks_of(growth, lengths, resampler)
    sharing = _sharing([one.history.trader_id for one in ranked], ranks)
    return [
        msgspec.structs.replace(
            _counts(one, points, rules),
            rank=rank,
            rank_worst=int(ranks.worst[place]),
            tied_with=tuple(name for name in sharing[rank] if name != one.history.trader_id),
            total_return=performance.total_return(curves[place]),
            return_interval=returns[place],
            sharpe_interval=sharpes[place],
            **_ratios(one, daily[place], window),
        )
        for place, (one, rank) in enumerate(zip(ranked, ranks.best.tolist(), strict=True))
    ]


def _ruined_rows(
    traders: list[_Trader], window: tuple[int, int] | None, rules: BoardRules, *, better: int
) -> list[LeaderboardRow]:
    """Rows of traders that lost everything: below all others, and level with each other."""
    lost = [one for one in traders if one.standing == "ruined"]
    names = [one.history.trader_id for one in lost]
    return [
        msgspec.structs.replace(
            _counts(one, _points(window or (one.from_ms, one.to_ms), rules.step_ms), rules),
            rank=better + 1,
            rank_worst=better + len(lost),
            tied_with=tuple(name for name in names if name != one.history.trader_id),
            total_return=-1.0,
            max_drawdown=1.0,
        )
        for one in lost
    ]


def _identity(trader: _Trader, rules: BoardRules) -> LeaderboardRow:
    """Who a trader is, and nothing of how it does."""
    history = trader.history
    sampled = len(history.time_ms) > 0
    return LeaderboardRow(
        trader_id=history.trader_id,
        group=history.group,
        seed=history.seed,
        baseline=history.baseline,
        standing=trader.standing,
        stale_ms=max(0, rules.now_ms - trader.to_ms) if sampled else None,
        own_from_ms=trader.from_ms if sampled else None,
        own_to_ms=trader.to_ms if sampled else None,
    )


def _counts(trader: _Trader, points: I64, rules: BoardRules) -> LeaderboardRow:
    """What is added up over the window: money, trades, tokens, risk taken."""
    history, rows = trader.history, trader.rows_at(points)

    def over(column: I64) -> int:
        return int(column[rows[-1]]) - int(column[rows[0]])

    closed = (history.closed_time_ms > points[0]) & (history.closed_time_ms <= points[-1])
    statistics = performance.trade_statistics(history.closed_net_usd[closed].tolist())
    equity = history.equity_usd[rows]
    exposure = performance.exposure_of(equity, history.notional_usd[rows])
    days = float(points[-1] - points[0]) / DAY_MS
    return msgspec.structs.replace(
        _identity(trader, rules),
        profit_usd=over(history.equity_usd - history.deposits_usd - history.costs_usd),
        equity_usd=int(equity[-1]),
        cost_usd=over(history.costs_usd),
        tokens=over(history.tokens),
        win_rate=statistics.win_rate,
        profit_factor=statistics.profit_factor,
        exposure=exposure.time_share,
        mean_leverage=exposure.mean_leverage,
        turnover=performance.turnover_per_day(over(history.traded_usd), equity, days),
        trades=int(closed.sum()),
    )


def _ratios(trader: _Trader, daily: F64, window: tuple[int, int]) -> dict[str, float | None]:
    """Ratios of days, and the deepest fall that any sample shows."""
    times = trader.history.time_ms
    inside = times[(times > window[0]) & (times < window[1])]
    moments = np.concatenate([[window[0]], inside, [window[1]]])
    curve = trader.index[trader.rows_at(moments)] * FLAT_USD
    depth = performance.max_drawdown(moments, curve).depth
    return {
        "sharpe": performance.sharpe(daily),
        "sortino": performance.sortino(daily),
        "calmar": performance.calmar(daily, depth),
        "max_drawdown": depth,
    }


# ---- intervals ---------------------------------------------------------------------------------


def _return_intervals(
    growth: F64, lengths: I64, resampler: Resampler
) -> list[ConfidenceInterval | None]:
    steps = growth.shape[1]
    found: list[ConfidenceInterval | None] = [None] * len(growth)
    for place in np.argsort(lengths, kind="stable").tolist():
        half = growth_half_width(growth[place], int(lengths[place]), resampler)
        if half is not None:
            total = float(growth[place].sum())
            found[place] = ConfidenceInterval(
                low=expm1(total - half * steps), high=expm1(total + half * steps)
            )
    return found


def _sharpe_intervals(daily: F64, rules: BoardRules) -> list[ConfidenceInterval | None]:
    found: list[ConfidenceInterval | None] = [None] * len(daily)
    resampler = Resampler(daily.shape[1], resamples=rules.resamples, seed=rules.seed)
    lengths = block_lengths(daily)
    for place in np.argsort(lengths, kind="stable").tolist():
        ratio = performance.sharpe(daily[place])
        half = ratio_half_width(daily[place], int(lengths[place]), resampler)
        if ratio is not None and half is not None:
            half *= sqrt(performance.DAYS_A_YEAR)
            found[place] = ConfidenceInterval(low=ratio - half, high=ratio + half)
    return found


def _sharing(names: list[str], ranks: Ranks) -> dict[int, list[str]]:
    sharing: dict[int, list[str]] = {}
    for name, rank in zip(names, ranks.best.tolist(), strict=True):
        sharing.setdefault(rank, []).append(name)
    return sharing


def _groups(rows: list[LeaderboardRow]) -> tuple[LeaderboardGroup, ...]:
    """One row a group: mean over its seeds, and how much seeds differ (Student's interval)."""
    groups = []
    for name in sorted({row.group for row in rows if row.group is not None}):
        members = [row.total_return for row in rows if row.group == name]
        known = [value for value in members if value is not None]
        interval = None
        if len(known) >= SEEDS_MIN:
            score = student_quantile((1 - CONFIDENCE) / 2, len(known) - 1)
            half = score * stdev(known) / sqrt(len(known))
            mean = fmean(known)
            interval = ConfidenceInterval(low=max(-1.0, mean - half), high=mean + half)
        groups.append(
            LeaderboardGroup(
                group=name,
                seeds=len(known),
                unknown_seeds=len(members) - len(known),
                mean_return=fmean(known) if known else None,
                return_interval=interval,
            )
        )
    return tuple(groups)
