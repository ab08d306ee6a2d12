"""Strategies of others: `plugin:package.module:Class`."""

from strategy_core.building import StrategyKind, kind_of
from strategy_core.registry import PLUGIN
from suite.contracts.trader import TraderSpec
from suite.errors import ConfigError
from suite.service.plugins import load_class


def load_plugins(spec: TraderSpec) -> dict[str, StrategyKind]:
    """Import the strategy of a trader when it is a plugin's; one process per trader is wise.

    Returns:
        The kind under its whole name; nothing for a built-in one.

    Raises:
        ConfigError: it cannot be imported, or is no strategy.
    """
    name = spec.strategy.kind
    if not name.startswith(PLUGIN):
        return {}
    try:
        return {name: kind_of(load_class(name.removeprefix(PLUGIN)))}
    except ConfigError as error:
        raise ConfigError(f"traders[{spec.trader_id}].strategy.kind: {error}") from None
