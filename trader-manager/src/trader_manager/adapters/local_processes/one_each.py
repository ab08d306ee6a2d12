"""Traders as processes of this machine, each with a folder of its own.

    ROOT/ID/traders.yaml    its entry, written anew with each start
    ROOT/ID/process.json    which process it is, see `kept`
    ROOT/ID/agent.log       what it said
    ROOT/ID/var             its journal, memory and tokens

The processes do not end with this one: a manager that comes back finds them by their folders.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

import yaml
from pydantic import SecretStr

from suite.clock import Clock
from suite.errors import ConfigError, StorageError
from trader_manager.adapters.local_processes.kept import (
    KeptProcess,
    Process,
    environment_of,
    reason_of,
)
from trader_manager.application.runtime import Launch, Sighting
from trader_manager.domain.agent_words import control_url

_STOP_S: Final = 25.0
"""An agent takes 10 s at most to cancel its entries, and some more to end."""
_EXIT_USAGE: Final = 2
"""Of an agent whose configuration is wrong: it cannot trade before a person has changed it."""
_RESULT_BYTES: Final = 1 << 18
"""A result lists what guarded the trader."""
_OPTIONS: Final = ("run", "--config", "traders.yaml", "--quiet", "--control-port", "0")
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.\-]{0,63}")


class _Trader(Process, frozen=True, kw_only=True):
    """Which process a trader is.

    Attributes:
        generation: that it was started with; 0, another than wanted, where that is not known.
        world: that its token is of.
        journal_begin: length of its journal at its start.
    """

    generation: int = 0
    world: str = ""
    journal_begin: int = 0


class LocalProcesses:
    """A `Runtime` of this machine: a process for each trader.

    Args:
        root: folder of the traders' folders.
        wall: the machine's clock.
    """

    def __init__(self, root: Path, wall: Clock) -> None:
        self._root = root
        self._wall = wall
        self._kept: dict[str, KeptProcess[_Trader]] = {}

    async def start(self, launch: Launch) -> None:
        """Start a trader; nothing where it runs already.

        Raises:
            ConfigError: the strategy-agent is not installed.
            StorageError: its folder cannot be written.
        """
        name = launch.trader_id
        kept = self._of(name)
        if kept.alive() is not None or kept.found() is not None:
            return
        environment = environment_of(launch, {**launch.secrets, "TRADER_TOKEN": launch.token})
        environment["STRATEGY_AGENT_PAUSED"] = launch.paused
        config = yaml.safe_dump({"traders": [dict(launch.written)]}, sort_keys=False)
        begun = _Trader(
            generation=launch.generation,
            world=launch.world,
            started_ms=self._wall.now_ms(),
            journal_begin=_size(self._journal(name)),
        )
        try:
            kept.folder.mkdir(parents=True, exist_ok=True)
            (kept.folder / "traders.yaml").write_text(config, encoding="utf-8")
            kept.start(begun, environment)
        except OSError as error:
            raise StorageError(f"cannot start {name}: {error}") from None

    async def stop(self, trader_id: str) -> None:
        """End a trader in order, and by force where it does not; also where the disk is full."""
        await self._of(trader_id).stop(_STOP_S)

    async def look(self, trader_id: str) -> Sighting:
        """See what a trader is doing."""
        kept = self._of(trader_id)
        process, alive = kept.noted(), kept.alive() is not None
        if process is not None and not process.pid and kept.found() is not None:
            process, alive = kept.noted() or process, True
        if process is None or (process.stopped and not alive):
            return Sighting(actual="absent")
        said = kept.said(process)
        if not alive:
            return self._over(trader_id, kept.ended(process), said)
        return Sighting(
            actual="running",
            generation=process.generation,
            world=process.world,
            started_ms=process.started_ms,
            control_url=control_url(said),
            control_token=SecretStr(kept.operator_token()),
            pid=process.pid,
        )

    def _over(self, trader_id: str, process: _Trader, said: str) -> Sighting:
        """Say what is seen of one whose process is gone, though nobody has ended it."""
        begun = Sighting(
            actual="ended",
            generation=process.generation,
            world=process.world,
            started_ms=process.started_ms,
        )
        if self._has_result(trader_id, process):
            return begun
        lasting = process.exit_code == _EXIT_USAGE
        return replace(
            begun,
            actual="failed" if lasting else "crashed",
            reason=reason_of(process, said),
            lasting=lasting,
        )

    async def look_all(self) -> Mapping[str, Sighting]:
        """See what the traders are doing that were started here and not forgotten."""
        found = sorted(path.parent.name for path in self._root.glob("*/process.json"))
        return {name: await self.look(name) for name in found if _NAME.fullmatch(name)}

    async def forget(self, trader_id: str) -> None:
        """Let go of a trader that does not run; what it wrote stays."""
        self._of(trader_id).forget()
        self._kept.pop(trader_id)

    def _of(self, trader_id: str) -> KeptProcess[_Trader]:
        """Find the process of a trader.

        Raises:
            ConfigError: its name is none of a folder in here.
        """
        if _NAME.fullmatch(trader_id) is None:
            raise ConfigError(f"{trader_id[:64]!r} is no name of a trader")
        if trader_id not in self._kept:
            arguments = (*_OPTIONS, "--trader", trader_id)
            self._kept[trader_id] = KeptProcess(self._root / trader_id, arguments, _Trader)
        return self._kept[trader_id]

    def _journal(self, trader_id: str) -> Path:
        return self._of(trader_id).folder / f"var/journal/{trader_id}.jsonl"

    def _has_result(self, trader_id: str, process: _Trader) -> bool:
        """Whether its journal ends with the result of a world that ended."""
        journal = self._journal(trader_id)
        try:
            with journal.open("rb") as file:
                end = file.seek(0, os.SEEK_END)
                file.seek(max(process.journal_begin, end - _RESULT_BYTES))
                lines = file.read().splitlines()
        except OSError:
            return False
        return bool(lines) and lines[-1].startswith(b'{"type":"result"')


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
