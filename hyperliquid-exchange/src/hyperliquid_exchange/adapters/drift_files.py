"""The drift report as files: JSON, CSV, Parquet and an HTML page, each whole or not there."""

from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from suite.errors import StorageError

if TYPE_CHECKING:
    from hyperliquid_exchange.application.shadow import DriftReport

NAMES: Final = ("drift.json", "drift.csv", "drift.parquet", "drift.html")


def write_drift(report: "DriftReport", folder: Path) -> tuple[Path, ...]:
    """Write a report in every form.

    Raises:
        StorageError: the folder cannot be written.
    """
    from hyperliquid_exchange.application.drift_page import as_csv, render_page

    encoder = msgspec.json.Encoder(order="deterministic")
    contents = (
        msgspec.json.format(encoder.encode(report.told()), indent=1) + b"\n",
        as_csv(report).encode(),
        _parquet(report),
        render_page(report).encode(),
    )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in zip(NAMES, contents, strict=True):
            draft = folder / f".{name}.draft"
            draft.write_bytes(content)
            draft.replace(folder / name)
    except OSError as error:
        raise StorageError(f"cannot write {folder}: {error.strerror}") from None
    return tuple(folder / name for name in NAMES)


def read_drift(folder: Path) -> bytes | None:
    """Read the last report as JSON; None where there is none.

    Raises:
        StorageError: it is there and cannot be read.
    """
    try:
        return (folder / NAMES[0]).read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StorageError(f"cannot read {folder / NAMES[0]}: {error.strerror}") from None


def _parquet(report: "DriftReport") -> bytes:
    import pyarrow as pa
    from pyarrow import parquet

    from hyperliquid_exchange.application.drift_page import COLUMNS

    whole = {"oid", "decided_ms", "live_ms", "model_ms", "latency_ms"}
    floats = {"price_bps", "fee_bps"}
    types = {name: pa.int64() for name in whole} | {name: pa.float64() for name in floats}
    schema = pa.schema([(name, types.get(name, pa.string())) for name in COLUMNS])
    columns = {name: [getattr(row, name) for row in report.rows] for name in COLUMNS}
    sink = pa.BufferOutputStream()
    parquet.write_table(pa.table(columns, schema=schema), sink)
    return bytes(sink.getvalue().to_pybytes())
