"""What a strategy itself remembers over a restart of its process.

A strategy that answers from the observation alone needs none of this. One that keeps something of
its own between decisions has two more methods, and goes on after a restart as if nothing was:

    def remember(self) -> Any: ...              # plain values: numbers, texts, lists, mappings
    def recall(self, state: Any) -> None: ...   # what `remember` gave, read back from JSON
"""

import hashlib
from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

import msgspec

from strategy_core.port import Strategy
from suite.contracts.trader import StrategySpec, TraderSpec


@runtime_checkable
class Remembers(Protocol):
    """A strategy with a memory of its own."""

    def remember(self) -> Any:
        """Tell what it would need to go on; plain values."""
        ...

    def recall(self, state: Any) -> None:
        """Take back what it told."""
        ...


class StrategyMemory(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a strategy told, and which one it was; another one has no use for it."""

    spec: StrategySpec
    state: Any


def digest_of_trader(spec: TraderSpec) -> str:
    """Tell configurations apart: all that a trader's requests follow from, but for its money."""
    return _digest(
        (spec.strategy, spec.symbols, spec.interval, spec.risk, spec.exits, spec.execution)
    )


def _digest(values: Sequence[object]) -> str:
    return hashlib.sha256(msgspec.json.encode(values, order="deterministic")).hexdigest()


def remembered(strategy: Strategy, spec: StrategySpec) -> StrategyMemory | None:
    """Ask a strategy what it needs to remember; None where it needs nothing.

    Raises:
        Exception: it is anybody's code, and may fail in any way.
    """
    if not isinstance(strategy, Remembers):
        return None
    return StrategyMemory(spec=spec, state=msgspec.to_builtins(strategy.remember()))


def recall(strategy: Strategy, spec: StrategySpec, kept: StrategyMemory | None) -> None:
    """Give a strategy back what it told, where it is the same one.

    Raises:
        Exception: it is anybody's code, and may fail in any way.
    """
    if kept is not None and kept.spec == spec and isinstance(strategy, Remembers):
        strategy.recall(kept.state)
