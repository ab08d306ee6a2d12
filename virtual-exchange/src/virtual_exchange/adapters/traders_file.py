"""`traders.yaml` from disk."""

from collections.abc import Mapping
from pathlib import Path

from strategy_core.registry import problems
from suite.contracts.trader import TradersFileError, TraderSpec
from suite.instrument import coin_of
from suite.service.traders_file import load_yaml, read_traders_file
from virtual_exchange.application.market.disguise import renamed


def write_masked(path: Path, target: Path, names: Mapping[str, str]) -> None:
    """Copy a traders file for a masked world: coins by the names that it shows.

    Args:
        path: a file that `load_traders` has read.
        target: the copy.
        names: shown name by recorded name.
    """
    import yaml

    document = load_yaml(path)
    for trader in document["traders"]:
        trader["symbols"] = [names[coin_of(symbol)] for symbol in trader["symbols"]]
        trader["strategy"] = renamed(trader["strategy"], names)
    target.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")


def load_traders(path: Path) -> tuple[TraderSpec, ...]:
    """Read and judge a traders file as a whole.

    Raises:
        TradersFileError: something in it is wrong; all of it is told.
        ConfigError: it cannot be read.
    """
    try:
        return read_traders_file(path, check=problems).traders
    except TradersFileError as error:
        raise TradersFileError([f"{path}: {problem}" for problem in error.problems]) from None
