"""The strategies there are, by kind."""

import hashlib
from collections.abc import Mapping
from typing import Any, Final

import msgspec
import numpy as np

from strategy_core.building import Setup, StrategyKind, kind_of
from strategy_core.exits.rules import ExitRules
from strategy_core.learning.port import LearningSource
from strategy_core.llm.meeting import LlmMeeting
from strategy_core.llm.mind import LlmTrader
from strategy_core.llm.port import ModelBudget, ModelSource
from strategy_core.llm.rehearsing import Rehearsals
from strategy_core.orders.rules import ExecutionRules
from strategy_core.port import Instruments, Strategy
from strategy_core.risk.limits import YARDSTICK, RiskLimits, scaled
from strategy_core.strategies.fixed_spread import FixedSpread
from strategy_core.strategies.flat import Flat
from strategy_core.strategies.funding_rate import FundingRate
from strategy_core.strategies.hodl import Hodl
from strategy_core.strategies.ict_xgboost import IctXgboost
from strategy_core.strategies.random_targets import RandomTargets
from strategy_core.strategies.sma_cross import SmaCross
from suite.bars import INTERVAL_MS
from suite.contracts.trader import TraderSpec, near, read_struct
from suite.errors import ConfigError, one_line
from suite.instrument import coin_of, default_instrument

KINDS: Final[Mapping[str, StrategyKind]] = {
    "fixed_spread": kind_of(FixedSpread),
    "flat": kind_of(Flat),
    "funding_rate": kind_of(FundingRate),
    "hodl": kind_of(Hodl, risk=YARDSTICK),
    "ict_xgboost": kind_of(IctXgboost, exits={"smart": True}, learns=True),
    "llm": kind_of(LlmTrader, asks_models=True),
    "llm_meeting": kind_of(LlmMeeting, asks_models=True),
    "random": kind_of(RandomTargets, draws=True),
    "sma_cross": kind_of(SmaCross),
}
"""Built in. A plugin's kind is `plugin:package.module:Class`; the process imports it."""

PLUGIN: Final = "plugin:"
_NO_MODELS: Final = (
    "asks a language model, and this process has been given none: run it with a source of models "
    "(docs/llm.md), or choose another kind"
)


def build(
    spec: TraderSpec,
    *,
    instruments: Instruments,
    seed: int,
    plugins: Mapping[str, StrategyKind] | None = None,
    models: ModelSource | None = None,
    learning: LearningSource | None = None,
    rehearsals: Rehearsals | None = None,
) -> Strategy:
    """Build the strategy of a trader.

    Args:
        spec: the trader.
        instruments: of the venue; every symbol of the trader must be there.
        seed: of the world; each trader draws from a stream of its own.
        plugins: imported kinds, by their whole name in `spec`.
        models: where kinds that ask a language model get theirs.
        learning: where kinds that learn keep and train their models.
        rehearsals: an exchange that replays orders before they are given.

    Raises:
        ConfigError: unknown kind, symbol, parameter or model; everything that is wrong in one line.
    """
    kinds = {**KINDS, **(plugins or {})}
    problems = _problems_of_strategy(spec, kinds)
    problems += read_struct(ModelBudget, spec.budget, place="budget")[1]
    problems += [
        f"symbols: the venue does not trade {coin}{near(coin, instruments)}"
        for coin in spec.symbols
        if coin not in instruments
    ]
    kind = kinds.get(spec.strategy.kind)
    if kind is not None and kind.asks_models and models is None:
        problems.append(f"strategy.kind: {spec.strategy.kind} {_NO_MODELS}")
    if problems or kind is None:
        raise ConfigError("; ".join(f"traders[{spec.trader_id}].{text}" for text in problems))
    setup = Setup(
        trader_id=spec.trader_id,
        symbols=spec.symbols,
        instruments=instruments,
        interval_ms=INTERVAL_MS[spec.interval],
        generator=generator_for(spec.trader_id, seed),
        models=models,
        budget=msgspec.convert(spec.budget, ModelBudget),
        limits=limits_of(spec),
        learning=learning,
        rehearsals=rehearsals,
    )
    try:
        return kind.make(setup, read_params(kind, spec.strategy.params)[0])
    except ConfigError as error:  # of the source of models
        raise ConfigError(f"traders[{spec.trader_id}].strategy.params: {error}") from None


def problems(spec: TraderSpec, plugins: Mapping[str, StrategyKind] | None = None) -> list[str]:
    """List what is wrong with strategy, execution, exits and risk, each as `key: reason`.

    Made to be the `check` of `suite.contracts.trader.parse_traders`. A plugin that is not among
    `plugins` is not looked into: importing it is the process's work.
    """
    found = _problems_of_strategy(spec, {**KINDS, **(plugins or {})}, leave_plugins=plugins is None)
    found += read_struct(ModelBudget, spec.budget, place="budget")[1]
    found += read_struct(ExecutionRules, spec.execution, place="execution")[1]
    found += read_struct(ExitRules, _exits(spec), place="exits")[1]
    return found + read_struct(RiskLimits, _risk(spec), place="risk")[1]


def limits_of(spec: TraderSpec) -> RiskLimits:
    """Limits of a trader: what it says, else its kind's own, else the defaults.

    Raises:
        msgspec.ValidationError: `spec.risk` is wrong; `problems` says it better.
    """
    return msgspec.convert(_risk(spec), RiskLimits)


def exits_of(spec: TraderSpec) -> ExitRules:
    """Exits of a trader: what it says, else its kind's own, else the defaults.

    Raises:
        msgspec.ValidationError: they were not checked when the file was read.
    """
    return msgspec.convert(_exits(spec), ExitRules)


def read_params(kind: StrategyKind, raw: Mapping[str, Any]) -> tuple[Any, list[str]]:
    """Read the parameters of a strategy; what is wrong as `strategy.params.key: reason`."""
    return read_struct(kind.params, raw, place="strategy.params")


def generator_for(trader_id: str, seed: int) -> np.random.Generator:
    """Seed a trader's own stream; equal on every machine."""
    digest = hashlib.sha256(f"{seed}\n{trader_id}".encode()).digest()
    return np.random.Generator(np.random.PCG64(int.from_bytes(digest[:16], "big")))


def _risk(spec: TraderSpec) -> dict[str, Any]:
    kind = KINDS.get(spec.strategy.kind)
    return {**scaled(len(spec.symbols)), **(kind.risk if kind else {}), **spec.risk}


def _exits(spec: TraderSpec) -> Any:
    kind = KINDS.get(spec.strategy.kind)
    return {**kind.exits, **spec.exits} if kind and kind.exits else spec.exits


def _problems_of_strategy(
    spec: TraderSpec, kinds: Mapping[str, StrategyKind], *, leave_plugins: bool = False
) -> list[str]:
    name = spec.strategy.kind
    kind = kinds.get(name)
    if kind is not None:
        params, found = read_params(kind, spec.strategy.params)
        return found or _problems_of_making(spec, kind, params)
    if name.startswith(PLUGIN):
        return [] if leave_plugins else [f"strategy.kind: {name} is not loaded"]
    known = ", ".join(kinds)
    return [f"strategy.kind: {name[:40]!r} is not one of {known}{near(name, kinds)}"]


def _problems_of_making(spec: TraderSpec, kind: StrategyKind, params: Any) -> list[str]:
    """Make the strategy once, for coins as they mostly are: it may refuse its circumstances."""
    if spec.interval not in INTERVAL_MS:
        return []
    coins = [coin for symbol in spec.symbols if (coin := _coin(symbol))]
    setup = Setup(
        trader_id=spec.trader_id,
        symbols=tuple(coins),
        instruments={coin: default_instrument(coin, 4) for coin in coins},
        interval_ms=INTERVAL_MS[spec.interval],
        generator=generator_for(spec.trader_id, 0),
    )
    try:
        kind.make(setup, params)
    except Exception as error:  # noqa: BLE001 - a strategy is anybody's code
        text = str(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"
        return [f"strategy.params: {one_line(text)}"]
    return []


def _coin(symbol: str) -> str:
    try:
        return coin_of(symbol)
    except ValueError:
        return ""  # told by the reader of the file
