"""What a strategy is built from."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec
import numpy as np

from strategy_core.learning.port import LearningSource
from strategy_core.llm.port import BUDGET, ModelBudget, ModelSource
from strategy_core.llm.rehearsing import Rehearsals
from strategy_core.port import Instruments, Strategy
from strategy_core.risk.limits import RiskLimits
from suite.errors import ConfigError

LIMITS: Final = RiskLimits()
"""The usual ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """The circumstances of one trader, equal for every kind of strategy.

    Attributes:
        trader_id: the trader.
        symbols: coins it may trade.
        instruments: lattice of each.
        interval_ms: how often it decides.
        generator: its own source of randomness, seeded from the world's seed and the trader's id.
        models: where it gets language models; None where it is only looked at, and asks none.
        budget: what it may spend on them.
        limits: of its gate, to be told of them; they hold whatever a strategy knows.
        learning: where models of its own are kept and trained; None where it has none.
        rehearsals: an exchange that replays orders before they are given; None for none.
    """

    trader_id: str
    symbols: tuple[str, ...]
    instruments: Instruments
    interval_ms: int
    generator: np.random.Generator
    models: ModelSource | None = None
    budget: ModelBudget = BUDGET
    limits: RiskLimits = LIMITS
    learning: LearningSource | None = None
    rehearsals: Rehearsals | None = None


class Params(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of the parameters of a strategy; `__post_init__` raises ValueError on a bad pair."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StrategyKind:
    """A class of strategies: built in, or a plugin's.

    Attributes:
        params: its parameters, a frozen msgspec struct.
        make: builds one from its circumstances and its parameters; nothing may happen yet.
        summary: what it does, in one line.
        risk: limits that its traders have unless they say otherwise; never a plugin's to set.
        exits: how its positions end unless they say otherwise; never a plugin's to set.
        draws: what it decides depends on chance.
        asks_models: it asks a language model, so its process needs a source of them.
        learns: it keeps models of its own; its parameter `model` names the one to begin with.
    """

    params: type[msgspec.Struct]
    make: Callable[[Setup, Any], Strategy]
    summary: str
    risk: Mapping[str, Any] = field(default_factory=dict)
    exits: Mapping[str, Any] = field(default_factory=dict)
    draws: bool = False
    asks_models: bool = False
    learns: bool = False


def kind_of(
    strategy: Any,
    *,
    risk: Mapping[str, Any] | None = None,
    exits: Mapping[str, Any] | None = None,
    draws: bool = False,
    asks_models: bool = False,
    learns: bool = False,
) -> StrategyKind:
    """Describe a class of strategies.

    Args:
        strategy: a class with a nested struct `Params`, made by `Class(setup, params)`.
        risk: limits of its own in place of the usual defaults.
        exits: likewise, of how its positions end.
        draws: what it decides depends on chance.
        asks_models: it asks a language model.
        learns: it keeps models of its own.

    Raises:
        ConfigError: it is no such class.
    """
    params = getattr(strategy, "Params", None)
    if not (isinstance(params, type) and issubclass(params, msgspec.Struct)):
        name = getattr(strategy, "__qualname__", str(strategy))
        raise ConfigError(f"{name} has no nested msgspec struct Params, as a strategy must have")
    if not callable(getattr(strategy, "decide", None)):
        raise ConfigError(f"{strategy.__qualname__} has no method decide")
    summary = (strategy.__doc__ or "").strip().split("\n")[0]
    return StrategyKind(
        params=params,
        make=strategy,
        summary=summary,
        risk=risk or {},
        exits=exits or {},
        draws=draws,
        asks_models=asks_models,
        learns=learns,
    )
