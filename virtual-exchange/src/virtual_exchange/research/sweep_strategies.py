"""Strategies that a sweep can run: of the core, called at every bar, or a trader's kind.

    from virtual_exchange.research.sweep_strategies import Called, Compiled

    fast_one = Compiled(momentum, ints={"length": 60, "size": 10_000})   # see perp_engine.jitted
    slow_one = Called(make, {"length": 60, "size": 10_000})              # see perp_engine.callback

and `virtual-exchange sweep --strategy package.module:fast_one`. A kind of `traders.yaml` is named
as there: `sma_cross`, `plugin:package.module:Class`.
"""

import hashlib
import inspect
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from perp_engine.callback import Callback, OnBar
from strategy_core.building import StrategyKind, kind_of
from strategy_core.registry import KINDS, PLUGIN
from suite.contracts.trader import near
from suite.errors import ConfigError
from suite.service.plugins import load_class

Number = int | float


@dataclass(frozen=True, slots=True)
class Compiled:
    """A strategy that is compiled into the engine's loop.

    Attributes:
        on_bar: made by `perp_engine.jitted.strategy`.
        ints: its integers `u`, in their order, with defaults.
        floats: its floats `f` likewise.
    """

    on_bar: Any
    ints: Mapping[str, int] = field(default_factory=dict)
    floats: Mapping[str, float] = field(default_factory=dict)

    @property
    def names(self) -> tuple[str, ...]:
        """Of its parameters."""
        return (*self.ints, *self.floats)


@dataclass(frozen=True, slots=True)
class Called:
    """A strategy in plain Python that is called at every bar.

    Attributes:
        make: given the account and a value for each parameter, makes what is called.
        params: with defaults.
    """

    make: Callable[[Callback, Mapping[str, Any]], OnBar]
    params: Mapping[str, Any] = field(default_factory=dict)

    @property
    def names(self) -> tuple[str, ...]:
        """Of its parameters."""
        return tuple(self.params)


Strategy = Compiled | Called | StrategyKind


def load_strategy(name: str) -> Strategy:
    """Find a strategy by its name; the code runs with all rights of the process.

    Raises:
        ConfigError: there is none, or what is there is no strategy.
    """
    if name in KINDS:
        if KINDS[name].asks_models:
            raise ConfigError(f"strategy: {name} asks a language model, which a sweep does not")
        return KINDS[name]
    if name.startswith(PLUGIN):
        return kind_of(load_class(name.removeprefix(PLUGIN)))
    if ":" not in name:
        known = ", ".join(kind for kind in KINDS if not KINDS[kind].asks_models)
        raise ConfigError(
            f"strategy: {name[:40]!r} is not one of {known}, nor a package.module:name"
            f"{near(name, KINDS)}"
        )
    found = load_class(name)
    if not isinstance(found, Compiled | Called):
        raise ConfigError(
            f"strategy: {name} is neither a Compiled nor a Called, see docs/research.md"
        )
    return found


def parameters_of(strategy: Strategy) -> tuple[str, ...]:
    """Names that its space may have, but for those of risk."""
    if isinstance(strategy, StrategyKind):
        return tuple(one.name for one in msgspec.structs.fields(strategy.params))
    return strategy.names


def code_of(strategy: Strategy, name: str) -> str:
    """Hash the text of the module that a strategy of others stands in; empty for built-in ones."""
    if isinstance(strategy, StrategyKind) and name in KINDS:
        return ""
    made: Any = strategy
    if isinstance(strategy, StrategyKind):
        module = sys.modules.get(getattr(strategy.make, "__module__", ""))
    else:
        module = sys.modules.get(name.strip().partition(":")[0])
    made = None if module is None else inspect.getsourcefile(module)
    return hashlib.sha256(b"" if made is None else Path(made).read_bytes()).hexdigest()
