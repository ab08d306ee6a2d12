"""What `exits` of a trader in `traders.yaml` may say: which conditions are on, from when on.

    exits: {smart: true}                                 all seven
    exits: {smart: true, time_stop: false}               six
    exits: {time_stop: true, time_stop_hours: 6}         one, beside what is always on

With nothing said three things are on, because they change no trade that goes as it was meant to:

- `forced_liquidation` by the liquidation price alone: closing just before the venue does costs less
  than letting it;
- `margin_guard`: one position given up saves the others;
- the rule that a strategy itself gave as `invalidation`.

The loss limit of `forced_liquidation` reads the margin that the set leverage asks for. An account
whose leverage is high but little used would be closed by it while far from harm, so that part is on
only when asked for.
"""

from functools import lru_cache
from typing import Annotated, Final, Literal

import msgspec

from strategy_core.exits.kinds import ExitKind

Fraction = Annotated[float, msgspec.Meta(gt=0, le=1)]
ON_BY_DEFAULT: Final = frozenset(
    {
        ExitKind.FORCED_LIQUIDATION,
        ExitKind.MARGIN_GUARD,
        ExitKind.STRUCTURE_INVALIDATION,
    }
)
"""On in part or as a whole unless a trader says `false`."""


class ExitRules(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, cache_hash=True
):
    """Which of the seven conditions end a position, and from when on.

    Attributes:
        smart: all of them, but for those said to be false.
        forced_liquidation, margin_guard, time_stop, confidence_collapse, structure_invalidation,
            partial_take_profit, trailing_take_profit: yes, no, or as the module says.
        loss_max: loss over initial margin that ends a position.
        liquidation_buffer: distance kept from the liquidation price, in average true ranges.
        margin_usage_max, margin_usage_safe: maintenance over equity at which positions are given
            up, and below which no more are.
        time_stop_hours: since the first fill of the entry.
        time_stop_mode: whether gains are closed too, or losses only.
        confidence_floor: confidence at or below which there is no edge.
        confidence_share: of the confidence at the entry, at or below which it has collapsed.
        structure_level: structure against the position from which on, with the trend against it
            too, the idea is wrong.
        partial_risk, partial_roe: gain in initial risks, and over initial margin, at either of
            which a part is taken.
        partial_share: how much of the position.
        trailing_risk: gain in initial risks from which on the stop trails.
        trailing_roe: the same over initial margin, once a part was taken.
        structure_trail: move the stop behind confirmed swings once a gain of one risk is there.
        taker_fee, slippage: of closing, fractions of the notional.
        atr_interval: of the average true range; empty for the longest that the trader's own
            interval covers.
    """

    smart: bool = False
    forced_liquidation: bool | None = None
    margin_guard: bool | None = None
    time_stop: bool | None = None
    confidence_collapse: bool | None = None
    structure_invalidation: bool | None = None
    partial_take_profit: bool | None = None
    trailing_take_profit: bool | None = None
    loss_max: Annotated[float, msgspec.Meta(ge=0.90, le=1.00)] = 1.00
    liquidation_buffer: Annotated[float, msgspec.Meta(ge=0.1, le=2)] = 0.25
    margin_usage_max: Annotated[float, msgspec.Meta(ge=0.30, le=0.90)] = 0.85
    margin_usage_safe: Annotated[float, msgspec.Meta(ge=0.20, le=0.85)] = 0.70
    time_stop_hours: Annotated[float, msgspec.Meta(gt=0, le=168)] = 2.0
    time_stop_mode: Literal["any", "losing"] = "any"
    confidence_floor: Annotated[float, msgspec.Meta(ge=0.50, le=0.90)] = 0.50
    confidence_share: Annotated[float, msgspec.Meta(ge=0.50, lt=1)] = 0.80
    structure_level: Fraction = 0.50
    partial_risk: Annotated[float, msgspec.Meta(ge=0.25, le=10)] = 1.0
    partial_roe: Annotated[float, msgspec.Meta(ge=0.05, le=10)] = 0.60
    partial_share: Annotated[float, msgspec.Meta(ge=0.10, le=0.90)] = 0.50
    trailing_risk: Annotated[float, msgspec.Meta(ge=0.25, le=10)] = 1.5
    trailing_roe: Annotated[float, msgspec.Meta(ge=0.05, le=10)] = 0.20
    structure_trail: bool = False
    taker_fee: Annotated[float, msgspec.Meta(ge=0, le=0.01)] = 0.00045
    slippage: Annotated[float, msgspec.Meta(ge=0, le=0.01)] = 0.0002
    atr_interval: Literal["", "1m", "15m", "1h", "4h", "1d"] = ""

    def __post_init__(self) -> None:
        if self.margin_usage_safe >= self.margin_usage_max:
            raise ValueError(
                f"margin_usage_safe ({self.margin_usage_safe}) must be below"
                f" margin_usage_max ({self.margin_usage_max})"
            )

    def asked_for(self, kind: ExitKind) -> bool:
        """Whether the trader wants a condition as a whole."""
        return kind in _conditions(self)[0]

    def is_on(self, kind: ExitKind) -> bool:
        """Whether a condition is looked at, if only in the part that is on by default."""
        return kind in _conditions(self)[1]

    def said(self, kind: ExitKind) -> bool | None:
        """What the trader says about a condition, None for nothing."""
        said: bool | None = getattr(self, kind)
        return said


@lru_cache(maxsize=256)
def _conditions(rules: ExitRules) -> tuple[frozenset[ExitKind], frozenset[ExitKind]]:
    """Which conditions are wanted as a whole, and which are looked at; asked at every review."""
    wanted, looked_at = set(), set()
    for kind in ExitKind:
        said = rules.said(kind)
        if rules.smart if said is None else said:
            wanted.add(kind)
            looked_at.add(kind)
        elif said is None and kind in ON_BY_DEFAULT:
            looked_at.add(kind)
    return frozenset(wanted), frozenset(looked_at)
