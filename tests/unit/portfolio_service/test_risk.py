"""Three indicators, each with its word."""

from typing import Any

import pytest

from portfolio_service.domain.risk import Held, RiskIndicators, funding_direction, indicators


def held(size: float, liquidation: float | None, mark: float = 100.0) -> Held:
    return Held(trader_id="anna", coin="BTC", size=size, mark=mark, liquidation=liquidation)


def told(*positions: Held, equity: float = 1000.0, fall: float | None = 0.0) -> RiskIndicators:
    return indicators(positions, equity=equity, drawdown=fall, deepest=fall)


@pytest.mark.parametrize(
    ("liquidation", "word", "level"),
    [(70, "safe", "low"), (85, "warning", "medium"), (93, "danger", "high"),
     (99, "critical", "critical"), (120, "critical", "critical")],
)  # fmt: skip
def test_the_nearest_liquidation_counts(liquidation: float, word: str, level: str) -> None:
    """A long position dies below, a short one above; beyond its liquidation there is no buffer."""
    for position in (held(1, liquidation), held(-1, 200.0 - liquidation)):
        found = told(position, held(1, 10), held(1, None))
        assert (word, level) == (found.liquidation_buffer_status, found.overall_risk_level)
        assert max(0.0, 1 - liquidation / 100) == pytest.approx(found.liquidation_buffer)
        assert "anna BTC" == found.nearest


@pytest.mark.parametrize(
    ("size", "word", "direction"),
    [(1, "balanced", "neutral"), (6, "offset", "long"), (-12, "severe", "short"),
     (25, "extreme", "long")],
)  # fmt: skip
def test_what_is_held_net_drifts(size: float, word: str, direction: str) -> None:
    found = told(held(size, None))
    assert (word, direction) == (found.inventory_drift_status, found.inventory_direction)
    assert "balanced" == told(held(size, None), held(-size, None)).inventory_drift_status


def test_a_fall_is_as_bad_as_it_is_now() -> None:
    words = [told(fall=fall).max_drawdown_status for fall in (0.04, 0.05, 0.1, 0.2)]
    assert ["safe", "warning", "danger", "critical"] == words


def test_nothing_held_is_nothing_to_fear_and_a_debt_is() -> None:
    nothing = told(fall=None, equity=0.0)
    assert (None, None, "low") == (
        *(nothing.liquidation_buffer, nothing.inventory_drift),
        nothing.overall_risk_level,
    )
    debt = told(held(1, None), equity=-5.0)
    assert "extreme" == debt.inventory_drift_status
    assert told(held(1, 50, mark=0.0)).liquidation_buffer is None


@pytest.mark.parametrize(
    ("rate", "word"),
    [(0.0, "neutral"), (1e-8, "neutral"), (1e-5, "short_favored"), (-1e-5, "long_favored")],
)
def test_whom_a_rate_favors(rate: Any, word: str) -> None:
    assert word == funding_direction(rate)
