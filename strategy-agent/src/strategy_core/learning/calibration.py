"""From a score to a probability, and from there to a confidence around break-even.

    p          = 1 / (1 + exp(-(a * score + b)))             Platt, fitted on the calibration slice
    p_be       = L / (W + L)                                 win rate that breaks even after costs
    confidence = 0.5 + 0.5 * (p - p_be) / (1 - p_be)         where p >= p_be
               = 0.5 * p / p_be                              otherwise

`W` is the mean net gain of winners, `L` the mean net loss of losers. A confidence of 0.5 breaks
even, so what sizes positions needs to know nothing of targets and stops.

Source: Platt, "Probabilistic Outputs for Support Vector Machines", 1999, with the targets and the
Newton steps of Lin, Lin, Weng, "A Note on Platt's Probabilistic Outputs", 2007.
"""

from typing import Final

import msgspec
import numpy as np

from suite.bars import F64, BoolArray

STEPS_MAX: Final = 100
GRADIENT_MIN: Final = 1e-9
RIDGE: Final = 1e-12
SLOPE_MAX: Final = 1e6


class Calibration(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What turns scores into probabilities and confidences.

    Attributes:
        slope, shift: `a` and `b` of the module.
        win, loss: mean net gain and loss, positive fractions of the notional.
    """

    slope: float
    shift: float
    win: float
    loss: float

    @property
    def break_even(self) -> float:
        """Probability at which nothing is won and nothing lost."""
        return self.loss / (self.win + self.loss)

    def probability(self, score: F64) -> F64:
        """Probability of a win after costs, 0 to 1, any shape."""
        return sigmoid(self.slope * np.asarray(score, np.float64) + self.shift)

    def confidence(self, probability: F64) -> F64:
        """Probability moved so that 0.5 breaks even, any shape."""
        even = self.break_even
        above = 0.5 + 0.5 * (probability - even) / (1.0 - even)
        return np.where(probability >= even, above, 0.5 * probability / even)


def sigmoid(value: F64) -> F64:
    """`1 / (1 + exp(-value))`, without overflow, any shape."""
    small = np.exp(-np.abs(value))
    return np.where(value >= 0, 1.0, small) / (1.0 + small)


def calibrate(score: F64, net: F64, weight: F64) -> Calibration | str:
    """Fit a calibration.

    Args:
        score: shape (n,), of the model.
        net: shape (n,), results after costs, fractions of the notional.
        weight: shape (n,), positive.

    Returns:
        A calibration, or why there is none: of one class alone nothing can be learned, and a score
        that falls while wins rise means nothing.
    """
    won = net > 0
    if won.all() or not won.any():
        return "all trades of the calibration slice ended the same way"
    slope, shift = platt(score, won, weight)
    if not (0.0 < slope <= SLOPE_MAX and np.isfinite(shift)):
        return "higher scores did not mean more wins in the calibration slice"
    loss = -net[~won]
    return Calibration(
        slope=slope,
        shift=shift,
        win=float(np.average(net[won], weights=weight[won])),
        loss=max(1e-9, float(np.average(loss, weights=weight[~won]))),
    )


def platt(score: F64, won: BoolArray, weight: F64) -> tuple[float, float]:
    """Fit slope and shift by Newton steps with halving.

    Args:
        score: shape (n,).
        won: shape (n,).
        weight: shape (n,), positive.
    """
    wins, losses = float(weight[won].sum()), float(weight[~won].sum())
    target = np.where(won, (wins + 1.0) / (wins + 2.0), 1.0 / (losses + 2.0))
    slope, shift = 0.0, float(np.log((wins + 1.0) / (losses + 1.0)))
    value = _loss(score, target, weight, slope, shift)
    for _ in range(STEPS_MAX):
        p = sigmoid(slope * score + shift)
        off, curve = weight * (p - target), weight * p * (1.0 - p)
        gradient = np.array([float(off @ score), float(off.sum())])
        if float(np.abs(gradient).max()) < GRADIENT_MIN * max(1.0, float(weight.sum())):
            break
        cross = float(curve @ score)
        hessian = np.array(
            [
                [float(curve @ (score * score)) + RIDGE, cross],
                [cross, float(curve.sum()) + RIDGE],
            ]
        )
        step = np.linalg.solve(hessian, gradient)
        size = 1.0
        while size > 1e-10:
            trial = (slope - size * float(step[0]), shift - size * float(step[1]))
            moved = _loss(score, target, weight, *trial)
            if moved <= value:
                break
            size /= 2
        else:
            break
        (slope, shift), value = trial, moved
    return slope, shift


def _loss(score: F64, target: F64, weight: F64, slope: float, shift: float) -> float:
    """Weighted log loss against soft targets."""
    at = slope * score + shift
    return float(weight @ (np.logaddexp(0.0, at) - target * at))
