"""Versions of everything that the figures of a sweep follow from."""

import os
from collections.abc import Mapping
from functools import lru_cache

from perp_engine.engine import ENGINE_VERSION
from suite.errors import ConfigError
from virtual_exchange.part_planning import code_of_the_suite, libraries
from virtual_exchange.research.sweep_strategies import code_of, load_strategy


@lru_cache(maxsize=8)
def code_here(*strategies: str) -> dict[str, str]:
    """Name the versions of this process, the texts of strategies of others included.

    Args:
        strategies: their names.

    Raises:
        ConfigError: there is no such strategy.
    """
    own = {name: code_of(load_strategy(name), name) for name in strategies}
    return {
        "engine": ENGINE_VERSION,
        "code": code_of_the_suite(),
        **{f"strategy {name}": text for name, text in own.items() if text},
        **libraries(),
    }


def check_code(begun: Mapping[str, str], *strategies: str) -> None:
    """Refuse to run what another version has begun.

    Args:
        begun: `code_here` of whoever has begun it.
        strategies: that it runs.

    Raises:
        ConfigError: it is another; says in what.
    """
    here = code_here(*strategies)
    other = [name for name in here if here[name] != begun.get(name)]
    if other:
        raise ConfigError(
            f"machine {os.uname().nodename} has another {', '.join(other)} than the one that began "
            "the run: install the same version on all machines"
        )
