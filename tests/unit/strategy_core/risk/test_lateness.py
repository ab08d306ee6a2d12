"""A decision that took time opens nothing that its grounds do not carry any more."""

from decimal import Decimal

import pytest

from strategy_core.llm.thought import Basis
from strategy_core.port import Decision, Observation
from strategy_core.risk.lateness import late_actions
from strategy_core.sizing.targets import market_order
from suite.contracts.clock import PositionView
from suite.contracts.venue import CancelOrder, SetLeverage

BASIS = Basis(
    until_ms=1_000,
    tolerance=Decimal("0.01"),
    prices={"BTC": Decimal(100)},
    sizes={},
)
DECISION = Decision(
    actions=(
        SetLeverage(coin="BTC", leverage=3),
        market_order("BTC", Decimal(1)),
        market_order("BTC", Decimal(-1), reduce_only=True),
        CancelOrder(coin="BTC", oid=7),
    ),
    basis=BASIS,
)


def seen(*, now_ms: int = 1_000, price: str = "101", size: int = 0) -> Observation:
    held = PositionView(
        coin="BTC",
        size=Decimal(size),
        entry_px=Decimal(100),
        unrealized_pnl=Decimal(0),
        leverage=2,
    )
    return Observation(
        now_ms=now_ms,
        mids={"BTC": Decimal(price)} if price else {},
        positions={"BTC": held} if size else {},
    )


@pytest.mark.parametrize(
    ("now", "rule"),
    [
        (seen(), ""),
        (seen(now_ms=1_001), "outdated"),
        (seen(price="101.01"), "moved_on"),
        (seen(price="98.99"), "moved_on"),
        (seen(price=""), "moved_on"),
        (seen(size=1), "moved_on"),
    ],
)
def test_only_what_may_add_is_refused(now: Observation, rule: str) -> None:
    """Closing and canceling are always in time."""
    assert ({0: rule, 1: rule} if rule else {}) == late_actions(DECISION, now)


def test_a_decision_that_took_no_time_is_never_late() -> None:
    """Strategies that decide at once say nothing of it."""
    assert {} == late_actions(Decision(actions=DECISION.actions), seen(now_ms=9_999))
