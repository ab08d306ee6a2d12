"""A store is read again as a whole, and every damage is found."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.unit.data_collector.market import START_MS, make_bars

from data_collector.adapters.stored_files import StoredFiles
from data_collector.application.verifying import verify
from suite.klines import Source
from suite.service.kline_store import KlineStore

SOURCE = Source("binance-usdm")


@pytest.fixture
def store(tmp_path: Path) -> KlineStore:
    store = KlineStore(tmp_path)
    store.write_bars(SOURCE, "BTC", make_bars(45_000, skip=[7]))
    store.write_funding(SOURCE, "BTC", np.array([START_MS], np.int64), np.array([0.0001]))
    store.write_record(SOURCE, "BTC", {"price_decimals": 1})
    return store


def problems(store: KlineStore) -> list[str]:
    return [item.problem for item in verify(StoredFiles(store)) if item.problem]


def bars_file(store: KlineStore, month: str = "05") -> Path:
    return next(store.root.glob(f"klines/**/date=2025-{month}/part-0.parquet"))


def edit(path: Path, change: Callable[[dict[str, list[float]]], None]) -> None:
    columns = pq.ParquetFile(path).read().to_pydict()
    change(columns)
    pq.write_table(pa.table(columns), path)


def test_sound_store_has_no_problem(store: KlineStore) -> None:
    """Gaps that the ledger names are none."""
    assert [] == problems(store)
    assert 45_000 == sum(item.rows for item in verify(StoredFiles(store)))


def set_cell(name: str, row: int, value: float) -> Callable[[dict[str, list[float]]], None]:
    def change(columns: dict[str, list[float]]) -> None:
        columns[name][row] = value

    return change


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (set_cell("high", 3, 1.0), "1 bars whose high or low is not"),
        (set_cell("close", 3, float("nan")), "1 bars with an impossible price or volume"),
        (set_cell("volume", 3, -1.0), "1 bars with an impossible price or volume"),
        (set_cell("open_time_ms", 3, START_MS), "open times do not rise"),
        (set_cell("open_time_ms", 3, START_MS + 3 * 60_000 + 1), "open times do not rise on the"),
        (lambda columns: [column.pop(5) for column in columns.values()], "does not match"),
    ],
)
def test_impossible_bars_are_found(
    store: KlineStore, change: Callable[[dict[str, list[float]]], None], expected: str
) -> None:
    """By file, with their number."""
    edit(bars_file(store), change)
    assert any(expected in text for text in problems(store))


def test_bars_in_the_wrong_month_are_found(store: KlineStore) -> None:
    """A reader that looks for a month would miss them."""
    bars_file(store, "06").write_bytes(bars_file(store).read_bytes())
    found = problems(store)
    assert any("bars of another month" in text for text in found)
    assert any("months overlap" in text for text in found)


@pytest.mark.parametrize(
    "pattern",
    ["klines/**/*.parquet", "funding/**/*.parquet", "instruments/**/*.json", "gaps/**/*.json"],
)
def test_damage_of_any_file_is_found(store: KlineStore, pattern: str) -> None:
    """One byte string is no Parquet and no JSON."""
    path = next(store.root.glob(pattern))
    path.write_bytes(b"damage")
    assert any(str(path.name) in text and "is damaged" in text for text in problems(store))


def test_lost_month_is_found(store: KlineStore) -> None:
    """The ledger remembers how much there was."""
    bars_file(store, "06").unlink()
    assert ["BTC 1m of binance-usdm/perp: the gap ledger does not match"] == [
        text.partition(" the files")[0] for text in problems(store)
    ]


def test_writing_again_mends_the_ledger(store: KlineStore) -> None:
    """What a killed writer leaves behind is put right by the same write."""
    for path in store.root.glob("gaps/**/*.json"):
        path.unlink()
    assert 1 == len(problems(store))
    store.write_bars(SOURCE, "BTC", make_bars(10))
    assert [] == problems(store)
