"""Files of the kline store: Parquet in and out, whole or not at all.

`pyarrow.parquet` is imported at first use, and `pyarrow.dataset` never: it would cost a service
that reads one month as much memory as one that reads a year.
"""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from suite.errors import StorageError

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

_drafts = itertools.count()


def read_columns(path: Path, names: Sequence[str]) -> dict[str, NDArray[Any]]:
    """Read columns of a Parquet file, int64 and float64 only.

    Args:
        path: the file.
        names: columns; `open_time_ms` and `time_ms` are int64, all others float64.

    Raises:
        StorageError: the file is damaged or has other columns; names the file.
        FileNotFoundError: there is none.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            table = file.read(columns=list(names), use_threads=False)
    except FileNotFoundError:
        raise
    except (pa.ArrowException, OSError, ValueError) as error:
        raise StorageError(f"{path} is damaged: {_first_line(error)}") from None
    columns: dict[str, NDArray[Any]] = {}
    for name in names:
        kind = "int64" if name.endswith("time_ms") else "double"
        if name not in table.column_names:
            raise StorageError(f"{path} is damaged: column {name} is missing")
        column = table.column(name)
        if str(column.type) != kind or column.null_count:
            raise StorageError(f"{path} is damaged: column {name} is not all {kind}")
        columns[name] = values_of(column)
    return columns


def values_of(column: pa.ChunkedArray[Any]) -> NDArray[Any]:
    """Look at an Arrow column of int64 or float64 without nulls as a numpy array.

    Arrow's own conversion imports pandas: a second at start, and 40 MB.
    """
    dtype = np.dtype(np.int64 if str(column.type) == "int64" else np.float64)
    parts = []
    for chunk in column.chunks:
        data: Any = chunk.buffers()[1]
        if len(chunk):
            parts.append(np.frombuffer(data, dtype, len(chunk), chunk.offset * dtype.itemsize))
    return parts[0] if len(parts) == 1 else np.concatenate([np.zeros(0, dtype), *parts])


def array_of(values: NDArray[Any]) -> pa.Array[Any]:
    """Make an Arrow array of int64 or float64 values; as `values_of`, without pandas."""
    import pyarrow as pa

    kind = pa.int64() if values.dtype == np.int64 else pa.float64()
    data = pa.py_buffer(np.ascontiguousarray(values).data)
    return pa.Array.from_buffers(kind, len(values), [None, data])


def count_rows(path: Path) -> int:
    """Read how many rows a Parquet file says it has.

    Raises:
        StorageError: the file is damaged.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return int(pq.read_metadata(path).num_rows)
    except (pa.ArrowException, OSError) as error:
        raise StorageError(f"{path} is damaged: {_first_line(error)}") from None


def write_columns(path: Path, columns: Mapping[str, NDArray[Any]]) -> None:
    """Write a Parquet file, whole or not at all. Equal columns make equal bytes.

    Raises:
        StorageError: the disk refuses; what was there before is unchanged.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.Table.from_arrays(
        [array_of(values) for values in columns.values()], names=list(columns)
    )
    encodings = {
        name: "DELTA_BINARY_PACKED" if values.dtype == np.int64 else "BYTE_STREAM_SPLIT"
        for name, values in columns.items()
    }

    def write(draft: Path) -> None:
        pq.write_table(
            table, draft, compression="zstd", use_dictionary=False, column_encoding=encodings
        )

    _replace(path, write)


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file, whole or not at all; keys sorted, for people to read.

    Raises:
        StorageError: the disk refuses; what was there before is unchanged.
    """
    text = json.dumps(value, indent=2, sort_keys=True, allow_nan=False) + "\n"
    _replace(path, lambda draft: draft.write_text(text, encoding="utf-8"))


def read_json(path: Path) -> dict[str, Any] | None:
    """Read a JSON object, None when there is no such file.

    Raises:
        StorageError: the file is damaged.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise StorageError(f"{path} is damaged: {_first_line(error)}") from None
    if not isinstance(value, dict):
        raise StorageError(f"{path} is damaged: not a JSON object")
    return value


@contextlib.contextmanager
def exclusive(root: Path) -> Iterator[None]:
    """Hold the store's write lock; waits for another writer. It ends with its process.

    Raises:
        StorageError: the store cannot be written.
    """
    try:
        root.mkdir(parents=True, exist_ok=True)
        handle = os.open(root / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise StorageError(f"cannot write to {root}: {error.strerror}") from None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _replace(path: Path, write: Callable[[Path], object]) -> None:
    """Write a draft beside the file, sync it, put it in place, sync the directory."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.{next(_drafts)}.tmp")
    try:
        _make_directory(path.parent)
        try:
            write(draft)
            _sync(draft)
            draft.replace(path)
        except BaseException:
            draft.unlink(missing_ok=True)
            raise
        _sync(path.parent)
    except OSError as error:
        raise StorageError(f"cannot write {path}: {error.strerror or error}") from None


def _make_directory(directory: Path) -> None:
    """Make a directory and its parents so that they outlive a power cut."""
    if not directory.is_dir():
        _make_directory(directory.parent)
        directory.mkdir(exist_ok=True)
        _sync(directory.parent)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:200] if lines else type(error).__name__
