"""What is kept of the traders of a backtest while it goes on; by itself nothing is."""

from collections.abc import Callable
from typing import Final, Protocol, TypeAlias

from strategy_core.asking import Decided
from strategy_core.port import Observation, Strategy
from suite.contracts.trader import TraderSpec

Ask: TypeAlias = Callable[[Observation], Decided]
"""Gets a decision on an observation, or why there is none."""


class Keeper(Protocol):
    """Keeps what traders say and decide."""

    def asking(self, spec: TraderSpec, strategy: Strategy, ask: Ask) -> Ask:
        """Give what is to be asked in the place of a strategy, for example to keep its answers.

        Args:
            spec: its trader, as the world shows it to him.
            strategy: as built.
            ask: asks it.
        """
        ...

    def write(self, spec: TraderSpec, kind: str, record: object) -> None:
        """Take a record of the trader's journal, see `strategy_core.journal`.

        Args:
            spec: whose.
            kind: `run`, `decision` or `result`.
            record: of that kind; nothing else holds it.
        """
        ...


class _Forgetful:
    """Keeps nothing."""

    def asking(self, spec: TraderSpec, strategy: Strategy, ask: Ask) -> Ask:
        """Let it be asked itself."""
        return ask

    def write(self, spec: TraderSpec, kind: str, record: object) -> None:
        """Drop it."""


KEEP_NOTHING: Final[Keeper] = _Forgetful()
