"""The seven conditions: each alone, every pair in its order, and what must not fire."""

from decimal import Decimal
from itertools import combinations
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from strategy_core.exits.kinds import ExitKind
from strategy_core.exits.rules import ExitRules
from strategy_core.exits.seven import BarFacts, PositionFacts, evaluate, trailing_begins
from suite.bars import HOUR_MS
from suite.enums import Side

ALL = ExitRules(smart=True)
ENTRY = Decimal(2000)
CALM = PositionFacts(
    side=Side.BUY,
    mark=ENTRY,
    open_ms=0,
    roe=Decimal(0),
    gain_in_risks=Decimal(0),
    liquidation_price=Decimal(1350),
    atr=Decimal(4),
    margin_usage=Decimal("0.1"),
    bar=BarFacts(
        age_bars=0,
        confidence=0.7,
        confidence_before=0.7,
        confidence_at_entry=0.7,
        structure=0.5,
        trend=0.5,
        close=ENTRY,
        zone_edge=Decimal(1900),
    ),
    invalidated=False,
    trailing_price=Decimal(1990),
)
"""A long of which nothing is wrong."""


def with_bar(**changes: Any) -> dict[str, Any]:
    assert CALM.bar is not None
    return {"bar": replace(CALM.bar, **changes)}


FIRES: dict[ExitKind, dict[str, Any]] = {
    ExitKind.FORCED_LIQUIDATION: {"roe": Decimal(-1)},
    ExitKind.MARGIN_GUARD: {"gives_up": True, "margin_usage": Decimal("0.9")},
    ExitKind.TIME_STOP: {"open_ms": 2 * HOUR_MS},
    ExitKind.CONFIDENCE_COLLAPSE: with_bar(confidence=0.5, confidence_before=0.5),
    ExitKind.STRUCTURE_INVALIDATION: {"invalidated": True},
    ExitKind.PARTIAL_TAKE_PROFIT: {"gain_in_risks": Decimal(1)},
    ExitKind.TRAILING_TAKE_PROFIT: {"trailing_price": ENTRY},
}
"""The least change of the calm position that makes each condition fire."""


def fired(rules: ExitRules = ALL, **changes: Any) -> ExitKind | None:
    return evaluate(replace(CALM, **changes), rules).fired


def test_a_position_of_which_nothing_is_wrong_is_left_alone() -> None:
    """All seven are read, none fires, and each says by which numbers."""
    found = evaluate(CALM, ALL)
    assert found.fired is None
    assert list(ExitKind) == [reading.kind for reading in found.readings]
    assert not any(reading.fires for reading in found.readings)
    assert {"roe": "0", "mark": "2000", "liquidation": "1351"} == found.readings[0].values
    assert {"gain_in_risks": "0", "roe": "0", "done": "false"} == found.readings[5].values


@pytest.mark.parametrize("kind", list(ExitKind))
def test_each_condition_fires_alone(kind: ExitKind) -> None:
    found = evaluate(replace(CALM, **FIRES[kind]), ALL)
    assert kind is found.fired
    assert [kind] == [reading.kind for reading in found.readings if reading.fires]


@pytest.mark.parametrize(("first", "second"), list(combinations(ExitKind, 2)))
def test_of_two_conditions_the_earlier_wins(first: ExitKind, second: ExitKind) -> None:
    """All 21 pairs; both are noted as firing."""
    found = evaluate(replace(CALM, **{**FIRES[first], **FIRES[second]}), ALL)
    assert first is found.fired
    assert [first, second] == [reading.kind for reading in found.readings if reading.fires]


@pytest.mark.parametrize("kind", list(ExitKind))
def test_a_condition_that_is_switched_off_does_not_fire(kind: ExitKind) -> None:
    rules = msgspec.structs.replace(ALL, **{kind.value: False})
    assert fired(rules, **FIRES[kind]) is None
    assert {} == evaluate(CALM, rules).readings[list(ExitKind).index(kind)].values


@pytest.mark.parametrize("kind", list(ExitKind))
def test_one_condition_can_be_asked_for_alone(kind: ExitKind) -> None:
    rules = msgspec.convert({kind.value: True}, ExitRules)
    assert kind is fired(rules, **FIRES[kind])


def test_by_default_only_what_prevents_worse_is_on() -> None:
    """The loss limit is not, the liquidation price is; nor anything that a plan did not ask for."""
    default = ExitRules()
    assert fired(default, roe=Decimal(-3)) is None
    assert ExitKind.FORCED_LIQUIDATION is fired(default, mark=Decimal(1351))
    assert ExitKind.MARGIN_GUARD is fired(default, gives_up=True)
    assert ExitKind.STRUCTURE_INVALIDATION is fired(default, invalidated=True)
    assert fired(default, **with_bar(structure=-1.0, trend=-1.0)) is None
    for kind in (
        ExitKind.TIME_STOP,
        ExitKind.CONFIDENCE_COLLAPSE,
        ExitKind.PARTIAL_TAKE_PROFIT,
        ExitKind.TRAILING_TAKE_PROFIT,
    ):
        assert fired(default, **FIRES[kind]) is None


@pytest.mark.parametrize(
    ("changes", "fires"),
    [
        ({"roe": Decimal("-0.999")}, False),
        ({"roe": Decimal("-1.01")}, True),
        ({"mark": Decimal("1351.01")}, False),  # a quarter of 4 before 1,350
        ({"mark": Decimal(1351)}, True),
        ({"mark": Decimal(1300)}, True),
        ({"atr": None, "mark": Decimal("1351.35")}, True),  # a thousandth without a range
        ({"atr": None, "mark": Decimal("1351.36")}, False),
        ({"side": Side.SELL, "liquidation_price": Decimal(2650), "mark": Decimal(2649)}, True),
        ({"side": Side.SELL, "liquidation_price": Decimal(2650), "mark": Decimal(2648)}, False),
        ({"liquidation_price": None, "mark": Decimal(1)}, False),
        ({"roe": None, "mark": ENTRY}, False),
    ],
)
def test_a_used_up_margin_ends_a_position(changes: dict[str, Any], fires: bool) -> None:
    only = ExitRules(forced_liquidation=True)
    assert fires is (fired(only, **changes) is ExitKind.FORCED_LIQUIDATION)


def test_the_loss_limit_can_be_set_a_little_earlier() -> None:
    assert fired(ExitRules(smart=True, loss_max=0.9), roe=Decimal("-0.9")) is not None


def test_an_old_account_says_nothing_about_its_margin() -> None:
    assert ExitKind.MARGIN_GUARD is fired(gives_up=True, account_age_ms=5_000)
    assert fired(gives_up=True, account_age_ms=5_001) is None


@pytest.mark.parametrize(
    ("open_ms", "mode", "roe", "fires"),
    [
        (2 * HOUR_MS - 1, "any", "-0.5", False),
        (2 * HOUR_MS, "any", "0.5", True),
        (2 * HOUR_MS, "losing", "0.5", False),
        (2 * HOUR_MS, "losing", "-0.01", True),
        (9 * HOUR_MS, "losing", None, False),
    ],
)
def test_time_ends_a_position(open_ms: int, mode: str, roe: str | None, fires: bool) -> None:
    rules = msgspec.convert({"time_stop": True, "time_stop_mode": mode}, ExitRules)
    gain = None if roe is None else Decimal(roe)
    assert fires is (fired(rules, open_ms=open_ms, roe=gain) is ExitKind.TIME_STOP)


@pytest.mark.parametrize(
    ("changes", "fires"),
    [
        ({"confidence": 0.5, "confidence_before": 0.5}, True),
        ({"confidence": 0.56, "confidence_before": 0.56}, True),  # 0.8 of 0.7
        ({"confidence": 0.57, "confidence_before": 0.56}, False),
        ({"confidence": 0.5, "confidence_before": 0.7}, False),
        ({"confidence": 0.5, "confidence_before": None}, False),
        ({"confidence": None, "confidence_before": 0.5}, False),
        ({"confidence": 0.56, "confidence_before": 0.56, "confidence_at_entry": None}, False),
        ({"confidence": 0.5, "confidence_before": 0.5, "age_bars": 2.0}, True),
        ({"confidence": 0.5, "confidence_before": 0.5, "age_bars": 2.01}, False),
    ],
)
def test_confidence_collapses_at_two_bar_closes(changes: dict[str, Any], fires: bool) -> None:
    assert fires is (fired(**with_bar(**changes)) is ExitKind.CONFIDENCE_COLLAPSE)


@pytest.mark.parametrize(
    ("changes", "fires"),
    [
        ({"structure": -0.5, "trend": -0.1}, True),
        ({"structure": -0.49, "trend": -0.1}, False),
        ({"structure": -0.5, "trend": 0.0}, False),
        ({"structure": -0.5, "trend": None}, False),
        ({"structure": -1.0, "trend": -1.0, "age_bars": 2.5}, False),
        ({"close": Decimal("1899.9")}, True),
        ({"close": Decimal(1900)}, False),
        ({"close": Decimal(1), "zone_edge": None}, False),
    ],
)
def test_structure_against_the_position_ends_it(changes: dict[str, Any], fires: bool) -> None:
    assert fires is (fired(**with_bar(**changes)) is ExitKind.STRUCTURE_INVALIDATION)


def test_a_short_is_wrong_above_its_zone() -> None:
    bar = with_bar(close=Decimal(1901))
    assert ExitKind.STRUCTURE_INVALIDATION is fired(
        side=Side.SELL, liquidation_price=None, trailing_price=None, **bar
    )


def test_an_unknown_rule_does_not_fire() -> None:
    assert fired(invalidated=None) is None


@pytest.mark.parametrize(
    ("changes", "fires"),
    [
        ({"gain_in_risks": Decimal(1)}, True),
        ({"gain_in_risks": Decimal("0.99")}, False),
        ({"gain_in_risks": None, "roe": Decimal("0.6")}, True),
        ({"gain_in_risks": Decimal(3), "partial_done": True}, False),
    ],
)
def test_a_part_is_taken_once(changes: dict[str, Any], fires: bool) -> None:
    assert fires is (fired(**changes) is ExitKind.PARTIAL_TAKE_PROFIT)


@pytest.mark.parametrize(
    ("changes", "begins"),
    [
        ({"gain_in_risks": Decimal("1.5")}, True),
        ({"gain_in_risks": Decimal("1.49")}, False),
        ({"roe": Decimal("0.2")}, False),
        ({"roe": Decimal("0.2"), "partial_done": True}, True),
        ({"gain_in_risks": None, "roe": None, "partial_done": True}, False),
    ],
)
def test_a_stop_begins_to_trail(changes: dict[str, Any], begins: bool) -> None:
    """At one and a half risks, or at 20 percent once a part was taken."""
    assert begins is trailing_begins(replace(CALM, **changes), ALL)
    assert not trailing_begins(replace(CALM, **changes), ExitRules())


marks = st.decimals("1000", "3000", places=1)


@given(marks, marks, st.decimals("-2", "2", places=2), st.decimals("-3", "3", places=2))
def test_a_short_ends_where_its_mirror_image_does(
    mark: Decimal, trail: Decimal, roe: Decimal, risks: Decimal
) -> None:
    """Prices reflected at the entry, structure told from the position's side."""
    assert CALM.bar is not None
    long = replace(CALM, mark=mark, trailing_price=trail, roe=roe, gain_in_risks=risks)
    short = replace(
        long,
        side=Side.SELL,
        mark=2 * ENTRY - mark,
        trailing_price=2 * ENTRY - trail,
        liquidation_price=Decimal(2650),
        bar=replace(CALM.bar, zone_edge=Decimal(2100)),
    )
    assert evaluate(long, ALL).fired is evaluate(short, ALL).fired


@pytest.mark.parametrize(
    "raw",
    [
        {"loss_max": 1.2},
        {"loss_max": 0.5},
        {"margin_usage_max": 0.95},
        {"margin_usage_max": 0.6},  # the safe level, 0.7, must be below
        {"confidence_floor": 0.4},
        {"time_stop_hours": 0},
        {"smart_hold": True},
    ],
)
def test_configuration_cannot_exceed_the_hard_limits(raw: dict[str, float]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(raw, ExitRules)
