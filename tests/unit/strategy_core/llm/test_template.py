"""Templates: what is refused, and that nothing is shown before it is known."""

import copy
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace
from tests.support.scripted_model import ScriptedModel
from tests.unit.strategy_core.llm.test_injection import SEEN, mind_of
from tests.unit.strategy_core.market import START_MS, poison_after, random_bars

from strategy_core.deciding import DecisionFault, decide
from strategy_core.llm.meeting import VARIABLES as MEETING_VARIABLES
from strategy_core.llm.sheet import VARIABLES, number, span
from strategy_core.llm.template import BadTemplate, FutureSeen, Known, parse_template
from strategy_core.llm.templates import ARENA, MEETINGS, TEMPLATES
from strategy_core.snapshot import SnapshotSeries
from suite.bars import DAY_MS, HOUR_MS, MINUTE_MS


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda text: text.removeprefix("template: "), "the first line of a template is"),
        (lambda text: text.replace("{{equity}}", "{{ equty }}"), "unknown variable {{equty}} in"),
        (lambda text: text.replace("{{equity}}", "{{ equty }}"), "did you mean equity?"),
        (lambda text: text.replace("{{equity}}", "{{coin}}"), "in the section == user"),
        (lambda text: text.replace("{{equity}}", "{{}}"), "unknown variable {{}}"),
        (lambda text: text + "\n== extra\nx\n", "unknown section == extra; there are system"),
        (lambda text: text + "\n== again\nx\n", "a section stands twice"),
        (lambda text: text.partition("== again")[0], "the section == again is missing"),
        (lambda text: text + "x" * 40_000, "at most 32768 characters"),
    ],
)
def test_a_bad_template_is_one_clear_line(change: Callable[[str], str], said: str) -> None:
    """What is wrong is named."""
    with pytest.raises(BadTemplate) as caught:
        parse_template(change(ARENA), VARIABLES)
    assert said in str(caught.value)


def test_templates_of_the_suite_are_in_order_and_told_apart() -> None:
    """By name, version and digest."""
    known = [parse_template(text, VARIABLES) for text in TEMPLATES.values()]
    known += [parse_template(text, MEETING_VARIABLES) for text in MEETINGS.values()]
    assert ["arena 1", "short 1", "meeting 1"] == [f"{one.name} {one.version}" for one in known]
    edited = parse_template(ARENA + "\nPlease.", VARIABLES)
    assert str(edited) != str(known[0])


def test_a_value_of_the_future_is_not_shown() -> None:
    """It ends the run; two machines' clocks may be two seconds apart."""
    template = parse_template(ARENA, VARIABLES)
    shown = template.render("again", {"problems": Known("x", 7_000)}, 5_000)
    assert 7_000 == shown.since_ms
    with pytest.raises(FutureSeen, match=r"problems of the template arena 1 .* known from 7001 on"):
        template.render("again", {"problems": Known("x", 7_001)}, 5_000)


def _later_bar(snapshot: dict[str, Any]) -> None:
    for block in snapshot["intervals_data"].values():
        if block["open_time_ms"] is not None:
            block["open_time_ms"] += block["timeframe"] * MINUTE_MS


def _later_row(snapshot: dict[str, Any]) -> None:
    block = snapshot["intervals_data"]["15"]
    block["bars"] = [*block["bars"], [START_MS, 1.0, 1.0, 1.0, 1.0, 1.0]]


def _later_funding(snapshot: dict[str, Any]) -> None:
    snapshot["funding"] = {"rate_hourly": 0.1, "settled_at_ms": START_MS + HOUR_MS}


def _later_news(snapshot: dict[str, Any]) -> None:
    snapshot["news"] = [{"at_ms": START_MS + MINUTE_MS, "headline": "tomorrow"}]


def _later_reading(snapshot: dict[str, Any]) -> None:
    snapshot["as_of_ms"] = START_MS + MINUTE_MS


@pytest.mark.parametrize(
    "leak", [_later_bar, _later_row, _later_funding, _later_news, _later_reading]
)
def test_a_market_that_tells_the_future_ends_the_run(
    leak: Callable[[dict[str, Any]], None],
) -> None:
    """Whichever part of it does."""
    snapshot = copy.deepcopy(dict(SEEN.snapshots["BTC"]))
    fine = decide(mind_of(ScriptedModel()), replace(SEEN, snapshots={"BTC": snapshot}))
    assert not isinstance(fine, DecisionFault)
    leak(snapshot)
    fault = decide(mind_of(ScriptedModel()), replace(SEEN, snapshots={"BTC": snapshot}))
    assert isinstance(fault, DecisionFault)
    assert fault.worthless
    assert "would have shown the future" in fault.reason


def test_a_prompt_does_not_depend_on_what_comes_later() -> None:
    """Garbage in every bar that has not closed changes no sign of it."""
    bars = random_bars(9_000, start_ms=START_MS - 6 * DAY_MS)
    prompts = []
    for series in (bars, poison_after(bars, START_MS)):
        model = ScriptedModel()
        snapshot = SnapshotSeries("BTC", series).build(START_MS, funding=None, market=None)
        mind_of(model).decide(replace(SEEN, snapshots={"BTC": snapshot}))
        prompts.append(model.requests[0].messages)
    assert prompts[0] == prompts[1]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (64321.987654, "64322"),
        (0.0000123456789, "0.0000123457"),
        (Decimal("1234567.891"), "1234570"),
        (100.0, "100"),
        (0.0, "0"),
        (-0.00012, "-0.00012"),
        (1e-20, "0.00000000000000000001"),
        (None, "unknown"),
        (float("nan"), "unknown"),
        (float("inf"), "unknown"),
    ],
)
def test_numbers_have_six_significant_digits(value: object, text: str) -> None:
    """And no exponent."""
    assert text == number(value)


@pytest.mark.parametrize(
    ("length_ms", "text"),
    [(0, "0m"), (59_999, "0m"), (90 * MINUTE_MS, "1h 30m"), (DAY_MS + MINUTE_MS, "1d 1m")],
)
def test_lengths_of_time_are_told_in_words(length_ms: int, text: str) -> None:
    """Down to the minute."""
    assert text == span(length_ms)
