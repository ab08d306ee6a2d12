"""What a trader asked of models, summed up: where answers came from, and who paid for them."""

from decimal import Decimal

import numpy as np
import pytest

from strategy_core.llm.cutoff import is_after, memory_of
from strategy_core.llm.thought import Thought
from strategy_core.llm.use import ModelTally, bill_at, hit_rate
from suite.bars import DAY_MS
from suite.contracts.guards import DAYS_MAX, KINDS_MAX, ModelDay, ModelUse

CENT = Decimal("0.01")


def used(*thoughts: tuple[int, Thought]) -> ModelUse:
    tally = ModelTally()
    for at_ms, thought in thoughts:
        tally.add(thought, at_ms)
    return tally.summary()


def answer(source: str = "live", cost: Decimal = CENT, calls: int = 1) -> Thought:
    return Thought(source=source, llm_cost_usd=cost, calls=calls, tokens=100)


def test_what_is_paid_is_told_apart_from_what_was_paid_when_it_was_recorded() -> None:
    found = used((0, answer("live")), (1, answer("replay", calls=2)), (2, answer("record")))
    assert {"live": 1, "replay": 2, "record": 1} == found.answers
    assert (20_000, 10_000, 300) == (found.paid_usd, found.recorded_usd, found.tokens)
    assert (ModelDay(from_ms=0, cost_usd=30_000),) == found.days


def test_a_turn_without_an_answer_is_a_fault_and_what_it_cost_is_paid() -> None:
    fault = Thought(fault="timeout: no answer in 30 s", llm_cost_usd=CENT, tokens=7)
    wrong = Thought(source="live", calls=1, flaws=("decisions[0] out_of_range: x", "no_json: y"))
    found = used((0, fault), (1, wrong))
    assert ({"timeout": 1}, {"live": 1}) == (found.faults, found.answers)
    assert {"out_of_range": 1, "no_json": 1} == found.flaws
    assert (2, 10_000) == (found.questions, found.paid_usd)


def test_days_and_kinds_have_a_bound_and_no_cost_is_lost() -> None:
    days = [(day * DAY_MS, answer()) for day in range(DAYS_MAX + 3)]
    found = used(*days)
    assert DAYS_MAX == len(found.days)
    assert (DAYS_MAX + 3) * 10_000 == sum(day.cost_usd for day in found.days)
    odd = [(0, Thought(fault=f"kind{number}: odd")) for number in range(2 * KINDS_MAX)]
    faults = used(*odd).faults
    assert KINDS_MAX == len(faults)
    assert 2 * KINDS_MAX == sum(faults.values())


def test_the_bill_of_a_day_comes_at_its_end_or_the_run_s() -> None:
    found = used((5, answer()), (DAY_MS + 5, answer()))
    times = np.array([0, DAY_MS - 1, DAY_MS, DAY_MS + 10], np.int64)
    assert [0, 0, 10_000, 20_000] == bill_at(found, times).tolist()
    assert [0, 0] == bill_at(ModelUse(), times[:2]).tolist()


def test_the_hit_rate_counts_the_traders_that_missed() -> None:
    uses = [used((0, answer("replay", calls=3)))]
    calls, cassette, money = hit_rate(uses, {"b": "cassette_miss: no answer", "c": "no data"})
    assert calls == (
        "models: 3 calls of 1 trader (3 replayed from a cassette), 0 turns without an answer, "
        "100 tokens"
    )
    assert "cassette: 3 hits, 1 miss (75.0 % found)" == cassette
    assert money == (
        "money: 0.0000 USD paid for this run; 0.0100 USD is what replayed answers cost when they "
        "were recorded"
    )


def test_nobody_asked_and_nothing_is_told() -> None:
    assert [] == list(hit_rate([], {"c": "no data"}))
    asked, paid = hit_rate([used((0, answer("live")))], {})
    assert "1 call of 1 trader (1 asked live)" in asked
    assert "money: 0.0100 USD paid for this run" == paid


@pytest.mark.parametrize(
    ("cutoff", "from_ms", "memory"),
    [
        ("1970-01-02", 2 * DAY_MS, "after_cutoff"),
        ("1970-01-02", 2 * DAY_MS - 1, "may_have_seen"),
        ("", 10**15, "may_have_seen"),
        (None, 10**15, "may_have_seen"),
        ("soon", 10**15, "may_have_seen"),
        (20, 10**15, "may_have_seen"),
    ],
)
def test_only_a_run_that_begins_after_the_stated_day_is_clean(
    cutoff: object, from_ms: int, memory: str
) -> None:
    for kind in ("llm", "llm_meeting"):
        assert memory == memory_of({"kind": kind, "params": {"training_cutoff": cutoff}}, from_ms)


def test_generated_and_masked_prices_cannot_be_remembered_and_rules_do_not_remember() -> None:
    asks = {"kind": "llm", "params": {}}
    assert "generated" == memory_of(asks, 0, generated=True, masked=True)
    assert "masked" == memory_of(asks, 0, masked=True)
    assert None is memory_of({"kind": "hodl"}, 0)
    assert None is is_after("", 0)
