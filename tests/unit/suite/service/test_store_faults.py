"""Disks that refuse: a named error in one line, nothing overwritten, what is good still read."""

import os
import resource
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from tests.unit.data_collector.market import START_MS, make_bars

from suite.errors import ConfigError, StorageError
from suite.klines import Gap, Source, bars_equal
from suite.service.kline_store import KlineStore, open_store

SOURCE = Source("hyperliquid")
NOBODY = 65534
OLD = make_bars(3000)
NEW = make_bars(6000, price=500.0)
STAMPS = np.arange(2000, dtype=np.int64) * 1000 + START_MS


def tree(root: Path) -> dict[str, bytes]:
    """Every file but the lock and the copies."""
    names = (path for path in root.rglob("*") if path.is_file() and path.name != ".lock")
    return {str(path): path.read_bytes() for path in names if ".cache" not in path.parts}


def fill(root: Path) -> KlineStore:
    store = KlineStore(root)
    store.write_bars(SOURCE, "BTC", OLD)
    store.write_funding(SOURCE, "BTC", STAMPS[:5], np.ones(5))
    store.write_record(SOURCE, "BTC", {"price_decimals": 1})
    return store


WRITES: dict[str, Callable[[KlineStore], object]] = {
    "bars": lambda store: store.write_bars(SOURCE, "BTC", NEW),
    "append": lambda store: store.append_bars(SOURCE, "BTC", NEW.rows(3000, 6000)),
    "funding": lambda store: store.write_funding(SOURCE, "BTC", STAMPS, np.ones(2000)),
    "open interest": lambda store: store.write_open_interest(SOURCE, "BTC", STAMPS, np.ones(2000)),
    "record": lambda store: store.write_record(
        SOURCE, "BTC", {"price_decimals": 1, "x": "y" * 9999}
    ),
    "note": lambda store: store.note_gap(SOURCE, "BTC", "1m", Gap(0, 60_000), "x" * 9999),
}
SMALLER_THAN_ALL = 500


@pytest.fixture
def full_disk() -> Iterator[Callable[[], None]]:
    """From its call on, no file may grow beyond a few bytes, for any user."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (SMALLER_THAN_ALL, before[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("what", WRITES)
def test_full_disk_is_told_in_one_line_and_changes_nothing(
    tmp_path: Path, full_disk: Callable[[], None], what: str
) -> None:
    """With room again, the same write goes through."""
    store = fill(tmp_path)
    before = tree(tmp_path)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    full_disk()
    with pytest.raises(StorageError, match=rf"^cannot write {tmp_path}/.*: File too large$"):
        WRITES[what](store)
    assert before == tree(tmp_path)
    assert bars_equal(OLD, store.read("BTC"))
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    WRITES[what](store)
    assert before != tree(tmp_path)
    assert [] == list(tmp_path.rglob(".*.tmp"))


@pytest.fixture
def read_only() -> Iterator[Path]:
    """A store that the present user may read and not write; root becomes nobody for that."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "store"
        fill(root)
        (root / ".lock").unlink()
        folders = [root, *(path for path in root.rglob("*") if path.is_dir())]
        Path(folder).chmod(0o755)
        for path in folders:
            path.chmod(0o555)
        was_root = os.geteuid() == 0
        if was_root:
            os.seteuid(NOBODY)
        yield root
        if was_root:
            os.seteuid(0)
        for path in folders:
            path.chmod(0o755)


@pytest.mark.parametrize("what", WRITES)
def test_store_that_may_not_be_written_says_so_and_is_read(read_only: Path, what: str) -> None:
    store = KlineStore(read_only)
    before = tree(read_only)
    with pytest.raises(StorageError, match=rf"^cannot write to {read_only}: Permission denied$"):
        WRITES[what](store)
    assert before == tree(read_only)
    assert bars_equal(OLD, store.read("BTC"))
    assert len(OLD) == store.coverage("BTC").bars


@pytest.mark.parametrize("damage", ["cut", "empty", "columns", "nulls", "order", "text"])
def test_damaged_month_costs_no_other_month(tmp_path: Path, damage: str) -> None:
    """Its error is one line that names the file; the rest is read, and it is left as it is."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    store = KlineStore(tmp_path)
    bars = make_bars(45_000)
    store.write_bars(SOURCE, "BTC", bars)
    june = int(np.datetime64("2025-06-01", "ms").astype(np.int64))
    path = next(tmp_path.glob("klines/**/date=2025-06/part-0.parquet"))
    table, content = pq.ParquetFile(path).read(), path.read_bytes()
    if damage == "columns":
        pq.write_table(table.rename_columns(["time", *table.column_names[1:]]), path)
    elif damage == "nulls":
        pq.write_table(table.set_column(1, "open", pa.nulls(len(table), pa.float64())), path)
    elif damage == "order":
        pq.write_table(pa.concat_tables([table.slice(5), table.slice(0, 5)]), path)
    else:
        path.write_bytes({"cut": content[:-9], "empty": b"", "text": b"open,high\n1,2\n"}[damage])
    broken = path.read_bytes()
    for action in (
        lambda: store.read("BTC"),
        lambda: store.write_bars(SOURCE, "BTC", bars.rows(44_000, 45_000)),
    ):
        with pytest.raises(StorageError, match=r"2025-06/part-0\.parquet is damaged: ") as raised:
            action()
        assert "\n" not in str(raised.value)
    assert broken == path.read_bytes()
    assert bars_equal(bars.between(0, june), store.read("BTC", "1m", None, june))


@pytest.mark.parametrize("text", ["{", "[]", '{"gaps": 5}', "\xff"])
def test_damaged_ledger_is_named_and_costs_no_bar(tmp_path: Path, text: str) -> None:
    """Deleted, it is made again."""
    store = fill(tmp_path)
    path = next(tmp_path.glob("gaps/**/*.json"))
    path.write_text(text, encoding="latin-1")
    with pytest.raises(StorageError, match=r"interval=1m\.json is damaged: "):
        store.coverage("BTC")
    with pytest.raises(StorageError, match=r"interval=1m\.json is damaged: "):
        store.write_bars(SOURCE, "BTC", NEW)
    assert text == path.read_text(encoding="latin-1")
    assert bars_equal(OLD, store.read("BTC"))
    path.unlink()
    assert len(OLD) == store.coverage("BTC").bars


def test_store_in_a_file_or_nowhere_is_wrong_use(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="is not a folder"):
        open_store(tmp_path / "file")
    with pytest.raises(ConfigError, match="no folder"):
        open_store(str(tmp_path / "nothing"), must_exist=True)
