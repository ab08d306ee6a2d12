"""Windows of a market that is loaded already: the same as if each had been loaded by itself."""

from dataclasses import replace

import numpy as np

from perp_engine.tape import Detail, Tape
from suite.bars import I64
from virtual_exchange.application.market.building import KNOWN_STAMPS
from virtual_exchange.domain.market import Market


def window_of(market: Market, from_ms: int, to_ms: int) -> Market:
    """Cut a recorded market to a range.

    Args:
        market: not masked.
        from_ms, to_ms: on its grid and inside it.
    """
    tape = market.tape
    first, end = tape.bar_at(from_ms), tape.bar_at(to_ms)
    detail = tape.detail
    if detail is not None:
        detail = Detail(detail.rows, np.ascontiguousarray(detail.first[:, first : end + 1]))
    cut = Tape(
        from_ms,
        tape.interval_ms,
        np.ascontiguousarray(tape.bars[:, :, first:end]),
        tuple(_stamps(table, from_ms, to_ms) for table in tape.funding),
        detail,
    )
    return replace(
        market,
        tape=cut,
        history=tuple(bars.between(0, to_ms) for bars in market.history),
        open_interest=tuple(
            (times[times <= to_ms], units[times <= to_ms]) for times, units in market.open_interest
        ),
        made={},
    )


def _stamps(table: I64, from_ms: int, to_ms: int) -> I64:
    """Stamps of a range and the last ones before it."""
    first = max(0, int(np.searchsorted(table[:, 0], from_ms)) - KNOWN_STAMPS)
    end = int(np.searchsorted(table[:, 0], to_ms, side="right"))
    return np.ascontiguousarray(table[first:end])
