"""Gradient-boosted trees by XGBoost: growing, scoring, and what a score is made of.

One thread: growing is as fast as two for what is learned here, and two that share their cores with
others are many times slower. Equal data and seed make equal bytes.
"""

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from strategy_core.learning.events import F32
from strategy_core.learning.rules import RISING, BoostingRules
from suite.bars import F64, BoolArray

if TYPE_CHECKING:
    from xgboost import Booster


def library() -> Any:
    """Import XGBoost.

    Raises:
        ValueError: it is not installed.
    """
    try:
        import xgboost
    except ModuleNotFoundError:
        raise ValueError(
            "XGBoost is not installed: pip install 'strategy-agent[ml]', or build the image with "
            "--build-arg EXTRAS=ml"
        ) from None
    return xgboost


class Grown(NamedTuple):
    """Trees up to the best round.

    Attributes:
        model: in XGBoost's own binary JSON.
        rounds: trees kept; 0 where the very first made it worse.
    """

    model: bytes
    rounds: int


class Sample(NamedTuple):
    """What trees are grown on, or stopped by: features (n, k), outcomes (n,), weights (n,)."""

    features: F32
    won: BoolArray
    weight: F64


def grow(fit: Sample, stop: Sample, names: tuple[str, ...], rules: BoostingRules) -> Grown:
    """Grow trees until the second sample is not predicted better any more.

    Args:
        fit: grown on.
        stop: tells when to stop, later in time.
        names: of the features.
        rules: of growing.

    Raises:
        ValueError: XGBoost is not installed.
    """
    xgboost = library()

    data = xgboost.QuantileDMatrix(
        fit.features,
        label=fit.won.astype(np.float32),
        weight=fit.weight,
        feature_names=list(names),
        max_bin=rules.bins,
        nthread=1,
    )
    ahead = xgboost.QuantileDMatrix(
        stop.features,
        label=stop.won.astype(np.float32),
        weight=stop.weight,
        feature_names=list(names),
        ref=data,
        nthread=1,
    )
    start = float(np.average(fit.won, weights=fit.weight))
    params: dict[str, Any] = {
        "objective": "binary:logistic",
        "eval_metric": "logloss",
        "base_score": start,
        "max_depth": rules.depth,
        "eta": rules.eta,
        "min_child_weight": rules.child_weight,
        "subsample": rules.subsample,
        "colsample_bytree": rules.columns,
        "reg_lambda": rules.ridge,
        "tree_method": "hist",
        "max_bin": rules.bins,
        "seed": rules.seed,
        "nthread": 1,
    }
    if rules.monotone:
        params["monotone_constraints"] = tuple(int(name in RISING) for name in names)
    told: dict[str, dict[str, list[float]]] = {}
    booster = xgboost.train(
        params,
        data,
        rules.rounds,
        evals=[(ahead, "stop")],
        early_stopping_rounds=rules.early_stop,
        evals_result=told,
        verbose_eval=False,
    )
    best = int(booster.best_iteration)
    kept = booster[: best + 1]
    kept.set_attr(best_iteration=None, best_score=None)
    losses = told["stop"]["logloss"]
    odds = np.where(stop.won, np.log(start), np.log(1.0 - start))
    none = float(-np.average(odds, weights=stop.weight))
    return Grown(bytes(kept.save_raw("ubj")), best + 1 if losses[best] < none else 0)


class Trees:
    """Trees read back.

    Args:
        model: as `Grown.model`.

    Raises:
        ValueError: it is no such model, or XGBoost is not installed.
    """

    def __init__(self, model: bytes) -> None:
        xgboost = library()

        self._booster: Booster = xgboost.Booster()
        try:
            self._booster.load_model(bytearray(model))
        except (xgboost.core.XGBoostError, ValueError) as error:
            raise ValueError(f"no model of XGBoost: {str(error).strip().splitlines()[0]}") from None
        self._booster.set_param({"nthread": 1})

    @property
    def names(self) -> tuple[str, ...]:
        """Features, in their order."""
        return tuple(self._booster.feature_names or ())

    def scores(self, features: F32) -> F64:
        """Score rows, on the logistic scale.

        Args:
            features: shape (n, k), mirrored to the side.

        Returns:
            Shape (n,).
        """
        found = self._booster.inplace_predict(
            features, predict_type="margin", validate_features=False
        )
        return np.asarray(found, np.float64)

    def shares(self, features: F32) -> F64:
        """Split each score into what every feature has added (TreeSHAP).

        Returns:
            Shape (n, k + 1); the last column is the same for all rows, and rows add up to the
            score.
        """
        data = library().DMatrix(features, feature_names=list(self.names), nthread=1)
        return np.asarray(self._booster.predict(data, pred_contribs=True), np.float64)

    def gains(self) -> dict[str, float]:
        """Share of each feature in the gain of all splits, 0 to 1; all 0 where nothing is split."""
        told = self._booster.get_score(importance_type="total_gain")
        found = {name: float(told.get(name, 0.0)) for name in self.names}  # type: ignore[arg-type]
        total = sum(found.values())
        return {name: gain / total if total else 0.0 for name, gain in found.items()}
