"""Rows that cannot be true: left out, kept with their line and reason; the good ones are stored."""

import csv
import re
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.unit.data_collector.market import NOW_MS, START_MS, generic_csv, make_bars

from data_collector.adapters.import_files import MarketFiles, find_files
from data_collector.adapters.import_ledger import FileLedger, write_report
from data_collector.application.importing import Importer, ImportOptions, Outcome
from data_collector.domain.findings import MOST_REJECTED
from suite.bars import HOUR_MS
from suite.klines import COLUMNS, Source, bars_equal
from suite.service.kline_store import KlineStore

BARS = make_bars(60)
LINES = generic_csv(BARS).splitlines()
COMMAND = str(Path(sys.executable).with_name("data-collector"))


@pytest.fixture
def store(tmp_path: Path) -> KlineStore:
    return KlineStore(tmp_path / "store")


def imported(store: KlineStore, path: Path) -> Outcome:
    importer = Importer(store, MarketFiles(), FileLedger(store), lambda: NOW_MS)
    (outcome,) = importer.run(path, find_files(path), ImportOptions())
    return outcome


def minutes(store: KlineStore) -> list[int]:
    rows: list[int] = ((store.read("BTC").open_time_ms - START_MS) // 60_000).tolist()
    return rows


def with_time(line: str, write: Callable[[int], str]) -> str:
    time, comma, rest = line.partition(",")
    return write(int(time)) + comma + rest


def test_units_of_time_may_differ_from_row_to_row(store: KlineStore, tmp_path: Path) -> None:
    """Seconds, milliseconds, microseconds and nanoseconds: each row by its size."""
    units: list[Callable[[int], str]] = [
        lambda time: str(time // 1000),
        str,
        lambda time: str(time * 1000),
        lambda time: str(time * 1_000_000),
    ]
    rows = [with_time(line, units[row % 4]) for row, line in enumerate(LINES[1:])]
    path = tmp_path / "BTCUSDT-1m.csv"
    path.write_text("\n".join([LINES[0], *rows]))
    assert () == imported(store, path).rejected
    assert bars_equal(BARS, store.read("BTC"))


@pytest.mark.parametrize(
    "write",
    [
        lambda at: f"{np.datetime64(at + 2 * HOUR_MS, 'ms').astype('datetime64[s]')}+02:00",
        lambda at: f"{np.datetime64(at - 5 * HOUR_MS, 'ms').astype('datetime64[s]')}-0500",
        lambda at: f"{np.datetime64(at, 'ms').astype('datetime64[s]')}Z".replace("T", " "),
    ],
)
def test_offsets_of_time_zones_are_heeded(
    store: KlineStore, tmp_path: Path, write: Callable[[int], str]
) -> None:
    """Bars are stamped in UTC."""
    path = tmp_path / "BTCUSDT-1m.csv"
    path.write_text("\n".join([LINES[0], *(with_time(line, write) for line in LINES[1:])]))
    imported(store, path)
    assert bars_equal(BARS, store.read("BTC"))


def test_each_bad_row_is_kept_with_its_line_and_reason(store: KlineStore, tmp_path: Path) -> None:
    """Blank lines count as lines; of contradicting rows the last one is stored."""
    lines = [*LINES]
    lines[5] = lines[5].replace(",", ",-", 1)
    lines[10] = "half a l"
    lines[20] = with_time(lines[20], lambda time: str(time + 1))
    cells = lines[30].split(",")
    lines[30] = ",".join([*cells[:2], "1.0", *cells[3:]])
    lines[40] = lines[40].replace(",", ",n/a", 1)
    lines.insert(50, ",".join([*LINES[50].split(",")[:5], "777.0"]))
    lines.insert(15, "")
    path = tmp_path / "BTCUSDT-1m.csv"
    path.write_text("\n".join(lines))
    outcome = imported(store, path)
    assert "imported" == outcome.status
    assert [
        (6, "a price is not a positive number, or the volume is not a number from 0 up"),
        (11, "1 cells instead of 6"),
        (22, "the time is not a multiple of the interval"),
        (32, "high or low is not the highest or lowest price"),
        (42, "a price is not a positive number, or the volume is not a number from 0 up"),
        (52, "a later row of the same time says otherwise"),
    ] == [(item.line, item.reason) for item in outcome.rejected]
    assert "half a l" == outcome.rejected[1].row
    assert outcome.rejected[5].row.endswith(",777.0")
    assert sorted({*range(60)} - {4, 9, 19, 29, 39}) == minutes(store)
    found = outcome.findings
    assert found is not None
    assert (61, 55, 2, 1, 1, 1, 1) == (
        found.rows, found.kept, found.not_positive, found.ragged, found.off_grid,
        found.ohlc_violations, found.conflicts,
    )  # fmt: skip


def test_file_that_ends_in_the_middle_of_a_row_keeps_the_others(
    store: KlineStore, tmp_path: Path
) -> None:
    """As a download that broke off does."""
    path = tmp_path / "BTCUSDT-1m.csv"
    path.write_text("\n".join(LINES)[:-20])
    (rejected,) = imported(store, path).rejected
    assert 61 == rejected.line
    assert [*range(59)] == minutes(store)


def test_word_far_down_a_large_file_costs_its_row_only(store: KlineStore, tmp_path: Path) -> None:
    """Though the columns looked like numbers up to there."""
    bars = make_bars(40_000)
    lines = generic_csv(bars).splitlines()
    lines[39_000] = lines[39_000].replace(",", ",oops", 1)
    path = tmp_path / "BTCUSDT-1m.csv"
    path.write_text("\n".join(lines))
    assert [39_001] == [item.line for item in imported(store, path).rejected]
    assert 39_999 == len(store.read("BTC"))


def test_rows_of_tables_are_numbered_from_one(store: KlineStore, tmp_path: Path) -> None:
    """A missing price is no price."""
    columns = {name: getattr(BARS, name).tolist() for name in COLUMNS}
    columns["close"][7] = None
    path = tmp_path / "BTC-1m.parquet"
    pq.write_table(pa.table(columns), path)
    assert [8] == [item.line for item in imported(store, path).rejected]
    assert 59 == len(store.read("BTC"))


def test_funding_without_a_rate_is_kept_with_its_line(store: KlineStore, tmp_path: Path) -> None:
    """The other stamps are stored."""
    path = tmp_path / "BTCUSDT-fundingRate-2025-05.csv"
    path.write_text(f"calc_time,rate\n{START_MS},0.0001\n{START_MS + HOUR_MS},none\n")
    (rejected,) = imported(store, path).rejected
    assert (3, "the time or the rate is not a number") == (rejected.line, rejected.reason)
    assert 1 == len(store.funding_at(Source("binance"), "BTC")[0])


def test_what_is_kept_of_bad_rows_is_bounded(store: KlineStore, tmp_path: Path) -> None:
    """The first of them; all are counted."""
    lines = generic_csv(make_bars(3 * MOST_REJECTED)).splitlines()
    bad = [line.replace(",", ",-", 1) if row % 2 else line for row, line in enumerate(lines)]
    path = tmp_path / "BTCUSDT-1m.csv"
    path.write_text("\n".join([lines[0], *bad[1:]]))
    outcome = imported(store, path)
    assert MOST_REJECTED == len(outcome.rejected)
    assert outcome.findings is not None
    assert 3 * MOST_REJECTED // 2 == outcome.findings.not_positive


def test_bad_rows_are_beside_the_report(store: KlineStore, tmp_path: Path) -> None:
    """Under its name, as a table."""
    path = tmp_path / "BTCUSDT-1m.csv"
    path.write_text("\n".join([*LINES, "half"]))
    outcome = imported(store, path)
    files = [outcome.as_dict()]
    report, rows = write_report(store, files, {outcome.name: outcome.rejected}, now_ms=NOW_MS)
    assert Path(report).stem == Path(rows).parent.name
    with Path(rows).open(newline="") as text:
        assert [
            ["file", "line", "reason", "row"],
            ["BTCUSDT-1m.csv", "62", "1 cells instead of 6", "half"],
        ] == list(csv.reader(text))
    assert "" == write_report(store, files, {}, now_ms=NOW_MS)[1]


def small_files() -> None:
    """No file may grow beyond a few bytes, as on a disk that is full."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (600, 600))


def run(*arguments: object, full: bool = False) -> subprocess.CompletedProcess[str]:
    command = [COMMAND, *map(str, arguments)]
    limit = small_files if full else None
    return subprocess.run(command, check=False, capture_output=True, text=True, preexec_fn=limit)


@pytest.mark.process
def test_full_disk_is_said_and_harms_nothing(tmp_path: Path) -> None:
    """One line; what was stored before is there, and the next import completes it."""
    data, inbox = tmp_path / "data", tmp_path / "inbox"
    inbox.mkdir()
    (inbox / "BTCUSDT-1m.csv").write_text("\n".join(LINES[:31]))
    assert 0 == run("import", inbox, "--data", data).returncode
    before = {path: path.read_bytes() for path in data.rglob("*.parquet")}
    (inbox / "BTCUSDT-1m.csv").write_text("\n".join(LINES))
    full = run("import", inbox, "--data", data, full=True)
    assert 1 == full.returncode
    assert re.fullmatch(r"data-collector: [^\n]*cannot write [^\n]*\n", full.stderr)
    assert before == {path: path.read_bytes() for path in data.rglob("*.parquet")}
    assert 0 == run("import", inbox, "--data", data).returncode
    assert 60 == len(KlineStore(data).read("BTC"))


@pytest.mark.process
def test_store_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    """One line, and nothing is made; root may write everywhere but here."""
    (tmp_path / "BTCUSDT-1m.csv").write_text("\n".join(LINES))
    done = run("import", tmp_path, "--data", "/proc/nowhere")
    assert 1 == done.returncode
    assert re.fullmatch(r"data-collector: cannot write [^\n]*\n", done.stderr)
