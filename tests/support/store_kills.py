"""Kills real writers of a store at every step that touches the disk, and looks at what is left.

Run as a module, it says what happened, one JSON line a kill. It does nothing but fork: writers and
those who look afterwards are processes of their own, so that none inherits the threads of another.
"""

import argparse
import json
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet  # noqa: F401 - before the first fork, once for all
import structlog
from tests.unit.data_collector.market import make_bars

from data_collector.adapters.bar_journal import BarJournal
from data_collector.adapters.stored_files import StoredFiles
from data_collector.application.verifying import verify
from suite.bars import MINUTE_MS, Bars
from suite.klines import Gap, Source, bars_equal, concat_bars, merge_bars
from suite.service import kline_store
from suite.service.kline_store import KlineStore

SOURCE = Source("hyperliquid")
JUNE_MS = 1_748_736_000_000
ROWS = 60

Ack = Callable[[], None]


@dataclass(frozen=True)
class Scenario:
    """Something that a writer does.

    Attributes:
        prepare: what is there before.
        run: what is killed; acknowledges each step that has returned.
        lost: after a kill with so many acknowledged, what is missing or wrong; empty when nothing.
        final: the bars when it came to its end.
    """

    prepare: Callable[[Path], None]
    run: Callable[[Path, Ack], None]
    lost: Callable[[Path, int], str]
    final: Bars


def hours(first: int, end: int, price: float = 100.0) -> Bars:
    """Bars by the hour, across the end of a month after three of them."""
    start = JUNE_MS - 3 * ROWS * MINUTE_MS
    return make_bars(end * ROWS, start_ms=start, price=price).rows(first * ROWS, end * ROWS)


def _stored(root: Path) -> Bars:
    return KlineStore(root).read("BTC")


def _must_have(stored: Bars, acked: Bars, possible: Bars) -> str:
    """Every bar that was acknowledged is there, and none that was never written."""
    if not np.isin(acked.open_time_ms, stored.open_time_ms).all():
        return "an acknowledged bar is lost"
    united = merge_bars(stored, possible)
    if united.result.revised or len(united.bars) != len(possible):
        return "a bar is there that nobody wrote"
    return ""


# ---- appending, with a compaction every third file ----------------------------------------------


def _append(root: Path, ack: Ack) -> None:
    kline_store.PARTS_MAX = 3  # type: ignore[misc]
    for hour in range(2, 9):
        KlineStore(root).append_bars(SOURCE, "BTC", hours(hour, hour + 1))
        ack()


def _append_lost(root: Path, acked: int) -> str:
    return _must_have(_stored(root), hours(0, 2 + acked), hours(0, 9))


# ---- a revision over two months -----------------------------------------------------------------

OLD, NEW = hours(0, 6), hours(1, 8, price=500.0)


def _revise(root: Path, ack: Ack) -> None:
    KlineStore(root).write_bars(SOURCE, "BTC", NEW)
    ack()


def _revise_lost(root: Path, acked: int) -> str:
    stored, after = _stored(root), merge_bars(OLD, NEW).bars
    if acked:
        return "" if bars_equal(after, stored) else "an acknowledged bar is lost"
    old = merge_bars(OLD, stored)
    changed = old.replacing
    if len(old.bars) != len(stored) or merge_bars(after, changed).result.revised:
        return "a row is neither old nor new"
    kept = [path for path in root.glob("revisions/**/*.parquet") if path.is_file()]
    return "a replaced bar is not kept" if len(changed) and not kept else ""


# ---- compaction ---------------------------------------------------------------------------------


def _scatter(root: Path) -> None:
    for hour in range(8):
        KlineStore(root).append_bars(SOURCE, "BTC", hours(hour, hour + 1))


def _compact(root: Path, ack: Ack) -> None:
    KlineStore(root).compact(SOURCE, "BTC", "1m")
    ack()


def _compact_lost(root: Path, _acked: int) -> str:
    return "" if bars_equal(hours(0, 8), _stored(root)) else "a bar is lost"


# ---- journal, then store ------------------------------------------------------------------------


def _journaled(first: int, end: int) -> Bars:
    return make_bars(end).rows(first, end)


def _collect(root: Path, ack: Ack) -> None:
    journal, store = BarJournal(root / "journal" / "bars.log"), KlineStore(root)
    for _, coin, bars in journal.replay():
        store.append_bars(SOURCE, coin, bars)
    journal.forget()
    flushed = 0
    for minute in range(9):
        journal.append([(SOURCE, "BTC", _journaled(minute, minute + 1))])
        ack()
        if minute % 3 == 2:
            store.append_bars(SOURCE, "BTC", _journaled(flushed, minute + 1))
            journal.forget()
            flushed = minute + 1


def _collect_lost(root: Path, acked: int) -> str:
    store = KlineStore(root)
    parts = [store.read("BTC")] if store.series() else []
    journal = BarJournal(root / "journal" / "bars.log")
    whole = parts[0] if parts else _journaled(0, 0)
    for _, _, bars in journal.replay():
        whole = merge_bars(whole, bars).bars
    journal.close()
    if list(root.glob("journal/*damaged*")):
        return "the journal is damaged"
    return _must_have(whole, _journaled(0, acked), _journaled(0, 9))


# ---- the ledger ---------------------------------------------------------------------------------

HOLES = concat_bars([hours(0, 2), hours(4, 6)], MINUTE_MS)


def _note(root: Path, ack: Ack) -> None:
    store = KlineStore(root)
    first = int(hours(2, 3).open_time_ms[0])
    for number in range(4):
        gap = Gap(first + number * 10 * MINUTE_MS, first + (number * 10 + 5) * MINUTE_MS)
        store.note_gap(SOURCE, "BTC", "1m", gap, f"reason {number}")
        ack()


def _note_lost(root: Path, acked: int) -> str:
    held = KlineStore(root).coverage("BTC")
    told = [gap.reason for gap in held.gaps if gap.reason != "unknown"]
    if told[:acked] != [f"reason {number}" for number in range(acked)]:
        return "an acknowledged reason is lost"
    return "" if bars_equal(HOLES, _stored(root)) else "a bar is lost"


def _with(bars: Bars) -> Callable[[Path], None]:
    def prepare(root: Path) -> None:
        KlineStore(root).write_bars(SOURCE, "BTC", bars)

    return prepare


SCENARIOS = {
    "append": Scenario(_with(hours(0, 2)), _append, _append_lost, hours(0, 9)),
    "revise": Scenario(_with(OLD), _revise, _revise_lost, merge_bars(OLD, NEW).bars),
    "compact": Scenario(_scatter, _compact, _compact_lost, hours(0, 8)),
    "journal": Scenario(lambda _root: None, _collect, _collect_lost, _journaled(0, 9)),
    "ledger": Scenario(_with(HOLES), _note, _note_lost, HOLES),
}


# ---- killing ------------------------------------------------------------------------------------


class Steps:
    """Counts what touches the disk and dies at a step; a write dies half done.

    Args:
        kill_at: at which step, 0 for none.
    """

    def __init__(self, kill_at: int) -> None:
        self.names: list[str] = []
        self._kill_at = kill_at

    def install(self) -> None:
        """Stand between this process and the disk."""
        for owner, name in (
            (os, "fsync"), (os, "open"), (os, "ftruncate"), (Path, "replace"), (Path, "unlink"),
            (Path, "mkdir"),
        ):  # fmt: skip
            setattr(owner, name, self._counted(getattr(owner, name), name))
        write, write_bytes = os.write, Path.write_bytes

        def half_write(handle: int, data: Any) -> int:
            if self._dies("write"):
                write(handle, bytes(data)[: len(data) // 2])
                os.kill(os.getpid(), signal.SIGKILL)
            return write(handle, data)

        def half_write_bytes(path: Path, data: Any) -> int:
            if self._dies("draft"):
                write_bytes(path, bytes(data)[: len(data) // 2])
                os.kill(os.getpid(), signal.SIGKILL)
            return write_bytes(path, data)

        os.write = half_write
        Path.write_bytes = half_write_bytes  # type: ignore[method-assign, assignment]

    def _counted(self, call: Callable[..., Any], name: str) -> Callable[..., Any]:
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            if self._dies(name):
                os.kill(os.getpid(), signal.SIGKILL)
            return call(*args, **kwargs)

        return wrapper

    def _dies(self, name: str) -> bool:
        self.names.append(name)
        return len(self.names) == self._kill_at


def forked(work: Callable[[Callable[[str], None]], None], kill_after_s: float = 0) -> list[str]:
    """Do something in a child process; return the lines that it told, however it ended."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        code, tell = 1, os.write
        try:
            os.close(reading)

            def told_line(line: str) -> None:
                tell(writing, f"{line}\n".encode())

            work(told_line)
            code = 0
        finally:
            os._exit(code)
    os.close(writing)
    if kill_after_s:
        time.sleep(kill_after_s)
        os.kill(child, signal.SIGKILL)
    with os.fdopen(reading) as lines:
        told = lines.read().splitlines()
    os.waitpid(child, 0)
    return told


def steps_of(scenario: Scenario, root: Path) -> list[str]:
    """The steps of a run that nobody kills."""

    def work(tell: Callable[[str], None]) -> None:
        scenario.prepare(root)
        steps = Steps(0)
        steps.install()
        scenario.run(root, lambda: None)
        tell(json.dumps(steps.names))

    names: list[str] = json.loads(forked(work)[0])
    return names


def kill(name: str, root: Path, *, kill_at: int = 0, after_s: float = 0) -> dict[str, Any]:
    """Kill a writer once; say what the store was like, and whether the same again completes it."""
    scenario = SCENARIOS[name]
    forked(lambda _tell: scenario.prepare(root))

    def write(tell: Callable[[str], None]) -> None:
        Steps(kill_at).install()
        scenario.run(root, lambda: tell("ack"))

    def look(tell: Callable[[str], None]) -> None:
        tell(json.dumps(_look(scenario, root, acked)))

    acked = len(forked(write, after_s))
    told = forked(look)
    found: dict[str, Any] = json.loads(told[0]) if told else {"unreadable": 1, "lost": "no answer"}
    return {"scenario": name, "acked": acked, **found}


def _look(scenario: Scenario, root: Path, acked: int) -> dict[str, Any]:
    problems = [item.problem for item in verify(StoredFiles(KlineStore(root))) if item.problem]
    unreadable = [text for text in problems if "does not match the files" not in text]
    lost = scenario.lost(root, acked)
    scenario.run(root, lambda: None)
    if not bars_equal(scenario.final, _stored(root)):
        lost = lost or "the same again does not complete it"
    left = [item.problem for item in verify(StoredFiles(KlineStore(root))) if item.problem]
    return {"unreadable": len(unreadable), "lost": lost, "left": left, "problems": unreadable}


def main() -> None:
    """Kill as often as asked for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--every", type=int, default=1, help="kill at every nth step")
    parser.add_argument("--outside", type=int, default=0, help="kills at moments of chance")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    chance = random.Random(options.seed)
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    with tempfile.TemporaryDirectory() as folder:
        for name, scenario in SCENARIOS.items():
            names = steps_of(scenario, Path(folder) / name)
            for at in range(1 + options.seed % options.every, len(names) + 1, options.every):
                done = kill(name, Path(folder) / f"{name}-{at}", kill_at=at)
                print(json.dumps({**done, "step": names[at - 1]}), flush=True)
            for number in range(options.outside):
                root = Path(folder) / f"{name}-outside-{number}"
                done = kill(name, root, after_s=chance.uniform(0.001, 0.08))
                print(json.dumps({**done, "step": "any moment"}), flush=True)


if __name__ == "__main__":
    main()
