"""What other programs may rely on in a store's folder, also when its writer was killed."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.unit.data_collector.market import START_MS, make_bars

from data_collector.adapters.stored_files import StoredFiles
from data_collector.application.verifying import verify
from suite.bars import MINUTE_MS
from suite.klines import COLUMNS, Source, bars_equal, merge_bars
from suite.service.kline_store import KlineStore

SOURCE = Source("binance-usdm")
INTERVAL = "15m"
STEP_MS = 15 * MINUTE_MS
OLD = make_bars(2_800, step_ms=STEP_MS)
NEW = make_bars(8_000, step_ms=STEP_MS, start_ms=START_MS + 2_000 * STEP_MS, price=500.0)

WRITER = """
import os, pathlib, signal, sys
from tests.contract.test_storage import NEW, SOURCE
from suite.service.kline_store import KlineStore

left = int(sys.argv[2])

def counted(call):
    def wrapper(*args, **kwargs):
        global left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return call(*args, **kwargs)
    return wrapper

os.fsync = counted(os.fsync)
os.open = counted(os.open)
pathlib.Path.replace = counted(pathlib.Path.replace)
pathlib.Path.unlink = counted(pathlib.Path.unlink)
print("writing", flush=True)
KlineStore(pathlib.Path(sys.argv[1])).write_bars(SOURCE, "BTC", NEW)
"""


def prepare(root: Path) -> KlineStore:
    store = KlineStore(root)
    store.write_bars(SOURCE, "BTC", OLD)
    store.write_record(SOURCE, "BTC", {"price_decimals": 1, "synthetic": False})
    store.write_funding(SOURCE, "BTC", np.array([START_MS], np.int64), np.array([0.0001]))
    return store


def start_writer(root: Path, kill_at: int) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", WRITER, str(root), str(kill_at)]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]
    )


def assert_each_bar_is_old_or_new(store: KlineStore) -> None:
    """No row of any file is anything but the one before or the one after the write."""
    stored = store.read("BTC", INTERVAL)
    after = merge_bars(OLD, NEW).bars
    where = np.searchsorted(after.open_time_ms, stored.open_time_ms)
    is_new = stored.close == after.close[where]
    before = np.searchsorted(OLD.open_time_ms, stored.open_time_ms[~is_new])
    assert OLD.close[before].tolist() == stored.close[~is_new].tolist()
    assert np.isin(OLD.open_time_ms, stored.open_time_ms).all()


def assert_repeating_the_write_completes_it(store: KlineStore) -> None:
    store.write_bars(SOURCE, "BTC", NEW)
    assert bars_equal(merge_bars(OLD, NEW).bars, store.read("BTC", INTERVAL))
    assert [] == [item.problem for item in verify(StoredFiles(store)) if item.problem]
    assert [] == list(store.root.rglob(".*.tmp"))
    replaced = [pq.ParquetFile(path).read() for path in store.root.glob("revisions/**/*.parquet")]
    rows = pa.concat_tables(replaced).to_pydict()
    assert set(NEW.open_time_ms.tolist()) & set(OLD.open_time_ms.tolist()) == set(
        rows["open_time_ms"]
    )


@pytest.mark.process
@pytest.mark.parametrize("kill_at", [1, 2, 3, 4, 6, 8, 10, 13, 16, 20, 24, 28, 32])
def test_writer_killed_at_any_step_leaves_a_readable_store(tmp_path: Path, kill_at: int) -> None:
    """SIGKILL before the nth system call that touches the disk."""
    store = prepare(tmp_path)
    with start_writer(tmp_path, kill_at) as writer:
        writer.communicate()
    assert -signal.SIGKILL == writer.returncode
    assert_each_bar_is_old_or_new(store)
    assert_repeating_the_write_completes_it(store)


@pytest.mark.process
@pytest.mark.parametrize("delay_ms", [0, 5, 15, 40])
def test_writer_killed_from_outside_leaves_a_readable_store(tmp_path: Path, delay_ms: int) -> None:
    """SIGKILL at a moment that nobody chose."""
    store = prepare(tmp_path)
    with start_writer(tmp_path, 0) as writer:
        assert writer.stdout is not None
        assert "writing\n" == writer.stdout.readline()
        time.sleep(delay_ms / 1000)
        os.kill(writer.pid, signal.SIGKILL)
    assert_each_bar_is_old_or_new(store)
    assert_repeating_the_write_completes_it(store)


@pytest.mark.process
def test_reader_never_sees_half_a_file_while_another_process_writes(tmp_path: Path) -> None:
    """Every read during a write gives whole months, old or new."""
    store = prepare(tmp_path)
    with start_writer(tmp_path, 0) as writer:
        reads = 0
        while writer.poll() is None:
            assert_each_bar_is_old_or_new(store)
            reads += 1
    assert 0 == writer.returncode
    assert reads > 0
    assert bars_equal(merge_bars(OLD, NEW).bars, store.read("BTC", INTERVAL))


def test_layout_and_columns_are_as_documented(tmp_path: Path) -> None:
    """Any Parquet reader can use the store by its paths and columns."""
    prepare(tmp_path)
    market = "venue=binance-usdm/market=perp/symbol=BTC"
    found = {p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*") if p.is_file()}
    june = f"klines/{market}/interval=15m/date=2025-06/part-0.parquet"
    assert {
        ".lock",
        f"klines/{market}/interval=15m/date=2025-05/part-0.parquet",
        june,
        f"funding/{market}/part.parquet",
        f"gaps/{market}/interval=15m.json",
        f"instruments/{market}.json",
    } == found
    bars = pq.ParquetFile(tmp_path / f"klines/{market}/interval=15m/date=2025-05/part-0.parquet")
    names = ["open_time_ms", "open", "high", "low", "close", "volume"]
    assert [(name, "int64" if name == "open_time_ms" else "double") for name in names] == [
        (field.name, str(field.type)) for field in bars.schema_arrow
    ]
    funding = pq.ParquetFile(tmp_path / f"funding/{market}/part.parquet").schema_arrow
    assert [("time_ms", "int64"), ("rate", "double")] == [(f.name, str(f.type)) for f in funding]


def test_file_of_another_writer_is_read_and_joined(tmp_path: Path) -> None:
    """A month may be in several parts, as other programs write them."""
    store = prepare(tmp_path)
    folder = next(tmp_path.glob("klines/**/date=2025-05"))
    extra = make_bars(10, step_ms=STEP_MS, start_ms=START_MS - 10 * STEP_MS)
    table = pa.table({name: getattr(extra, name) for name in COLUMNS})
    pq.write_table(table, folder / "part-7.parquet")
    assert len(OLD) + 10 == len(store.read("BTC", INTERVAL))
    assert START_MS - 10 * STEP_MS == store.coverage("BTC", INTERVAL).first_open_ms
    store.write_bars(SOURCE, "BTC", make_bars(1, step_ms=STEP_MS, start_ms=START_MS - 20 * STEP_MS))
    assert ["part-8.parquet"] == sorted(path.name for path in folder.iterdir())
    assert len(OLD) + 11 == len(store.read("BTC", INTERVAL))


def test_a_year_of_minutes_loads_fast_and_without_pandas(tmp_path: Path) -> None:
    """What idle services pay for: no pandas, no dataset machinery."""
    store = KlineStore(tmp_path)
    store.write_bars(SOURCE, "BTC", make_bars(525_600))
    code = (
        "import sys, time; from pathlib import Path\n"
        "from suite.service.kline_store import KlineStore\n"
        "store = KlineStore(Path(sys.argv[1])); store.read('BTC')\n"
        "begin = time.perf_counter(); bars = store.read('BTC')\n"
        "spent = time.perf_counter() - begin\n"
        "heavy = {'pandas', 'pyarrow.dataset', 'pyarrow.compute', 'fastapi'} & set(sys.modules)\n"
        "print(len(bars), sorted(heavy), spent < 0.5)"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert "525600 [] True\n" == output
