"""Files of others: klines and funding in Parquet, CSV, gzip and zip, leverage brackets in JSON."""

import gzip
import hashlib
import json
import re
import zipfile
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from data_collector.domain.cleaning import FileRows, Rows
from data_collector.domain.file_names import Kind, is_market_data
from data_collector.domain.findings import NotUnderstood, Rejected
from suite.bars import I64
from suite.errors import ConfigError
from suite.fixed import is_decimal
from suite.service.kline_files import array_of, values_of

MOST_BYTES: Final = 2 << 30
"""Largest text that is unpacked: a year of 1m bars is 60 MB."""
MOST_JSON_BYTES: Final = 64 << 20
"""Largest JSON file that is looked into: the brackets of a venue are 1 MB."""

_TIME = (
    "open_time_ms", "open_time", "opentime", "timestamp", "time_ms", "time", "datetime", "date",
    "calc_time", "funding_time", "fundingtime", "unix", "ts",
)  # fmt: skip
_ALIASES: Final[dict[Kind, dict[str, tuple[str, ...]]]] = {
    Kind.KLINES: {
        "time": _TIME,
        "open": ("open", "open_price", "o"),
        "high": ("high", "high_price", "h"),
        "low": ("low", "low_price", "l"),
        "close": ("close", "close_price", "c"),
        "volume": ("volume", "vol", "base_volume", "volume_base", "v"),
    },
    Kind.FUNDING: {
        "time": (*_TIME[8:11], *_TIME),
        "rate": ("funding_rate", "fundingrate", "last_funding_rate", "rate"),
    },
}
_HEADERLESS: Final[dict[Kind, dict[str, int]]] = {
    Kind.KLINES: {"time": 0, "open": 1, "high": 2, "low": 3, "close": 4, "volume": 5},
    Kind.FUNDING: {"time": 0, "rate": -1},
}


def find_files(path: Path) -> list[Path]:
    """List the files to import: the one named, or all in a folder and those below it, A-Z.

    Raises:
        ConfigError: there is nothing of that name, or nothing to import in it.
    """
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise ConfigError(f"no file or folder {path}")
    found = sorted(item for item in path.rglob("*") if item.is_file() and is_market_data(item.name))
    if not found:
        raise ConfigError(f"no .parquet, .csv, .csv.gz, .zip or .json file in {path}")
    return found


class MarketFiles:
    """Reads files as columns of numbers."""

    def digest(self, path: Path) -> str:
        """Hash a file's content, SHA-256."""
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def document(self, path: Path) -> Any:
        """Read a JSON file; numbers with a point or an exponent are Decimal.

        Raises:
            NotUnderstood: it is too large to be anything we read.
            ValueError: it is damaged.
        """
        if path.stat().st_size > MOST_JSON_BYTES:
            raise NotUnderstood(f"JSON of more than {MOST_JSON_BYTES >> 20} MiB")
        try:
            return json.loads(path.read_bytes(), parse_float=Decimal)
        except (ValueError, RecursionError) as error:
            raise ValueError(f"damaged JSON: {_first_line(error)}") from None

    def rows(self, path: Path, kind: Kind) -> FileRows:
        """Read the rows of a kline or funding file.

        Raises:
            NotUnderstood: its layout is not known.
            ValueError: it cannot be used, with the reason.
        """
        if path.suffix.lower() == ".parquet":
            return _parquet(path, kind)
        if path.suffix.lower() == ".zip":
            return _csv(_unzip(path), kind)
        if path.suffix.lower() == ".gz":
            return _csv(_gunzip(path), kind)
        if path.stat().st_size > MOST_BYTES:
            raise ValueError(f"larger than {MOST_BYTES >> 30} GiB; split it")
        return _csv(path.read_bytes(), kind)


def _parquet(path: Path, kind: Kind) -> FileRows:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            chosen = _choose(file.schema_arrow.names, kind)
            table = file.read(columns=list(chosen.values()), use_threads=False)
    except (pa.ArrowException, OSError) as error:
        raise ValueError(f"damaged Parquet: {_first_line(error)}") from None
    return FileRows(_columns(table, chosen), np.arange(1, table.num_rows + 1))


def _columns(table: Any, chosen: dict[str, str]) -> Rows:
    return {name: _numbers(table.column(column), name) for name, column in chosen.items()}


def _unzip(path: Path) -> bytes:
    try:
        with zipfile.ZipFile(path) as archive:
            inside = [item for item in archive.infolist() if item.filename.lower().endswith(".csv")]
            if len(inside) != 1:
                raise NotUnderstood(f"{len(inside)} .csv files in the zip, one is expected")
            if inside[0].file_size > MOST_BYTES:
                raise ValueError(f"unpacks to more than {MOST_BYTES >> 30} GiB")
            return archive.read(inside[0])
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError) as error:
        raise ValueError(f"damaged zip: {_first_line(error)}") from None


def _gunzip(path: Path) -> bytes:
    import zlib

    try:
        with gzip.open(path) as file:
            data = file.read(MOST_BYTES + 1)
    except (gzip.BadGzipFile, EOFError, zlib.error, OSError) as error:
        raise ValueError(f"damaged gzip: {_first_line(error)}") from None
    if len(data) > MOST_BYTES:
        raise ValueError(f"unpacks to more than {MOST_BYTES >> 30} GiB")
    return data


def _csv(data: bytes, kind: Kind) -> FileRows:
    """Read CSV text with or without a line of names."""
    import pyarrow as pa

    data = data.removeprefix(b"\xef\xbb\xbf")
    text = data.lstrip(b"\r\n")
    if not text.strip():
        raise ValueError("the file is empty")
    before = data[: len(data) - len(text)].count(b"\n")
    first = text.split(b"\n", 1)[0].decode("utf-8", "replace").strip()
    delimiter = max(",;\t", key=first.count)
    cells = [cell.strip().strip('"') for cell in first.split(delimiter)]
    if is_decimal(cells[0]):
        names = [str(index) for index in range(len(cells))]
        places = _HEADERLESS[kind]
        if len(cells) <= max(places.values()):
            raise NotUnderstood(f"{len(cells)} columns without names are not {kind}")
        chosen = {name: names[place] for name, place in places.items()}
    else:
        names, before = cells, before + 1
        text = text.partition(b"\n")[2]
        chosen = _choose(names, kind)
    lines: I64 | None = None
    ragged: tuple[Rejected, ...] = ()
    try:
        if not text.strip():
            return FileRows({name: np.zeros(0) for name in chosen}, np.zeros(0, np.int64))
        try:
            table = _table(text, names, delimiter, [*chosen.values()])
        except pa.ArrowInvalid:
            # Rare, so it may be slow: lines of another width are taken out, cells that are no
            # numbers are left to be judged one by one.
            text, lines, ragged = _even(text, delimiter, len(names), before)
            table = _table(text, names, delimiter, [*chosen.values()], as_text=True)
    except (pa.ArrowException, UnicodeDecodeError) as error:
        raise ValueError(f"damaged CSV: {_first_line(error)}") from None
    if lines is None:
        lines = _numbered(text, before, table.num_rows)
    return FileRows(_columns(table, chosen), lines, ragged)


def _table(
    text: bytes, names: list[str], delimiter: str, chosen: list[str], *, as_text: bool = False
) -> Any:
    import pyarrow as pa
    from pyarrow import csv

    return csv.read_csv(
        pa.BufferReader(text),  # type: ignore[arg-type]  # not in the stubs
        read_options=csv.ReadOptions(column_names=names),
        parse_options=csv.ParseOptions(delimiter=delimiter),
        convert_options=csv.ConvertOptions(
            include_columns=chosen,
            column_types=dict.fromkeys(chosen, pa.string()) if as_text else None,
        ),
    )


def _even(
    text: bytes, delimiter: str, width: int, before: int
) -> tuple[bytes, I64, tuple[Rejected, ...]]:
    """Take out lines that have another number of cells.

    Raises:
        ValueError: they are the most.
    """
    kept, numbers, ragged = [], [], []
    mark = delimiter.encode()
    for number, line in enumerate(text.split(b"\n"), before + 1):
        if not line.strip(b"\r"):
            continue
        cells = line.count(mark) + 1
        if cells == width or b'"' in line:
            kept.append(line)
            numbers.append(number)
        else:
            row = line.decode("utf-8", "replace").strip()[:200]
            ragged.append(Rejected(number, f"{cells} cells instead of {width}", row))
    if len(ragged) > len(kept):
        raise ValueError(f"damaged CSV: {len(ragged)} lines have not {width} cells")
    return b"\n".join(kept), np.array(numbers, np.int64), tuple(ragged)


def _numbered(text: bytes, before: int, rows: int) -> I64:
    """Number the lines of rows; empty ones are none."""
    if b"\n\n" not in text and b"\n\r\n" not in text:
        return np.arange(before + 1, before + 1 + rows)
    lines = enumerate(text.split(b"\n"), before + 1)
    return np.array([number for number, line in lines if line.strip(b"\r")], np.int64)


def _choose(columns: Sequence[str], kind: Kind) -> dict[str, str]:
    """Map our names to the file's."""
    plain = {re.sub(r"[^a-z0-9]+", "_", name.strip().lower()).strip("_"): name for name in columns}
    chosen, missing = {}, []
    for name, aliases in _ALIASES[kind].items():
        found = next((plain[alias] for alias in aliases if alias in plain), None)
        if found is None:
            missing.append(name)
        else:
            chosen[name] = found
    if missing:
        given = ", ".join(str(name) for name in columns)[:120]
        raise NotUnderstood(f"no column for {', '.join(missing)} among: {given}")
    return chosen


def _numbers(column: Any, name: str) -> NDArray[Any]:
    """Make numbers of an Arrow column; what is none becomes NaN, or -1 in a column of times."""
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = column.type
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        epoch_ms = column.cast(pa.timestamp("ms"), safe=False).cast(pa.int64())
        return _times(epoch_ms.fill_null(-1))
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        texts = column.to_pylist()
        if name == "time":
            return np.array([_moment(text) for text in texts], np.int64)
        return np.array([_number(text) for text in texts], np.float64)
    if pa.types.is_integer(kind) and name == "time" and not column.null_count:
        return values_of(column.cast(pa.int64()))
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        numbers = column.cast(pa.float64(), safe=False)
        # Arrow's own way of naming a number that fills holes imports pandas: a second.
        holes = pa.chunked_array([array_of(np.full(len(numbers), np.nan))])
        return values_of(pc.coalesce(numbers, holes) if numbers.null_count else numbers)
    if pa.types.is_null(kind):
        return np.full(len(column), np.nan)
    raise NotUnderstood(f"column for {name} holds {kind}, not numbers")


def _times(column: Any) -> NDArray[Any]:
    values = values_of(column)
    return np.where(values < 0, np.datetime64("NaT"), values.astype("datetime64[ms]"))


def _moment(text: str | None) -> int:
    """Epoch ms of a time written as text; -1 for none."""
    try:
        moment = datetime.fromisoformat((text or "").strip())
    except ValueError:
        number = _number(text)
        return int(number) if np.isfinite(number) else -1
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return round(moment.timestamp() * 1000)


def _number(text: str | None) -> float:
    """Read a number in ASCII decimals; NaN for anything else."""
    plain = (text or "").strip(" \t")
    return float(plain) if is_decimal(plain) else float("nan")


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:160] if lines else type(error).__name__
