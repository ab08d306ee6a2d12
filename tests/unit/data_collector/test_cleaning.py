"""Rows as published become bars; what cannot be true is left out and counted."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.data_collector.market import NOW_MS, START_MS, make_bars

from data_collector.domain.cleaning import clean_bars, clean_funding, decimals_of
from data_collector.domain.epochs import to_epoch_ms
from data_collector.domain.findings import Findings
from suite.bars import MINUTE_MS, Bars
from suite.klines import COLUMNS, bars_equal


def rows_of(bars: Bars) -> dict[str, Any]:
    return {"time": bars.open_time_ms.copy(), **{n: getattr(bars, n).copy() for n in COLUMNS[1:]}}


def clean(rows: dict[str, Any], **options: Any) -> tuple[Bars, Findings]:
    return clean_bars(rows, **{"coin": "BTC", "interval": "1m", "now_ms": NOW_MS, **options})


def test_good_rows_come_through_unchanged() -> None:
    """Nothing is repaired, rounded or counted."""
    bars, findings = clean(rows_of(make_bars(50)))
    assert bars_equal(make_bars(50), bars)
    assert Findings(rows=50, kept=50, price_decimals=1) == findings


@given(st.permutations(range(12)))
def test_order_of_rows_does_not_matter(order: list[int]) -> None:
    """Shuffled rows give the same bars."""
    rows = {name: values[order] for name, values in rows_of(make_bars(12)).items()}
    bars, findings = clean(rows)
    assert bars_equal(make_bars(12), bars)
    late = sum(index < max(order[: place + 1]) for place, index in enumerate(order))
    assert late == findings.out_of_order


def test_repeated_rows_are_duplicates_and_changed_ones_conflicts() -> None:
    """Of conflicting rows the last one is kept."""
    rows = rows_of(make_bars(5))
    twice = {name: np.concatenate([values, values[1:3]]) for name, values in rows.items()}
    twice["close"][-1] += 0.1
    bars, findings = clean(twice)
    assert (5, 1, 1, 2) == (
        findings.kept,
        findings.duplicates,
        findings.conflicts,
        findings.out_of_order,
    )
    assert twice["close"][-1] == bars.close[2]


@pytest.mark.parametrize(
    ("column", "value", "fault"),
    [
        ("high", 1.0, "ohlc_violations"),
        ("low", 1e6, "ohlc_violations"),
        ("close", float("nan"), "not_positive"),
        ("open", float("inf"), "not_positive"),
        ("low", 0.0, "not_positive"),
        ("volume", -1.0, "not_positive"),
        ("volume", float("nan"), "not_positive"),
        ("time", START_MS + 2 * MINUTE_MS + 1, "off_grid"),
        ("time", NOW_MS, "unfinished"),
    ],
)
def test_row_that_cannot_be_true_is_left_out_and_counted(
    column: str, value: float, fault: str
) -> None:
    """Each fault has its own count, and the rest of the file is kept."""
    rows = rows_of(make_bars(5))
    rows[column][2] = value
    bars, findings = clean(rows)
    assert (1, 4, 1) == (getattr(findings, fault), findings.kept, findings.dropped)
    assert START_MS + 2 * MINUTE_MS not in bars.open_time_ms


def test_gaps_are_counted_in_bars() -> None:
    """Two holes of three bars together."""
    _, findings = clean(rows_of(make_bars(10, skip=[3, 4, 7])))
    assert (2, 3) == (findings.gaps, findings.missing_bars)


def test_prices_finer_than_the_price_unit_are_kept_and_counted() -> None:
    """BTC has one digit after the point."""
    rows = rows_of(make_bars(5))
    rows["high"][1], rows["high"][2] = 100.65, 100.75
    bars, findings = clean(rows)
    assert (2, 2, 5) == (findings.off_lattice, findings.price_decimals, len(bars))


def test_interval_is_told_from_the_rows() -> None:
    """The usual distance counts, gaps do not."""
    bars, _ = clean(rows_of(make_bars(20, step_ms=5 * MINUTE_MS, skip=[4, 9])), interval=None)
    assert 5 * MINUTE_MS == bars.interval_ms


def test_interval_that_is_not_that_of_the_rows_is_refused() -> None:
    """A wrong name must not make a series of gaps."""
    with pytest.raises(ValueError, match="rows are 5 minutes apart, which is not 1m"):
        clean(rows_of(make_bars(20, step_ms=5 * MINUTE_MS)))
    with pytest.raises(ValueError, match="too few rows"):
        clean(rows_of(make_bars(1)), interval=None)
    with pytest.raises(ValueError, match="no interval of 420000 ms"):
        clean(rows_of(make_bars(9, step_ms=7 * MINUTE_MS)), interval=None)


def test_funding_stamps_lose_their_jitter() -> None:
    """A few milliseconds more or less are the same stamp."""
    rows = {
        "time": np.array([START_MS + 3, START_MS + 28_800_000 - 2, START_MS]),
        "rate": np.array([0.0001, -0.0002, 0.0001]),
    }
    times, rates, findings = clean_funding(rows)
    assert [START_MS, START_MS + 28_800_000] == times.tolist()
    assert [0.0001, -0.0002] == rates.tolist()
    assert (1, 1) == (findings.duplicates, findings.out_of_order)


@pytest.mark.parametrize("scale", [1, 1000, 1_000_000])
def test_times_are_understood_in_every_unit(scale: int) -> None:
    """Milliseconds, microseconds and nanoseconds are told apart by their size."""
    assert [START_MS] == to_epoch_ms(np.array([START_MS * scale])).tolist()


def test_times_in_seconds_and_dates_are_understood() -> None:
    """Whole and fractional seconds, dates, and what is no time at all."""
    seconds = START_MS // 1000
    assert [START_MS] == to_epoch_ms(np.array([seconds])).tolist()
    assert [START_MS + 500, -1] == to_epoch_ms(np.array([seconds + 0.5, np.nan])).tolist()
    dates = np.array(["2025-05-05", "NaT"], "datetime64[D]")
    assert [START_MS, -1] == to_epoch_ms(dates).tolist()


@given(st.integers(0, 10**9), st.integers(0, 6))
def test_decimals_are_those_of_the_printed_price(units: int, decimals: int) -> None:
    """As many digits as the shortest decimal form has."""
    price = units / 10**decimals
    printed = f"{price:.6f}".rstrip("0").partition(".")[2]
    assert len(printed) == decimals_of(np.array([price]))
