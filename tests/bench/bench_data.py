"""Speed of the kline store: `python -m tests.bench.bench_data`.

A year of 1m bars of one coin is written, imported from CSV, read from Parquet, read again from its
copy, hashed and looked at from a process that serves; then a day of appends and a journal.
"""

import argparse
import multiprocessing
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.unit.data_collector.market import generic_csv

from data_collector.adapters.bar_journal import BarJournal
from data_collector.adapters.import_files import MarketFiles
from data_collector.adapters.import_ledger import FileLedger
from data_collector.application.importing import Importer, ImportOptions
from data_collector.domain.synthetic import draw_shared, generate
from suite.bars import DAY_MS, Bars
from suite.klines import Source
from suite.service.kline_store import KlineStore

SOURCE = Source("hyperliquid")
END_MS = 20_240 * DAY_MS
BUDGETS_MS = {"read": 25.0, "read again": 3.0, "import from CSV": 2_000.0}


def rss_mb() -> float:
    """Resident memory of this process that is its own: without pages of mapped files."""
    lines = Path("/proc/self/status").read_text().splitlines()
    (line,) = (text for text in lines if text.startswith("RssAnon"))
    return int(line.split()[1]) / 1024


def measure(name: str, work: Callable[[], object], repeats: int, more: str = "") -> None:
    """Print the shortest time of some runs, and the least processor time: others may be busy."""
    wall, processor = [], []
    for _ in range(repeats):
        begin, used = time.perf_counter(), time.process_time()
        work()
        wall.append(time.perf_counter() - begin)
        processor.append(time.process_time() - used)
    budget = BUDGETS_MS.get(name)
    against = f"   budget {budget:,.0f} ms" if budget else ""
    print(
        f"  {name:28s} {min(wall) * 1e3:10,.2f} ms {min(processor) * 1e3:10,.2f} ms{against}{more}"
    )


def memory_of_reading(root: str, results: "multiprocessing.Queue[float]") -> None:
    """How much a year costs a process that holds it, MB: the first time, and from the copy."""
    store = KlineStore(root)
    store.coverage("BTC")
    before = rss_mb()
    bars = store.read("BTC")
    assert bars.close[-1] > 0
    results.put(rss_mb() - before)


def import_csv(bars: Bars, folder: Path, repeats: int) -> None:
    """One file of a year, as a user has it."""
    path = folder / "BTCUSDT-1m.csv"
    path.write_text(generic_csv(bars))
    size = path.stat().st_size / 2**20

    def run() -> None:
        target = folder / "imported"
        shutil.rmtree(target, ignore_errors=True)
        store = KlineStore(target)
        importer = Importer(store, MarketFiles(), FileLedger(store), lambda: END_MS)
        (outcome,) = importer.run(path, [path], ImportOptions())
        assert outcome.status == "imported", outcome

    measure("import from CSV", run, repeats, f"   {size:.0f} MiB")


def reading(root: Path, repeats: int) -> None:
    """Without a copy, while it is made, and from it."""
    copies = root / ".cache"

    def read_anew() -> None:
        shutil.rmtree(copies, ignore_errors=True)
        KlineStore(root).read("BTC")

    measure("read, and copy made", read_anew, repeats)
    kept = copies.rename(root.with_name("copies"))
    copies.write_text("")  # where no copy can be made
    measure("read", lambda: KlineStore(root).read("BTC"), repeats * 3)
    copies.unlink()
    kept.rename(copies)
    store = KlineStore(root)
    measure("read again", lambda: store.read("BTC"), repeats * 4)
    measure("hash of the content", lambda: store.content_hash("BTC"), repeats)
    measure("coverage", lambda: store.coverage("BTC"), repeats)
    measure("list of series", store.series, repeats)
    spawn = multiprocessing.get_context("spawn")
    results: multiprocessing.Queue[float] = spawn.Queue()
    child = spawn.Process(target=memory_of_reading, args=(str(root), results))
    child.start()
    print(f"  {'memory of a year read again':28s} {results.get():10,.2f} MB of the process's own")
    child.join()


def collecting(bars: Bars, folder: Path) -> None:
    """What a live collector does: a journal each minute, files now and then."""
    firsts = iter(range(0, 1440, 10))
    store, journal = KlineStore(folder / "live"), BarJournal(folder / "journal" / "bars.log")

    def append() -> None:
        first = next(firsts)
        store.append_bars(SOURCE, "BTC", bars.rows(first, first + 10))

    minute = [(SOURCE, f"C{number}", bars.rows(number, number + 1)) for number in range(200)]
    measure("append of ten bars", append, 100)
    measure("journal of 200 coins' bar", lambda: journal.append(minute), 50)
    journal.close()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    shared = draw_shared(7, start_ms=END_MS - options.days * DAY_MS, end_ms=END_MS)
    bars = generate("BTC", 7, shared).bars
    print(f"{len(bars):,} bars of 1m, {os.cpu_count()} cores; least wall and processor time")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        root = folder / "store"

        def write() -> None:
            shutil.rmtree(root, ignore_errors=True)
            KlineStore(root).write_bars(SOURCE, "BTC", bars)

        measure("write", write, options.repeats)
        reading(root, options.repeats)
        import_csv(bars, folder, min(3, options.repeats))
        collecting(bars, folder)


if __name__ == "__main__":
    main()
