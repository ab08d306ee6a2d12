"""T1: nothing that is answered for a moment depends on what came after it."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from tests.support.worlds import START_MS, random_bars
from tests.unit.data_collector.serving import Client, client_of, parts_of

from suite.bars import DAY_MS, F64, HOUR_MS, I64, MINUTE_MS, Bars
from suite.klines import COLUMNS, Source, bars_of, take_bars
from suite.service.kline_store import KlineStore

DAYS = 10
COINS = ("BTC", "ETH")
SOURCE = Source("binance-usdm")
NOW_MS = START_MS + (DAYS + 1) * DAY_MS


@dataclass(frozen=True)
class Past:
    """Everything that is stored of a coin."""

    bars: Bars
    funding: tuple[I64, F64]
    open_interest: tuple[I64, F64]

    def until(self, cut_ms: int) -> "Past":
        """What had happened by then: bars that had closed, stamps that had come."""
        closed = self.bars.rows(0, self.bars.closed_by(cut_ms))
        return Past(closed, *(_until(series, cut_ms) for series in self._series))

    def poisoned(self, cut_ms: int, seed: int) -> "Past":
        """Garbage in place of all that came after."""
        generator, closed = np.random.default_rng(seed), self.bars.closed_by(cut_ms)
        columns = {name: getattr(self.bars, name).copy() for name in COLUMNS}
        for name in COLUMNS[1:]:
            columns[name][closed:] = generator.uniform(1.0, 9.0, len(self.bars) - closed)
        series = (_poisoned(item, cut_ms, generator) for item in self._series)
        return Past(bars_of(MINUTE_MS, columns), *series)

    @property
    def _series(self) -> tuple[tuple[I64, F64], tuple[I64, F64]]:
        return self.funding, self.open_interest


def _until(series: tuple[I64, F64], cut_ms: int) -> tuple[I64, F64]:
    end = int(np.searchsorted(series[0], cut_ms, side="right"))
    return series[0][:end], series[1][:end]


def _poisoned(
    series: tuple[I64, F64], cut_ms: int, generator: np.random.Generator
) -> tuple[I64, F64]:
    times, values = series
    return times, np.where(times <= cut_ms, values, generator.uniform(5.0, 9.0, len(values)))


def recorded(coin: str, seed: int) -> Past:
    """Bars with holes, funding every eight hours, open interest every five minutes."""
    generator = np.random.default_rng([seed, *coin.encode()])
    bars = random_bars(coin, DAYS * 1440, seed=seed)
    # What ends with a hole has no answer for the moment after it; none does at a possible cut.
    at_cut = (bars.open_time_ms + MINUTE_MS) % (4 * HOUR_MS) == 0
    bars = take_bars(bars, at_cut | (generator.random(len(bars)) > 0.02))
    stamps = START_MS + 8 * HOUR_MS * np.arange(DAYS * 3, dtype=np.int64)
    read = START_MS + 5 * MINUTE_MS * np.arange(DAYS * 288, dtype=np.int64)
    return Past(
        bars,
        (stamps, generator.normal(0.0, 1e-4, len(stamps))),
        (read, generator.uniform(1e4, 2e4, len(read))),
    )


def serving(root: Path, pasts: dict[str, Past]) -> Client:
    store = KlineStore(root)
    for coin, past in pasts.items():
        store.write_bars(SOURCE, coin, past.bars)
        store.write_funding(SOURCE, coin, *past.funding)
        store.write_open_interest(SOURCE, coin, *past.open_interest)
    return client_of(parts_of(store, lambda: NOW_MS, now_s=lambda: 0.0), root)


def answers(client: Client, cut_ms: int, moments: list[int]) -> list[bytes]:
    """The bytes of every answer about a time up to the cut."""
    paths = [f"/gpt-latest/{coin}?timestamp={at}" for at in moments for coin in COINS]
    for coin in COINS:
        paths += [f"/{kind}/{coin}?end={cut_ms}" for kind in ("funding", "open-interest")]
        paths += [f"/klines/{coin}?interval={name}&end={cut_ms}" for name in ("1m", "15m", "4h")]
    replies = [client.get(path) for path in paths]
    assert {200} == {reply.status_code for reply in replies}
    return [reply.content for reply in replies]


@pytest.mark.parametrize("seed", range(4))
def test_future_changes_no_byte(tmp_path: Path, seed: int) -> None:
    """Full, poisoned and cut off at a random time; asked cold, and again after the last moment."""
    generator = np.random.default_rng(seed)
    # The longest interval asked for ends with the cut, so that the cut store has whole bars only.
    cut_ms = START_MS + 4 * HOUR_MS * int(generator.integers(6, DAYS * 6 - 6))
    minutes = generator.integers(30, (cut_ms - START_MS) // MINUTE_MS, size=10)
    moments = [cut_ms, *(START_MS + MINUTE_MS * int(minute) for minute in minutes)]
    pasts = {coin: recorded(coin, seed) for coin in COINS}
    full = serving(tmp_path / "full", pasts)
    garbage = {coin: past.poisoned(cut_ms, seed) for coin, past in pasts.items()}
    poisoned = serving(tmp_path / "poisoned", garbage)
    cut = serving(tmp_path / "cut", {coin: past.until(cut_ms) for coin, past in pasts.items()})
    expected = answers(full, cut_ms, moments)
    assert expected == answers(poisoned, cut_ms, moments) == answers(cut, cut_ms, moments)
    for coin in COINS:
        assert (
            full.get(f"/gpt-latest/{coin}").content != poisoned.get(f"/gpt-latest/{coin}").content
        )
    assert expected == answers(full, cut_ms, moments) == answers(poisoned, cut_ms, moments)
