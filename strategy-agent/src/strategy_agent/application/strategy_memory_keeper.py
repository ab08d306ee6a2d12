"""Keeping the strategy's own memory with that of its trader."""

from collections.abc import Callable
from typing import Any

import msgspec

from strategy_core.memory import TraderMemory
from strategy_core.port import Strategy
from strategy_core.remembering import Describes, recall, remembered
from suite.contracts.trader import TraderSpec
from suite.deadline import deadline
from suite.errors import Overrun, one_line


class StrategyMemoryKeeper:
    """What one strategy remembers; where it cannot, it goes on without, and a person is told.

    It holds up everybody while it tells or takes back, so that has the time limit of a decision;
    one that overruns it is not asked any more.

    Args:
        make: builds the strategy.
        spec: the trader.
        memory: of the trader.
        forgot: told why something was not remembered, once.
        budget_s: how long the strategy may take each time.

    Attributes:
        strategy: as it was built; with its memory once that was recalled.
    """

    def __init__(
        self,
        make: Callable[[], Strategy],
        spec: TraderSpec,
        memory: TraderMemory,
        forgot: Callable[[str], None],
        *,
        budget_s: float,
        told: Callable[[dict[str, Any]], None] = lambda _: None,
    ) -> None:
        self.strategy = make()
        self._show = told
        self._make = make
        self._spec = spec
        self._memory = memory
        self._forgot = forgot
        self._budget_s = budget_s
        self._told = self._overran = False

    def remember(self) -> None:
        """Take over what the strategy wants to be remembered."""
        self._memory.strategy = None
        if not self._overran:
            self._ask("remember", self._take_over)

    def recall(self) -> None:
        """Give the strategy back what an earlier process took over.

        One that fails at it may have taken half of it, so it is built anew.
        """
        if not self._ask(
            "recall", lambda: recall(self.strategy, self._spec, self._memory.strategy)
        ):
            self.strategy = self._make()

    def _take_over(self) -> None:
        self._memory.strategy = remembered(self.strategy, self._spec)
        if isinstance(self.strategy, Describes):
            self._show(msgspec.to_builtins(self.strategy.describe()))

    def _ask(self, what: str, ask: Callable[[], None]) -> bool:
        """Ask something of the strategy; say whether it has done it."""
        try:
            with deadline(self._budget_s):
                ask()
        except Overrun:
            self._overran = True
            self._tell(f"{what} took longer than its {self._budget_s:g} s")
        except (Exception, SystemExit) as error:  # noqa: BLE001 - a strategy is anybody's code
            self._tell(f"{what} failed: {type(error).__name__}: {error}")
        else:
            return True
        return False

    def _tell(self, text: str) -> None:
        if not self._told:
            self._told = True
            self._forgot(one_line(text).encode(errors="replace").decode())
