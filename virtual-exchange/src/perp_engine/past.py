"""What the engine showed at a boundary that has passed; the tape alone tells it.

At the present boundary it is what `Engine.print_price` and `Engine.last_funding` say.
"""

from typing import Final

import numpy as np

from perp_engine.rules import FillAt, Rules
from perp_engine.tape import CLOSE, NO_BAR, OPEN, VOLUME, Tape
from perp_engine.views import FundingStamp
from suite.bars import HOUR_MS
from suite.fixed import Price, Rate

_FIRST_INTERVAL_MS: Final = 8 * HOUR_MS
"""Taken for the interval before the first stamp that is stored."""


def print_at(tape: Tape, rules: Rules, symbol: int, at_ms: int) -> Price:
    """Price the book of a boundary stood around, 0 when it had none."""
    bar = (at_ms - tape.start_ms) // tape.interval_ms
    if not 0 <= bar < tape.length or tape.bars[symbol, VOLUME, bar] == NO_BAR:
        return Price(0)
    last = bar - 1 if rules.fill_at is FillAt.CLOSE else -1
    while last >= 0 and tape.bars[symbol, VOLUME, last] == NO_BAR:
        last -= 1
    word = tape.bars[symbol, CLOSE, last] if last >= 0 else tape.bars[symbol, OPEN, bar]
    return Price(int(word))


def funding_at(tape: Tape, rules: Rules, symbol: int, at_ms: int) -> FundingStamp | None:
    """Find the funding that had been settled last at a time."""
    stamps = tape.funding[symbol]
    if len(stamps) == 0:
        stamp = at_ms // HOUR_MS * HOUR_MS
        if stamp < tape.start_ms:
            return None
        return FundingStamp(time_ms=stamp, rate=rules.funding_rate, interval_ms=HOUR_MS)
    row = int(np.searchsorted(stamps[:, 0], at_ms, side="right")) - 1
    if row < 0:
        return None
    time_ms = int(stamps[row, 0])
    interval_ms = time_ms - int(stamps[row - 1, 0]) if row else _FIRST_INTERVAL_MS
    return FundingStamp(time_ms=time_ms, rate=Rate(int(stamps[row, 1])), interval_ms=interval_ms)
