"""How near to trouble the money is: three indicators, each with a word, and the worst of them.

Source: the source design's `/api/risk-indicators`; drawdowns as of the risk and execution
reference 10 (pause at 10 %, stop at 20 %).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

Severity = Literal["safe", "warning", "danger", "critical"]
Drift = Literal["balanced", "offset", "severe", "extreme"]
Level = Literal["low", "medium", "high", "critical", "unknown"]
Direction = Literal["long", "short", "neutral"]

BUFFER_STEPS: Final = (0.20, 0.10, 0.05)
"""Distance to the nearest liquidation, of the mark: above the first it is safe."""
DRIFT_STEPS: Final = (0.5, 1.0, 2.0)
"""Net value of all positions, of all equity: below the first it is balanced."""
DRAWDOWN_STEPS: Final = (0.05, 0.10, 0.20)
"""Fall from the highest: below the first it is safe."""
_SEVERITIES: Final[tuple[Severity, ...]] = ("safe", "warning", "danger", "critical")
_DRIFTS: Final[tuple[Drift, ...]] = ("balanced", "offset", "severe", "extreme")
_LEVELS: Final[tuple[Level, ...]] = ("low", "medium", "high", "critical")


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """One position.

    Attributes:
        size: signed, coin.
        mark: USD; 0 where it is not known.
        liquidation: USD; None where nothing liquidates it.
    """

    trader_id: str
    coin: str
    size: float
    mark: float
    liquidation: float | None

    @property
    def buffer(self) -> float | None:
        """Distance to its liquidation as a part of the mark; 0 at or beyond it."""
        if self.liquidation is None or self.mark <= 0:
            return None
        distance = self.mark - self.liquidation if self.size > 0 else self.liquidation - self.mark
        return max(0.0, distance / self.mark)


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskIndicators:
    """How near to trouble; a value is None where there is nothing to measure, which is safe.

    Attributes:
        liquidation_buffer: of the position nearest to its liquidation, a part of its mark.
        nearest: that position, `trader coin`; empty for none.
        inventory_drift: net value of positions over equity, not negative.
        drawdown, max_drawdown: below the highest now, and the deepest that was, 0 to 1.
        overall_risk_level: of the worst of the three, the present drawdown counting.
    """

    liquidation_buffer: float | None
    liquidation_buffer_status: Severity
    nearest: str
    inventory_drift: float | None
    inventory_drift_status: Drift
    inventory_direction: Direction
    drawdown: float | None
    max_drawdown: float | None
    max_drawdown_status: Severity
    overall_risk_level: Level


def indicators(
    positions: Iterable[Held], *, equity: float, drawdown: float | None, deepest: float | None
) -> RiskIndicators:
    """Measure one account, or all of them.

    Args:
        positions: all of them.
        equity: USD, of the accounts that hold them; may be negative.
        drawdown, deepest: 0 to 1; None where nothing is known.
    """
    held = list(positions)
    near = min(
        ((one.buffer, f"{one.trader_id} {one.coin}") for one in held if one.buffer is not None),
        default=(None, ""),
    )
    net = sum(one.size * one.mark for one in held)
    if equity > 0:
        drift: float | None = abs(net) / equity
    else:
        drift = None if not held else float(DRIFT_STEPS[-1])
    buffer_place = 0 if near[0] is None else sum(near[0] < step for step in BUFFER_STEPS)
    drift_place = 0 if drift is None else sum(drift >= step for step in DRIFT_STEPS)
    fall_place = 0 if drawdown is None else sum(drawdown >= step for step in DRAWDOWN_STEPS)
    direction: Direction = "neutral"
    if drift_place:
        direction = "long" if net > 0 else "short"
    return RiskIndicators(
        liquidation_buffer=near[0],
        liquidation_buffer_status=_SEVERITIES[buffer_place],
        nearest=near[1],
        inventory_drift=drift,
        inventory_drift_status=_DRIFTS[drift_place],
        inventory_direction=direction,
        drawdown=drawdown,
        max_drawdown=deepest,
        max_drawdown_status=_SEVERITIES[fall_place],
        overall_risk_level=_LEVELS[max(buffer_place, drift_place, fall_place)],
    )


def funding_direction(hourly_rate: float) -> str:
    """Say whom a funding rate favors: positive means that longs pay shorts."""
    if abs(hourly_rate) < 1e-7:
        return "neutral"
    return "short_favored" if hourly_rate > 0 else "long_favored"
