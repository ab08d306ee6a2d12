"""Commands of the virtual exchange: planning, running and merging the parts of a backtest."""

import asyncio
import contextlib
import json
import shutil
import sys
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import typer

from suite.contracts.trader import TradersFileError
from suite.errors import ConfigError, SuiteError
from suite.service.cli import EXIT_USAGE
from suite.service.output_lines import lines_of
from trader_manager.application.arena.working import OnProgress, PartFailed

_STOP_S: Final = 10.0
_LINES_KEPT: Final = 200
_PREFIX: Final = "virtual-exchange: "
_ENGINE: Final = "engine: "


def exchange_command() -> str:
    """Find the console script of the virtual exchange, beside this interpreter first.

    Raises:
        ConfigError: it is not installed.
    """
    beside = Path(sys.executable).parent / "virtual-exchange"
    found = str(beside) if beside.exists() else shutil.which("virtual-exchange")
    if found is None:
        raise ConfigError("virtual-exchange is not installed beside trader-manager")
    return found


async def plan_parts(arguments: Sequence[str], *, traders_file: Path) -> tuple[str, ...]:
    """Have a backtest planned.

    Args:
        arguments: of the command.
        traders_file: is left out of what is told.

    Returns:
        Ids of traders whose part is kept.

    Raises:
        TradersFileError: what is wrong, all of it.
        SuiteError: it cannot be planned.
    """
    told = await _asked(("plan-parts", *arguments), without=f"{traders_file}: ")
    return tuple(told["kept"])


async def try_plugins(named: Sequence[tuple[str, str]]) -> tuple[str, ...]:
    """Say which plugins do not load.

    Args:
        named: trader ids with the kinds of their strategies.

    Raises:
        SuiteError: it cannot be said.
    """
    if not named:
        return ()
    try:
        await _asked(("try-plugins", json.dumps(named)))
    except TradersFileError as error:
        return error.problems
    return ()


async def _asked(words: Sequence[str], *, without: str = "") -> dict[str, Any]:
    """Run a command that answers on its stdout.

    What it says of the engine is handed on at once: the first run compiles it.

    Args:
        words: of the command.
        without: is left out at the beginning of each problem.

    Raises:
        TradersFileError: what is wrong, all of it.
        SuiteError: it failed otherwise.
    """
    process = await _start(*words)
    try:
        told, said = await asyncio.gather(_read(process.stdout), _hear(process.stderr))
        code = await process.wait()
    finally:
        await _end(process)
    answer: dict[str, Any] = json.loads(told or b"{}")
    if code == 0:
        return answer
    if code == EXIT_USAGE and "problems" in answer:
        raise TradersFileError([text.removeprefix(without) for text in answer["problems"]])
    found = [line.removeprefix(_PREFIX) for line in said if line]
    error = ConfigError if code == EXIT_USAGE else SuiteError
    raise error(found[-1] if found else f"{words[0]} ended with code {code}")


async def _read(stream: asyncio.StreamReader | None) -> bytes:
    return b"" if stream is None else await stream.read()


async def _hear(stream: asyncio.StreamReader | None) -> list[str]:
    """Read lines, and hand on those of the engine."""
    said: list[str] = []
    if stream is not None:
        async for line in lines_of(stream):
            if line.startswith(_ENGINE):
                typer.echo(f"arena: {line.removeprefix(_ENGINE)}", err=True)
            else:
                said.append(line)
    return said


async def merge_parts(arguments: Sequence[str]) -> int:
    """Have one report made of all parts; what the command says is ours to say.

    Returns:
        Its exit code.
    """
    process = await asyncio.create_subprocess_exec(
        exchange_command(),
        "merge-parts",
        *arguments,
        stdin=asyncio.subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        return await process.wait()
    finally:
        await _end(process)


class WorkerProcess:
    """A `virtual-exchange work-parts`; another one is started after one that has ended.

    Args:
        arguments: of the command.
    """

    def __init__(self, arguments: Sequence[str]) -> None:
        self._arguments = tuple(arguments)
        self._process: asyncio.subprocess.Process | None = None
        self._listening: asyncio.Task[None] | None = None
        self._said: deque[str] = deque(maxlen=_LINES_KEPT)
        self._is_idle = True

    async def run(self, traders: Sequence[str], on_progress: OnProgress) -> None:
        """Run a part to its end, and keep it.

        Raises:
            PartFailed: it did not come to its end.
        """
        process = self._process or await self._begin()
        self._is_idle = False
        if process.stdin is None or process.stdout is None:
            raise PartFailed("its process has no pipes")
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            process.stdin.write(json.dumps({"traders": list(traders)}).encode() + b"\n")
            await process.stdin.drain()
        async for line in lines_of(process.stdout):
            try:
                told = json.loads(line)
            except ValueError:
                continue
            match told:
                case {"type": "progress", "done": float() | int() as done}:
                    on_progress(min(float(done), 0.9999))
                case {"type": "done"}:
                    self._is_idle = True
                    return
                case {"type": "failed", "reason": str() as reason}:
                    self._is_idle = True
                    raise PartFailed(reason)
        raise PartFailed(await self._reason(process))

    async def close(self) -> None:
        """End the process: it ends what it has started itself."""
        process, self._process = self._process, None
        if process is not None:
            if process.stdin is not None:
                process.stdin.close()
            if self._is_idle:  # it ends by itself then
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(process.wait(), _STOP_S)
            await _end(process)
        if self._listening is not None:
            self._listening.cancel()
            await asyncio.gather(self._listening, return_exceptions=True)
            self._listening = None

    async def _begin(self) -> asyncio.subprocess.Process:
        self._said.clear()
        process = self._process = await _start("work-parts", *self._arguments)
        self._listening = asyncio.create_task(self._listen(process))
        return process

    async def _listen(self, process: asyncio.subprocess.Process) -> None:
        if process.stderr is not None:
            async for line in lines_of(process.stderr):
                self._said.append(line)

    async def _reason(self, process: asyncio.subprocess.Process) -> str:
        """Say why a process has ended by itself."""
        code = await process.wait()
        if self._listening is not None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(asyncio.shield(self._listening), 1.0)
        last = next((line for line in reversed(self._said) if line), "")
        await self.close()
        ended = f"its process was killed by signal {-code}" if code < 0 else f"exit code {code}"
        return f"{last.removeprefix(_PREFIX)} ({ended})" if last else ended


async def _start(*words: str) -> asyncio.subprocess.Process:
    """Start a command in a session of its own: a Ctrl-C is for us, who end what we started."""
    return await asyncio.create_subprocess_exec(
        exchange_command(),
        *words,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )


async def _end(process: asyncio.subprocess.Process) -> None:
    """End a process: politely, then not."""
    if process.returncode is not None:
        return
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    try:
        await asyncio.wait_for(process.wait(), _STOP_S)
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
