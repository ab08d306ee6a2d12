"""One run of traders against a world of their own, in this process or over HTTP."""

from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from strategy_core.building import StrategyKind
from strategy_core.registry import KINDS
from strategy_models.opening import Models, open_models
from suite.contracts.trader import TraderSpec
from suite.contracts.world import WorldRequest
from suite.errors import ConfigError
from suite.service.clock import SystemClock
from virtual_exchange.adapters.journal_folder import JournalFolder
from virtual_exchange.adapters.learning import schools
from virtual_exchange.adapters.part_keeper import PartKeeper
from virtual_exchange.adapters.plugins import load_plugins
from virtual_exchange.adapters.store_market import StoreMarkets
from virtual_exchange.adapters.world_file import world_fields
from virtual_exchange.application.backtest import Means, Progress, run_backtest
from virtual_exchange.application.keeping import KEEP_NOTHING, Keeper
from virtual_exchange.application.market.markets import Markets
from virtual_exchange.application.session import world_request
from virtual_exchange.domain.record import RunRecord
from virtual_exchange.settings import Settings

TRANSPORTS: Final = ("inprocess", "http")
_OF_THE_TRADERS: Final = {"accounts", "participants", "clock", "speed"}


@dataclass(frozen=True, slots=True, kw_only=True)
class TraderRun:
    """What to run.

    Attributes:
        request: the world.
        traders: those of the file that take part.
        traders_file: what the agents read.
        data: root of the kline store.
        journal: folder where each trader's journal is written anew, None for none.
        decisions: files where decisions of slow strategies are kept, by trader id.
        markets: where runs of one process share them.
        together: over HTTP, built-in traders share a process.
    """

    request: WorldRequest
    traders: tuple[TraderSpec, ...]
    traders_file: Path
    data: Path | str
    journal: Path | None = None
    decisions: dict[str, Path] = field(default_factory=dict)
    markets: Markets | None = None
    together: bool = False


def check_transport(transport: str) -> None:
    """Refuse a transport that there is not.

    Raises:
        ConfigError: its name is none.
    """
    if transport not in TRANSPORTS:
        raise ConfigError(f"unknown transport {transport[:20]!r}: it is inprocess or http")


def run_traders(run: TraderRun, *, transport: str, progress: Progress) -> RunRecord:
    """Run traders to the end of their world.

    Args:
        run: what to run.
        transport: one of `TRANSPORTS`; over HTTP each trader is a process.
        progress: told now and then.

    Raises:
        SuiteError: the world cannot be built, a trader's configuration is wrong, or an agent
            stopped with an error.
    """
    journals = None if run.journal is None else JournalFolder(run.journal)
    if transport == "http":
        from virtual_exchange.http_backtest import run_http_backtest

        return run_http_backtest(run, progress)
    plugins = load_plugins(run.traders)
    keeper: Keeper = journals or KEEP_NOTHING
    with ExitStack() as stack:
        if journals is not None:
            stack.enter_context(journals)
        if run.decisions:
            keeper = stack.enter_context(PartKeeper(keeper, run.decisions))
        settings = Settings.load(data=run.data)
        learning = stack.enter_context(schools(settings.models_dir, settings.switches))
        return run_backtest(
            run.request,
            run.traders,
            source=run.markets or StoreMarkets(run.data),
            clock=SystemClock(),
            progress=progress,
            plugins=plugins,
            keeper=keeper,
            means=Means(models=models_for(run.traders, plugins, stack), learning=learning),
        )


def models_for(
    traders: Iterable[TraderSpec], plugins: Mapping[str, StrategyKind], stack: ExitStack
) -> Models | None:
    """Find language models where a trader's strategy asks some.

    Args:
        traders: all of them.
        plugins: imported kinds.
        stack: closes what is opened.

    Raises:
        ConfigError: a setting of models is wrong.
        StorageError: what is spent cannot be kept.
    """
    kinds = {**KINDS, **plugins}
    asking = [one for one in traders if (kind := kinds.get(one.strategy.kind)) and kind.asks_models]
    if not asking:
        return None
    models = open_models(remembers=False)
    stack.callback(models.close)
    return models


def world_of(
    traders: tuple[TraderSpec, ...], file: Path | None, options: list[str], named: dict[str, Any]
) -> WorldRequest:
    """Ask for the world of a backtest.

    Args:
        traders: who trades; more than one of them may lack something.
        file, options: of the world, see `world_fields`.
        named: fields that were named themselves, which are stronger; None for those that were not.

    Raises:
        ConfigError: an option cannot be.
        BadRequest: a trader wants a coin that the world lacks.
    """
    profile = named["profile"]
    if profile not in {None, "default", "plain"}:
        raise ConfigError(f"unknown profile {profile[:20]!r}: it is default or plain")
    fields = world_fields(file, options)
    fields |= {name: value for name, value in named.items() if value is not None}
    for name in _OF_THE_TRADERS & set(fields):
        raise ConfigError(f"world option {name}: the traders of a backtest decide it")
    return world_request(traders, **fields | {"supervised": True})
