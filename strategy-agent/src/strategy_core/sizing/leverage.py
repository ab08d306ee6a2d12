"""How much leverage a new position gets: earned by results, taken back by risk.

    w_hat = (wins + 10) / (trades + 20)
    u     = clip((w_hat - 0.50) / 0.20, 0, 1) * clip((confidence - 0.5) / 0.5, 0, 1)
    L0    = 1 + (leverage_max - 1) * u
    L1    = L0 * min(1, vol_target / vol) * max(0, 1 - drawdown / dd_stop) * 0.8^max(0, streak - 2)
    L_liq = 1 / (2 * d + mmr)
    L     = max(1, floor(min(L1, L_liq, leverage_max, venue_max)))

Leverage creates no edge. Sizes come from `kelly` and `stop_distance`; leverage only decides how
much margin stands behind a position, and so how near its liquidation is. It is set for a new
position and never changed while one is open.
"""

import math
from dataclasses import dataclass
from typing import Annotated, Final

import msgspec

PRIOR_WINS: Final = 10
PRIOR_TRADES: Final = 20
"""Trades at even odds that every record begins with: few results prove little."""
EVEN: Final = 0.50
FULL_EDGE: Final = 0.20
"""Win rate above one half at which the record earns the whole range."""
STREAK_FREE: Final = 2
STREAK_FACTOR: Final = 0.8
"""Losses in a row that cost nothing, and what each further one leaves."""
BOOTSTRAP: Final = ((20, 1), (50, 2))
"""Fewer closed trades than the first allow at most the second."""
LEVERAGE_LIMIT: Final = 20.0
"""No configuration exceeds this."""


class LeverageRules(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How far leverage may go.

    Attributes:
        leverage_max: at full edge, in calm markets.
        volatility_target: annualized; above it leverage falls in proportion.
        drawdown_stop: drawdown at which nothing above 1 is left, fraction of the peak.
    """

    leverage_max: Annotated[float, msgspec.Meta(ge=1, le=LEVERAGE_LIMIT)] = 5.0
    volatility_target: Annotated[float, msgspec.Meta(gt=0, le=2)] = 0.60
    drawdown_stop: Annotated[float, msgspec.Meta(gt=0, le=0.5)] = 0.20


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What the trader has to show for itself.

    Attributes:
        wins, trades: of its last 200 closed trades.
        drawdown: from the peak of equity, 0 to 1.
        loss_streak: losses in a row up to now.
        break_even: win rate at which its brackets break even, where target and stop differ; None
            for 0.5.
    """

    wins: int
    trades: int
    drawdown: float = 0.0
    loss_streak: int = 0
    break_even: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LeveragePlan:
    """The leverage of a new position, and how it came about.

    Attributes:
        win_rate: shrunk towards one half.
        earned: by results and confidence, before risk.
        allowed: of it, after volatility, drawdown and losses.
        by_liquidation: largest that keeps liquidation two stop distances away.
        leverage: what to set; a whole number, at least 1.
    """

    win_rate: float
    earned: float
    allowed: float
    by_liquidation: float
    leverage: int


def liquidation_leverage(stop_distance: float, maintenance_rate: float) -> float:
    """Largest leverage with liquidation at least two stop distances from the entry.

    `1 / (2 * d + mmr)`: an isolated position is liquidated near `1 / L - mmr`.

    Args:
        stop_distance: fraction of the entry, positive.
        maintenance_rate: of the venue's tier, fraction of the notional.
    """
    return 1.0 / (2.0 * stop_distance + maintenance_rate)


def plan_leverage(
    record: Record,
    confidence: float,
    *,
    volatility: float,
    stop_distance: float,
    maintenance_rate: float,
    venue_max: int,
    rules: LeverageRules,
) -> LeveragePlan:
    """Decide the leverage of a new position; the module says how.

    Args:
        record: results so far.
        confidence: probability of a win, 0 to 1.
        volatility: standard deviation of 1-minute log returns over 24 hours, annualized with
            `sqrt(525600)`.
        stop_distance, maintenance_rate: as for `liquidation_leverage`.
        venue_max: of the coin.
        rules: of the trader.

    Returns:
        1 to the least of `leverage_max` and `venue_max`. Numbers that are not finite count as no
        edge and full risk.
    """
    win_rate = (record.wins + PRIOR_WINS) / (record.trades + PRIOR_TRADES)
    centered = win_rate
    if record.break_even is not None:
        centered = EVEN + EVEN * (win_rate - record.break_even) / (1.0 - record.break_even)
    edge = _clip((centered - EVEN) / FULL_EDGE) * _clip((confidence - 0.5) / 0.5)
    earned = 1.0 + (rules.leverage_max - 1.0) * edge
    calm = 1.0 if volatility <= rules.volatility_target else rules.volatility_target / volatility
    kept = _clip(1.0 - record.drawdown / rules.drawdown_stop)
    streak = STREAK_FACTOR ** max(0, record.loss_streak - STREAK_FREE)
    allowed = earned * (calm if math.isfinite(volatility) else 0.0) * kept * streak
    by_liquidation = liquidation_leverage(stop_distance, maintenance_rate)
    largest = min(allowed, by_liquidation, rules.leverage_max, float(venue_max))
    for trades, most in BOOTSTRAP:
        if record.trades < trades:
            largest = min(largest, most)
    return LeveragePlan(
        win_rate=win_rate,
        earned=earned,
        allowed=allowed,
        by_liquidation=by_liquidation,
        leverage=max(1, math.floor(largest)) if math.isfinite(largest) else 1,
    )


def _clip(value: float) -> float:
    """Bring a number into 0 to 1; what is not a number is 0."""
    return min(1.0, max(0.0, value)) if math.isfinite(value) else 0.0
