"""The snapshot: what it shows, what it must not know, and that everyone builds the same one."""

from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.strategy_core.market import START_MS, drop_rows, poison_after, random_bars

from strategy_core.indicators import FIELDS, indicators
from strategy_core.snapshot import (
    FundingView,
    MarketView,
    SnapshotSeries,
    build_snapshot,
    open_interest_at,
)
from suite.bars import HOUR_MS, MINUTE_MS, resample

DAYS = 14
MARKET = MarketView(mid=100.0, half_spread=0.01, last_price=100.0)
FUNDING = FundingView(rate_hourly=0.0000125, settled_at_ms=START_MS)


def encoded(snapshot: dict[str, object]) -> bytes:
    return msgspec.json.encode(snapshot)


def built(series: SnapshotSeries, as_of_ms: int, **options: Any) -> dict[str, Any]:
    return series.build(as_of_ms, **{"funding": FUNDING, "market": MARKET, **options})


def test_defect_2_open_4h_bar_is_not_visible() -> None:
    """A bar that is still forming is nowhere in the snapshot, nor are its high, low and close."""
    bars = random_bars(DAYS * 1440)
    half_way = START_MS + 7 * 24 * HOUR_MS + 2 * HOUR_MS  # two hours into a 4h bar and a day
    block = built(SnapshotSeries("BTC", bars), half_way)["intervals_data"]["240"]
    assert half_way - 6 * HOUR_MS == block["open_time_ms"]
    assert all(row[0] + 4 * HOUR_MS <= half_way for row in block["bars"])
    last = (bars.open_time_ms >= half_way - 6 * HOUR_MS) & (
        bars.open_time_ms < half_way - 2 * HOUR_MS
    )
    assert float(bars.high[last].max()) == block["high"]
    assert float(bars.close[last][-1]) == block["close"]


@pytest.mark.parametrize("seed", range(6))
def test_the_future_changes_no_byte(seed: int) -> None:
    """Garbage in every bar that is not closed leaves the snapshot as it was."""
    bars = random_bars(DAYS * 1440, seed=seed)
    generator = np.random.default_rng(seed)
    for minute in generator.integers(1, DAYS * 1440, size=5).tolist():
        now_ms = START_MS + minute * MINUTE_MS
        honest = built(SnapshotSeries("BTC", bars), now_ms)
        poisoned = built(SnapshotSeries("BTC", poison_after(bars, now_ms)), now_ms)
        cut = built(SnapshotSeries("BTC", bars.rows(0, bars.closed_by(now_ms))), now_ms)
        assert encoded(honest) == encoded(poisoned) == encoded(cut)


@settings(max_examples=60, deadline=None)
@given(
    cuts=st.lists(st.integers(0, 3000), min_size=1, max_size=5),
    hole=st.tuples(st.integers(0, 2900), st.integers(0, 200)),
    skew=st.integers(0, 1439),
    minute=st.integers(0, 3000),
)
def test_a_series_that_went_on_is_the_one_made_anew(
    cuts: list[int], hole: tuple[int, int], skew: int, minute: int
) -> None:
    """Wherever it was cut, whatever is missing, in every byte."""
    bars = drop_rows(random_bars(3000, start_ms=START_MS + skew * MINUTE_MS), hole[0], sum(hole))
    series = SnapshotSeries("BTC", bars.rows(0, min(cuts)))
    for cut in sorted(cuts)[1:]:
        built(series, START_MS + (skew + minute) * MINUTE_MS)
        series = series.extended(bars.rows(0, cut))
    anew = SnapshotSeries("BTC", bars.rows(0, max(cuts)))
    assert len(anew.bars) == len(series.bars)
    for moment in (minute, max(cuts), 3000):
        now_ms = START_MS + (skew + moment) * MINUTE_MS
        assert encoded(built(anew, now_ms)) == encoded(built(series, now_ms))


def test_a_bar_is_visible_exactly_when_it_closes() -> None:
    """One millisecond before its end a bar does not exist; at its end it does."""
    series = SnapshotSeries("BTC", random_bars(100))
    end = START_MS + 15 * MINUTE_MS
    assert built(series, end - 1)["intervals_data"]["15"]["bars"] == []
    assert built(series, end)["intervals_data"]["15"]["open_time_ms"] == START_MS


def test_the_schema_has_every_key() -> None:
    """Keys and their order are a contract with every prompt and client."""
    snapshot = built(SnapshotSeries("BTC", random_bars(DAYS * 1440)), START_MS + 500 * HOUR_MS)
    top = ["symbol", "as_of_ms", "common_info", "funding", "open_interest", "intervals_data"]
    assert top == list(snapshot)
    common = snapshot["common_info"]
    ticker = "last_price best_ask_price best_bid_price volume_24h high_24h low_24h"
    book = (
        "modelled top_ask_price top_ask_volume top_bid_price top_bid_volume total_bid_volume "
        "total_ask_volume bid_ask_volume_ratio spread"
    )
    trades = (
        "modelled recent_buy_count recent_sell_count total_buy_volume_trades "
        "total_sell_volume_trades buy_sell_volume_ratio"
    )
    assert ticker.split() == list(common["ticker"])
    assert book.split() == list(common["order_book"])
    assert trades.split() == list(common["recent_trades"])
    assert common["order_book"]["modelled"] is common["recent_trades"]["modelled"] is True
    assert {"rate_hourly": 0.0000125, "settled_at_ms": START_MS} == snapshot["funding"]
    assert snapshot["open_interest"] is None
    assert ["1", "15", "60", "240", "1440"] == list(snapshot["intervals_data"])
    scalars = ["timeframe", "open_time_ms", "complete", "open", "high", "low", "close", "volume"]
    for block in snapshot["intervals_data"].values():
        assert [*scalars, *FIELDS, "bars"] == list(block)
    assert len(snapshot["intervals_data"]["15"]["bars"]) == 50
    assert b"NaN" not in encoded(snapshot)


def test_what_is_not_known_is_null() -> None:
    """No market model, no funding and no history: nulls, not inventions."""
    snapshot = built(SnapshotSeries("BTC", random_bars(10)), START_MS, funding=None, market=None)
    common = snapshot["common_info"]
    assert dict.fromkeys(common["ticker"]) == common["ticker"]
    assert common["order_book"] is common["recent_trades"] is snapshot["funding"] is None
    block = snapshot["intervals_data"]["60"]
    assert block["bars"] == []
    assert {None} == {value for key, value in block.items() if key not in {"timeframe", "bars"}}


def test_open_interest_is_the_last_reading_of_the_hour_before() -> None:
    """Visible from its stamp on, and unknown again an hour later."""
    times = np.array([START_MS, START_MS + MINUTE_MS], np.int64)
    values = np.array([5.0, 7.5])
    for at_ms, expected in (
        (START_MS - 1, None),
        (START_MS, 5.0),
        (START_MS + MINUTE_MS - 1, 5.0),
        (START_MS + MINUTE_MS + HOUR_MS, 7.5),
        (START_MS + MINUTE_MS + HOUR_MS + 1, None),
    ):
        assert expected == open_interest_at(times, values, at_ms)
    assert open_interest_at(times[:0], values[:0], START_MS) is None
    series = SnapshotSeries("BTC", random_bars(100))
    assert 7.5 == built(series, START_MS, open_interest=7.5)["open_interest"]
    assert built(series, START_MS)["open_interest"] is None


def test_the_ticker_covers_the_last_24_hours() -> None:
    """High, low and volume of exactly the 1440 minutes that end at the time."""
    bars = random_bars(3 * 1440)
    now_ms = START_MS + 2000 * MINUTE_MS
    day = bars.rows(2000 - 1440, 2000)
    ticker = built(SnapshotSeries("BTC", bars), now_ms)["common_info"]["ticker"]
    assert float(day.high.max()) == ticker["high_24h"]
    assert float(day.low.min()) == ticker["low_24h"]
    assert float(np.sum(day.volume)) == ticker["volume_24h"]


def test_a_missing_minute_is_told_in_the_longer_bar() -> None:
    """A hole makes its bucket incomplete and no other."""
    bars = drop_rows(random_bars(120), 20, 21)
    series = SnapshotSeries("BTC", bars)
    hole = built(series, START_MS + 30 * MINUTE_MS)["intervals_data"]["15"]
    after = built(series, START_MS + 45 * MINUTE_MS)["intervals_data"]["15"]
    assert hole["complete"] is False
    assert after["complete"] is True


def test_the_cache_and_the_plain_builder_agree_byte_for_byte() -> None:
    """Parity: whoever holds the same 1m bars builds the same reply, in any order of asking."""
    bars = random_bars(DAYS * 1440)
    series = SnapshotSeries("ETH", bars)
    longer = {m: resample(bars, m * MINUTE_MS) for m in (15, 60, 240, 1440)}
    plain = {1: bars} | {m: pair[0] for m, pair in longer.items()}
    complete = {m: pair[1] for m, pair in longer.items()}
    for minute in (20_000, 600, 15_000, 15_000, 0, 20_001):
        now_ms = START_MS + minute * MINUTE_MS
        expected = build_snapshot(
            "ETH", plain, now_ms, funding=FUNDING, market=MARKET, complete=complete
        )
        assert encoded(expected) == encoded(built(series, now_ms))


def test_indicators_of_a_block_are_those_of_its_closed_bars() -> None:
    """The block shows the indicators of the interval it names."""
    bars = random_bars(DAYS * 1440)
    quarter = resample(bars, 15 * MINUTE_MS)[0]
    now_ms = START_MS + 10_000 * MINUTE_MS
    block = built(SnapshotSeries("BTC", bars), now_ms)["intervals_data"]["15"]
    expected = indicators(quarter.rows(0, quarter.closed_by(now_ms)))
    assert expected == {name: block[name] for name in FIELDS}


def test_traders_at_the_same_time_share_one_build() -> None:
    """The second to ask gets the very object of the first."""
    series = SnapshotSeries("BTC", random_bars(1000))
    now_ms = START_MS + 900 * MINUTE_MS
    assert built(series, now_ms) is built(series, now_ms)
    assert built(series, now_ms, intervals=("15",)) is not built(series, now_ms)


def test_only_the_intervals_asked_for_are_built() -> None:
    """A strategy pays for what it reads, in the order of the contract."""
    series = SnapshotSeries("BTC", random_bars(1000))
    snapshot = built(series, START_MS, intervals=("60", "15"))
    assert ["15", "60"] == list(snapshot["intervals_data"])
    with pytest.raises(ValueError, match="unknown interval '7'; there are 1, 15, 60, 240, 1440"):
        built(series, START_MS, intervals=("7",))


def test_longer_base_bars_have_no_shorter_blocks() -> None:
    """A store of 15m bars answers from 15 minutes up."""
    series = SnapshotSeries("BTC", random_bars(100, interval_ms=15 * MINUTE_MS))
    assert series.intervals == ("15", "60", "240", "1440")
