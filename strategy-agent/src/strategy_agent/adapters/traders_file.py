"""`traders.yaml` from disk."""

from collections.abc import Sequence
from pathlib import Path

from strategy_core.registry import problems
from suite.contracts.trader import Check, TraderSpec, near
from suite.errors import BadRequest
from suite.service.traders_file import TradersDocument, read_traders_file


def load_traders(
    path: Path, env_file: Path = Path(".env"), *, check: Check = problems
) -> TradersDocument:
    """Read and check the whole file.

    Args:
        path: of the file.
        env_file: further values for `${NAME}`; the environment wins.
        check: rules for one trader; plugins are not looked into by default.

    Raises:
        ConfigError: the file cannot be read, or something in it is wrong; all of it is told, with
            lines.
    """
    return read_traders_file(path, check=check, env_file=env_file)


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
