"""What `execution` of a trader may say."""

from decimal import Decimal

import msgspec
import pytest
from tests.unit.strategy_core.fake_venue import spec_of

from strategy_core.orders.rules import ExecutionRules
from strategy_core.registry import problems


def test_mistakes_are_listed_all_at_once_with_their_keys() -> None:
    """Unknown keys and limits that cannot be exceeded."""
    spec = spec_of("flat", execution={"requote": 3, "naked_ms": 60_000, "slices": 21})
    assert [
        "execution.requote: unknown key, did you mean requotes?",
        "execution.slices: expected `int` <= 20",
        "execution.naked_ms: expected `int` <= 10000",
    ] == problems(spec)


def test_steps_of_an_exit_must_rise() -> None:
    """A later attempt that goes less far would be none."""
    spec = spec_of("flat", execution={"exit_steps": [0.003, 0.001]})
    assert ["execution: exit_steps must rise"] == problems(spec)


@pytest.mark.parametrize(
    "values", [{"requote_ms": 100}, {"requotes": 7}, {"retries": 6}, {"slice_share": 0.2}]
)
def test_no_rule_can_be_loosened_beyond_its_limit(values: dict[str, object]) -> None:
    """They protect the address's budget and the market from the trader."""
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(values, ExecutionRules)


def test_numbers_are_taken_as_they_are_written() -> None:
    """No binary fraction reaches a price."""
    assert Decimal("0.0003") == ExecutionRules().crossing_cost
