"""Sums over a run instead of its fills: what many runs of one account are compared by."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from perp_engine.kernel import layout, tally
from perp_engine.kernel.jit import handle
from suite.bars import I64
from suite.checks import check


@dataclass(frozen=True, slots=True, kw_only=True)
class Traded:
    """What an account has traded, all coins together.

    Attributes:
        entered: positions that were begun; one that is turned round begins another.
        notional: absolute value of all fills, micro-USD.
        fees: micro-USD, positive when paid.
        funding: micro-USD as the account sees it, negative when paid.
        held_ms: time with a position in any coin.
    """

    entered: int
    notional: int
    fees: int
    funding: int
    held_ms: int


class Tally:
    """Adds up rows of the event table; see `Engine`.

    Args:
        samples: of the equity curve that there may be.
    """

    def __init__(self, samples: int = 0) -> None:
        self._sums = np.zeros(tally.TALLY_WORDS, np.int64)
        self._samples = np.zeros(samples + 1, np.int64)

    def add(self, rows: I64) -> None:
        """Add rows, shape (events, words)."""
        flat = rows.reshape(-1)
        found = tally.add_up(
            handle(self._sums), handle(flat), len(rows), handle(self._samples), len(self._samples)
        )
        check(found <= len(self._samples), "more samples of equity than were made room for")

    def add_fills(self, fills: Iterable[tuple[int, int, int, int, int, int]]) -> None:
        """Add fills: time, position before, side, size, price and fee of each, as of `Fill`."""
        wanted = np.array(list(fills), np.int64).reshape(-1, 6)
        rows = np.zeros((len(wanted), layout.EVENT_WORDS), np.int64)
        rows[:, 0] = layout.EVENT_FILL
        rows[:, [1, 10, 6, 7, 8, 12]] = wanted
        self.add(rows)

    def clear(self) -> None:
        """Forget all."""
        self._sums[:] = 0

    def equity(self) -> I64:
        """Samples of the first account's equity, shape (samples,), micro-USD."""
        return self._samples[: self._sums[tally.SAMPLES]].copy()

    def traded(self, *, end_ms: int, funding: int = 0) -> Traded:
        """Sum up what there was until a time.

        Args:
            end_ms: what is still held is held until then.
            funding: besides that of rows, micro-USD.
        """
        sums = self._sums.tolist()
        held_ms = sums[tally.HELD_MS]
        if sums[tally.HELD]:
            held_ms += end_ms - sums[tally.SINCE_MS]
        return Traded(
            entered=sums[tally.ENTERED],
            notional=sums[tally.NOTIONAL],
            fees=sums[tally.FEES],
            funding=sums[tally.FUNDING] + funding,
            held_ms=held_ms,
        )
