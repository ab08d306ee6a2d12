"""The strategy's own memory, kept with that of its trader."""

from collections.abc import Callable

from strategy_core.memory import TraderMemory
from strategy_core.port import Strategy
from strategy_core.remembering import recall, remembered
from suite.contracts.trader import StrategySpec
from suite.errors import one_line


class StrategyMemoryKeeper:
    """What one strategy remembers; where it cannot, it goes on without, and a person is told.

    Args:
        strategy: anybody's code.
        spec: of it.
        memory: of its trader.
        forgot: told why something was not remembered, once.
    """

    def __init__(
        self,
        strategy: Strategy,
        spec: StrategySpec,
        memory: TraderMemory,
        forgot: Callable[[str], None],
    ) -> None:
        self._strategy = strategy
        self._spec = spec
        self._memory = memory
        self._forgot = forgot
        self._told = False

    def remember(self) -> None:
        """Take over what the strategy wants to be remembered."""
        try:
            self._memory.strategy = remembered(self._strategy, self._spec)
        except Exception as error:  # noqa: BLE001 - a strategy is anybody's code
            self._memory.strategy = None
            self._tell("remember", error)

    def recall(self) -> None:
        """Give the strategy back what an earlier process took over."""
        try:
            recall(self._strategy, self._spec, self._memory.strategy)
        except Exception as error:  # noqa: BLE001 - a strategy is anybody's code
            self._tell("recall", error)

    def _tell(self, what: str, error: Exception) -> None:
        if not self._told:
            self._told = True
            self._forgot(one_line(f"{what} failed: {type(error).__name__}: {error}"))
