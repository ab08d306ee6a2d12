"""Whatever a strategy answers, what gets further can be sent and written."""

from typing import Any

import msgspec
import pytest

from strategy_core.deciding import DecisionFault, decide
from strategy_core.intents import ExitPlan
from strategy_core.port import Decision, Needs, Observation
from suite.contracts.venue import CancelOrder

HALF = "\ud83d"
"""Half of a character, as a model's answer that was cut may end."""


class Answers:
    needs = Needs()

    def __init__(self, answer: Any) -> None:
        self._answer = answer

    def decide(self, observation: Observation) -> Any:
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer


@pytest.mark.parametrize(
    "answer",
    [
        Decision(reasoning=f"up {HALF}"),
        Decision(actions=(CancelOrder(coin=HALF, oid=1),)),
        Decision(plans=(ExitPlan(coin="BTC", invalidation=HALF),)),
        ValueError(f"no {HALF}"),
    ],
)
def test_half_of_a_character_becomes_a_fault_that_can_be_written(answer: Any) -> None:
    """A journal or a memory with it could never be kept again."""
    found = decide(Answers(answer), Observation(now_ms=1))
    assert isinstance(found, DecisionFault)
    assert HALF not in found.reason
    assert msgspec.json.encode(found.reason)
