"""The report of a sweep: one HTML file that needs nothing else, and its figures as JSON."""

from importlib.resources import files
from math import isfinite
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np

from suite.bars import DAY_MS, F64
from suite.errors import StorageError
from suite.overfitting import ratios_a_day
from suite.page.assembling import assemble
from suite.performance import DAYS_A_YEAR
from virtual_exchange.research.honesty import Verdict
from virtual_exchange.research.honesty_folder import Sweep, read_sweep

PAGE, FIGURES = "report.html", "honesty.json"
BANDS: Final = (0.05, 0.25, 0.5, 0.75, 0.95)
POINTS_MAX: Final = 400
HALVES_SHOWN: Final = 400
BINS: Final = 25
ERRORS_SHOWN: Final = 20
TEXT_MAX: Final = 200
_ANNUAL: Final = float(np.sqrt(DAYS_A_YEAR))


def write_report(folder: Path) -> Path:
    """Judge a sweep, and write `report.html` and `honesty.json` into its folder.

    Returns:
        The page.

    Raises:
        BadRequest: there is no sweep that came to its end.
        StorageError: a file is damaged, or the disk refuses.
    """
    return judge_and_write(folder)[1]


def judge_and_write(folder: Path) -> tuple[Verdict, Path]:
    """Do the same, and tell the verdict too."""
    sweep = read_sweep(folder)
    verdict = sweep.judged()
    page = folder / PAGE
    figures = msgspec.json.format(msgspec.json.encode(figures_of(verdict)), indent=2)
    try:
        (folder / FIGURES).write_bytes(figures + b"\n")
        page.write_text(render(sweep, verdict), "utf-8")
    except OSError as error:
        raise StorageError(f"cannot write {error.filename}: {error.strerror}") from None
    return verdict, page


def render(sweep: Sweep, verdict: Verdict) -> str:
    """Put the page together."""
    assets = files("virtual_exchange.research") / "assets"
    return assemble(
        (assets / "sweep.html").read_text("utf-8"),
        title="Sweep report",
        data={"data": page_data(sweep, verdict)},
        scripts=[
            (assets / name).read_text("utf-8") for name in ("plots.js", "sweep.js", "trials.js")
        ],
        style=(assets / "sweep.css").read_text("utf-8"),
    )


def figures_of(verdict: Verdict) -> dict[str, Any]:
    """The verdict as plain values, without what its pictures are made of."""
    kept = {name: getattr(verdict, name) for name in Verdict.__dataclass_fields__}
    del kept["halves"]
    told: dict[str, Any] = msgspec.to_builtins(kept)
    return told


def page_data(sweep: Sweep, verdict: Verdict) -> dict[str, Any]:
    """What the page draws, of a size that does not grow with days."""
    return {
        "name": _name(sweep),
        "verdict": figures_of(verdict),
        "spec": sweep.spec,
        "from_ms": int(sweep.days[0] - 1) * DAY_MS if len(sweep.days) else None,
        "to_ms": int(sweep.days[-1]) * DAY_MS if len(sweep.days) else None,
        "trials": _trials(sweep),
        "params": [
            {"name": name, "values": [_plain(value) for value in sweep.values[name]]}
            for name in sweep.params
        ],
        "fan": _fan(sweep, verdict),
        "halves": _halves(verdict),
        "sensitivity": [
            {name: _plain(value) for name, value in row.items()} for row in sweep.sensitivity
        ],
        "errors": _error_counts(sweep),
    }


def _name(sweep: Sweep) -> str:
    told = sweep.spec.get("strategy")
    name = told.get("kind", "") if isinstance(told, dict) else told
    return str(name or sweep.folder.name)[:TEXT_MAX]


def _trials(sweep: Sweep) -> dict[str, Any]:
    ratio = np.full(len(sweep.trials), np.nan)
    if len(sweep.compared) and len(sweep.days) > 1:
        ratio[np.searchsorted(sweep.trials, sweep.compared)] = ratios_a_day(sweep.daily) * _ANNUAL
    return {
        "number": sweep.trials.tolist(),
        "sharpe": _rounded(ratio),
        "train": _rounded(sweep.trains),
        "test": _rounded(sweep.tests),
        **{name: _rounded(column) for name, column in sweep.metrics.items()},
        "failed": [place for place, text in enumerate(sweep.errors) if text],
    }


def _fan(sweep: Sweep, verdict: Verdict) -> dict[str, Any] | None:
    """Bands of what all trials made of 1, the winner, and a walk forward."""
    if verdict.winner is None or len(sweep.days) < 2:
        return None
    start = np.ones((1, len(sweep.compared)))
    grown: F64 = np.cumprod(np.concatenate([start, 1 + sweep.daily]), axis=0)
    step = -(-len(grown) // POINTS_MAX)
    rows = sorted({*range(0, len(grown), step), len(grown) - 1})
    days = np.concatenate([sweep.days[:1] - 1, sweep.days])
    own = int(np.searchsorted(sweep.compared, verdict.winner))
    return {
        "days": days[rows].tolist(),
        "bands": [_rounded(np.quantile(grown[rows], band, axis=1)) for band in BANDS],
        "winner": _rounded(grown[rows, own]),
        "walk": _walked(sweep, verdict),
        "walk_days": _walk_days(sweep, verdict),
    }


def _walk_days(sweep: Sweep, verdict: Verdict) -> tuple[int, int] | None:
    """First and last day of the tests; None without a walk forward."""
    return None if verdict.walk is None else (sweep.tested[0], sweep.tested[1])


def _walked(sweep: Sweep, verdict: Verdict) -> list[float | None]:
    """What always trading the best until then made of 1, day by day of the tests."""
    if verdict.walk is None:
        return []
    chosen = {step.fold: step.trial for step in verdict.walk.steps}
    rows = [
        fold.test[:, int(np.searchsorted(sweep.compared, chosen[fold.fold]))]
        for fold in sweep.folds
        if fold.fold in chosen
    ]
    grown = np.cumprod(np.concatenate([np.zeros(1), *rows]) + 1)
    step = -(-len(grown) // POINTS_MAX)
    return _rounded(grown[sorted({*range(0, len(grown), step), len(grown) - 1})])


def _halves(verdict: Verdict) -> dict[str, Any] | None:
    halves = verdict.halves
    if halves is None:
        return None
    reach = max(1.0, float(np.abs(halves.logits).max()))
    counts, edges = np.histogram(halves.logits, BINS, (-reach, reach))
    step = -(-len(halves.inside) // HALVES_SHOWN)
    return {
        "edges": _rounded(edges.astype(np.float64)),
        "counts": counts.tolist(),
        "inside": _rounded(halves.inside[::step] * _ANNUAL),
        "outside": _rounded(halves.outside[::step] * _ANNUAL),
    }


def _error_counts(sweep: Sweep) -> list[tuple[str, int]]:
    """Errors and how many trials have each, the most frequent first."""
    counts: dict[str, int] = {}
    for text in sweep.errors:
        if text:
            short = text[:TEXT_MAX]
            counts[short] = counts.get(short, 0) + 1
    return sorted(counts.items(), key=lambda one: -one[1])[:ERRORS_SHOWN]


def _rounded(values: F64) -> list[float | None]:
    """Numbers of five digits; None for what is no number."""
    return [float(f"{value:.5g}") if isfinite(value) else None for value in values.tolist()]


def _plain(value: Any) -> Any:
    """A value of a parameter or metric as JSON has it."""
    if isinstance(value, float):
        return float(f"{value:.6g}") if isfinite(value) else None
    return value if isinstance(value, int | None) else str(value)[:TEXT_MAX]
