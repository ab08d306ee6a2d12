"""Moments: dates, date and time, and numbers, all of them in UTC."""

import pytest

from suite.bars import DAY_MS, MINUTE_MS
from suite.moments import LATEST_MS, format_moment, parse_moment, parse_range, parse_timestamp

START_MS = 1_746_403_200_000
"""2025-05-05, a midnight."""


@pytest.mark.parametrize(
    ("text", "moment_ms"),
    [
        ("2025-05-05", START_MS),
        ("20250505", START_MS),
        ("2025-05-05T00:01", START_MS + MINUTE_MS),
        (" 2025-05-05 00:01 ", START_MS + MINUTE_MS),
        ("2025-05-05T02:00+02:00", START_MS),
        ("1970-01-01", 0),
    ],
)
def test_dates_without_an_offset_are_utc(text: str, moment_ms: int) -> None:
    assert moment_ms == parse_moment(text)


@pytest.mark.parametrize("moment_ms", [0, 1, 12, 60_000, 86_400_000, START_MS, LATEST_MS - 1])
def test_every_number_from_1970_to_9999_is_a_moment(moment_ms: int) -> None:
    assert moment_ms == parse_moment(moment_ms) == parse_moment(str(moment_ms))


def test_eight_digits_are_a_date_where_they_make_one() -> None:
    assert START_MS + DAY_MS == parse_moment("20250506")
    assert 20_251_345 == parse_moment("20251345")
    assert 19_691_231 == parse_moment("19691231")


@pytest.mark.parametrize(
    "text",
    [
        *("yesterday", "2025-13-01", "", "-5", "1_0", "1_746_403_200_000", "1e12", "0x10", "+5"),
        *(
            "\u0662\u0660\u0662\u0665-\u0660\u0665-\u0660\u0665",
            "\u0661\u0667\u0664\u0666\u0664\u0660\u0663\u0662\u0660\u0660\u0660\u0660\u0660",
            "\uff12\uff10\uff12\uff15",
            "²",
            "2025-05-05\u066012:30",
            "5.0",
        ),
        *(str(LATEST_MS), "9" * 5000),
    ],
)
def test_what_is_no_moment_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"not a (date|moment)"):
        parse_moment(text)


@pytest.mark.parametrize("moment_ms", [-1, LATEST_MS])
def test_number_outside_the_calendar_is_refused(moment_ms: int) -> None:
    with pytest.raises(ValueError, match="not a moment between 1970 and 9999"):
        parse_moment(moment_ms)


def test_timestamp_above_1e11_is_milliseconds() -> None:
    """The data contract's rule."""
    assert START_MS == parse_timestamp(str(START_MS)) == parse_timestamp(str(START_MS // 1000))
    assert 0 == parse_timestamp("0")
    assert START_MS + 500 == parse_timestamp(f"{START_MS // 1000}.5")


@pytest.mark.parametrize(
    "text",
    [
        *("nan", "nan-ish", "inf.", "", "1_0", "1_0.0", "1.0e3", "+5", " 5", "5 ", "5.", ".5"),
        *(
            "\u0661\u0667\u0664\u0666\u0664\u0660\u0663\u0662\u0660\u0660",
            "\uff11",
            "²",
            "1.\u0665",
            "-1",
            str(LATEST_MS),
            "9" * 5000,
            "9" * 5000 + ".5",
        ),
    ],
)
def test_what_is_no_timestamp_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"not a timestamp|out of range"):
        parse_timestamp(text)


def test_moments_are_written_for_people() -> None:
    assert "2025-05-05" == format_moment(START_MS)
    assert "2025-05-05 00:01" == format_moment(START_MS + MINUTE_MS)


def test_range_has_both_ends_one_or_none() -> None:
    assert (START_MS, START_MS + DAY_MS) == parse_range("2025-05-05", "2025-05-06")
    assert (START_MS, START_MS) == parse_range("2025-05-05", "2025-05-05")
    assert (None, START_MS) == parse_range(None, "2025-05-05")
    assert (None, None) == parse_range(None, None)


def test_range_that_runs_backwards_is_refused() -> None:
    with pytest.raises(ValueError, match=f"start {START_MS} is after end {START_MS - DAY_MS}"):
        parse_range("2025-05-05", "2025-05-04")
