"""Which of Binance's public files hold a range of time, and for which part it must be asked."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np

from suite.bars import DAY_MS
from suite.klines import Gap

MONTH_IS_LATE_MS: Final = 10 * DAY_MS
"""The file of a month comes some days after its end."""
DAY_IS_LATE_MS: Final = 3 * DAY_MS
"""That of a day some hours after."""


class Shelf(StrEnum):
    """Where a piece is."""

    MONTHLY = "monthly"
    DAILY = "daily"
    ASKED = "asked"


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a range that one file holds, or that is asked for.

    Attributes:
        span: what is wanted of it.
        stamp: `2025-05` or `2025-05-31`, as files are named; empty for what is asked for.
        is_final: a file that is not there now will never be.
    """

    shelf: Shelf
    span: Gap
    stamp: str
    is_final: bool


def plan(span: Gap, now_ms: int) -> Iterator[Piece]:
    """Cut a range into whole months, days, and what is younger than the last whole day; rising."""
    today_ms = now_ms // DAY_MS * DAY_MS
    cursor = span.start_ms
    while cursor < span.end_ms:
        month = _month_of(cursor)
        if cursor == month.start_ms and month.end_ms <= min(span.end_ms, today_ms):
            yield _month(month, now_ms)
            cursor = month.end_ms
        elif cursor < today_ms:
            end_ms = min(cursor // DAY_MS * DAY_MS + DAY_MS, span.end_ms)
            yield from days(Gap(cursor, end_ms), now_ms)
            cursor = end_ms
        else:
            yield Piece(Shelf.ASKED, Gap(cursor, span.end_ms), "", is_final=False)
            return


def days(span: Gap, now_ms: int) -> Iterator[Piece]:
    """Cut a range of the past into days."""
    cursor = span.start_ms
    while cursor < span.end_ms:
        day = cursor // DAY_MS * DAY_MS
        end_ms = min(day + DAY_MS, span.end_ms)
        stamp = str(np.datetime64(day, "ms").astype("datetime64[D]"))
        is_final = day + DAY_MS + DAY_IS_LATE_MS <= now_ms
        yield Piece(Shelf.DAILY, Gap(cursor, end_ms), stamp, is_final)
        cursor = end_ms


def months(span: Gap, now_ms: int) -> Iterator[Piece]:
    """Cut a range into months, and what is younger than the last whole one."""
    cursor = span.start_ms
    while cursor < span.end_ms:
        month = _month_of(cursor)
        if month.end_ms > now_ms:
            yield Piece(Shelf.ASKED, Gap(cursor, span.end_ms), "", is_final=False)
            return
        end_ms = min(month.end_ms, span.end_ms)
        whole = _month(month, now_ms)
        yield Piece(Shelf.MONTHLY, Gap(cursor, end_ms), whole.stamp, whole.is_final)
        cursor = end_ms


def _month(month: Gap, now_ms: int) -> Piece:
    stamp = str(np.datetime64(month.start_ms, "ms").astype("datetime64[M]"))
    is_final = month.end_ms + MONTH_IS_LATE_MS <= now_ms
    return Piece(Shelf.MONTHLY, month, stamp, is_final)


def _month_of(time_ms: int) -> Gap:
    first = np.datetime64(time_ms, "ms").astype("datetime64[M]")
    start, end = (moment.astype("datetime64[ms]").astype(np.int64) for moment in (first, first + 1))
    return Gap(int(start), int(end))
