"""Strategies of others: `plugin:package.module:Class`."""

import importlib
import sys
from pathlib import Path
from typing import Any

from strategy_core.building import StrategyKind, kind_of
from strategy_core.registry import PLUGIN
from suite.contracts.trader import TraderSpec
from suite.errors import ConfigError


def load_plugins(spec: TraderSpec) -> dict[str, StrategyKind]:
    """Import the strategy of a trader when it is a plugin's.

    The working directory is looked in too. The code runs with all rights of the process: use only
    what you trust, one process per trader.

    Returns:
        The kind under its whole name; nothing for a built-in one.

    Raises:
        ConfigError: it cannot be imported, or is no strategy.
    """
    name = spec.strategy.kind
    if not name.startswith(PLUGIN):
        return {}
    place = f"traders[{spec.trader_id}].strategy.kind"
    module_name, colon, class_name = name.removeprefix(PLUGIN).strip().partition(":")
    if not (module_name and colon and class_name):
        raise ConfigError(f"{place}: write plugin:package.module:Class, not {name!r}")
    if (here := str(Path.cwd())) not in sys.path:
        sys.path.append(here)
    try:
        found: Any = getattr(importlib.import_module(module_name), class_name)
        return {name: kind_of(found)}
    except ConfigError as error:
        raise ConfigError(f"{place}: {error}") from None
    except Exception as error:
        raise ConfigError(
            f"{place}: cannot load {name}: {type(error).__name__}: {error}"
        ) from error
