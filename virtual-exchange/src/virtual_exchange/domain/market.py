"""The market a world is made of, as loaded."""

from dataclasses import dataclass, field
from typing import Any

from perp_engine.tape import Tape
from suite.bars import F64, I64, Bars
from suite.checks import check
from suite.instrument import Instrument
from virtual_exchange.domain.growing import GrowingBars
from virtual_exchange.domain.masking import Mask


@dataclass(frozen=True, slots=True, weakref_slot=True, kw_only=True)
class Market:
    """Everything about the market of one world; nothing in it is changed after loading.

    Attributes:
        instruments: tradable coins, in the order of the tape's symbols.
        tape: integer bars and funding of the range, on one grid.
        history: per coin the published bars up to the end of the range, with those stored before
            its start; open times off the range's grid do not occur.
        open_interest: per coin stamps and units of the coin; empty where nothing is known of any.
        sources: per coin where its data came from.
        synthetic: per coin whether it was generated.
        manifest: data hash, counts of quantised values, warnings.
        mask: how it differs from what was recorded, None for the recorded market itself.
        made: what readers have made of it, by who made it: worlds that share the market share
            that too.
    """

    instruments: tuple[Instrument, ...]
    tape: Tape
    history: tuple[Bars, ...]
    sources: tuple[str, ...]
    synthetic: tuple[bool, ...]
    manifest: dict[str, Any] = field(default_factory=dict)
    mask: Mask | None = None
    open_interest: tuple[tuple[I64, F64], ...] = ()
    made: dict[Any, Any] = field(default_factory=dict, repr=False, compare=False)

    def __post_init__(self) -> None:
        count = len(self.instruments)
        check(self.tape.symbols == count, "one instrument a symbol of the tape")
        check(len(self.history) == len(self.sources) == len(self.synthetic) == count, "one a coin")

    def bars_by(self, symbol: int, now_ms: int) -> Bars:
        """What a candle may be made of at a time: closed bars, and of a live market the open one.

        What comes after `now_ms` in a recorded market is in the future; in a live one nothing is.
        """
        history = self.history[symbol]
        if isinstance(history, GrowingBars):
            return history.begun_by(now_ms)
        return history.rows(0, history.closed_by(now_ms))

    @property
    def coins(self) -> tuple[str, ...]:
        """Names in the order of the tape."""
        return tuple(instrument.coin for instrument in self.instruments)
