"""What a model is taught, how it is trained, and the least it must be shown first."""

from enum import StrEnum
from typing import Annotated, Final

import msgspec

from strategy_core.lattice import exact
from strategy_core.sizing.bracket import BracketRules
from strategy_core.sizing.stop_distance import Costs

RISING: Final = ("market_structure", "order_blocks", "liquidity_grab", "trend_alignment")
"""Features that, mirrored to the side of a trade, are said to speak for it."""


class SignalMode(StrEnum):
    """Which rule proposes trades; a model judges the proposals of one rule only."""

    STRICT = "strict"
    RELAXED = "relaxed"


class LabelRules(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which trade a label stands for; a model of other rules answers another question.

    Attributes:
        mode: of the rule that proposes trades.
        stop_atr: distance of the stop in average true ranges.
        reward_risk: distance of the target over that of the stop.
        distance_min, distance_max: of the stop, fractions of the entry.
        horizon: bars after which a trade that hit neither is closed.
        taker_fee: of one side, fraction of the notional.
        slippage: of the exit, likewise.
    """

    mode: SignalMode = SignalMode.STRICT
    stop_atr: Annotated[float, msgspec.Meta(ge=0.5, le=20)] = 6.0
    reward_risk: Annotated[float, msgspec.Meta(ge=0.5, le=3)] = 1.0
    distance_min: Annotated[float, msgspec.Meta(ge=0.002, le=0.05)] = 0.002
    distance_max: Annotated[float, msgspec.Meta(ge=0.002, le=0.05)] = 0.05
    horizon: Annotated[int, msgspec.Meta(ge=1, le=1440)] = 120
    taker_fee: Annotated[float, msgspec.Meta(ge=0, le=0.01)] = 0.00045
    slippage: Annotated[float, msgspec.Meta(ge=0, le=0.01)] = 0.0002

    @property
    def bracket(self) -> BracketRules:
        """Where stop and target stand, as the trader places them."""
        return BracketRules(
            stop_atr=self.stop_atr,
            reward_risk=self.reward_risk,
            distance_min=self.distance_min,
            distance_max=self.distance_max,
        )

    @property
    def costs(self) -> Costs:
        """What a taker pays."""
        return Costs(exact(self.taker_fee), exact(self.slippage))

    @property
    def cost(self) -> float:
        """Of a round trip, fraction of the notional: two taker fees and one slippage."""
        return 2 * self.taker_fee + self.slippage


class BoostingRules(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How trees are grown.

    Attributes:
        depth: of a tree.
        eta: what each tree counts.
        rounds: trees at most.
        early_stop: rounds without a better calibration slice after which it ends.
        child_weight: least weight of a leaf.
        subsample, columns: share of rows and features that each tree sees.
        ridge: penalty on the weights of leaves.
        bins: of a feature's histogram.
        seed: of the drawing of rows and features.
        monotone: a higher value of `RISING` never lowers the score.
    """

    depth: Annotated[int, msgspec.Meta(ge=1, le=8)] = 3
    eta: Annotated[float, msgspec.Meta(gt=0, le=1)] = 0.05
    rounds: Annotated[int, msgspec.Meta(ge=1, le=5000)] = 600
    early_stop: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 50
    child_weight: Annotated[float, msgspec.Meta(ge=0)] = 50.0
    subsample: Annotated[float, msgspec.Meta(gt=0, le=1)] = 0.8
    columns: Annotated[float, msgspec.Meta(gt=0, le=1)] = 0.8
    ridge: Annotated[float, msgspec.Meta(ge=0)] = 5.0
    bins: Annotated[int, msgspec.Meta(ge=2, le=1024)] = 256
    seed: Annotated[int, msgspec.Meta(ge=0)] = 7
    monotone: bool = False


class Minimum(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Less than this teaches nothing that could be trusted.

    Attributes:
        events: labelled ones.
        each_class: of them won, and lost.
        days: distinct ones.
        calibration: of each class in the slice that probabilities are calibrated on.
    """

    events: Annotated[int, msgspec.Meta(ge=100)] = 1000
    each_class: Annotated[int, msgspec.Meta(ge=20)] = 200
    days: Annotated[int, msgspec.Meta(ge=2)] = 14
    calibration: Annotated[int, msgspec.Meta(ge=10)] = 100


class TrainingRules(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a model is made of labelled trades.

    Attributes:
        days: age of the oldest that count.
        half_life_days: after which one counts half.
        fit, calibrate: shares of the time; the rest is for the test.
        boosting, minimum: see there.
    """

    days: Annotated[int, msgspec.Meta(ge=2, le=3650)] = 60
    half_life_days: Annotated[float, msgspec.Meta(gt=0)] = 30.0
    fit: Annotated[float, msgspec.Meta(gt=0, lt=1)] = 0.64
    calibrate: Annotated[float, msgspec.Meta(gt=0, lt=1)] = 0.16
    boosting: BoostingRules = BoostingRules()
    minimum: Minimum = Minimum()

    def __post_init__(self) -> None:
        if self.fit + self.calibrate >= 1:
            raise ValueError("fit and calibrate together must leave something for the test")
