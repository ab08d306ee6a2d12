"""The folder of a sweep: what it shall do, parts as they are done, and the tables at the end.

    sweep.json            specification, windows, costs, hashes: what its figures follow from
    parts/KEY.parquet     one task; written whole or not at all
    trials.parquet        one row a parameter set, symbol, fold and part
    returns.parquet       their daily returns
    sensitivity.parquet   the best set of the trainings under other costs
    result.json           the best set; written last

A sweep that is interrupted goes on from its parts. The tables are made of all parts in the order of
their keys, so their bytes depend neither on workers nor on interruptions.
"""

from collections.abc import Iterable, Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from suite.bars import DAY_MS
from suite.errors import ConfigError, StorageError
from suite.service.store_files import LocalFiles
from virtual_exchange.research.search import Value
from virtual_exchange.research.sweep_folds import Window
from virtual_exchange.research.sweep_rows import METRICS, RunRow

SPEC, RESULT = "sweep.json", "result.json"
TRIALS, RETURNS, SENSITIVITY = "trials.parquet", "returns.parquet", "sensitivity.parquet"
_PARTS: Final = "parts"
_WHOLE: Final = {"trades"}
_encode = msgspec.json.Encoder(order="sorted").encode

PlacedRow = tuple[RunRow, Mapping[str, Value]]
"""A run with the values of its parameters."""


class SweepFolder:
    """One sweep on disk.

    Args:
        place: its folder; made when something is written.
    """

    def __init__(self, place: Path) -> None:
        self.place = place
        self._files = LocalFiles(place)

    def result(self) -> dict[str, Any] | None:
        """What the sweep came to, None while it is not finished."""
        raw = self._files.read(RESULT)
        return None if raw is None else dict(msgspec.json.decode(raw))

    def begin(self, told: Mapping[str, Any], *, fresh: bool) -> None:
        """Take what a sweep is, or find that it is the same as what is kept.

        Args:
            told: what its figures follow from, JSON values.
            fresh: forget what is kept.

        Raises:
            ConfigError: the folder holds another sweep, or one of another version or market.
            StorageError: the disk refuses.
        """
        text = msgspec.json.format(_encode(told), indent=2) + b"\n"
        if fresh:
            for name in (RESULT, SPEC, _PARTS, TRIALS, RETURNS, SENSITIVITY):
                self._files.remove(name)
        kept = self._files.read(SPEC)
        if kept is not None and kept != text:
            raise ConfigError(
                f"{self.place} holds another sweep, with another {_difference(kept, text)}: "
                "take another --out, or --fresh to begin anew"
            )
        if kept is None:
            if self.place.is_dir() and any(self.place.glob("*.parquet")):
                raise ConfigError(
                    f"{self.place} holds results of something else: take another --out"
                )
            self._files.write(SPEC, text)
        self._files.sweep(_PARTS)

    def kept(self) -> frozenset[str]:
        """Keys of the parts that are done."""
        return frozenset(path.stem for path in (self.place / _PARTS).glob("[!.]*.parquet"))

    def keep(self, key: str, rows: Sequence[RunRow]) -> None:
        """Write the part of a task.

        Raises:
            StorageError: the disk refuses; what is kept stays.
        """
        columns: dict[str, Any] = {
            "trial": pa.array([row.trial for row in rows], pa.int64()),
            "fold": pa.array([row.fold for row in rows], pa.int64()),
            "part": pa.array([row.part for row in rows], pa.string()),
            "symbol": pa.array([row.symbol for row in rows], pa.string()),
            **metric_columns([row.metrics for row in rows]),
            "error": pa.array([row.error or None for row in rows], pa.string()),
            "returns": pa.array([row.returns for row in rows], pa.list_(pa.float64())),
        }
        self.write(f"{_PARTS}/{key}.parquet", pa.table(columns))

    def part(self, key: str) -> list[RunRow]:
        """Read the part of a task.

        Raises:
            StorageError: it is damaged.
        """
        file = self.place / _PARTS / f"{key}.parquet"
        try:
            raw = pq.read_table(file).to_pylist()
        except (OSError, pa.ArrowException) as error:
            raise StorageError(f"{file} is damaged ({error}): delete it, and go on") from None
        return [
            RunRow(
                metrics={name: one[name] for name in METRICS},
                error=one["error"] or "",
                **{name: one[name] for name in ("trial", "fold", "part", "symbol", "returns")},
            )
            for one in raw
        ]

    def finish(
        self, rows: Sequence[PlacedRow], windows: Iterable[Window], result: Mapping[str, Any]
    ) -> None:
        """Write the tables, and drop the parts.

        Args:
            rows: of all parts, in the order of the table.
            windows: of the sweep.
            result: what it came to, JSON values.

        Raises:
            StorageError: the disk refuses; the parts stay.
        """
        names = list(dict.fromkeys(name for _, chosen in rows for name in chosen))
        runs = [row for row, _ in rows]
        self.write(
            TRIALS,
            pa.table(
                {
                    **_places(runs),
                    **{
                        f"param.{name}": _values([chosen.get(name) for _, chosen in rows])
                        for name in names
                    },
                    **metric_columns([row.metrics for row in runs]),
                    "error": pa.array([row.error or None for row in runs], pa.string()),
                }
            ),
        )
        self.write(RETURNS, _daily(runs, windows))
        self.close(result)

    def close(self, result: Mapping[str, Any]) -> None:
        """Write what it came to, and drop the parts.

        Args:
            result: JSON values.

        Raises:
            StorageError: the disk refuses.
        """
        self._files.write(RESULT, msgspec.json.format(_encode(result), indent=2) + b"\n")
        self._files.remove(_PARTS)

    def keep_sensitivity(self, rows: Sequence[tuple[int, str, str, Mapping[str, Any]]]) -> None:
        """Write what other costs make of a set: its number, knob, value and metrics.

        Raises:
            StorageError: the disk refuses.
        """
        self.write(
            SENSITIVITY,
            pa.table(
                {
                    "trial": pa.array([trial for trial, *_ in rows], pa.int64()),
                    "knob": pa.array([knob for _, knob, _, _ in rows], pa.string()),
                    "value": pa.array([value for _, _, value, _ in rows], pa.string()),
                    **metric_columns([metrics for *_, metrics in rows]),
                }
            ),
        )

    def write(self, name: str, table: Any) -> None:
        """Write a table, whole or not at all.

        Raises:
            StorageError: the disk refuses.
        """
        buffer = BytesIO()
        pq.write_table(table, buffer, compression="zstd")
        self._files.write(name, buffer.getvalue())


def _places(runs: Sequence[RunRow]) -> dict[str, Any]:
    return {
        "trial": pa.array([row.trial for row in runs], pa.int64()),
        "fold": pa.array([row.fold for row in runs], pa.int64()),
        "part": pa.array([row.part for row in runs], pa.string()),
        "symbol": pa.array([row.symbol for row in runs], pa.string()),
    }


def metric_columns(metrics: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Columns of metrics, in the order of `METRICS`."""
    return {
        name: pa.array(
            [one[name] for one in metrics], pa.int64() if name in _WHOLE else pa.float64()
        )
        for name in METRICS
    }


def _values(values: Sequence[Value]) -> Any:
    """A column of parameters: of numbers where all are, else of texts."""
    known = [one for one in values if one is not None]
    if all(isinstance(one, bool) for one in known):
        return pa.array(values, pa.bool_())
    if all(isinstance(one, int) and not isinstance(one, bool) for one in known):
        return pa.array(values, pa.int64())
    if all(isinstance(one, int | float) and not isinstance(one, bool) for one in known):
        return pa.array([None if one is None else float(one) for one in values], pa.float64())
    return pa.array([None if one is None else str(one) for one in values], pa.string())


def _daily(runs: Sequence[RunRow], windows: Iterable[Window]) -> Any:
    """Daily returns, each at the end of its day."""
    starts = {(one.fold, str(one.part)): one.from_ms for one in windows}
    repeated = [row for row in runs for _ in row.returns]
    times = [
        starts[row.fold, row.part] + (day + 1) * DAY_MS
        for row in runs
        for day in range(len(row.returns))
    ]
    return pa.table(
        {
            **_places(repeated),
            "time_ms": pa.array(times, pa.int64()),
            "return": pa.array([one for row in runs for one in row.returns], pa.float64()),
        }
    )


def _difference(kept: bytes, wanted: bytes) -> str:
    """Name the fields in which two sweeps differ."""
    try:
        old, new = msgspec.json.decode(kept), msgspec.json.decode(wanted)
    except msgspec.MsgspecError:
        return SPEC
    names = [name for name in sorted({*old, *new}) if old.get(name) != new.get(name)]
    return ", ".join(names) or SPEC
