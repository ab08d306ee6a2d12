"""Backtests in child processes, so that the event loop never waits for one."""

import asyncio
import contextlib
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import msgspec

from suite.contracts.backtest import BacktestRequest
from suite.errors import SuiteError, UpstreamRefused
from suite.service.output_lines import lines_of
from virtual_exchange.adapters.processes.child import Child

_PROGRESS = "progress "
_DONE = "report "


class JobProcesses:
    """Runs each backtest as `virtual-exchange run-job`.

    Args:
        data: root of the kline store.
    """

    def __init__(self, data: Path | str) -> None:
        self._data = data

    async def run(
        self, job_id: str, request: BacktestRequest, on_progress: Callable[[float], None]
    ) -> tuple[bytes, str]:
        """Run one to its end; canceling stops the process.

        Raises:
            SuiteError: it failed, with its reason.
        """
        with tempfile.TemporaryDirectory(prefix=f"backtest-{job_id}-") as folder:
            out = Path(folder) / "report.json"
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "virtual_exchange", "run-job"),
                *("--data", str(self._data), "--out", str(out)),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
            )
            child = Child(process)
            try:
                return await _follow(process, child, request, on_progress, out)
            finally:
                await child.stop()


async def _follow(
    process: asyncio.subprocess.Process,
    child: Child,
    request: BacktestRequest,
    on_progress: Callable[[float], None],
    out: Path,
) -> tuple[bytes, str]:
    if process.stdin is None or process.stdout is None:
        raise SuiteError("a backtest process has no pipes")
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        process.stdin.write(msgspec.json.encode(request))
        await process.stdin.drain()
        process.stdin.close()
    sha256 = ""
    async for line in lines_of(process.stdout):
        if line.startswith(_PROGRESS):
            on_progress(float(line[len(_PROGRESS) :]))
        elif line.startswith(_DONE):
            sha256 = line[len(_DONE) :]
    reason = await child.ended()
    if reason is not None or not sha256:
        reason = reason or "it ended without a report"
        raise UpstreamRefused(reason.removeprefix("virtual-exchange: "))
    return await asyncio.to_thread(out.read_bytes), sha256
