"""One HTML file that needs no server and no network, out of a model and its walk forward."""

from collections.abc import Sequence
from importlib.resources import files
from typing import Any

import msgspec
import numpy as np

from strategy_core.ict.schema import NAMES
from strategy_core.learning.ablation import ExitReport
from strategy_core.learning.artefact import Model
from strategy_core.learning.events import F32
from strategy_core.learning.walkforward import Evaluation
from suite.page.assembling import assemble


def render_card(
    *,
    evaluation: Evaluation | None,
    model: Model | None,
    shown: F32,
    without: str = "",
    synthetic: bool,
    exits: Sequence[ExitReport] = (),
) -> str:
    """Put a card together.

    Args:
        evaluation: of the walk forward; None where there was none.
        model: trained on the newest trades; None where there is none.
        shown: shape (n, 12), rows that the model has not seen, to explain it by.
        without: why there is no model.
        synthetic: the market is made up.
        exits: trades with their exits and without each; none where that was not asked for.
    """
    assets = files("strategy_agent.cards") / "assets"
    return assemble(
        (assets / "card.html").read_text("utf-8"),
        title="Model card",
        data={
            "data": {
                "evaluation": None if evaluation is None else msgspec.to_builtins(evaluation),
                "meta": None if model is None else msgspec.to_builtins(model.meta),
                "calibration": None if model is None else msgspec.to_builtins(model.calibration),
                "break_even": None if model is None else model.calibration.break_even,
                "shares": None if model is None else shares_of(model, shown),
                "without": without,
                "exits": msgspec.to_builtins(exits),
                "synthetic": synthetic,
            }
        },
        scripts=[(assets / "card.js").read_text("utf-8")],
        style=(assets / "card.css").read_text("utf-8"),
    )


def shares_of(model: Model, rows: F32) -> dict[str, Any]:
    """Sum up what each feature adds to scores (TreeSHAP), on rows the model has not seen.

    Returns:
        By feature: mean of the absolute share, share of the gain, and how the share goes with the
        value: the correlation, -1 to 1.
    """
    shares = model.trees.shares(rows)[:, : len(NAMES)]
    found = {}
    for place, name in enumerate(NAMES):
        value, share = rows[:, place].astype(np.float64), shares[:, place]
        varies = value.std() > 0 and share.std() > 0
        found[name] = {
            "mean": float(np.abs(share).mean()),
            "gain": model.meta.gains.get(name, 0.0),
            "goes_with": float(np.corrcoef(value, share)[0, 1]) if varies else 0.0,
        }
    return {"rows": len(rows), "features": found}
