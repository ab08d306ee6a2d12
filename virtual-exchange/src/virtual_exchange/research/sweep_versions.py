"""Versions of everything that the figures of a sweep follow from."""

from functools import lru_cache

from perp_engine.engine import ENGINE_VERSION
from virtual_exchange.part_planning import code_of_the_suite, libraries
from virtual_exchange.research.sweep_strategies import code_of, load_strategy


@lru_cache(maxsize=8)
def code_here(strategy: str) -> dict[str, str]:
    """Name the versions of this process, the text of a strategy of others included.

    Args:
        strategy: its name.

    Raises:
        ConfigError: there is no such strategy.
    """
    own = code_of(load_strategy(strategy), strategy)
    return {
        "engine": ENGINE_VERSION,
        "code": code_of_the_suite(),
        **({"strategy": own} if own else {}),
        **libraries(),
    }
