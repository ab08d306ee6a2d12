"""Whether the plugins of a traders file can be loaded, by the process that would load them."""

import os
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from suite.contracts.trader import variables_in
from suite.errors import ConfigError
from trader_manager.adapters.local_processes.kept import agent_command, passed_on
from trader_manager.application.config_loader import FleetConfig
from trader_manager.commands.checks import Check

_HERE: Final = ("process", "fleet")
"""Runtimes whose traders find their modules on this machine."""
_PLUGIN: Final = "plugin:"
_CHECK_S: Final = 60.0
_CURE: Final = (
    "modules are looked for where Python looks and in STRATEGY_AGENT_PLUGIN_DIR, by default"
    " the folder that the manager is started in"
)


def plugin_checks(config: FleetConfig, runtime: str) -> Iterator[Check]:
    """Load the plugins of traders of this machine in a process of their own.

    Args:
        config: the traders.
        runtime: where those run that do not say so.
    """
    entries = [
        dict(entry)
        for name, entry in config.written.items()
        if str(entry["strategy"]["kind"]).startswith(_PLUGIN)
        and config.runtimes.get(name, runtime) in _HERE
    ]
    if not entries:
        return
    try:
        problems = _problems(entries)
    except (ConfigError, OSError, subprocess.SubprocessError) as error:
        yield Check(name="plugins", problem=f"they could not be looked at: {error}")
        return
    for problem in problems:
        yield Check(name="plugins", problem=f"{problem}; {_CURE}")
    if not problems:
        yield Check(name="plugins", told=f"those of {len(entries)} traders can be loaded")


def _problems(entries: list[dict[str, Any]]) -> list[str]:
    """Have the strategy-agent judge entries as it would before it runs them."""
    with tempfile.TemporaryDirectory(prefix="doctor") as folder:
        (Path(folder) / "traders.yaml").write_text(
            yaml.safe_dump({"traders": entries}), encoding="utf-8"
        )
        done = subprocess.run(  # noqa: S603 - what to start is not anybody's to say
            [*agent_command(), "check", "--config", "traders.yaml"],
            cwd=folder,
            env={**passed_on(), **_values(entries)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_CHECK_S,
            check=False,
        )
    if not done.returncode:
        return []
    lines = [line for line in done.stdout.splitlines() if line.startswith("line ")]
    return [line.partition(": ")[2] for line in lines] or [done.stderr.strip()[-500:]]


def _values(entries: list[dict[str, Any]]) -> Mapping[str, str]:
    """Values that the entries name, and no other secret: what is loaded is code of others."""
    return {name: os.environ[name] for name in variables_in(entries) if name in os.environ}
