"""Traders as processes of their own: `strategy-agent run`, told only where its venue is."""

import asyncio
import json
import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from suite.errors import ConfigError, SuiteError
from virtual_exchange.adapters.processes.child import Child


def agent_command() -> str:
    """Find the console script of the strategy-agent, beside this interpreter first.

    Raises:
        ConfigError: it is not installed.
    """
    beside = Path(sys.executable).parent / "strategy-agent"
    found = str(beside) if beside.exists() else shutil.which("strategy-agent")
    if found is None:
        raise ConfigError("strategy-agent is not installed beside virtual-exchange")
    return found


class AgentProcess:
    """One running trader, or several in one process."""

    def __init__(self, trader_id: str, child: Child) -> None:
        self.trader_id = trader_id
        self._child = child

    @classmethod
    async def start(
        cls,
        *,
        traders_file: Path,
        tokens: Mapping[str, str],
        base_url: str,
        seed: int,
        journal: Path | None = None,
        decisions: Path | None = None,
    ) -> "AgentProcess":
        """Start traders of a traders file in a process of their own.

        Args:
            traders_file: that it reads.
            tokens: of the traders' accounts, by trader id.
            base_url: of their world.
            seed: of what they draw at random.
            journal: folder of their journals, None for none.
            decisions: file of what a slow strategy decides, None where that is not kept.
        """
        kept: tuple[str, ...] = (
            ("--no-journal",) if journal is None else ("--no-memory", "--journal", str(journal))
        )
        if decisions is not None:
            kept += ("--decisions", str(decisions.parent))
        environment = {
            **os.environ,
            "TRADING_URL": base_url,
            "DATA_SERVICE_URL": base_url,
            "TRADER_TOKENS": json.dumps(dict(tokens)),
            "STRATEGY_AGENT_SEED": str(seed),
            "STRATEGY_AGENT_LOG_LEVEL": "error",
        }
        process = await asyncio.create_subprocess_exec(
            *(agent_command(), "run", *kept),
            *("--config", str(traders_file), "--trader", ",".join(tokens)),
            env=environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,  # a Ctrl-C is for us; we stop what we started
        )
        return cls(", ".join(tokens), Child(process))

    async def finished(self) -> None:
        """Wait until it has ended.

        Raises:
            SuiteError: it ended with an error.
        """
        reason = await self._child.ended()
        if reason is not None:
            reason = reason.removeprefix("strategy-agent: ")
            raise SuiteError(f"agent {self.trader_id} stopped: {reason}")

    async def stop(self) -> None:
        """End it."""
        await self._child.stop()
