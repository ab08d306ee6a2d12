"""Shares by skfolio, where it is installed: `pip install "portfolio-service[skfolio]"`.

It is large, so it is imported by whoever asks it first; what asks does so in a thread of its own.
"""

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np

from portfolio_service.domain.weighing import Method
from suite.bars import F64

if TYPE_CHECKING:
    from skfolio.optimization import BaseOptimization


def is_installed() -> bool:
    """Whether the library is there; it is not imported."""
    return find_spec("skfolio") is not None


def library_weights(method: Method, returns: F64, covariance: F64) -> F64 | None:
    """Give shares by hierarchical risk parity, or by the least conditional value at risk.

    Args:
        method: `hrp` or `min_cvar`.
        returns: daily, shape (traders, days).
        covariance: of them, shape (traders, traders); the one that all methods go by.

    Returns:
        Shape (traders,), adding up to 1; None where the solver finds no solution.
    """
    from cvxpy.error import SolverError
    from skfolio.exceptions import SkfolioError

    model = _hierarchical(covariance) if method == "hrp" else _least_tail()
    try:
        model.fit(returns.T)
    except (SkfolioError, SolverError):
        return None
    found = np.asarray(model.weights_, dtype=np.float64)
    return found if np.isfinite(found).all() else None


def prior_of(covariance: F64) -> Any:
    """Make an estimator of the library that goes by a covariance that was estimated already."""
    from skfolio.moments import BaseCovariance
    from skfolio.prior import EmpiricalPrior

    class Estimated(BaseCovariance):  # type: ignore[misc]
        def fit(self, X: Any, y: Any = None, **_: Any) -> "Estimated":  # noqa: N803 - its name
            self.covariance_ = covariance
            return self

    return EmpiricalPrior(covariance_estimator=Estimated())


def _hierarchical(covariance: F64) -> "BaseOptimization":
    from skfolio.optimization import HierarchicalRiskParity

    return HierarchicalRiskParity(prior_estimator=prior_of(covariance))


def _least_tail() -> "BaseOptimization":
    from skfolio import RiskMeasure
    from skfolio.optimization import MeanRisk, ObjectiveFunction

    return MeanRisk(
        objective_function=ObjectiveFunction.MINIMIZE_RISK, risk_measure=RiskMeasure.CVAR
    )
