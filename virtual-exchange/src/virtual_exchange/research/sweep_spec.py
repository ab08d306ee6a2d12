"""What a sweep shall do: its specification, read and checked as a whole."""

import math
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Annotated, Any, Final, Literal

import msgspec

from perp_engine.rules import Rules
from strategy_core.building import StrategyKind
from strategy_core.exits.rules import ExitRules
from strategy_core.orders.rules import ExecutionRules
from strategy_core.risk.limits import RiskLimits
from suite.bars import INTERVAL_MS
from suite.contracts.clock import Interval
from suite.contracts.trader import near, read_struct
from suite.contracts.world import Fees, MarketModel, Moment
from suite.errors import BadRequest, ConfigError
from suite.fixed import RATE_DECIMALS, format_fixed
from suite.instrument import coin_of
from virtual_exchange.adapters.world_file import world_fields
from virtual_exchange.application.market.rules import rules_of
from virtual_exchange.research.search import (
    GRID_MAX,
    Params,
    SearchKind,
    Space,
    grid_size,
    read_axis,
)
from virtual_exchange.research.sweep_folds import FoldPlan
from virtual_exchange.research.sweep_strategies import (
    Called,
    Strategy,
    load_strategy,
    parameters_of,
)

Objective = Literal["sharpe", "sortino", "return"]
SECTIONS: Final[Mapping[str, type[msgspec.Struct]]] = {
    "risk": RiskLimits,
    "exits": ExitRules,
    "execution": ExecutionRules,
}
"""Settings of a trader besides its strategy that a space may reach into, as `risk.max_leverage`."""
CORE_RISK: Final = ("risk.leverage",)
"""The same for strategies of the core: leverage of the account."""
_MODEL: Final = {field.name for field in msgspec.structs.fields(MarketModel)}


class SearchPlan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the space is searched.

    Attributes:
        kind: `grid`, `random` or `optuna`.
        trials: parameter sets; of a grid it is all of them.
        objective: what Optuna raises: of the daily returns of all trainings.
        batch: sets that Optuna proposes at once.
    """

    kind: SearchKind = "grid"
    trials: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = 100
    objective: Objective = "sharpe"
    batch: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 8


class Knobs(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Costs under which the best set of the trainings is run again.

    Attributes:
        fees, slippage: factors of the world's own.
        latency: ms.
        bar_path: assumptions on the path inside a bar.
    """

    fees: tuple[float, ...] = (0.0, 0.5, 1.0, 1.5, 2.0)
    slippage: tuple[float, ...] = (0.0, 1.0, 2.0, 5.0)
    latency: tuple[int, ...] = (0, 60_000, 300_000)
    bar_path: tuple[str, ...] = ("pessimistic", "ohlc", "olhc")


TOGETHER: Final = "+"


class SweepSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A sweep as it is written in a file.

    Attributes:
        strategy: a kind of `traders.yaml`, `plugin:package.module:Class`, or `package.module:name`
            of a `Compiled` or `Called`.
        space: by parameter a list of values or `{from, to, step?, log?}`; `risk.x`, `exits.x` and
            `execution.x` reach into a trader's settings.
        params: values of parameters that are not varied.
        symbols: coins, each traded by itself; those of `BTC+ETH` by one account together.
        from_, to: period, whole UTC days; what is stored where not given.
        interval: length of the engine's bars.
        decides: how often a trader's kind decides.
        world: fields of the market model, as of `POST /worlds`.
        initial_balance: USD that every run begins with.
        seed: of the search and of strategies that draw.
        sensitivity: False for none.
    """

    strategy: str
    space: dict[str, Any]
    params: dict[str, Any] = {}
    symbols: Annotated[tuple[str, ...], msgspec.Meta(min_length=1, max_length=64)]
    from_: Moment | None = msgspec.field(default=None, name="from")
    to: Moment | None = None
    interval: Interval = "1m"
    decides: str = "1h"
    search: SearchPlan = SearchPlan()
    folds: FoldPlan = FoldPlan()
    world: dict[str, Any] = {}
    initial_balance: Annotated[float, msgspec.Meta(gt=0, le=1e9)] = 10_000.0
    seed: Annotated[int, msgspec.Meta(ge=0, lt=2**32)] = 0
    sensitivity: Knobs | Literal[False] = Knobs()


class SpecError(ConfigError):
    """A specification cannot be; every mistake is a problem of its own."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = tuple(problems)


class CheckedSpec(msgspec.Struct, frozen=True, kw_only=True):
    """A specification that can be, and what it says.

    Attributes:
        spec: as given.
        strategy: loaded.
        space: what is varied.
        model: of the world.
    """

    spec: SweepSpec
    strategy: Any
    space: Any
    model: MarketModel

    @property
    def groups(self) -> dict[str, tuple[str, ...]]:
        """By name of a group, the venue's names of the coins that are traded together."""
        groups = [group_of(name) for name in self.spec.symbols]
        return {TOGETHER.join(group): group for group in groups}


def group_of(symbols: str) -> tuple[str, ...]:
    """Read coins that are traded together, as `BTC+ETH`.

    Raises:
        ValueError: one is no coin, or is there twice.
    """
    coins = tuple(coin_of(name.strip()) for name in symbols.split(TOGETHER))
    if len(set(coins)) < len(coins):
        raise ValueError(f"{symbols}: a coin is there twice")
    return coins


def read_spec(raw: Mapping[str, Any]) -> CheckedSpec:
    """Read a specification.

    Args:
        raw: as from a YAML file.

    Raises:
        SpecError: something in it cannot be; all of it is told.
    """
    spec, problems = read_struct(SweepSpec, dict(raw), place="")
    strategy = None
    if isinstance(name := raw.get("strategy"), str):
        try:
            strategy = load_strategy(name)
        except ConfigError as error:
            problems.append(str(error))
    space, found = _space(raw.get("space"), strategy)
    problems += found
    problems += _fixed(raw.get("params"), space, strategy)
    symbols = raw.get("symbols")
    problems += _coins(symbols if isinstance(symbols, list | tuple) else (), strategy)
    model, found = _model(raw.get("world"))
    problems += found
    if isinstance(spec, SweepSpec):
        problems += _of_search(spec, space)
        if spec.decides not in INTERVAL_MS:
            known = ", ".join(INTERVAL_MS)
            problems.append(f"decides: {spec.decides[:20]!r} is not one of {known}")
    if problems or not isinstance(spec, SweepSpec):
        raise SpecError(problems or ["there is no specification"])
    return CheckedSpec(spec=spec, strategy=strategy, space=space, model=model)


def _space(raw: Any, strategy: Strategy | None) -> tuple[dict[str, Any], list[str]]:
    if not isinstance(raw, Mapping) or not raw:
        return {}, ["space: it is empty: name what shall be tried, as `fast: [10, 20, 30]`"]
    space, problems = {}, []
    for name, told in raw.items():
        axis, problem = read_axis(str(name), told)
        if axis is not None:
            space[str(name)] = axis
        problems += [problem] if problem else []
        problems += _unknown("space", str(name), strategy)
    return space, problems


def _fixed(raw: Any, space: Mapping[str, Any], strategy: Strategy | None) -> list[str]:
    problems: list[str] = []
    for name, value in (raw if isinstance(raw, Mapping) else {}).items():
        if name in space:
            problems.append(f"params.{name}: it is in the space already")
        if isinstance(value, float) and not math.isfinite(value):
            problems.append(f"params.{name}: must be a finite number")
        problems += _unknown("params", str(name), strategy)
    return problems


def _unknown(place: str, name: str, strategy: Strategy | None) -> list[str]:
    """Say that a strategy has no such parameter."""
    if strategy is None:
        return []
    known = list(parameters_of(strategy))
    if isinstance(strategy, StrategyKind):
        known += [
            f"{section}.{one.name}"
            for section, kind in SECTIONS.items()
            for one in msgspec.structs.fields(kind)
        ]
    else:
        known += CORE_RISK
    if name in known:
        return []
    hint = near(name, known) or f"; it has {', '.join(parameters_of(strategy)) or 'none'}"
    return [f"{place}.{name}: the strategy has no such parameter{hint}"]


def _coins(symbols: Sequence[Any], strategy: Strategy | None) -> list[str]:
    problems, seen = [], set[tuple[str, ...]]()
    for index, name in enumerate(symbols):
        try:
            coins = group_of(str(name))
        except ValueError as error:
            problems.append(f"symbols[{index}]: {error}")
            continue
        if coins in seen:
            problems.append(f"symbols[{index}]: {TOGETHER.join(coins)} is there already")
        if len(coins) > 1 and isinstance(strategy, Called):
            problems.append(
                f"symbols[{index}]: a Called is called with the bars of one coin: write "
                f"{', '.join(coins)}, or make it a Compiled"
            )
        seen.add(coins)
    return problems


def _model(raw: Any) -> tuple[MarketModel, list[str]]:
    if not isinstance(raw, Mapping | None):
        return MarketModel(), ["world: write fields of a market model, as `slippage: 0.0002`"]
    named = dict(raw or {})
    problems = [
        f"world.{name}: unknown key{near(str(name), list(_MODEL))}"
        for name in named
        if name not in _MODEL
    ]
    if problems:
        return MarketModel(), problems
    try:
        model = MarketModel(**world_fields(None, _flat(named)))
        rules_of(model)
    except (BadRequest, ConfigError) as error:
        return MarketModel(), [f"world: {error}"]
    return model, []


def _flat(raw: Mapping[str, Any], before: str = "") -> list[str]:
    """Write nested fields as options: `fees.taker=0.0004`."""
    options: list[str] = []
    for name, value in raw.items():
        if isinstance(value, Mapping):
            options += _flat(value, f"{before}{name}.")
        else:
            options.append(f"{before}{name}={value}")
    return options


def _of_search(spec: SweepSpec, space: Space) -> list[str]:
    if spec.search.kind != "grid" or not space:
        return []
    endless = [name for name, axis in space.items() if not axis.grid()]
    if endless:
        return [f"space.{name}: a grid needs a step, or a list of values" for name in endless]
    size = grid_size(space)
    if size > GRID_MAX:
        return [
            f"space: the grid has {size:,} sets, more than {GRID_MAX:,}: raise its steps or draw"
        ]
    return []


def turned(model: MarketModel, knob: str, value: float | str) -> MarketModel | None:
    """Turn one knob of a market model; None where it has none, as fees by tiers.

    Args:
        model: of the world.
        knob: a field of `Knobs`.
        value: one of its values.
    """
    rules: Rules = rules_of(model)
    replace = msgspec.structs.replace
    match knob:
        case "fees":
            if rules.fee_tiers:
                return None
            fees = Fees(
                taker=_scaled(rules.taker_fee, float(value)),
                maker=_scaled(rules.maker_fee, float(value)),
            )
            return replace(model, fees=fees)
        case "slippage":
            return replace(model, slippage=_scaled(rules.slippage, float(value)))
        case "latency":
            return replace(model, latency=int(value))
        case _:
            return replace(model, bar_path=str(value))


def _scaled(rate: int, factor: float) -> Decimal:
    return Decimal(format_fixed(round(rate * factor), RATE_DECIMALS))


def merged(spec: SweepSpec, chosen: Params) -> dict[str, Any]:
    """All values of a parameter set, those that are not varied included."""
    return {**spec.params, **chosen}
