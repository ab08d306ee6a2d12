"""Decisions that are given again."""

from decimal import Decimal
from typing import Any

import pytest

from strategy_core.asking import Decided
from strategy_core.deciding import DecisionFault
from strategy_core.port import Decision, Needs, Observation
from strategy_core.replaying import KeptDecision, ReplayedDecisions, kept_of, line_of
from suite.contracts.clock import WakeOn
from suite.contracts.trader import StrategySpec, TraderSpec
from suite.contracts.venue import PlaceOrder
from suite.errors import Conflict

SPEC = TraderSpec(trader_id="t", strategy=StrategySpec(kind="slow"), symbols=("BTC",))
ORDER = PlaceOrder(coin="BTC", is_buy=True, sz=Decimal("0.010"))
ANSWERS: tuple[Decided, ...] = (
    Decision(actions=(ORDER,), reasoning="buys", until_ms=7, wake_on=WakeOn(fill=True)),
    DecisionFault(reason="ValueError: no"),
    Decision(),
)


class Slow:
    needs = Needs(slow=True)

    def __init__(self) -> None:
        self.seen: list[int] = []

    def decide(self, observation: Observation) -> Decision:
        raise AssertionError(f"not asked here, at {observation.now_ms}")

    def remember(self) -> Any:
        return self.seen

    def recall(self, state: Any) -> None:
        self.seen = list(state)


def seen(now_ms: int) -> Observation:
    return Observation(now_ms=now_ms)


def kept() -> list[KeptDecision]:
    """What a run has kept of all answers, through its file."""
    strategy, lines = Slow(), list[bytes]()
    run = ReplayedDecisions(SPEC, strategy, (), lambda one: lines.append(line_of(one)))
    for number, answer in enumerate(ANSWERS):
        assert run.again(seen(number)) is None
        strategy.seen.append(number)
        run.asked(seen(number), answer)
    return kept_of(lines)


def test_kept_answers_are_given_again_and_the_strategy_goes_on() -> None:
    """Equal to what it answered, faults too; then it remembers what it had seen."""
    strategy, more = Slow(), list[KeptDecision]()
    run = ReplayedDecisions(SPEC, strategy, kept(), more.append)
    for number, answer in enumerate(ANSWERS):
        assert [] == strategy.seen
        assert answer == run.again(seen(number))
    assert [0, 1, 2] == strategy.seen
    assert run.again(seen(3)) is None
    run.asked(seen(3), ANSWERS[0])
    assert [3] == [one.now_ms for one in more]


def test_answers_of_another_run_are_refused() -> None:
    """It asks at other times."""
    run = ReplayedDecisions(SPEC, Slow(), kept(), lambda _: None)
    with pytest.raises(Conflict, match="another run; begin afresh"):
        run.again(seen(5))


def test_memory_that_cannot_be_told_or_taken_back_is_told() -> None:
    """By the trader's name, before anything is decided on its ground."""

    class Broken(Slow):
        def remember(self) -> Any:
            raise ValueError("lost")

        def recall(self, state: Any) -> None:
            raise KeyError(state[0])

    with pytest.raises(Conflict, match="trader t: remember failed: ValueError: lost"):
        ReplayedDecisions(SPEC, Broken(), (), lambda _: None).asked(seen(0), ANSWERS[0])
    with pytest.raises(Conflict, match="trader t: recall failed: KeyError"):
        ReplayedDecisions(SPEC, Broken(), kept()[:1], lambda _: None).again(seen(0))
