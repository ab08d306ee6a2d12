"""Moments as people, programs and the data contract write them; inside, time is epoch ms."""

from datetime import UTC, datetime

LATEST_MS = 253_402_300_800_000


def parse_moment(value: str | int) -> int:
    """Read `2025-05-05`, `2025-05-05T12:30`, or epoch ms; without an offset it is UTC.

    Raises:
        ValueError: it is none of these.
    """
    text = str(value).strip()
    if isinstance(value, int):
        moment_ms = value
    elif text.isdigit() and len(text) > 8:
        moment_ms = int(text)
    else:
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            raise ValueError(f"not a date: {text[:40]!r}; write 2025-05-05") from None
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        moment_ms = round(moment.timestamp() * 1000)
    if not 0 <= moment_ms < LATEST_MS:
        raise ValueError(f"not a moment between 1970 and 9999: {text[:40]!r}")
    return moment_ms


def parse_timestamp(text: str) -> int:
    """Read a timestamp of the data contract: above 1e11 it is ms, else seconds.

    Raises:
        ValueError: not a number of that kind.
    """
    try:
        value = float(text) if "." in text else int(text)
    except ValueError:
        raise ValueError(f"not a timestamp: {text[:40]!r}") from None
    if not 0 <= value < LATEST_MS:
        raise ValueError(f"timestamp out of range: {text[:40]!r}")
    return int(value) if value > 1e11 else int(value * 1000)


def format_moment(time_ms: int) -> str:
    """Write a moment for people: a date where it is midnight UTC, else with minutes."""
    moment = datetime.fromtimestamp(time_ms / 1000, UTC)
    midnight = (moment.hour, moment.minute, moment.second) == (0, 0, 0)
    return moment.strftime("%Y-%m-%d" if midnight else "%Y-%m-%d %H:%M")
