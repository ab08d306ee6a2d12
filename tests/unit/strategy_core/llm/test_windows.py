"""A list of entries followed through bars, by hand."""

import json
from decimal import Decimal

import pytest

from strategy_core.llm.port import ModelReply
from strategy_core.llm.reading import read_reply
from strategy_core.llm.windows import (
    Ratios,
    follow,
    in_words,
    outcome_in_words,
    outcomes,
    rebased,
    since,
)

COST = 0.0012
LONG = Ratios(coin="BTC", side=1, stop=0.98, target=1.04)
SHORT = Ratios(coin="BTC", side=-1, stop=1.02, target=0.96)
FLAT_BAR = [0, 100.0, 100.5, 99.5, 100.0, 1.0]


def bar(open_: float, high: float, low: float, close: float) -> list[float]:
    return [0, open_, high, low, close, 1.0]


@pytest.mark.parametrize(
    ("entry", "rows", "value"),
    [
        (LONG, [FLAT_BAR, bar(100, 102, 100, 101)], 0.01),
        (LONG, [bar(100, 105, 99, 104)], 0.04),
        (LONG, [bar(100, 105, 97, 104)], -0.02),  # within a bar the worse comes first
        (LONG, [bar(95, 96, 94, 95)], -0.05),  # a gap fills at the open
        (SHORT, [FLAT_BAR, bar(100, 100, 98, 99)], 0.01),
        (SHORT, [bar(100, 101, 95, 96)], 0.04),
        (SHORT, [bar(100, 103, 95, 96)], -0.02),
        (SHORT, [bar(105, 106, 104, 105)], -0.05),
        (Ratios(coin="BTC", side=1), [bar(100, 200, 1, 110)], 0.10),
    ],
)
def test_an_entry_is_followed_to_its_end(
    entry: Ratios, rows: list[list[float]], value: float
) -> None:
    """From a price of 100; what it costs is taken off."""
    assert value - COST == pytest.approx(follow(entry, 100.0, rows))


def test_an_entry_that_rests_must_be_traded_through() -> None:
    """A touch is no fill."""
    resting = Ratios(coin="BTC", side=1, entry=0.99, limit=True)
    assert follow(resting, 100.0, [bar(100, 101, 99, 100)]) is None
    filled = follow(resting, 100.0, [bar(100, 101, 98.9, 100)])
    assert 100 / 99 - 1 - COST == pytest.approx(filled)
    high = Ratios(coin="BTC", side=-1, entry=1.01, limit=True)
    assert follow(high, 100.0, [bar(100, 101, 99, 100)]) is None
    assert 1 - 100 / 101 - COST == pytest.approx(follow(high, 100.0, [bar(100, 101.5, 99, 100)]))


def test_windows_are_the_newest_and_begin_after_a_known_close() -> None:
    """Each from the close before it; too few bars give none."""
    rows = [bar(100 + i, 101 + i, 99 + i, 100 + i) for i in range(12)]
    bare = Ratios(coin="BTC", side=1)
    found = outcomes(bare, rows, length=2, windows=3)
    assert [(100 + at + 1) / (100 + at - 1) - 1 - COST for at in (2, 6, 10)] == pytest.approx(found)
    assert [] == outcomes(bare, rows[:2], length=2, windows=3)
    assert 1 == len(outcomes(bare, rows[:3], length=2, windows=3))


def test_a_list_is_put_into_ratios_of_its_prices() -> None:
    """Only entries, and only those with a price."""
    text = json.dumps(
        [
            {"coin": "BTC", "signal": "sell_to_enter", "entry": 101, "stop_loss": 102},
            {"coin": "ETH", "signal": "buy_to_enter", "take_profit": 21},
            {"coin": "SOL", "signal": "close"},
            {"coin": "XRP", "signal": "buy_to_enter"},
        ]
    )
    items = read_reply(ModelReply(text=text), ("BTC", "ETH", "SOL", "XRP")).items
    mids = {"BTC": Decimal(100), "ETH": Decimal(20), "SOL": Decimal(1)}
    assert (
        Ratios(coin="BTC", side=-1, entry=1.01, stop=1.02, limit=True),
        Ratios(coin="ETH", side=1, target=1.05),
    ) == rebased(items, mids)


def test_distributions_are_told_in_a_line() -> None:
    """With how many were filled."""
    assert "BTC long: 3 windows, 2 filled, 1 won, median +0.50 %, worst -1.00 %, best +2.00 %" == (
        in_words(LONG, [0.02, None, -0.01])
    )
    assert "BTC short: not filled in 1 windows" == in_words(SHORT, [None])
    assert "BTC short: too few bars to look at" == in_words(SHORT, [])
    assert "BTC long: -1.50 %" == outcome_in_words(LONG, -0.015)


def test_bars_since_a_time_are_whole_ones() -> None:
    """One that has begun before, or ends after, is none of them."""
    rows = [[at * 60_000, 1, 1, 1, 1, 1] for at in range(6)]
    assert [120_000, 180_000] == [row[0] for row in since(rows, 90_000, 240_000)]
    assert [] == since(rows[:1], 0, 240_000)
