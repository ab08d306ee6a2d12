"""Folders of sweeps as the command leaves them, with results that are drawn."""

from collections.abc import Mapping, Sequence
from itertools import product
from math import sqrt
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from suite.bars import DAY_MS, F64
from suite.performance import sharpe

FIRST_DAY = 20_000
Params = Mapping[str, Any]


def grid(**axes: Sequence[Any]) -> list[Params]:
    """All pairs of values."""
    return [dict(zip(axes, one, strict=True)) for one in product(*axes.values())]


def daily_of(
    trials: int, *, days: int, seed: int = 0, edges: Mapping[int, float] | None = None
) -> F64:
    """Draw results a day, shape (days, trials): a common market, and what is each trial's own.

    Args:
        trials: how many.
        days: how many.
        seed: of what is drawn.
        edges: true Sharpe ratio a year of some trials.
    """
    dice = np.random.default_rng(seed)
    shared = dice.standard_t(4, (days, 1)) * 0.012
    daily = dice.normal(0, 0.012, (days, trials)) + dice.uniform(-0.6, 0.6, trials) * shared
    for trial, edge in (edges or {}).items():
        daily[:, trial] += edge / sqrt(365) * daily[:, trial].std()
    return daily


def write_sweep(
    folder: Path,
    daily: F64,
    params: Sequence[Params],
    *,
    folds: int = 3,
    symbols: Sequence[str] = ("BTC",),
    failed: Mapping[int, str] | None = None,
    name: str = "sma_cross",
) -> Path:
    """Write the folder of a sweep.

    Args:
        folder: where; made.
        daily: shape (days, trials); every coin does nearly the same.
        params: of each trial.
        folds: of the walk forward; 0 is one training of all days.
        symbols: coins.
        failed: errors of trials without a result.
        name: of the strategy.
    """
    folder.mkdir(parents=True, exist_ok=True)
    dice = np.random.default_rng(1)
    rows: list[dict[str, Any]] = []
    returns: list[pa.Table] = []
    for trial, chosen in enumerate(params):
        error = (failed or {}).get(trial)
        for fold, part, first, last in _windows(len(daily), folds):
            for symbol in symbols:
                own = daily[first:last, trial] + dice.normal(0, 1e-4, last - first)
                own = own * (daily[first:last, trial] != 0)
                place = {"trial": trial, "fold": fold, "part": part, "symbol": symbol}
                metrics = _metrics(own) if error is None else {}
                rows.append(place | _named(chosen) | metrics | {"error": error})
                if error is None:
                    returns.append(_returns(place, own, first))
    frame = {key: [row.get(key) for row in rows] for key in {**_NO_METRICS, **rows[0]}}
    pq.write_table(pa.table(frame), folder / "trials.parquet")
    empty = _returns({"trial": 0, "fold": 0, "part": "train", "symbol": "BTC"}, np.empty(0), 0)
    pq.write_table(pa.concat_tables(returns or [empty]), folder / "returns.parquet")
    told = {
        "strategy": {"kind": name, "params": {}},
        "search": {"kind": "grid", "trials": len(params)},
        "symbols": list(symbols),
        "seeds": [0],
        "costs": {"taker_bp": "4.5", "maker_bp": "1.5"},
        "data_sha256": dict.fromkeys(symbols, "0" * 64),
    }
    (folder / "sweep.json").write_bytes(msgspec.json.encode(told))
    return folder


def write_sensitivity(folder: Path, trial: int = 0) -> None:
    """Write what other costs make of a trial."""
    knobs = {
        "fees": (["0.0", "0.5", "1.0", "1.5", "2.0"], [0.42, 0.31, 0.2, 0.09, -0.03]),
        "slippage": (["0.0", "1.0", "2.0", "5.0"], [0.24, 0.2, 0.15, 0.02]),
        "latency": (["0", "60000", "300000"], [0.2, 0.17, -0.06]),
        "bar_path": (["pessimistic", "ohlc", "olhc"], [0.2, 0.22, 0.21]),
    }
    rows = [
        {"trial": trial, "knob": knob, "value": value, "return": made, "sharpe": made * 8}
        for knob, (values, results) in knobs.items()
        for value, made in zip(values, results, strict=True)
    ]
    pq.write_table(pa.Table.from_pylist(rows), folder / "sensitivity.parquet")


_NO_METRICS: Params = dict.fromkeys(
    (
        "return",
        "sharpe",
        "sortino",
        "max_drawdown",
        "trades",
        "fees_usd",
        "funding_usd",
        "turnover",
        "exposure",
    )
)


def _windows(days: int, folds: int) -> list[tuple[int, str, int, int]]:
    if not folds:
        return [(0, "train", 0, days)]
    edges = np.linspace(0, days, folds + 2).astype(int).tolist()
    found: list[tuple[int, str, int, int]] = []
    for fold in range(folds):
        found += [
            (fold, "train", edges[fold], edges[fold + 1]),
            (fold, "test", edges[fold + 1], edges[fold + 2]),
        ]
    return found


def _named(chosen: Params) -> dict[str, Any]:
    return {f"param.{name}": value for name, value in chosen.items()}


def _metrics(daily: F64) -> dict[str, Any]:
    grown = np.cumprod(1 + np.nan_to_num(daily, posinf=0, neginf=0))
    daily = np.diff(grown, prepend=1.0)
    return {
        "return": float(grown[-1]) - 1,
        "sharpe": sharpe(daily),
        "sortino": sharpe(daily),
        "max_drawdown": float(np.max(1 - grown / np.maximum.accumulate(grown))),
        "trades": 10 + len(daily),
        "fees_usd": 3.2 * len(daily),
        "funding_usd": -0.4 * len(daily),
        "turnover": 1.7,
        "exposure": 0.4,
    }


def _returns(place: Params, daily: F64, first: int) -> pa.Table:
    times = (FIRST_DAY + first + 1 + np.arange(len(daily), dtype=np.int64)) * DAY_MS
    columns = {name: [value] * len(daily) for name, value in place.items()}
    return pa.table(
        {
            "trial": pa.array(columns["trial"], pa.int64()),
            "fold": pa.array(columns["fold"], pa.int64()),
            "part": pa.array(columns["part"], pa.string()),
            "symbol": pa.array(columns["symbol"], pa.string()),
            "time_ms": pa.array(times, pa.int64()),
            "return": pa.array(daily, pa.float64()),
        }
    )
