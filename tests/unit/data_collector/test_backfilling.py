"""A backfill asks for what is missing, once, and says what the venue does not have."""

from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.histories import MemoryHistory
from tests.unit.data_collector.market import NOW_MS, START_MS, make_bars

from data_collector.application.backfilling import Backfiller, Filled, Order
from suite.bars import HOUR_MS, MINUTE_MS
from suite.errors import UpstreamUnavailable
from suite.klines import Gap, Source, bars_equal
from suite.service.kline_store import KlineStore

SOURCE = Source("hyperliquid")
HOURS = [START_MS + hour * HOUR_MS for hour in range(6)]
RATES = [0.0001, 0.0002, 0.0003, 0.0001, 0.0, -0.0001]


class Watcher:
    """Keeps all it is told."""

    def __init__(self) -> None:
        self.steps: list[tuple[str, int, int]] = []
        self.outcomes: dict[str, Filled] = {}

    def progress(self, coin: str, done: int, total: int) -> None:
        self.steps.append((coin, done, total))

    def finished(self, filled: Filled) -> None:
        self.outcomes[filled.coin] = filled


@pytest.fixture
def store(tmp_path: Path) -> KlineStore:
    return KlineStore(tmp_path / "store")


def span(first: int, end: int) -> Gap:
    """Minutes of the market."""
    return Gap(START_MS + first * MINUTE_MS, START_MS + end * MINUTE_MS)


async def fill(
    store: KlineStore, history: MemoryHistory, *coins: str, minutes: tuple[int, int] = (0, 300)
) -> Watcher:
    asked, watcher = span(*minutes), Watcher()
    order = Order(interval="1m", from_ms=asked.start_ms, to_ms=asked.end_ms)
    filler = Backfiller(store, history, lambda: NOW_MS, lacks="it keeps few; ask others")
    await filler.run(coins or ("BTC",), order, watcher)
    return watcher


async def test_finished_range_is_not_asked_for_again(store: KlineStore) -> None:
    """Bars, funding and record are stored; the second time no request is made."""
    bars = make_bars(300)
    history = MemoryHistory({"BTC": bars}, {"BTC": (HOURS, RATES)})
    watcher = await fill(store, history)
    assert (
        Filled(coin="BTC", status="filled", added=300, funding_added=5) == (watcher.outcomes["BTC"])
    )
    assert bars_equal(bars, store.read("BTC"))
    assert RATES[:5] == store.read_funding("BTC")[1].tolist()
    record = store.record("BTC") or {}
    assert (3, False) == (record["sz_decimals"], record["synthetic"])
    assert [0, 100, 200, 300] == [done for _, done, _ in watcher.steps[:4]]

    again = MemoryHistory({})
    watcher = await fill(store, again)
    assert "complete" == watcher.outcomes["BTC"].status
    assert ([], []) == (again.asked, again.funding_asked)


async def test_only_what_is_missing_is_asked_for(store: KlineStore) -> None:
    """A hole in what is stored, and what came after it; not what another program stored."""
    bars = make_bars(3000)
    stored = [*range(100), *range(1000, 2000)]
    store.write_bars(SOURCE, "BTC", make_bars(3000, skip=sorted({*range(3000)} - {*stored})))
    history = MemoryHistory({"BTC": bars})
    await fill(store, history, minutes=(0, 3000))
    assert [("BTC", span(100, 1000)), ("BTC", span(2000, 3000))] == history.asked
    assert bars_equal(bars, store.read("BTC"))


async def test_near_holes_are_asked_for_with_one_request(store: KlineStore) -> None:
    """A request costs more than the bars between."""
    store.write_bars(SOURCE, "BTC", make_bars(300, skip=[5, 50, 100, 250]))
    history = MemoryHistory({"BTC": make_bars(300)})
    watcher = await fill(store, history)
    assert [("BTC", span(5, 251))] == history.asked
    assert 4 == watcher.outcomes["BTC"].added


async def test_what_the_venue_lacks_is_said_and_remembered(store: KlineStore) -> None:
    """The beginning and holes between are not asked for again; what may still come is."""
    history = MemoryHistory({"BTC": make_bars(250, skip=[*range(60), 100, 101])})
    watcher = await fill(store, history)
    filled = watcher.outcomes["BTC"]
    assert (62, "62 bars are missing: it keeps few; ask others") == (filled.missing, filled.reason)
    hole, before = span(100, 102), span(0, 60)
    assert replace(hole, reason="venue has none", asked_ms=NOW_MS) == store.coverage("BTC").gaps[0]
    notes = store.ledger_now(SOURCE, "BTC", "1m").notes
    assert replace(before, reason="venue has none", asked_ms=NOW_MS) == notes[0]
    again = MemoryHistory({"BTC": make_bars(260)})
    await fill(store, again)
    assert [("BTC", span(250, 300))] == again.asked


async def test_coin_that_fails_does_not_stop_the_others(store: KlineStore) -> None:
    """Unknown there, nothing there, and one that is filled."""
    late = make_bars(10, start_ms=START_MS + 1000 * MINUTE_MS)
    history = MemoryHistory({"BTC": make_bars(300), "ETH": late})
    outcomes = (await fill(store, history, "BTC", "ETH", "ZZZ")).outcomes
    assert {"BTC": "filled", "ETH": "failed", "ZZZ": "failed"} == {
        coin: item.status for coin, item in outcomes.items()
    }
    assert "hyperliquid/perp does not trade ZZZ" == outcomes["ZZZ"].reason
    assert outcomes["ETH"].reason.startswith("hyperliquid/perp has no 1m bars of ETH from 2025-05")


async def test_interrupted_backfill_goes_on_where_it_stopped(store: KlineStore) -> None:
    """Pages that came are kept."""
    bars = make_bars(300)
    history = MemoryHistory({"BTC": bars})
    history.fails_after, history.fault = 2, UpstreamUnavailable("gone")
    assert "gone" == (await fill(store, history)).outcomes["BTC"].reason
    again = MemoryHistory({"BTC": bars})
    await fill(store, again)
    assert [("BTC", span(200, 300))] == again.asked
    assert bars_equal(bars, store.read("BTC"))


async def test_data_that_was_deleted_is_asked_for_again(store: KlineStore) -> None:
    """What is remembered is what the venue lacks, never what was stored once."""
    bars = make_bars(300)
    await fill(store, MemoryHistory({"BTC": bars}))
    store.remove(SOURCE, "BTC")
    history = MemoryHistory({"BTC": bars})
    await fill(store, history)
    assert [("BTC", span(0, 300))] == history.asked


async def test_funding_before_the_first_stamp_is_asked_for_once(store: KlineStore) -> None:
    """The venue had none then; an earlier beginning is asked for."""
    history = MemoryHistory({"BTC": make_bars(300)}, {"BTC": (HOURS[2:], RATES[2:])})
    await fill(store, history)
    assert [("BTC", span(0, 300))] == history.funding_asked
    again = MemoryHistory({"BTC": make_bars(360, start_ms=span(-60, 0).start_ms)})
    await fill(store, again, minutes=(-60, 300))
    assert [("BTC", span(-60, 0))] == again.funding_asked
