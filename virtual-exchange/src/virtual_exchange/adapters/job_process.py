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

_PROGRESS = b"progress "
_DONE = b"report "
_STOP_S = 5.0


class JobProcesses:
    """Runs each backtest as `virtual-exchange run-job`.

    Args:
        data: root of the kline store.
    """

    def __init__(self, data: Path) -> None:
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
            try:
                return await _follow(process, request, on_progress, out)
            finally:
                await _stop(process)


async def _follow(
    process: asyncio.subprocess.Process,
    request: BacktestRequest,
    on_progress: Callable[[float], None],
    out: Path,
) -> tuple[bytes, str]:
    if process.stdin is None or process.stdout is None or process.stderr is None:
        raise SuiteError("a backtest process has no pipes")
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        process.stdin.write(msgspec.json.encode(request))
        await process.stdin.drain()
        process.stdin.close()
    errors = asyncio.ensure_future(process.stderr.read())
    sha256 = ""
    async for line in process.stdout:
        if line.startswith(_PROGRESS):
            on_progress(float(line[len(_PROGRESS) :]))
        elif line.startswith(_DONE):
            sha256 = line[len(_DONE) :].decode().strip()
    code, text = await process.wait(), (await errors).decode(errors="replace").strip()
    if code != 0 or not sha256:
        reason = text.splitlines()[-1] if text else f"exit code {code}"
        raise UpstreamRefused(reason.removeprefix("virtual-exchange: "))
    return await asyncio.to_thread(out.read_bytes), sha256


async def _stop(process: asyncio.subprocess.Process) -> None:
    """End a process that still runs: politely, then not."""
    if process.returncode is not None:
        return
    process.terminate()
    try:
        await asyncio.wait_for(process.wait(), _STOP_S)
    except TimeoutError:
        process.kill()
        await process.wait()
