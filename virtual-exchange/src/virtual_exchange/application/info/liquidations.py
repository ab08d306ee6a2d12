"""Which fills a liquidation made."""

from bisect import bisect_left, bisect_right
from typing import Final, TypeVar

from perp_engine.events import Fill, Liquidated
from suite.enums import FillCause, MarginMode
from virtual_exchange.application.book import AccountBook

T = TypeVar("T", Fill, Liquidated)
_BY_FORCE: Final = frozenset({FillCause.LIQUIDATION, FillCause.BACKSTOP})


def fills_of(book: AccountBook, number: int) -> list[Fill]:
    """Fills that a liquidation made.

    A pool may fall short several times in one bar, all at the same time. Each time it sells a coin
    at most once, so a coin that comes again begins what the next one made.
    """
    event = book.liquidations[number]
    same = [e for e in _at(book.liquidations, event.time_ms) if _pool(e) == _pool(event)]
    rounds: list[list[Fill]] = [[]]
    for fill in _at(book.fills, event.time_ms):
        of_coin = event.mode is MarginMode.CROSS or fill.symbol == event.symbol
        if fill.cause in _BY_FORCE and of_coin:
            again = any(fill.symbol == other.symbol for other in rounds[-1])
            if again and len(rounds) < len(same):
                rounds.append([])
            rounds[-1].append(fill)
    place = next(place for place, e in enumerate(same) if e is event)
    return rounds[place] if place < len(rounds) else []


def _at(events: list[T], time_ms: int) -> list[T]:
    """Events of one time, of all in the order of time."""
    first = bisect_left(events, time_ms, key=_time_of)
    return events[first : bisect_right(events, time_ms, lo=first, key=_time_of)]


def _time_of(event: Fill | Liquidated) -> int:
    return event.time_ms


def _pool(event: Liquidated) -> int:
    """Name the pool that fell short: an isolated position by its coin."""
    return -1 if event.mode is MarginMode.CROSS else event.symbol
