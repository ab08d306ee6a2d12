"""The gap ledger against the plainest model there is: a set of minutes and a dictionary."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from suite.bars import I64, MINUTE_MS
from suite.gaps import Ledger
from suite.klines import UNKNOWN, Gap, gaps_of

minutes = st.sets(st.integers(0, 30), max_size=20)
reasons = st.sampled_from(["outage", "refused"])
notes = st.tuples(st.integers(0, 30), st.integers(0, 10), reasons)
steps = st.lists(minutes | notes, max_size=6)


def times(rows: set[int]) -> I64:
    return np.array(sorted(rows), np.int64) * MINUTE_MS


def gap(first: int, end: int, reason: str = UNKNOWN) -> Gap:
    return Gap(first * MINUTE_MS, end * MINUTE_MS, reason)


def reason_by_minute(gaps: tuple[Gap, ...]) -> dict[int, str]:
    return {
        at // MINUTE_MS: item.reason
        for item in gaps
        for at in range(item.start_ms, item.end_ms, MINUTE_MS)
    }


@given(steps)
def test_ledger_is_what_a_set_of_minutes_and_a_dictionary_of_reasons_say(
    happened: list[set[int] | tuple[int, int, str]],
) -> None:
    """Bars come in any order, notes at any time, and it is written and read between all of them."""
    ledger, stored, told = Ledger.of(times(set()), MINUTE_MS), set[int](), dict[int, str]()
    for event in happened:
        if isinstance(event, set):
            ledger = ledger.with_bars(times(event))
            stored |= event
        else:
            first, length, reason = event
            ledger = ledger.with_note(gap(first, first + length, reason))
            told |= dict.fromkeys(range(first, first + length), reason)
        told = {minute: reason for minute, reason in told.items() if minute not in stored}
        ledger = Ledger.parse(json.loads(json.dumps(ledger.as_dict())))
        expected = reason_by_minute(gaps_of(times(stored), MINUTE_MS))
        assert {minute: told.get(minute, UNKNOWN) for minute in expected} == reason_by_minute(
            ledger.gaps
        )
        assert (len(stored), told) == (ledger.bars, reason_by_minute(ledger.notes))
        assert sorted(ledger.gaps, key=lambda item: item.start_ms) == list(ledger.gaps)


@given(minutes)
def test_ledger_without_notes_has_the_gaps_of_the_bars(rows: set[int]) -> None:
    """One piece a hole."""
    assert gaps_of(times(rows), MINUTE_MS) == Ledger.of(times(rows), MINUTE_MS).gaps


def test_gap_in_pieces_says_of_each_what_is_known() -> None:
    """Neighbors that say the same are one."""
    ledger = Ledger.of(times({0, 10}), MINUTE_MS)
    ledger = ledger.with_note(gap(2, 4, "outage")).with_note(gap(4, 6, "outage"))
    expected = (gap(1, 2), gap(2, 6, "outage"), gap(6, 10))
    assert expected == ledger.gaps
    assert expected == Ledger.parse(ledger.as_dict()).gaps


def test_note_beyond_the_last_bar_waits_for_the_next_one() -> None:
    """An outage is known before anything comes after it."""
    ledger = Ledger.of(times({0}), MINUTE_MS).with_note(gap(1, 5, "outage"))
    assert () == ledger.gaps
    assert (gap(1, 5, "outage"),) == Ledger.parse(ledger.as_dict()).with_bars(times({5})).gaps


def test_note_is_rounded_out_to_whole_bars() -> None:
    """Half a minute is one minute that is missing."""
    ledger = Ledger.of(times({0, 3}), MINUTE_MS)
    half = MINUTE_MS // 2
    ledger = ledger.with_note(Gap(MINUTE_MS + half, 2 * MINUTE_MS + half, "outage", 7))
    assert (Gap(MINUTE_MS, 3 * MINUTE_MS, "outage", 7),) == ledger.gaps


@pytest.mark.parametrize("stored", [{}, {"gaps": [[1, 2]], "outside": []}])
def test_what_is_no_ledger_is_refused(stored: dict[str, object]) -> None:
    """It is made anew from the files."""
    with pytest.raises((ValueError, KeyError, TypeError)):
        Ledger.parse(stored)
