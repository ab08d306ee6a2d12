"""The tables of a sweep, read into what is judged and drawn."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from suite.bars import DAY_MS, F64, I64, BoolArray
from suite.errors import BadRequest, StorageError
from suite.overfitting import ratios_a_day
from suite.performance import DAYS_A_YEAR
from virtual_exchange.research.honesty import FoldReturns, Verdict, judge
from virtual_exchange.research.honesty_plateau import places_of

SPEC, RESULT, TRIALS = "sweep.json", "result.json", "trials.parquet"
RETURNS, SENSITIVITY = "returns.parquet", "sensitivity.parquet"
METRICS: Final = (
    "return",
    "max_drawdown",
    "trades",
    "fees_usd",
    "funding_usd",
    "turnover",
    "exposure",
)
_PLACES: Final = {"trial", "fold", "part", "symbol"}
_SUMMED: Final = {"trades", "fees_usd", "funding_usd"}
_GO_ON: Final = "the sweep has not come to its end: start it again with the same --out to go on"


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Columns of a Parquet file.

    Attributes:
        columns: by name.
        rows: how many.
    """

    columns: Mapping[str, Any]
    rows: int

    def numbers(self, name: str) -> F64:
        """A column of numbers, shape (rows,); what is missing is NaN."""
        told = self.columns.get(name)
        if told is None:
            return np.full(self.rows, np.nan)
        found: F64 = told.cast(pa.float64()).to_numpy(zero_copy_only=False)
        return found

    def values(self, name: str) -> list[Any]:
        """A column as plain values."""
        told = self.columns.get(name)
        return [None] * self.rows if told is None else list(told.to_pylist())


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """A sweep as it was kept.

    Attributes:
        folder: where.
        spec: what was to be done, `sweep.json`.
        best: trial that the sweep itself names the best; None where it names none.
        trials: numbers of all trials, rising.
        params: names; `values` has a value a trial of each.
        metrics: a value a trial, of its tests where there are any; NaN where it has none.
        trains, tests: Sharpe ratios a year, mean over folds, of each trial.
        errors: the first of each trial, empty where it has none.
        compared: numbers of the trials with a result on every day, rising.
        days: numbers of the days since 1970.
        daily: shape (days, compared), simple returns: mean over coins, and over the parts that have
            a day in common.
        folds: with the trials compared.
        tested: first day and last day of the tests, as numbers since 1970; empty without tests.
        sensitivity: rows of knob, value and metrics; empty where nothing was varied.
    """

    folder: Path
    spec: Mapping[str, Any]
    best: int | None
    trials: I64
    params: tuple[str, ...]
    values: Mapping[str, Sequence[Any]]
    metrics: Mapping[str, F64]
    trains: F64
    tests: F64
    errors: tuple[str, ...]
    compared: I64
    days: I64
    daily: F64
    folds: tuple[FoldReturns, ...]
    tested: tuple[int, ...]
    sensitivity: tuple[Mapping[str, Any], ...]

    def judged(self) -> Verdict:
        """Judge its best trial."""
        rows = np.searchsorted(self.trials, self.compared)
        trades = self.metrics["trades"][rows]
        known = len(trades) > 0 and bool(np.isfinite(trades).all())
        return judge(
            self.daily,
            trials=self.compared,
            tried=len(self.trials),
            folds=self.folds,
            places=places_of([[self.values[name][row] for row in rows] for name in self.params]),
            trades=[int(one) for one in trades] if known else None,
            chosen=self.best,
        )


def read_sweep(folder: Path) -> Sweep:
    """Read the tables of a sweep.

    Raises:
        BadRequest: there is no sweep, it has not come to its end, or its tables lack something.
        StorageError: a file is damaged.
    """
    if not folder.is_dir():
        raise BadRequest(f"{folder}: there is no such folder")
    spec, result = _json(folder / SPEC), _json(folder / RESULT)
    rows = _table(folder / TRIALS, {"trial", "fold", "part", "symbol"})
    returns = _table(folder / RETURNS, {"trial", "fold", "part", "time_ms", "return"})
    if not rows.rows:
        raise BadRequest(f"{folder / TRIALS} has no rows: nothing was tried")
    number = rows.numbers("trial").astype(np.int64)
    trials, first = np.unique(number, return_index=True)
    params = tuple(
        name.removeprefix("param.") for name in rows.columns if name.startswith("param.")
    )
    values = {}
    for name in params:
        column = rows.values(f"param.{name}")
        values[name] = [column[row] for row in first]
    part = np.array(rows.values("part"), dtype=object)
    place = np.searchsorted(trials, number)
    shown = part == "test" if (part == "test").any() else np.full(rows.rows, True)
    days = _Days(returns, trials)
    folds = days.folds()
    best = result.get("best")
    return Sweep(
        folder=folder,
        spec=spec,
        best=best if isinstance(best, int) and best in days.compared else None,
        trials=trials,
        params=params,
        values=values,
        metrics={name: _by_trial(rows, name, place, shown, len(trials)) for name in METRICS},
        trains=days.ratios([fold.train for fold in folds]),
        tests=days.ratios([fold.test for fold in folds]),
        errors=_errors(rows, place, len(trials)),
        compared=days.compared,
        days=days.days,
        daily=days.daily,
        folds=folds,
        tested=days.tested(),
        sensitivity=_sensitivity(folder / SENSITIVITY),
    )


class _Days:
    """Daily returns as matrices.

    Args:
        returns: the table.
        trials: numbers of all trials.

    Attributes:
        compared, days, daily: as of `Sweep`.
    """

    def __init__(self, returns: Table, trials: I64) -> None:
        self._value = returns.numbers("return")
        self._day = (returns.numbers("time_ms") // DAY_MS).astype(np.int64)
        self._fold = returns.numbers("fold").astype(np.int64)
        self._part = np.array(returns.values("part"), dtype=object)
        number = returns.numbers("trial").astype(np.int64)
        if not np.isin(number, trials).all():
            raise BadRequest(f"{RETURNS} has trials that {TRIALS} does not know: another sweep's")
        self._place = np.searchsorted(trials, number)
        self._width = len(trials)
        everywhere = np.full(returns.rows, True)
        self.days, daily, whole = self._matrix(everywhere)
        if not whole.any() and (self._part == "train").any():
            self.days, daily, whole = self._matrix(self._part == "train")
        self._whole = whole
        self.compared: I64 = trials[whole]
        self.daily: F64 = daily[:, whole]

    def folds(self) -> tuple[FoldReturns, ...]:
        """Those with a train and a test."""
        found = []
        for fold in np.unique(self._fold):
            parts = [
                self._matrix((self._fold == fold) & (self._part == part))
                for part in ("train", "test")
            ]
            (_, train, _), (_, test, _) = parts
            if len(train) and len(test):
                found.append(FoldReturns(int(fold), train[:, self._whole], test[:, self._whole]))
        return tuple(found)

    def ratios(self, parts: Sequence[F64]) -> F64:
        """Sharpe ratio a year of each trial, mean over parts; of as few days as a part may have."""
        found: F64 = np.full(self._width, np.nan)
        if known := [ratios_a_day(part) for part in parts if len(part) > 1]:
            found[self._whole] = np.mean(known, axis=0) * np.sqrt(DAYS_A_YEAR)
        return found

    def tested(self) -> tuple[int, ...]:
        """First and last day of the tests."""
        days = self._day[self._part == "test"]
        return (int(days.min()), int(days.max())) if len(days) else ()

    def _matrix(self, rows: BoolArray) -> tuple[I64, F64, BoolArray]:
        """Days, their results with a column a trial, and which trials have all of them."""
        days = np.unique(self._day[rows])
        if not len(days):
            return days, np.empty((0, self._width)), np.full(self._width, False)
        cell = np.searchsorted(days, self._day[rows]) * self._width + self._place[rows]
        cells = len(days) * self._width
        count = np.bincount(cell, minlength=cells).reshape(len(days), self._width)
        total = np.bincount(cell, weights=self._value[rows], minlength=cells)
        daily = total.reshape(count.shape) / np.maximum(count, 1)
        whole = (count == count.max(axis=1, keepdims=True)).all(axis=0)
        whole &= np.isfinite(daily).all(axis=0)
        return days, daily, whole


def _by_trial(rows: Table, name: str, place: I64, shown: BoolArray, trials: int) -> F64:
    """A metric of each trial over its folds and coins: a sum, the worst, or a mean."""
    column = rows.numbers(name)
    if name == "max_drawdown":
        worst = np.full(trials, np.nan)
        np.fmax.at(worst, place[shown], column[shown])
        return worst
    mean = _mean_by(column, place, shown, trials)
    if name not in _SUMMED:
        return mean
    return mean * np.bincount(place[shown & np.isfinite(column)], minlength=trials)


def _mean_by(column: F64, place: I64, shown: BoolArray, trials: int) -> F64:
    """Mean of what is known, a trial each; NaN where nothing is."""
    known = shown & np.isfinite(column)
    count = np.bincount(place[known], minlength=trials)
    total = np.bincount(place[known], weights=column[known], minlength=trials)
    mean = np.full(trials, np.nan)
    np.divide(total, count, out=mean, where=count > 0)
    return mean


def _errors(rows: Table, place: I64, trials: int) -> tuple[str, ...]:
    found = [""] * trials
    for row, text in enumerate(rows.values("error")):
        found[place[row]] = found[place[row]] or text or ""
    return tuple(found)


def _sensitivity(path: Path) -> tuple[Mapping[str, Any], ...]:
    if not path.exists():
        return ()
    table = _table(path, {"knob", "value"})
    columns = {name: table.values(name) for name in table.columns}
    return tuple(
        {name: column[row] for name, column in columns.items()} for row in range(table.rows)
    )


def _table(path: Path, needed: set[str]) -> Table:
    """Read a Parquet file.

    Raises:
        BadRequest: it is missing, or lacks a column.
        StorageError: it is damaged.
    """
    if not path.exists():
        raise BadRequest(f"{path} is missing: {_GO_ON}")
    try:
        read = pq.read_table(path)
    except (OSError, pa.ArrowException) as error:
        text = str(error).splitlines()[0]
        raise StorageError(f"{path} is damaged ({text}): {_GO_ON}") from None
    if missing := needed - set(read.column_names):
        raise BadRequest(f"{path} has no column {', '.join(sorted(missing))}: no table of a sweep")
    columns = {name: read.column(name) for name in read.column_names}
    return Table(columns=columns, rows=read.num_rows)


def _json(path: Path) -> dict[str, Any]:
    """Read a JSON object; an empty one where there is no file.

    Raises:
        StorageError: it is damaged.
    """
    if not path.exists():
        return {}
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
    except (OSError, msgspec.MsgspecError) as error:
        raise StorageError(f"{path} is damaged ({error})") from None
