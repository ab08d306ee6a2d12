"""Strategies of others: `plugin:package.module:Class`, and which code runs with them."""

import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Final

from strategy_core.building import StrategyKind, kind_of
from strategy_core.registry import PLUGIN
from suite.contracts.trader import TraderSpec
from suite.errors import ConfigError
from suite.service.build import build_hash
from suite.service.plugins import load_class

PACKAGES: Final = ("strategy_agent", "strategy_core", "strategy_models", "suite")
"""Whose code is the build."""


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


def build_of(plugins: Mapping[str, StrategyKind]) -> str:
    """Hash the code that runs a trader: the agent's, and the module of its plugin."""
    modules = (sys.modules.get(getattr(kind.make, "__module__", "")) for kind in plugins.values())
    paths = (getattr(module, "__file__", None) for module in modules)
    return _build_of(tuple(Path(path) for path in paths if path))


@cache  # all traders of a process run the same
def _build_of(modules: tuple[Path, ...]) -> str:
    return build_hash(*PACKAGES, modules=modules)
