"""Traders as processes of their own: `strategy-agent run`, told only where its venue is."""

import asyncio
import os
import shutil
import sys
from collections import deque
from pathlib import Path

from suite.errors import ConfigError, SuiteError

_STOP_S = 5.0
_KEPT_LINES = 20


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
    """One running trader."""

    def __init__(self, trader_id: str, process: asyncio.subprocess.Process) -> None:
        self.trader_id = trader_id
        self._process = process
        self._lines: deque[str] = deque(maxlen=_KEPT_LINES)
        self._reader = asyncio.ensure_future(self._read())

    @classmethod
    async def start(
        cls, *, traders_file: Path, trader_id: str, base_url: str, token: str, seed: int
    ) -> "AgentProcess":
        """Start a trader of a traders file."""
        environment = {
            **os.environ,
            "TRADING_URL": base_url,
            "DATA_SERVICE_URL": base_url,
            "TRADER_TOKEN": token,
            "STRATEGY_AGENT_SEED": str(seed),
            "STRATEGY_AGENT_LOG_LEVEL": "error",
        }
        process = await asyncio.create_subprocess_exec(
            *(agent_command(), "run", "--no-journal"),
            *("--config", str(traders_file), "--trader", trader_id),
            env=environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,  # a Ctrl-C is for us; we stop what we started
        )
        return cls(trader_id, process)

    async def finished(self) -> None:
        """Wait until it has ended.

        Raises:
            SuiteError: it ended with an error.
        """
        code = await self._process.wait()
        await self._reader
        if code != 0:
            reason = self._lines[-1] if self._lines else f"exit code {code}"
            reason = reason.removeprefix("strategy-agent: ")
            raise SuiteError(f"agent {self.trader_id} stopped: {reason}")

    async def stop(self) -> None:
        """End it: politely, then not."""
        if self._process.returncode is None:
            self._process.terminate()
            try:
                await asyncio.wait_for(self._process.wait(), _STOP_S)
            except TimeoutError:
                self._process.kill()
                await self._process.wait()
        await self._reader

    async def _read(self) -> None:
        if self._process.stderr is None:
            return
        async for line in self._process.stderr:
            text = line.decode(errors="replace").strip()
            if text:
                self._lines.append(text)
