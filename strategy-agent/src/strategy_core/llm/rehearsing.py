"""How a meeting has its list replayed by an exchange: in full, with minutes, fees and funding."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, NamedTuple, Protocol

from strategy_core.lattice import round_price, round_size_down
from strategy_core.llm.windows import CLOSE, OPEN_MS, Ratios, starts_of
from strategy_core.port import Instruments
from suite.contracts.venue import Leg, PlaceOrder
from suite.instrument import Instrument

NOTIONAL = Decimal(1_000)
"""Of each replayed entry, USD: small enough to move nothing."""


class Trial(NamedTuple):
    """One entry, in one window.

    Attributes:
        from_ms, to_ms: the window; it has ended before the trader's now.
        base: price at its start, USD.
        order: the entry, re-based.
    """

    from_ms: int
    to_ms: int
    base: Decimal
    order: PlaceOrder


class Skipped(Exception):
    """There is no replay, and this says why; nothing else is wrong."""


class Rehearsals(Protocol):
    """An exchange that replays orders over recorded bars."""

    def replay(self, trials: Sequence[Trial]) -> list[float | None]:
        """Replay entries, each on an account of its own, and wait.

        Args:
            trials: of one coin.

        Returns:
            For each its return on its notional, all costs paid; None where it was not filled.

        Raises:
            Skipped: they cannot be replayed.
        """
        ...


def trials_of(
    entry: Ratios,
    rows: Sequence[Sequence[Any]],
    instruments: Instruments,
    *,
    length: int,
    windows: int,
) -> list[Trial]:
    """Put an entry into recent windows, each at its ratio to the price there.

    Args:
        entry: in ratios.
        rows: closed bars, oldest first, as `strategy_core.llm.windows.outcomes` takes them.
        instruments: of the venue.
        length: bars of a window.
        windows: how many.
    """
    if len(rows) < 2:
        return []
    bar_ms = int(rows[-1][OPEN_MS] - rows[-2][OPEN_MS])
    found = []
    for at in starts_of(len(rows), length=length, windows=windows):
        from_ms, base = int(rows[at][OPEN_MS]), Decimal(str(rows[at - 1][CLOSE]))
        order = _order(entry, instruments[entry.coin], base)
        found.append(Trial(from_ms, from_ms + length * bar_ms, base, order))
    return found


def _order(entry: Ratios, instrument: Instrument, base: Decimal) -> PlaceOrder:
    def price(ratio: float | None) -> Decimal | None:
        if ratio is None:
            return None
        return round_price(instrument, base * Decimal(str(ratio)), up=entry.side < 0)

    stop, target = price(entry.stop), price(entry.target)
    limit = price(entry.entry) if entry.limit else None
    return PlaceOrder(
        coin=entry.coin,
        is_buy=entry.side > 0,
        sz=round_size_down(instrument, NOTIONAL / base),
        limit_px=limit or Decimal(0),
        stop_loss=None if stop is None else Leg(price=stop),
        take_profit=None if target is None else Leg(price=target),
    )
