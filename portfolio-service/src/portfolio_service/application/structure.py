"""Market structure of the bars of a chart, from the very step that a model's features come from."""

import asyncio
from typing import Final

import msgspec
import numpy as np

from portfolio_service.application.services import ServiceReads
from suite.bars import Bars
from suite.errors import BadRequest, UpstreamRefused
from suite.intervals import INTERVAL_MS

BEFORE: Final = 500
"""Bars read before the first that is asked for: what happened in them still lives."""


class StructureRow(msgspec.Struct, frozen=True, kw_only=True):
    """One structure.

    Attributes:
        kind: `swing`, `sweep`, `break`, `change`, `order_block` or `fair_value_gap`.
        side: 1 for a swing high and for what is bullish, -1 for a swing low and what is bearish.
        known_ms: close of the bar that showed it; from_ms: open time of the bar it is about.
        low, high: USD.
        strength: of a sweep, 0 to 1.
        ended_ms: when it was known that a zone is no more; null while it lives.
        end: `broken`, `expired`, `crowded` or `forgotten`; empty while it lives.
    """

    kind: str
    side: int
    known_ms: int
    from_ms: int
    low: float
    high: float
    strength: float
    ended_ms: int | None
    end: str


class StructuresAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """`GET /api/structures`: what is in sight of a range of closed bars.

    Attributes:
        as_of_ms: close of the last bar that was read; 0 where there is none.
    """

    interval_ms: int
    as_of_ms: int
    structures: tuple[StructureRow, ...]


class _Row(msgspec.Struct, frozen=True):
    open_time_ms: int
    open: float
    high: float
    low: float
    close: float
    volume: float


_decode: Final = msgspec.json.Decoder(list[_Row], strict=False).decode


async def structures_of(
    reads: ServiceReads, symbol: str, interval: str, start_ms: int, end_ms: int
) -> StructuresAnswer:
    """Find the structures of a range of closed bars.

    Raises:
        SuiteError: there is no such interval, or the data service is away or refuses.
    """
    step = INTERVAL_MS.get(interval)
    if step is None:
        raise BadRequest(f"interval {interval!r}: one of {', '.join(INTERVAL_MS)}")
    first_ms = max(0, start_ms - BEFORE * step)
    query = {"interval": interval, "start": str(first_ms), "end": str(end_ms)}
    try:
        rows = _decode(await reads.data(f"klines/{symbol}", query))
    except msgspec.DecodeError as error:
        raise UpstreamRefused("the data service tells bars in another shape") from error
    if not rows:
        return StructuresAnswer(interval_ms=step, as_of_ms=0, structures=())
    found = await asyncio.to_thread(_found, rows, step, start_ms)
    as_of_ms = rows[-1].open_time_ms + step
    return StructuresAnswer(interval_ms=step, as_of_ms=as_of_ms, structures=found)


def _found(rows: list[_Row], step: int, start_ms: int) -> tuple[StructureRow, ...]:
    """Run the features; a thread's work, since the first time they are compiled."""
    from strategy_core.ict.features import BarRefused
    from strategy_core.ict.structures import structures

    columns = [
        np.array([getattr(row, name) for row in rows], np.float64)
        for name in ("open", "high", "low", "close", "volume")
    ]
    times = np.array([row.open_time_ms for row in rows], np.int64)
    try:
        found = structures(Bars(step, times, *columns))
    except BarRefused as error:
        raise UpstreamRefused(f"the data service tells a bar that cannot be: {error}") from error
    return tuple(
        StructureRow(
            kind=one.kind.value,
            side=one.side,
            known_ms=one.known_ms,
            from_ms=one.from_ms,
            low=one.low,
            high=one.high,
            strength=round(one.strength, 6),
            ended_ms=one.ended_ms,
            end=one.end.value if one.end else "",
        )
        for one in found
        if max(one.known_ms, one.ended_ms or 0) >= start_ms or _lives(one.kind.value, one.ended_ms)
    )


def _lives(kind: str, ended_ms: int | None) -> bool:
    return kind in ("order_block", "fair_value_gap") and ended_ms is None
