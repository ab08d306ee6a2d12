"""Columns and JSON in the files of a store.

`pyarrow.parquet` is imported at first use, and `pyarrow.dataset` never: it would cost a service
that reads one month as much memory as one that reads a year.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from suite.errors import StorageError, one_line
from suite.service.store_files import StoreFiles

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray


def read_columns(files: StoreFiles, name: str, columns: Sequence[str]) -> dict[str, NDArray[Any]]:
    """Read columns of a Parquet file, int64 and float64 only.

    Args:
        files: of the store.
        name: of the file.
        columns: `open_time_ms` and `time_ms` are int64, all others float64.

    Raises:
        StorageError: the file is damaged or has other columns; names the file.
        FileNotFoundError: there is none.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(files.open(name), page_checksum_verification=True) as file:
            table = file.read(columns=list(columns), use_threads=False)
    except FileNotFoundError:
        raise
    except (pa.ArrowException, OSError, ValueError) as error:
        raise damaged(files, name, error) from None
    found: dict[str, NDArray[Any]] = {}
    for column in columns:
        kind = "int64" if column.endswith("time_ms") else "double"
        if column not in table.column_names:
            raise damaged(files, name, f"column {column} is missing")
        values = table.column(column)
        if str(values.type) != kind or values.null_count:
            raise damaged(files, name, f"column {column} is not all {kind}")
        found[column] = values_of(values)
    return found


def damaged(files: StoreFiles, name: str, why: object) -> StorageError:
    """Say in one line that a file is damaged, or that it could not be read, which harms nothing."""
    reason = one_line(str(why))[:200] or type(why).__name__
    refused = isinstance(why, OSError) and why.errno is not None
    what = "cannot be read" if refused else "is damaged"
    return StorageError(f"{files.place}/{name} {what}: {reason}")


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


def count_rows(files: StoreFiles, name: str) -> int:
    """Read how many rows a Parquet file says it has.

    Raises:
        StorageError: the file is damaged.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return int(pq.read_metadata(files.open(name)).num_rows)
    except (pa.ArrowException, OSError) as error:
        raise damaged(files, name, error) from None


def write_columns(files: StoreFiles, name: str, columns: Mapping[str, NDArray[Any]]) -> None:
    """Write a Parquet file, whole or not at all. Equal columns make equal bytes.

    LZ4 over split bytes is a tenth larger than Zstandard and read in half the time.

    Raises:
        StorageError: the disk refuses; what was there before is unchanged.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.Table.from_arrays(
        [array_of(values) for values in columns.values()], names=list(columns)
    )
    encodings = {
        column: "DELTA_BINARY_PACKED" if values.dtype == np.int64 else "BYTE_STREAM_SPLIT"
        for column, values in columns.items()
    }
    sink = pa.BufferOutputStream()
    pq.write_table(
        table,
        sink,
        compression="lz4",
        use_dictionary=False,
        column_encoding=encodings,
        write_page_checksum=True,
    )
    files.write(name, sink.getvalue())


def write_json(files: StoreFiles, name: str, value: Any) -> None:
    """Write a JSON file, whole or not at all; keys sorted, for people to read.

    Raises:
        StorageError: the disk refuses; what was there before is unchanged.
    """
    text = json.dumps(value, indent=2, sort_keys=True, allow_nan=False) + "\n"
    files.write(name, text.encode())


def read_json(files: StoreFiles, name: str) -> dict[str, Any] | None:
    """Read a JSON object, None when there is no such file.

    Raises:
        StorageError: the file is damaged.
    """
    try:
        data = files.read(name)
        value = None if data is None else json.loads(data)
    except (OSError, ValueError) as error:
        raise damaged(files, name, error) from None
    if data is not None and not isinstance(value, dict):
        raise damaged(files, name, "not a JSON object")
    return value
