"""The writer of collected bars: what was acknowledged is in journal or store, whatever happens."""

import asyncio
import threading
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from tests.support.collecting import SOURCE, MemoryJournal, MemoryStore
from tests.support.waiting import until

from data_collector.adapters.bar_journal import BarJournal
from data_collector.application.collecting import writing
from data_collector.application.collecting.live_bars import Tail
from data_collector.application.collecting.ports import Journal
from data_collector.application.collecting.writing import Writer
from data_collector.domain.candles import Candle
from suite.bars import F64, I64, MINUTE_MS, Bars
from suite.errors import StorageError
from suite.klines import Source, WriteResult

START = 1_746_403_200_000


def bar(row: int, coin: str = "BTC", close: float = 100.0) -> Candle:
    return Candle(
        coin=coin,
        interval_ms=MINUTE_MS,
        open_time_ms=START + row * MINUTE_MS,
        open=100.0,
        high=200.0,
        low=50.0,
        close=close,
        volume=1.0,
        closed=True,
    )


class Store(MemoryStore):
    """A store that can be told to refuse, or to wait."""

    def __init__(self) -> None:
        super().__init__()
        self.refuses = False
        self.refuses_interest = False
        self.may_write = threading.Event()
        self.may_write.set()
        self.is_writing = threading.Event()

    def append_bars(self, source: Source, coin: str, bars: Bars) -> WriteResult:
        self.is_writing.set()
        self.may_write.wait(10)
        if self.refuses:
            raise StorageError("no space left")
        return super().append_bars(source, coin, bars)

    def write_open_interest(
        self, source: Source, coin: str, time_ms: I64, value: F64
    ) -> WriteResult:
        if self.refuses_interest:
            raise StorageError("no space left")
        return super().write_open_interest(source, coin, time_ms, value)


@dataclass
class Bench:
    journal: Journal = field(default_factory=MemoryJournal)
    flush_s: float = 1e6

    def __post_init__(self) -> None:
        self.store = Store()
        self.tail = Tail(SOURCE)
        self.safe: list[Candle] = []
        self.writer = Writer(
            self.store,
            self.journal,
            self.tail,
            acknowledged=self.safe.extend,
            flush_s=self.flush_s,
        )

    def stored(self, coin: str = "BTC") -> list[int]:
        bars = self.store.bars.get((coin, "1m"))
        times = [] if bars is None else bars.open_time_ms.tolist()
        return [(at_ms - START) // MINUTE_MS for at_ms in times]


async def ended(task: "asyncio.Task[None]") -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_writer_that_is_cancelled_in_a_flush_loses_nothing(tmp_path: Path) -> None:
    bench = Bench(BarJournal(tmp_path / "j"), flush_s=0.01)
    running = asyncio.create_task(bench.writer.run())
    bench.store.may_write.clear()
    bench.writer.put([bar(0)])
    await until(bench.store.is_writing.is_set)
    bench.writer.put([bar(1)])
    ending = asyncio.create_task(ended(running))
    await asyncio.sleep(0)
    finishing = asyncio.create_task(bench.writer.finish())
    bench.store.may_write.set()
    await asyncio.gather(ending, finishing)
    assert [bar(0), bar(1)] == bench.safe
    assert [0, 1] == bench.stored()
    assert 0 == len(bench.tail)


async def test_a_cancelled_writer_has_ended_what_it_began() -> None:
    bench = Bench(flush_s=0.01)
    running = asyncio.create_task(bench.writer.run())
    bench.store.may_write.clear()
    bench.writer.put([bar(0)])
    await until(bench.store.is_writing.is_set)
    running.cancel()
    await asyncio.sleep(0)
    running.cancel()
    await asyncio.sleep(0)
    assert not running.done()
    bench.store.may_write.set()
    await asyncio.gather(running, return_exceptions=True)
    assert ([0], 0) == (bench.stored(), len(bench.tail))


async def test_a_full_journal_is_emptied_into_the_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "_RETRY_S", 0.001)
    bench = Bench(BarJournal(tmp_path / "j", most_bytes=500))
    running = asyncio.create_task(bench.writer.run())
    for row in range(50):
        bench.writer.put([bar(row)])
        await until(lambda wanted=row + 1: wanted == len(bench.safe))  # type: ignore[misc]
    assert 40 < len(bench.stored())
    assert "" == bench.writer.fault
    await ended(running)
    await bench.writer.finish()
    assert list(range(50)) == bench.stored()


async def test_bars_are_journaled_while_the_store_refuses(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(writing, "_RETRY_S", 0.001)
    bench = Bench(flush_s=0.01)
    bench.store.refuses = True
    running = asyncio.create_task(bench.writer.run())
    bench.writer.put([bar(0)])
    await until(lambda: bench.writer.fault)
    bench.writer.put([bar(1)])
    await until(lambda: [bar(0), bar(1)] == bench.safe)
    bench.store.refuses = False
    await until(lambda: [0, 1] == bench.stored())
    await until(lambda: not bench.writer.fault)
    await ended(running)


async def test_more_bars_than_there_is_room_for_are_not_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(writing, "_WAITING_BARS", 2)
    bench = Bench()
    taken = [bench.writer.put([bar(row)]) for row in range(3)]
    await bench.writer.commit()
    assert [True, True, False, True] == [*taken, bench.writer.put([bar(3)])]


async def test_open_interest_outlives_a_flush_that_is_refused() -> None:
    bench = Bench()
    bench.writer.put_interest("BTC", START, 5.0)
    bench.writer.put_interest("ETH", START, 7.0)
    bench.store.refuses_interest = True
    with pytest.raises(StorageError):
        await bench.writer.flush()
    bench.writer.put_interest("BTC", START, 6.0)
    bench.store.refuses_interest = False
    await bench.writer.flush()
    assert {"BTC": {START: 6.0}, "ETH": {START: 7.0}} == bench.store.interest


async def test_open_interest_told_during_a_flush_is_kept() -> None:
    bench = Bench()
    bench.writer.put([bar(0)])
    bench.writer.put_interest("BTC", START, 5.0)
    await bench.writer.commit()
    bench.store.may_write.clear()
    flushing = asyncio.create_task(bench.writer.flush())
    await until(bench.store.is_writing.is_set)
    bench.writer.put_interest("BTC", START + MINUTE_MS, 6.0)
    bench.store.may_write.set()
    await flushing
    await bench.writer.flush()
    assert {START: 5.0, START + MINUTE_MS: 6.0} == bench.store.interest["BTC"]


async def test_a_bar_that_changes_in_the_tail_leaves_its_old_value_in_the_store_first() -> None:
    bench = Bench()
    for close in (100.0, 101.0):
        bench.writer.put([bar(0, close=close)])
        await bench.writer.commit()
    old = bench.store.bars["BTC", "1m"].close
    await bench.writer.finish()
    assert (100.0, 101.0) == (old[0], bench.store.bars["BTC", "1m"].close[0])
    assert 1 == bench.store.result.revised


async def test_of_two_values_of_a_bar_that_waits_the_later_is_kept_and_told() -> None:
    bench = Bench()
    bench.writer.put([bar(0, close=100.0), bar(0, close=101.0)])
    await bench.writer.finish()
    assert [bar(0, close=101.0)] == bench.safe
    assert np.array_equal([101.0], bench.store.bars["BTC", "1m"].close)
