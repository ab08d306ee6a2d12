"""Asking a strategy where its trader's loop runs, within a time budget."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Final, TypeAlias

from strategy_core.deciding import DecisionFault, decide
from strategy_core.port import Decision, Observation, Strategy
from suite.enums import TraderStatus
from suite.errors import Overrun

Decided: TypeAlias = Decision | DecisionFault
Deadline: TypeAlias = Callable[[float], AbstractContextManager[None]]
"""Ends what runs within it by `Overrun` after so many seconds: `suite.deadline.deadline`."""

OVERRUNS_LIMIT: Final = 3
"""Overruns in a row after which a strategy that decides at once is asked no more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionBudgets:
    """How long a decision may take.

    Attributes:
        quick_s: of a strategy that decides at once.
        slow_s: of one whose needs say that it is slow.
    """

    quick_s: float = 5.0
    slow_s: float = 120.0


BUDGETS: Final = DecisionBudgets()
"""What is usual."""


class TimedStrategy:
    """A strategy that is ended when it overruns; as it held up everybody, after three not asked.

    Args:
        strategy: as built.
        budget_s: of a decision.
        deadline: what ends it.
    """

    def __init__(self, strategy: Strategy, *, budget_s: float, deadline: Deadline) -> None:
        self._strategy = strategy
        self._budget_s = budget_s
        self._deadline = deadline
        self._overruns = 0

    def decide(self, observation: Observation) -> Decided:
        """Ask; the answer is a decision, or why there is none within the budget."""
        # an overrun pauses the trader, so one that is LIVE has been resumed since
        if self._overruns >= OVERRUNS_LIMIT and observation.status is not TraderStatus.LIVE:
            return DecisionFault(
                reason=f"{overran(self._budget_s).reason} {self._overruns} times in a row: it is "
                "not asked until someone resumes the trader"
            )
        try:
            with self._deadline(self._budget_s):
                answer = ask(self._strategy, observation)
        except Overrun:
            self._overruns = min(self._overruns + 1, OVERRUNS_LIMIT)
            return overran(self._budget_s)
        self._overruns = 0
        return answer


def ask(strategy: Strategy, observation: Observation) -> Decided:
    """Ask a strategy; one that ends the process has failed as well."""
    try:
        return decide(strategy, observation)
    except SystemExit as error:
        return DecisionFault(reason=f"decide called exit({error.code})")


def overran(budget_s: float) -> DecisionFault:
    """Say that the time of a decision is over."""
    return DecisionFault(reason=f"decide took longer than its {budget_s:g} s")
