"""What funding does to quotes: the examples of the specification."""

from decimal import Decimal

import pytest
from tests.support.quoting import START_MS, D, snapshot

from strategy_core.quoting.funding import (
    FundingTerms,
    lean_of,
    pays_to_hold,
    pays_to_leave,
    target_of,
)
from strategy_core.quoting.stamps import FundingStamps
from suite.bars import HOUR_MS

TERMS = FundingTerms(
    kappa=D(1),
    horizon_hours=D(4),
    reference_hourly=D("0.0001"),
    stress_hourly=D("0.0005"),
    maker_fee=D("0.00015"),
    taker_fee=D("0.00045"),
    slippage=D("0.00005"),
    stamp_window_ms=300_000,
)
HALF = D("0.0005")


@pytest.mark.parametrize(
    ("hourly", "lean"),
    [
        (D("0.0003") / 8, "-0.00015"),  # 0.03 % in 8 h: 1.5 bp down
        (D("0.0003"), "-0.0004"),  # in 1 h: 12 bp, clipped to 4 of a half-spread of 5
        (D("-0.0003"), "0.0004"),
        (D(0), "0"),
    ],
)
def test_lean_is_the_funding_of_the_holding_time_within_the_half_spread(
    hourly: Decimal, lean: str
) -> None:
    """Four hours of it; positive funding moves both quotes down."""
    assert D(lean) == lean_of(hourly, TERMS, half=HALF)


@pytest.mark.parametrize(
    ("hourly", "target"),
    [("0.0000375", "-37.5"), ("0.00005", "-50"), ("0.0004", "-50"), ("-0.00001", "10"), ("0", "0")],
)
def test_target_is_the_paid_side_up_to_half_the_limit(hourly: str, target: str) -> None:
    """Longs pay: short. A hundred are allowed, 1 bp an hour is the reference."""
    assert D(target) == target_of(D(hourly), TERMS, limit=D(100))


def test_holding_over_a_stamp_pays_beyond_four_basis_points() -> None:
    """2 * 1.5 bp + 2 * 0.5 bp: 3 bp do not pay, 4.1 bp do, whoever pays."""
    assert [False, False, True, True] == [
        pays_to_hold(D(rate), TERMS) for rate in ("0.0003", "0.0004", "0.00041", "-0.00041")
    ]


def test_leaving_before_a_stamp_pays_when_crossing_is_cheaper_than_the_funding() -> None:
    """4.5 bp + 0.5 bp, and only where the position is the one that pays."""
    assert pays_to_leave(D(1), D("0.00051"), TERMS)
    assert pays_to_leave(D(-1), D("-0.00051"), TERMS)
    assert not pays_to_leave(D(1), D("0.0005"), TERMS)
    assert not pays_to_leave(D(-1), D("0.02"), TERMS)
    assert not pays_to_leave(D(0), D("0.02"), TERMS)


def test_the_interval_is_measured_from_the_stamps() -> None:
    """8 h until two stamps were seen, then what lies between them, jitter aside; it may change."""
    stamps = FundingStamps(assumed_hours=8)
    assert stamps.next_ms(START_MS) is None
    steps = [(0, 8), (4 * HOUR_MS + 7, 4), (8 * HOUR_MS + 3, 4), (9 * HOUR_MS + 11, 1)]
    for settled_ms, hours in steps:
        for _ in range(2):  # the same stamp is shown many times
            shown = snapshot(rate_hourly=1.25e-05, settled_at_ms=START_MS + settled_ms)
            stamps.see(shown)
            assert hours == stamps.hours
    assert D("0.0000125") == stamps.rate
    assert START_MS + 10 * HOUR_MS + 11 == stamps.next_ms(START_MS + 9 * HOUR_MS + 12)
    assert START_MS + 10 * HOUR_MS + 11 == stamps.next_ms(START_MS + 10 * HOUR_MS)
    assert START_MS + 11 * HOUR_MS + 11 == stamps.next_ms(START_MS + 10 * HOUR_MS + 11)


def test_a_snapshot_without_funding_changes_nothing() -> None:
    """Nor does one that never came."""
    stamps = FundingStamps(assumed_hours=1)
    stamps.see(None)
    stamps.see(snapshot())
    assert (D(0), 1, None) == (stamps.rate_hourly, stamps.hours, stamps.next_ms(START_MS))
