"""`traders.yaml` from disk."""

import os
from collections.abc import Sequence
from pathlib import Path

from strategy_core.registry import problems
from suite.contracts.trader import TraderSpec, near, parse_traders
from suite.errors import BadRequest, ConfigError


def load_traders(path: Path, env_file: Path = Path(".env")) -> tuple[TraderSpec, ...]:
    """Read and check the whole file.

    Args:
        path: of the file.
        env_file: further values for `${NAME}`; the environment wins.

    Raises:
        ConfigError: the file cannot be read, or something in it is wrong; all of it is told.
    """
    import yaml
    from dotenv import dotenv_values

    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path} is not UTF-8 text") from None
    except yaml.YAMLError as error:
        raise ConfigError(f"{path} is not YAML: {' '.join(str(error).split())}") from None
    stored = {name: value for name, value in dotenv_values(env_file).items() if value is not None}
    return parse_traders(document, {**stored, **os.environ}, check=problems).traders


def choose(specs: Sequence[TraderSpec], names: str) -> tuple[TraderSpec, ...]:
    """Pick traders by a comma-separated list of ids, in its order.

    Raises:
        BadRequest: the list is empty, or names one twice or one that does not exist.
    """
    by_id = {spec.trader_id: spec for spec in specs}
    wanted = [name.strip() for name in names.split(",") if name.strip()]
    unknown = [name for name in wanted if name not in by_id]
    if unknown:
        known = ", ".join(by_id)
        raise BadRequest(f"no trader {unknown[0]}{near(unknown[0], by_id)}; there are {known}")
    if not wanted or len(set(wanted)) != len(wanted):
        raise BadRequest("--trader needs at least one id, each only once")
    return tuple(by_id[name] for name in wanted)
