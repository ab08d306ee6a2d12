"""What a strategy itself remembers over a restart of its process.

A strategy that answers from the observation alone needs none of this. One that keeps something of
its own between decisions has two more methods, and goes on after a restart as if nothing was:

    def remember(self) -> Any: ...              # plain values: numbers, texts, lists, mappings
    def recall(self, state: Any) -> None: ...   # what `remember` gave, read back from JSON
"""

import hashlib
from math import isfinite
from typing import Any, Protocol, runtime_checkable

import msgspec

from strategy_core.port import Strategy
from suite.contracts.trader import TraderSpec, without_secrets

_encode = msgspec.json.Encoder().encode


@runtime_checkable
class Remembers(Protocol):
    """A strategy with a memory of its own."""

    def remember(self) -> Any:
        """Tell what it would need to go on; plain values."""
        ...

    def recall(self, state: Any) -> None:
        """Take back what it told."""
        ...


@runtime_checkable
class Describes(Protocol):
    """A strategy with more to tell people than its decisions: its trader's status shows it."""

    def describe(self) -> dict[str, Any]:
        """Tell where it stands; plain values."""
        ...


class StrategyMemory(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a strategy told; another one, or one of other coins, has no use for it.

    Attributes:
        of: a digest of the strategy, its parameters, coins and interval.
        state: what it told, as JSON.
    """

    of: str
    state: msgspec.Raw


def configuration_of(spec: TraderSpec) -> dict[str, Any]:
    """Tell all that a trader's requests follow from, but for its money; as written, plain values.

    Secrets are not in it: they open doors and change nothing behind them.
    """
    told = {
        "kind": spec.strategy.kind,
        "params": spec.strategy.params,
        "symbols": spec.symbols,
        "interval": spec.interval,
        "risk": spec.risk,
        "exits": spec.exits,
        "execution": spec.execution,
    }
    found: dict[str, Any] = without_secrets(msgspec.to_builtins(told))
    return found


def digest_of_trader(spec: TraderSpec) -> str:
    """Tell configurations apart."""
    return _digest(configuration_of(spec))


def _digest(values: object) -> str:
    return hashlib.sha256(msgspec.json.encode(values, order="deterministic")).hexdigest()


def remembered(strategy: Strategy, spec: TraderSpec) -> StrategyMemory | None:
    """Ask a strategy what it needs to remember; None where it needs nothing.

    Raises:
        ValueError: a number in it is none, as JSON has no name for that.
        Exception: it is anybody's code, and may fail in any way.
    """
    if not isinstance(strategy, Remembers):
        return None
    told = msgspec.to_builtins(strategy.remember())
    _refuse_odd_numbers(told)
    return StrategyMemory(of=_digest_of_strategy(spec), state=msgspec.Raw(_encode(told)))


def recall(strategy: Strategy, spec: TraderSpec, kept: StrategyMemory | None) -> None:
    """Give a strategy back what it told, where it is the same one.

    Raises:
        Exception: it is anybody's code, and may fail in any way.
    """
    if kept is None or not isinstance(strategy, Remembers):
        return
    if kept.of == _digest_of_strategy(spec):
        strategy.recall(msgspec.json.decode(kept.state))


def _digest_of_strategy(spec: TraderSpec) -> str:
    return _digest((spec.strategy, spec.symbols, spec.interval))


def _refuse_odd_numbers(value: object) -> None:
    """Refuse what would come back as nothing at all."""
    match value:
        case float() if not isfinite(value):
            raise ValueError(f"{value} cannot be remembered")
        case dict():
            for item in value.values():
                _refuse_odd_numbers(item)
        case list() | tuple():
            for item in value:
                _refuse_odd_numbers(item)
