"""Many candles through a faulty stream, in process: real frames, real parser, real collector."""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from tests.support.collecting import Collecting, MemoryStore, Past, collecting
from tests.support.fault_proxy import Faults, FrameFaults
from tests.support.venue_frames import minute_frames
from tests.support.waiting import until
from tests.support.worlds import random_bars

from data_collector.adapters.hyperliquid_stream import HyperliquidStream
from data_collector.domain.candles import MarketEvent
from suite.bars import Bars
from suite.klines import take_bars
from suite.service.feed import MalformedFrame

ASKED_EVERY = 60
"""Minutes after which the feeder waits for what was asked: the venue of a test is very fast."""


@dataclass
class Outcome:
    """What became of the candles of a run.

    Attributes:
        candles: that the venue told of, or whose absence it told.
        equal: stored with the venue's values.
        wrong: stored with others.
        recorded: not stored, with a reason in the gap ledger.
        lost: not stored, and nobody knows why.
        duplicated: stored twice.
        requests: to the venue's history.
        revised: that were replaced after they were closed.
        faults: done to frames, by kind.
        noticed: flaws the collector saw, by kind.
    """

    candles: int = 0
    equal: int = 0
    wrong: int = 0
    recorded: int = 0
    lost: int = 0
    duplicated: int = 0
    requests: int = 0
    revised: int = 0
    faults: dict[str, int] = field(default_factory=dict)
    noticed: dict[str, int] = field(default_factory=dict)


def market(coins: int, minutes: int, *, seed: int = 1) -> dict[str, Bars]:
    """Random markets; every coin is quiet for a few minutes, each in its own."""
    truth = {}
    for number in range(coins):
        bars = random_bars(f"C{number}", minutes, seed=seed)
        bars.volume[:] = np.maximum(bars.volume, 0.01)
        quiet = np.random.default_rng([seed, number]).random(minutes) < 0.002
        quiet[:30] = quiet[-180:] = False
        bars.volume[quiet] = 0.0
        for row in np.flatnonzero(quiet):
            for column in (bars.open, bars.high, bars.low, bars.close):
                column[row] = bars.close[row - 1]
        truth[f"C{number}"] = bars
    return truth


async def run(truth: dict[str, Bars], faults: Faults, *, seed: int = 1) -> Outcome:
    """Tell all of it through the faults, then a quiet quarter of an hour without any."""
    past = Past({coin: take_bars(bars, bars.volume > 0) for coin, bars in truth.items()})
    frames = FrameFaults(faults, random.Random(seed))
    minutes = len(next(iter(truth.values())))
    async with collecting(past, *truth, flush_s=1e9) as running:
        await until(lambda: running.feeds and len(running.feed.coins) == len(truth))
        running.feed.listener.connected()
        reader = HyperliquidStream("ws://nowhere")
        for row in range(minutes):
            if row == minutes - 120:
                frames.faults = Faults()  # the end of the storm: what is open can be settled
            for frame in minute_frames(truth, row):
                for data in frames.pass_on(frame):
                    _tell(running, reader, data)
            await asyncio.sleep(0)
            if row % ASKED_EVERY == 0 or row > minutes - 120:
                await _settled(running)
        await _settled(running)
        calls, noticed = running.collector.rest_calls, running.collector.flaws
    outcome = _compare(truth, running.store)
    outcome.requests, outcome.noticed = calls.get("gap", 0), noticed
    outcome.faults = {kind: count for kind, count in frames.done.items() if count}
    return outcome


def _tell(running: Collecting, reader: HyperliquidStream, data: bytes) -> None:
    try:
        events: Sequence[MarketEvent] = reader._read(data)
    except (ValueError, MalformedFrame):
        running.feed.listener.flawed("malformed")
        return
    if events:
        running.feed.tell(*events)


async def _settled(running: Collecting) -> None:
    """Wait until nothing is being asked or written."""
    collector = running.collector
    await until(
        lambda: (
            not (
                collector._writer._waiting
                or collector._closings.is_set()
                or any(item._asking for group in collector._groups for item in group.coins.values())
            )
        ),
        60,
    )


def _compare(truth: dict[str, Bars], store: MemoryStore) -> Outcome:
    outcome = Outcome(revised=store.result.revised)
    reasons: dict[str, set[int]] = {}
    for coin, gap, _ in store.reasons:
        reasons.setdefault(coin, set()).update(range(gap.start_ms, gap.end_ms, 60_000))
    for coin, bars in truth.items():
        stored = store.bars[coin, "1m"]
        times = stored.open_time_ms.tolist()
        outcome.duplicated += len(times) - len(set(times))
        rows = dict(zip(times, _rows(stored), strict=True))
        last = len(bars) - 2  # the last two have not been followed by anything
        for at, values in list(zip(bars.open_time_ms.tolist(), _rows(bars), strict=True))[:last]:
            outcome.candles += 1
            if at not in rows:
                known = at in reasons.get(coin, ())
                outcome.recorded += known
                outcome.lost += not known
            elif rows[at] == values:
                outcome.equal += 1
            else:
                outcome.wrong += 1
    return outcome


def _rows(bars: Bars) -> list[tuple[float, ...]]:
    columns = (bars.open, bars.high, bars.low, bars.close, bars.volume)
    return list(zip(*(column.tolist() for column in columns), strict=True))
