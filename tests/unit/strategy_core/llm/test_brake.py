"""A model that suddenly behaves otherwise opens nothing for a while, and may close and protect."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.scripted_model import decisions
from tests.unit.strategy_core.llm.test_mind import LONG, placed, run

from strategy_core.llm.brake import Brake, Drift, Entry
from suite.bars import DAY_MS, HOUR_MS

BRAKE = Brake()
QUIET = {"volatility": None, "fill": False, "closed": False, "stop_near": None}


def entry(hour: int, side: int = 1, share: str = "0.1", coin: str = "BTC") -> Entry:
    return Entry(at_ms=hour * HOUR_MS, coin=coin, side=side, share=Decimal(share))


def whys(*entries: Entry, brake: Brake = BRAKE) -> list[str]:
    drift = Drift()
    return [drift.take(one, brake) for one in entries]


def test_a_model_that_keeps_changing_sides_opens_nothing() -> None:
    """At the eighth flip of a day; then for four hours, and then it begins anew."""
    told = whys(*(entry(hour, 1 if hour % 2 else -1) for hour in range(13)))
    assert [""] * 8 == told[:8]
    assert "the model drifts: 8 of 8 entries of a day changed sides" == told[8]
    assert [told[8]] * 3 == told[9:12]
    assert "" == told[12]


def test_slow_changes_other_coins_and_one_way_are_no_drift() -> None:
    assert not any(whys(*(entry(6 * n, 1 if n % 2 else -1) for n in range(60))))
    coins = (entry(n // 20, 1 if n % 2 else -1, coin="AB"[n % 2]) for n in range(60))
    assert not any(whys(*coins))
    assert not any(whys(*(entry(n // 20, 1) for n in range(60))))


def test_an_entry_far_larger_than_is_usual_is_held_and_named() -> None:
    usual = [entry(hour) for hour in range(5)]
    assert "" == whys(*usual, entry(6, share="1.0"))[-1]
    *_, why, small = whys(*usual, entry(6, share="1.01"), entry(7))
    assert "the model drifts: an entry of 1.01 times equity, where 0.10 is usual" == why == small
    assert "" == whys(*usual[:4], entry(6, share="5"))[-1]


@given(st.lists(st.tuples(st.integers(0, 5), st.sampled_from([-1, 1])), max_size=150))
def test_what_is_held_ends_and_what_is_kept_is_bounded(steps: list[tuple[int, int]]) -> None:
    drift, at_ms = Drift(), 0
    for gap, side in steps:
        at_ms += gap * HOUR_MS
        one = Entry(at_ms=at_ms, coin="BTC", side=side, share=Decimal("0.1"))
        drift.take(one, BRAKE)
        assert len(drift.entries) <= 100
        assert drift.until_ms <= at_ms + 4 * HOUR_MS
    assert "" == drift.holds(at_ms + 4 * HOUR_MS)
    assert "" == drift.holds(at_ms + DAY_MS)


@pytest.mark.parametrize("value", [{"flips": 1}, {"size_jump": 1}, {"pause": "5s"}, {"odd": 1}])
def test_a_brake_that_is_none_is_refused(value: dict[str, Any]) -> None:
    with pytest.raises(Exception, match="brake"):
        run("[]", brake=value)


def test_its_trader_says_so() -> None:
    """The order is refused by name, told at the next question, and stands in the record."""
    usual = {**LONG, "size_usd": 50, "risk_usd": None}
    large = {**usual, "size_usd": 5_000}
    close = {"coin": "BTC", "signal": "close"}
    told, model, venue, mind = run(
        *(decisions(one) for one in (usual, close, large, close, large)),
        steps=18, heartbeat="1h", triggers=QUIET, brake={"least": 1, "size_jump": 20},
    )  # fmt: skip
    assert 2 == mind.memory.tally.flaws["braked"]
    opened = [order for order in placed(venue) if not order.reduce_only]
    assert 1 == len(opened)
    braked = [record.llm for record in told.records if record.llm and record.llm.brake]
    assert braked
    assert braked[0].brake.startswith("the model drifts: an entry of")
    assert any("nothing is opened for" in flaw for flaw in braked[0].flaws)
    assert "braked" in model.prompts[3]
