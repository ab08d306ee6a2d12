"""What a list of entries would have made of recent bars, each order at its ratio to the price.

An order list is put into ratios of the price it was decided at, and each entry is followed through
windows of the bars that the trader was shown: nothing of it is later than its own clock. Inside a
bar the worse comes first; an entry that rests must be traded through; both ways are paid for. It
knows no funding, no slippage beyond the costs and no other position: it is a look, not a backtest.
"""

import statistics
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

import msgspec

from strategy_core.llm.answer import Item, Signal
from suite.bars import MINUTE_MS

OPEN_MS, OPEN, HIGH, LOW, CLOSE = range(5)
COSTS: Final = Decimal("0.0012")
"""What a way in and out costs, fees and slippage, as a fraction of the notional."""


class Ratios(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of a list, by its ratios to the price it was decided at.

    Attributes:
        side: 1 long, -1 short.
        entry: 1 for the market; stop, target: None for none.
        limit: whether it rests.
    """

    coin: str
    side: int
    entry: float = 1.0
    stop: float | None = None
    target: float | None = None
    limit: bool = False


class Planned(msgspec.Struct, frozen=True, kw_only=True):
    """A list that waits to be looked at when its time has passed."""

    at_ms: int
    until_ms: int
    entries: tuple[Ratios, ...]


def rebased(items: Sequence[Item], mids: Mapping[str, Decimal]) -> tuple[Ratios, ...]:
    """Put the entries of an answer into ratios; what has no price is left out."""
    found = []
    for item in items:
        mid = mids.get(item.coin)
        if item.signal not in {Signal.BUY, Signal.SELL} or not mid:
            continue
        found.append(
            Ratios(
                coin=item.coin,
                side=1 if item.signal is Signal.BUY else -1,
                entry=1.0 if item.limit is None else float(item.limit / mid),
                stop=None if item.stop_loss is None else float(item.stop_loss / mid),
                target=None if item.take_profit is None else float(item.take_profit / mid),
                limit=item.limit is not None,
            )
        )
    return tuple(found)


def outcomes(
    entry: Ratios, rows: Sequence[Sequence[Any]], *, length: int, windows: int
) -> list[float | None]:
    """Follow an entry through windows of bars.

    Args:
        entry: in ratios.
        rows: closed bars, oldest first, `[open_time_ms, open, high, low, close, ...]`.
        length: bars of a window.
        windows: how many, the newest of those there are; they overlap where bars are few.

    Returns:
        The return of each on its notional, costs paid, oldest first; None where it was not filled.
    """
    starts = starts_of(len(rows), length=length, windows=windows)
    return [follow(entry, rows[at - 1][CLOSE], rows[at : at + length]) for at in starts]


def starts_of(count: int, *, length: int, windows: int) -> list[int]:
    """Choose windows of so many bars: the place of the first bar of each, oldest first."""
    last = count - length
    if last < 1 or windows < 1:
        return []
    step = max(1, (last - 1) // max(1, windows - 1)) if windows > 1 else 1
    return sorted({last - step * index for index in range(windows) if last - step * index >= 1})


def follow(entry: Ratios, base: float, rows: Sequence[Sequence[Any]]) -> float | None:
    """Follow an entry from a price through bars; None where it is not filled."""
    side, price = entry.side, base * entry.entry
    held = not entry.limit
    for row in rows:
        if not held:
            beyond = row[LOW] < price if side > 0 else row[HIGH] > price
            if not beyond:
                continue
            held = True
        worst, best = (row[LOW], row[HIGH]) if side > 0 else (row[HIGH], row[LOW])
        if entry.stop is not None and (worst - base * entry.stop) * side <= 0:
            gap = row[OPEN] if (row[OPEN] - base * entry.stop) * side < 0 else base * entry.stop
            return _return(price, gap, side)
        if entry.target is not None and (best - base * entry.target) * side >= 0:
            return _return(price, base * entry.target, side)
    return _return(price, rows[-1][CLOSE], side) if held and rows else None


def in_words(entry: Ratios, found: Sequence[float | None]) -> str:
    """Tell a distribution in one line."""
    side = "long" if entry.side > 0 else "short"
    filled = [value for value in found if value is not None]
    if not found:
        return f"{entry.coin} {side}: too few bars to look at"
    if not filled:
        return f"{entry.coin} {side}: not filled in {len(found)} windows"
    won = sum(value > 0 for value in filled)
    return (
        f"{entry.coin} {side}: {len(found)} windows, {len(filled)} filled, {won} won, median "
        f"{_percent(statistics.median(filled))}, worst {_percent(min(filled))}, best "
        f"{_percent(max(filled))}"
    )


def outcome_in_words(entry: Ratios, value: float | None) -> str:
    """Tell what one entry came to."""
    side = "long" if entry.side > 0 else "short"
    return f"{entry.coin} {side}: {'not filled' if value is None else _percent(value)}"


def since(rows: Sequence[Sequence[Any]], at_ms: int, until_ms: int) -> list[Sequence[Any]]:
    """Bars that began at a time or later and ended by another."""
    if len(rows) < 2:
        return []
    length_ms = max(MINUTE_MS, rows[-1][OPEN_MS] - rows[-2][OPEN_MS])
    return [row for row in rows if row[OPEN_MS] >= at_ms and row[OPEN_MS] + length_ms <= until_ms]


def _return(paid: float, got: float, side: int) -> float:
    return float((got / paid - 1.0) * side - float(COSTS))


def _percent(value: float) -> str:
    return f"{100 * value:+.2f} %"
