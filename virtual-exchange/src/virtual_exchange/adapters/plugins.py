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
        name = spec.strategy.kind
        if name.startswith(PLUGIN) and name not in kinds:
            try:
                kinds[name] = kind_of(load_class(name.removeprefix(PLUGIN)))
            except ConfigError as error:
                place = f"traders[{spec.trader_id}].strategy.kind"
                raise ConfigError(f"{place}: {error}") from None
    return kinds
