"""What `execution` of a trader may say."""

from decimal import Decimal
from typing import Annotated

import msgspec

from strategy_core.lattice import exact

Fraction = Annotated[float, msgspec.Meta(ge=0, le=0.1)]


class ExecutionRules(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How orders are worked. Fractions are of notional or price.

    Times are counted at observations: where a step takes longer, one step counts as in time.

    Attributes:
        maker_fee, taker_fee: the venue's.
        half_spread: assumed where no snapshot tells the touch.
        requote_ms: least time between two modifications of a resting quote.
        requotes: how often a quote may be moved.
        cross_cap: how far through the touch an order that crosses may go.
        retries: how often a refusal that may pass is answered by a new attempt, in `retry_ms`.
        signal_ms: how old an entry's signal may be for such an attempt.
        slices: most slices of an order.
        slice_share: largest part of the volume since the last slice that a slice of an entry takes.
        exit_steps: how far through the touch an exit goes, attempt by attempt; then at market.
        exit_pause_ms: least time between two attempts.
        naked_ms: how long a position may lack its stop before it is closed.
        missed_ms: after which time a missed entry is compared with the market.
    """

    maker_fee: Annotated[float, msgspec.Meta(ge=-0.01, le=0.01)] = 0.00015
    taker_fee: Annotated[float, msgspec.Meta(ge=0, le=0.01)] = 0.00045
    half_spread: Fraction = 0.00005
    requote_ms: Annotated[int, msgspec.Meta(ge=500)] = 500
    requotes: Annotated[int, msgspec.Meta(ge=0, le=6)] = 6
    cross_cap: Fraction = 0.001
    retries: Annotated[int, msgspec.Meta(ge=0, le=5)] = 5
    retry_ms: Annotated[int, msgspec.Meta(ge=1000)] = 10_000
    signal_ms: Annotated[int, msgspec.Meta(ge=0, le=60_000)] = 3_000
    slices: Annotated[int, msgspec.Meta(ge=1, le=20)] = 20
    slice_share: Annotated[float, msgspec.Meta(gt=0, le=0.1)] = 0.1
    exit_steps: tuple[Fraction, ...] = (0.001, 0.003, 0.01)
    exit_pause_ms: Annotated[int, msgspec.Meta(ge=0, le=10_000)] = 1_000
    naked_ms: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 10_000
    missed_ms: Annotated[int, msgspec.Meta(ge=1000)] = 3_600_000

    def __post_init__(self) -> None:
        if list(self.exit_steps) != sorted(self.exit_steps):
            raise ValueError("exit_steps must rise")

    @property
    def crossing_cost(self) -> Decimal:
        """What taking costs more than resting, before the spread."""
        return exact(self.taker_fee) - exact(self.maker_fee)
