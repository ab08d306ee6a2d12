"""Strategies of others, for backtests in this process."""

from collections.abc import Iterable

from strategy_core.building import StrategyKind, kind_of
from strategy_core.registry import PLUGIN
from suite.contracts.trader import TraderSpec
from suite.errors import ConfigError
from suite.service.plugins import load_class


def load_plugins(traders: Iterable[TraderSpec]) -> dict[str, StrategyKind]:
    """Import the strategies of traders whose kind is `plugin:package.module:Class`.

    The code runs with all rights of this process, so this is for a command whose user names the
    traders file, never for what comes over HTTP.

    Returns:
        The kinds by their whole name.

    Raises:
        ConfigError: one cannot be imported, or is no strategy; names the trader.
    """
    kinds: dict[str, StrategyKind] = {}
    for spec in traders:
        if spec.strategy.kind not in kinds:
            kinds |= _load(spec.trader_id, spec.strategy.kind)
    return kinds


def try_plugins(named: Iterable[tuple[str, str]]) -> tuple[dict[str, StrategyKind], list[str]]:
    """Load the plugins of traders.

    Args:
        named: trader ids with the kinds of their strategies; others than plugins are passed over.

    Returns:
        Those that load, by their whole name, and what is wrong with the others.
    """
    plugins: dict[str, StrategyKind] = {}
    problems: list[str] = []
    for trader_id, kind in named:
        try:
            plugins |= _load(trader_id, kind)
        except ConfigError as error:
            problems.append(str(error))
    return plugins, problems


def _load(trader_id: str, kind: str) -> dict[str, StrategyKind]:
    """Import one strategy; nothing where it is no plugin.

    Raises:
        ConfigError: it cannot be imported, or is no strategy; names the trader.
    """
    if not kind.startswith(PLUGIN):
        return {}
    try:
        return {kind: kind_of(load_class(kind.removeprefix(PLUGIN)))}
    except ConfigError as error:
        raise ConfigError(f"traders[{trader_id}].strategy.kind: {error}") from None
