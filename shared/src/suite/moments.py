"""Moments as people, programs and the data contract write them; inside, time is epoch ms."""

import re
from datetime import UTC, datetime

LATEST_MS = 253_402_300_800_000
_EPOCH_MS = re.compile(r"[0-9]{1,18}")
_SECONDS_OR_MS = re.compile(r"-?[0-9]+(\.[0-9]+)?")


def parse_moment(value: str | int) -> int:
    """Read `2025-05-05`, `2025-05-05T12:30`, or epoch ms; without an offset it is UTC.

    Digits alone are epoch ms, but for the eight of a date since 1970: `20250505`.

    Raises:
        ValueError: it is none of these.
    """
    text = str(value).strip()
    moment_ms = value if isinstance(value, int) else _date_ms(text)
    if (moment_ms is None or moment_ms < 0) and _EPOCH_MS.fullmatch(text):
        moment_ms = int(text)
    if moment_ms is None:
        raise ValueError(f"not a date: {text[:40]!r}; write 2025-05-05")
    if not 0 <= moment_ms < LATEST_MS:
        raise ValueError(f"not a moment between 1970 and 9999: {text[:40]!r}")
    return moment_ms


def parse_range(start: str | None, end: str | None) -> tuple[int | None, int | None]:
    """Read both ends of a range; None where one is not given.

    Raises:
        ValueError: one is no moment, or the start is after the end.
    """
    start_ms, end_ms = (None if text is None else parse_moment(text) for text in (start, end))
    if start_ms is not None and end_ms is not None and start_ms > end_ms:
        raise ValueError(f"start {start_ms} is after end {end_ms}")
    return start_ms, end_ms


def _date_ms(text: str) -> int | None:
    """Read an ISO date, or date and time; None when it is none."""
    if not text.isascii():
        return None  # the library takes any character between date and time
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return round(moment.timestamp() * 1000)


def parse_timestamp(text: str) -> int:
    """Read a timestamp of the data contract: above 1e11 it is ms, else seconds.

    Raises:
        ValueError: not a number of that kind.
    """
    if _SECONDS_OR_MS.fullmatch(text) is None:
        raise ValueError(f"not a timestamp: {text[:40]!r}")
    value = float(text)
    if not 0 <= value < LATEST_MS:
        raise ValueError(f"timestamp out of range: {text[:40]!r}")
    return int(value) if value > 1e11 else int(value * 1000)


def format_moment(time_ms: int) -> str:
    """Write a moment for people: a date where it is midnight UTC, else with minutes."""
    moment = datetime.fromtimestamp(time_ms / 1000, UTC)
    midnight = (moment.hour, moment.minute, moment.second) == (0, 0, 0)
    return moment.strftime("%Y-%m-%d" if midnight else "%Y-%m-%d %H:%M")
