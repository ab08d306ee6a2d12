"""Planning a backtest in parts: everything that is wrong is found before anything runs."""

import hashlib
import importlib.metadata
import inspect
import platform
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import msgspec

import perp_engine
import strategy_core
import strategy_models
import suite
import virtual_exchange
from perp_engine.engine import ENGINE_VERSION
from strategy_core import registry
from strategy_core.asking import BUDGETS
from strategy_core.building import StrategyKind
from strategy_core.learning.port import Switches
from strategy_core.port import Strategy, instruments_of
from strategy_models.opening import Models
from suite.bars import INTERVAL_MS
from suite.clock import Clock
from suite.contracts.trader import TradersFileError, TraderSpec
from suite.contracts.world import WorldRequest
from suite.deadline import Deadlines
from suite.errors import BadRequest, ConfigError, DataGap, Overrun
from suite.instrument import coin_of
from suite.service.kline_store import KlineStore
from suite.service.shelves import find_model
from suite.service.store_files import LocalFiles
from virtual_exchange.adapters.plugins import try_plugins
from virtual_exchange.adapters.store_market import StoreMarkets
from virtual_exchange.application.market.disguise import masked_traders
from virtual_exchange.application.market.markets import Markets
from virtual_exchange.application.parts.plan import (
    PlannedTrader,
    RunPlan,
    content_of,
    key_of,
    market_key_of,
)
from virtual_exchange.application.session import Session, open_session
from virtual_exchange.running import models_for

_MOST_TRADERS = 1024


class Learned(NamedTuple):
    """What traders that learn begin with: the folder of named models, the operator's switches."""

    models: Path
    switches: Switches


def plan_run(
    request: WorldRequest,
    traders: tuple[TraderSpec, ...],
    *,
    traders_file: Path,
    data: Path | str,
    clock: Clock,
    learning: Learned,
) -> RunPlan:
    """Plan the run of all traders of a file.

    Args:
        request: of their world.
        traders: all of them.
        traders_file: where they stand.
        data: root of the kline store.
        clock: wall time.
        learning: what traders that learn begin with.

    Raises:
        TradersFileError: traders or a world that cannot be, with all that is wrong.
        SuiteError: a stored file is damaged.
    """
    if len(traders) > _MOST_TRADERS:
        raise ConfigError(
            f"{len(traders)} traders are too many for one arena: at most {_MOST_TRADERS}"
        )
    plugins, problems = try_plugins((one.trader_id, one.strategy.kind) for one in traders)
    session = _opened(request, traders, data, clock, problems)
    slow, answers = _tried(traders, session, plugins, problems)
    begun = _begun(traders, plugins, learning, problems)
    if problems:
        raise TradersFileError(problems)
    world = session.world
    digest = content_of(world.market)
    programs = {"engine": ENGINE_VERSION, "code": code_of_the_suite(), **libraries()}
    return RunPlan(
        world=request,
        traders_file=str(traders_file),
        data=str(data),
        data_sha256=digest,
        from_ms=world.from_ms,
        to_ms=world.to_ms,
        market_key=market_key_of(request, data_sha256=digest, programs=programs),
        traders=tuple(
            PlannedTrader(
                trader_id=trader.trader_id,
                account_id=trader.account_id,
                key=key_of(
                    trader,
                    request,
                    data_sha256=digest,
                    programs=programs
                    | _code_of(trader, plugins)
                    | _asked(trader, plugins, answers)
                    | begun.get(trader.trader_id, {}),
                ),
                slow=slow[trader.trader_id],
                turns=(world.to_ms - world.from_ms) // INTERVAL_MS[trader.interval],
            )
            for trader in traders
        ),
    )


def with_plugins(
    error: BadRequest | ConfigError, traders: tuple[TraderSpec, ...]
) -> TradersFileError:
    """Tell what is wrong with a world together with the plugins that do not load."""
    _, problems = try_plugins((one.trader_id, one.strategy.kind) for one in traders)
    own = error.problems if isinstance(error, ConfigError) else ()
    return TradersFileError([*problems, *(own or (str(error),))])


def _opened(
    request: WorldRequest,
    traders: tuple[TraderSpec, ...],
    data: Path | str,
    clock: Clock,
    problems: Sequence[str],
) -> Session:
    """Build the world.

    Raises:
        TradersFileError: it cannot be; with the problems that are known already.
        SuiteError: a stored file is damaged.
    """
    try:
        return open_session(request, source=Markets(StoreMarkets(data)), clock=clock)
    except (BadRequest, ConfigError, DataGap) as error:
        unknown = _unknown_coins(request, traders, data)
        raise TradersFileError([*problems, *(unknown or [str(error)])]) from None


def _unknown_coins(
    request: WorldRequest, traders: tuple[TraderSpec, ...], data: Path | str
) -> list[str]:
    """Say which coins are not stored, each with the places that name it."""
    stored = KlineStore(data).coins()
    unknown = [coin for coin in request.symbols if coin_of(coin) not in stored] if stored else []
    problems: list[str] = []
    for coin in map(coin_of, unknown):
        said = f"no stored bars of {coin}; stored are {', '.join(stored)}"
        places = [
            f"traders[{one.trader_id}].symbols[{index}]: "
            for one in traders
            for index, name in enumerate(one.symbols)
            if coin_of(name) == coin
        ]
        problems += [f"{place}{said}" for place in places or [""]]
    return problems


def libraries() -> dict[str, str]:
    """Versions of what numbers go through: they may round otherwise."""
    return {
        "python": platform.python_version(),
        **{name: importlib.metadata.version(name) for name in ("numpy", "numba", "llvmlite")},
    }


def write_plan(plan: RunPlan, file: Path) -> None:
    """Write a plan for `read_plan`.

    Raises:
        StorageError: the disk refuses.
    """
    LocalFiles(file.parent).write(file.name, msgspec.json.encode(plan))


def read_plan(file: Path) -> RunPlan:
    """Read a plan that this program has written.

    Raises:
        ConfigError: it is none.
    """
    try:
        return msgspec.json.decode(file.read_bytes(), type=RunPlan)
    except (OSError, msgspec.MsgspecError) as error:
        raise ConfigError(f"cannot read the plan {file}: {error}") from None


def _tried(
    traders: tuple[TraderSpec, ...],
    session: Session,
    plugins: Mapping[str, StrategyKind],
    problems: list[str],
) -> tuple[dict[str, bool], str]:
    """Build every strategy once.

    Args:
        traders: all of them.
        session: the world.
        plugins: those that load.
        problems: is added to.

    Returns:
        Which traders are slow, and where language models' answers come from.
    """
    slow: dict[str, bool] = {}
    with ExitStack() as stack:
        try:
            models = models_for(traders, plugins, stack)
        except ConfigError as error:
            problems.append(str(error))
            return slow, ""
        for told, shown in zip(traders, masked_traders(traders, session.mask), strict=True):
            if told.strategy.kind.startswith(registry.PLUGIN) and told.strategy.kind not in plugins:
                continue
            try:
                slow[told.trader_id] = _build(shown, session, plugins, models).needs.slow
            except ConfigError as error:
                problems.append(str(error))
        return slow, "" if models is None else models.digest


def _asked(trader: TraderSpec, plugins: Mapping[str, StrategyKind], answers: str) -> dict[str, str]:
    """Name what answers a trader that asks language models; nothing for another one."""
    kind = {**registry.KINDS, **plugins}.get(trader.strategy.kind)
    return {"models": answers} if kind is not None and kind.asks_models else {}


def _begun(
    traders: tuple[TraderSpec, ...],
    plugins: Mapping[str, StrategyKind],
    learning: Learned,
    problems: list[str],
) -> dict[str, dict[str, str]]:
    """Name what traders that learn begin with: the switches, and the content of a named model.

    Returns:
        By trader id; nothing for a trader that does not learn.
    """
    found: dict[str, dict[str, str]] = {}
    for trader in traders:
        kind = {**registry.KINDS, **plugins}.get(trader.strategy.kind)
        if kind is None or not kind.learns:
            continue
        told = {"switches": repr(learning.switches)}
        try:
            if name := trader.strategy.params.get("model"):
                files = find_model(learning.models, str(name))
                digest = hashlib.sha256()
                for file, content in files.items():
                    digest.update(file.encode() + b"\0" + hashlib.sha256(content).digest())
                told["model"] = digest.hexdigest()
        except ConfigError as error:
            problems.append(f"trader {trader.trader_id}: {error}")
        found[trader.trader_id] = told
    return found


def _build(
    spec: TraderSpec,
    session: Session,
    plugins: Mapping[str, StrategyKind],
    models: Models | None,
) -> Strategy:
    """Build a strategy as the run will."""
    instruments = instruments_of(session.queries.market.meta())
    try:
        with Deadlines() as deadlines, deadlines.limit(BUDGETS.slow_s):
            return registry.build(
                spec,
                instruments=instruments,
                seed=session.request.seed,
                plugins=plugins,
                models=models,
            )
    except Overrun:
        raise ConfigError(
            f"trader {spec.trader_id}: building its strategy takes longer than {BUDGETS.slow_s:g} s"
        ) from None


def code_of_the_suite() -> str:
    """Hash the text of every program that takes part in a run."""
    packages = (perp_engine, strategy_core, strategy_models, suite, virtual_exchange)
    return _hash(path for package in packages for path in _sources(Path(package.__path__[0])))


def _code_of(trader: TraderSpec, plugins: Mapping[str, StrategyKind]) -> dict[str, str]:
    """Hash the text of a trader's plugin: its module, or the whole package that it stands in."""
    kind = plugins.get(trader.strategy.kind)
    if kind is None:
        return {}
    module = sys.modules[getattr(kind.make, "__module__", "")]
    package = sys.modules.get(module.__name__.partition(".")[0])
    if package is not None and (paths := getattr(package, "__path__", None)):
        return {"plugin": _hash(path for place in paths for path in _sources(Path(place)))}
    source = inspect.getsourcefile(module)
    return {"plugin": _hash([] if source is None else [Path(source)])}


def _sources(folder: Path) -> Iterator[Path]:
    return iter(sorted(folder.rglob("*.py")))


def _hash(paths: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for path in paths:
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()
