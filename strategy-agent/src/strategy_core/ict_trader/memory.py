"""What is remembered of a coin over a restart."""

import msgspec

from strategy_core.learning.signals import Held
from strategy_core.quoting.stamps import StampsState


class Proposed(msgspec.Struct, frozen=True):
    """A trade that a bar has proposed, until its label is known.

    Attributes:
        open_ms: of the bar.
        side: 1 or -1.
        seen: float64 of the features and the ATR, as bytes.
    """

    open_ms: int
    side: int
    seen: bytes


class HourOfReturns(msgspec.Struct):
    """Log returns of one hour: when, how many, their sum and that of their squares."""

    hour: int
    count: int = 0
    total: float = 0.0
    square: float = 0.0


class CoinState(msgspec.Struct, frozen=True, kw_only=True):
    """What is remembered of a coin over a restart; arrays as bytes."""

    stream: bytes
    bars: bytes
    held: Held
    waiting: tuple[Proposed, ...]
    returns: tuple[HourOfReturns, ...]
    stamps: StampsState
    settled: tuple[tuple[int, float], ...]
