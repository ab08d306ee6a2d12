"""Bars are closed by the venue's clock, and silence is believed only where it is proven."""

from dataclasses import replace
from typing import Any

import pytest

from data_collector.domain.assembly import ASKED_BARS, GRACE_MS, Assembly, Missing
from data_collector.domain.candles import AssetContext, Candle, Print, candle_fault
from data_collector.domain.connection import FAITH_MS, STEP_MS, Connection, VenueClock
from suite.bars import MINUTE_MS

START = 1_746_403_200_000


def candle(minute: int, *, trades: int = 3, close: float = 101.0, **more: object) -> Candle:
    made = Candle(
        coin="BTC",
        interval_ms=MINUTE_MS,
        open_time_ms=START + minute * MINUTE_MS,
        open=100.0,
        high=102.0,
        low=99.0,
        close=close,
        volume=trades / 2,
        trades=trades,
    )
    return replace(made, **more)  # type: ignore[arg-type]


def trade(minute: int, size: float = 0.1, number: int = 1) -> Print:
    at_ms = START + minute * MINUTE_MS + 30_000
    return Print(coin="BTC", time_ms=at_ms, price=100.0, size=size, is_buy=True, trade_id=number)


class Bench:
    """An assembly with its connection."""

    def __init__(self, minute: int = 0, **more: object) -> None:
        self.connection = Connection()
        self.assembly = Assembly("BTC", **more)  # type: ignore[arg-type]
        self.closed: list[Candle] = []
        self.at(minute)

    def at(self, minute: float) -> "Bench":
        """Let the venue's clock say a time, a minute at a time so that it is believed."""
        target = START + round(minute * MINUTE_MS)
        now = self.connection.clock.now_ms or target
        while now < target:
            now = min(target, now + MINUTE_MS)
            self.connection.tell(now)
        for _ in range(2):
            self.connection.tell(target)
            self.connection.tell(target - 1)
        self.closed += self.assembly.close(self.connection)
        return self

    def tell(self, item: Candle) -> str:
        self.assembly.followed(self.connection.clock.now_ms)
        flaw = self.assembly.candle(item)
        if flaw:
            self.connection.flawed(flaw)
        return flaw

    def minutes(self) -> list[int]:
        return [(item.open_time_ms - START) // MINUTE_MS for item in self.closed]


def faithful() -> Bench:
    """A coin that traded for eleven minutes without a flaw; the clock stands in minute 11."""
    bench = Bench()
    for minute in range(11):
        bench.tell(candle(minute))
        bench.at(minute + 1.1)
    assert bench.connection.faithful
    assert list(range(11)) == bench.minutes()
    return bench


def test_a_bar_is_closed_when_the_venue_is_a_grace_past_its_end() -> None:
    bench = Bench()
    bench.tell(candle(0))
    bench.connection.tell(START + MINUTE_MS + GRACE_MS - 1)
    assert [] == bench.assembly.close(bench.connection)
    bench.connection.tell(START + MINUTE_MS + GRACE_MS)
    (closed,) = bench.assembly.close(bench.connection)
    assert replace(candle(0), closed=True) == closed


@pytest.mark.parametrize("order", [(1, 2, 3), (3, 1, 2), (2, 3, 1), (3, 3, 2)])
def test_of_tellings_of_a_bar_the_one_with_most_trades_wins(order: tuple[int, ...]) -> None:
    bench = Bench()
    for trades in order:
        bench.tell(candle(0, trades=trades, close=100.0 + trades / 10))
    bench.at(1.1)
    assert [100.3] == [item.close for item in bench.closed]


def test_a_candle_may_come_once_more_when_it_is_done_and_no_more_often() -> None:
    bench = Bench()
    assert ["", "", "repeated"] == [bench.tell(candle(0)) for _ in range(3)]


def test_an_older_bar_after_a_newer_one_is_taken_and_noted() -> None:
    bench = Bench()
    bench.tell(candle(0, trades=1))
    bench.tell(candle(1, trades=1))
    assert "reordered" == bench.tell(candle(0, trades=5))
    bench.at(1.1)
    assert [5] == [item.trades for item in bench.closed]


def test_a_bar_that_changes_after_it_was_closed_is_handed_on() -> None:
    bench = Bench()
    bench.tell(candle(0))
    bench.at(1.1)
    assert "late" == bench.tell(candle(0, trades=9, close=99.5))
    assert [99.5] == [item.close for item in bench.assembly.late]
    assert "reordered" == bench.tell(candle(0, trades=2))
    assert 1 == len(bench.assembly.late)


def test_proven_silence_is_a_minute_without_trades() -> None:
    bench = faithful().at(13.1)
    quiet = bench.closed[-2:]
    assert [11, 12] == bench.minutes()[-2:]
    assert [(101.0, 101.0, 101.0, 101.0, 0.0)] * 2 == [item.values for item in quiet]
    assert bench.assembly.question(bench.connection) is None


@pytest.mark.parametrize("flaw", ["malformed", "oversize", "overflow", "repeated", "reordered"])
def test_silence_within_ten_minutes_of_a_flaw_is_a_gap(flaw: str) -> None:
    bench = faithful()
    bench.connection.flawed(flaw)
    bench.at(13.1)
    assert {Missing.SILENT} == set(bench.assembly.missing.values())
    assert bench.assembly.question(bench.connection) is None  # not yet: it waits for proof


def test_one_question_is_for_all_silence_and_all_doubts_once_the_flaw_is_ten_minutes_old() -> None:
    bench = faithful()
    bench.connection.flawed("malformed")  # in minute 11
    asked = []
    for minute in range(12, 40):
        bench.tell(candle(minute))
        bench.at(minute + 1.1)
        question = bench.assembly.question(bench.connection)
        if question is not None:
            asked.append(question)
            bench.assembly.answer({})
    (question,) = asked
    assert START + MINUTE_MS == question.from_ms
    assert START + 21 * MINUTE_MS < question.to_ms <= START + 24 * MINUTE_MS
    assert {START + 11 * MINUTE_MS: Missing.SILENT} == question.missing


def test_a_minute_with_a_trade_but_no_candle_is_lost_and_asked_at_once() -> None:
    bench = faithful()
    bench.assembly.trades([trade(11)])
    bench.at(12.1)
    question = bench.assembly.question(bench.connection)
    assert question is not None
    assert {START + 11 * MINUTE_MS: Missing.LOST} == question.missing
    assert 1 == bench.connection.flaws["dropped"]


def test_a_growing_day_volume_betrays_trades_that_were_not_told() -> None:
    bench = faithful()
    for second, volume in ((20, 500.0), (40, 501.0)):
        at_ms = START + 11 * MINUTE_MS + second * 1000
        bench.assembly.context(AssetContext(coin="BTC", time_ms=at_ms, day_volume=volume))
    bench.at(12.1)
    assert {START + 11 * MINUTE_MS: Missing.LOST} == bench.assembly.missing


def test_a_candle_with_less_volume_than_its_trades_shows_that_frames_were_dropped() -> None:
    bench = Bench()
    bench.tell(candle(0, trades=2))
    bench.assembly.trades([trade(0, 0.8, 1), trade(0, 0.8, 2)])
    bench.at(1.1)
    assert 1 == bench.connection.flaws["dropped"]


def test_a_trade_that_comes_twice_or_late_is_a_flaw_and_counts_once() -> None:
    bench = Bench()
    bench.tell(candle(0, trades=2))
    assert "" == bench.assembly.trades([trade(0, 0.6, 1)])
    assert "repeated" == bench.assembly.trades([trade(0, 0.6, 1)])
    assert "" == bench.assembly.trades([trade(1, 0.6, 2)])
    assert "reordered" == bench.assembly.trades([trade(0, 0.3, 3)])
    bench.at(1.1)
    assert 0 == bench.connection.flaws["dropped"]


def test_minutes_of_an_outage_are_missing_and_asked_at_once_together() -> None:
    bench = faithful()
    bench.tell(candle(11))
    bench.assembly.cut()
    bench.connection.begin()
    bench.at(15.2)
    bench.tell(candle(15))
    bench.at(16.1)
    question = bench.assembly.question(bench.connection)
    assert question is not None
    expected = {START + minute * MINUTE_MS: Missing.OUTAGE for minute in range(11, 15)}
    assert expected == question.missing
    assert 15 == bench.minutes()[-1]


def test_a_bar_told_in_part_before_an_outage_is_not_closed_with_what_was_known() -> None:
    bench = faithful()
    bench.tell(candle(11, trades=1))
    bench.assembly.cut()
    bench.connection.begin()
    bench.at(12.5)
    assert 10 == bench.minutes()[-1]
    assert START + 11 * MINUTE_MS in bench.assembly.missing


def test_a_question_without_an_answer_is_asked_again_with_what_came_since() -> None:
    bench = faithful()
    bench.assembly.cut()
    bench.connection.begin()
    bench.at(13.2)
    first = bench.assembly.question(bench.connection)
    assert first is not None
    assert bench.assembly.question(bench.connection) is None  # one at a time
    bench.at(15.2)
    bench.assembly.reopen(first)
    again = bench.assembly.question(bench.connection)
    assert again is not None
    assert first.missing.items() < again.missing.items()


def test_a_long_absence_is_asked_for_as_far_as_venues_keep_and_the_rest_is_named() -> None:
    bench = Bench(minute=7000, next_ms=START, last_close=100.0)
    bench.tell(candle(7000))
    bench.at(7001.2)
    question = bench.assembly.question(bench.connection)
    assert question is not None
    assert (START, question.from_ms) == question.skipped
    assert ASKED_BARS - 1 <= len(question.missing) <= ASKED_BARS


def test_nothing_is_missing_before_the_first_bar() -> None:
    bench = Bench()
    bench.at(30.0)
    bench.tell(candle(30))
    bench.at(31.1)
    assert [30] == bench.minutes()
    assert {} == bench.assembly.missing


def test_a_coin_that_stays_frozen_is_not_polled() -> None:
    bench = faithful()
    asked = 0
    for minute in range(11, 41):
        bench.assembly.trades([trade(minute, number=minute)])
        bench.at(minute + 1.1)
        question = bench.assembly.question(bench.connection)
        if question is not None:
            asked += 1
            bench.assembly.answer(dict.fromkeys(question.missing, (1.0, 1.0, 1.0, 1.0, 1.0)))
    assert 3 == asked


def test_silence_before_a_coin_was_followed_is_an_outage_however_long_the_connection_lives() -> (
    None
):
    bench = Bench().at(59.5)
    bench.assembly = Assembly("BTC", next_ms=START + 30 * MINUTE_MS, last_close=100.0)
    bench.assembly.followed(bench.connection.clock.now_ms)
    bench.at(60.2)
    question = bench.assembly.question(bench.connection)
    assert question is not None
    expected = {START + minute * MINUTE_MS: Missing.OUTAGE for minute in range(30, 60)}
    assert expected == question.missing
    bench.assembly.answer({})
    bench.at(62.1)
    assert [60, 61] == bench.minutes()


def test_a_coin_that_nobody_tells_of_is_asked_for_once_an_hour() -> None:
    bench = Bench(next_ms=START, last_close=100.0)
    asked = []
    for minute in range(1, 200):
        bench.at(minute + 0.1)
        question = bench.assembly.question(bench.connection)
        if question is not None:
            asked.append(minute)
            bench.assembly.answer(dict.fromkeys(question.missing, (1.0, 1.0, 1.0, 1.0, 1.0)))
    assert [] == bench.closed
    assert 3 == len(asked)


def test_a_long_outage_is_one_span() -> None:
    bench = faithful()
    bench.assembly.cut()
    bench.connection.begin()
    bench.at(4000.2)
    assert 3989 == bench.assembly.gaps
    question = bench.assembly.question(bench.connection)
    assert question is not None
    outage = START + 11 * MINUTE_MS, START + 4000 * MINUTE_MS
    assert ([outage], {}) == (question.outages, question.minutes)


def test_what_is_skipped_is_not_forgotten_with_a_question_that_failed() -> None:
    bench = Bench(minute=7000, next_ms=START, last_close=100.0)
    bench.at(7001.2)
    first = bench.assembly.question(bench.connection)
    assert first is not None
    bench.assembly.reopen(first)
    again = bench.assembly.question(bench.connection)
    assert again is not None
    assert first.skipped == again.skipped


def test_an_answer_says_which_recent_bars_were_told_otherwise() -> None:
    bench = faithful()
    right = candle(9, close=100.5, closed=True)
    answer = {item.open_time_ms: item.values for item in (candle(8), right)}
    assert [right] == bench.assembly.answer(answer)


def test_bars_there_is_no_room_for_are_asked_for() -> None:
    bench = faithful()
    bench.assembly.no_room(bench.closed[-2:])
    question = bench.assembly.question(bench.connection)
    assert question is not None
    assert {START + row * MINUTE_MS: Missing.NO_ROOM for row in (9, 10)} == question.missing


def test_a_single_absurd_stamp_does_not_move_the_clock() -> None:
    clock = VenueClock()
    for stamp in (START, START):
        clock.tell(stamp)
    clock.tell(START + 10**12)
    assert START == clock.now_ms
    clock.tell(START + 1000)
    assert START + 1000 == clock.now_ms
    clock.tell(START + 3 * STEP_MS)
    clock.tell(START + 3 * STEP_MS + 5)
    assert START + 3 * STEP_MS + 5 == clock.now_ms


def test_a_connection_begins_with_what_it_tells_of_now() -> None:
    connection = Connection()
    for minutes in (-18, -17):
        connection.tell(START + minutes * MINUTE_MS, is_past=True)
    before = connection.since_ms
    connection.tell(START - 8 * MINUTE_MS)
    connection.tell(START)
    assert (0, START - 8 * MINUTE_MS) == (before, connection.since_ms)
    for _ in range(2):
        connection.tell(START + 3 * STEP_MS)
    assert START + 3 * STEP_MS == connection.since_ms
    assert not connection.faithful


def test_a_connection_is_faithful_after_ten_minutes_of_the_venues_time() -> None:
    bench = Bench()
    bench.at(FAITH_MS / MINUTE_MS - 0.01)
    before = bench.connection.faithful
    bench.at(FAITH_MS / MINUTE_MS)
    after = bench.connection.faithful
    bench.connection.begin()
    assert (False, True, False) == (before, after, bench.connection.faithful)


@pytest.mark.parametrize(
    "wrong",
    [
        {"high": 100.5},
        {"low": 100.5},
        {"close": float("nan")},
        {"open": -1.0},
        {"volume": float("inf")},
        {"volume": -1.0},
        {"open_time_ms": START + 1},
    ],
)
def test_candles_that_cannot_be_true_are_told_apart(wrong: dict[str, Any]) -> None:
    assert "" == candle_fault(candle(0))
    assert "" != candle_fault(candle(0, **wrong))
