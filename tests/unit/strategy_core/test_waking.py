"""Wake-ups of several wishes."""

from decimal import Decimal

import pytest

from strategy_core.waking import Wake, merged, next_boundary_ms
from suite.bars import MINUTE_MS
from suite.contracts.clock import PriceCross, WakeOn

ABOVE = PriceCross(coin="BTC", above=Decimal(9))
BELOW = PriceCross(coin="BTC", below=Decimal(5))


def test_the_earliest_time_and_every_condition_count() -> None:
    """Nobody's wish is lost."""
    together = merged(
        [
            Wake(until_ms=900, wake_on=WakeOn(fill=True, price=(ABOVE,))),
            Wake(until_ms=700, wake_on=WakeOn(price=(ABOVE, BELOW))),
            Wake(wake_on=WakeOn(liquidation=True)),
        ],
        600,
    )
    wanted = WakeOn(fill=True, liquidation=True, price=(ABOVE, BELOW))
    assert Wake(until_ms=700, wake_on=wanted) == together


def test_a_time_that_has_passed_means_the_next_moment() -> None:
    assert 601 == merged([Wake(until_ms=5)], 600).until_ms


def test_of_several_bars_one_is_a_condition_and_the_others_times() -> None:
    """Three and five minutes have no common wake-up but both are kept."""
    now_ms = 4 * MINUTE_MS
    together = merged([Wake(wake_on=WakeOn(bar="5m")), Wake(wake_on=WakeOn(bar="3m"))], now_ms)
    assert Wake(until_ms=5 * MINUTE_MS, wake_on=WakeOn(bar="3m")) == together
    assert merged([Wake(wake_on=WakeOn(bar="1h"))], now_ms).until_ms is None


@pytest.mark.parametrize(
    ("wish", "woke_by", "due"),
    [
        (Wake(until_ms=MINUTE_MS), ("time",), True),
        (Wake(until_ms=MINUTE_MS + 1), ("time", "fill", "price"), False),
        (Wake(wake_on=WakeOn(fill=True)), ("fill",), True),
        (Wake(wake_on=WakeOn(order=True)), ("fill",), False),
        (Wake(wake_on=WakeOn(bar="1m")), ("time",), True),
        (Wake(wake_on=WakeOn(bar="1h")), ("bar",), False),
        (Wake(wake_on=WakeOn(price=(ABOVE,))), ("price",), True),
        (Wake(), ("fill", "order", "liquidation", "bar", "price"), False),
    ],
)
def test_a_wish_is_due_when_its_own_reason_has_come(
    wish: Wake, woke_by: tuple[str, ...], due: bool
) -> None:
    assert due is wish.due(MINUTE_MS, woke_by)


@pytest.mark.parametrize(
    ("now_ms", "expected"), [(0, 900_000), (899_999, 900_000), (900_000, 1_800_000)]
)
def test_the_next_boundary_is_always_ahead(now_ms: int, expected: int) -> None:
    """At a boundary the next one is meant."""
    assert expected == next_boundary_ms(now_ms, 900_000)
