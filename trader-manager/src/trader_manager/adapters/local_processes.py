"""Traders as processes of this machine, each with a folder of its own.

    ROOT/ID/traders.yaml    its entry, written anew with each start
    ROOT/ID/process.json    which process it is; a pid alone may be somebody else's by now. It is
                            there before the process is: one that nobody noted is found by its
                            folder
    ROOT/ID/agent.log       what it said
    ROOT/ID/...             its journal, memory and tokens

The processes do not end with this one: a manager that comes back finds them by their folders.
"""

import asyncio
import os
import re
import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec
import psutil
import yaml
from pydantic import SecretStr

from suite.clock import Clock
from suite.errors import ConfigError, StorageError
from trader_manager.application.runtime import Launch, Sighting

_STOP_S: Final = 25.0
"""An agent takes 10 s at most to cancel its entries, and some more to end."""
_LOOK_S: Final = 0.05
_LOG_BYTES: Final = 8 << 20
"""A log larger than this begins anew with the next start."""
_TAIL_BYTES: Final = 1 << 13
_RESULT_BYTES: Final = 1 << 18
"""A result lists what guarded the trader."""
_CONTROL: Final = "strategy-agent control on "
_OPTIONS: Final = ("run", "--config", "traders.yaml", "--quiet", "--control-port", "0")
_INHERITED: Final = re.compile(
    r"PATH|HOME|USER|LANG|LC_.*|TZ|TMPDIR|VIRTUAL_ENV|PYTHON.*|NUMBA_.*|XDG_.*|SSL_CERT_.*"
    r"|(HTTPS?|NO)_PROXY|(https?|no)_proxy|STRATEGY_AGENT_.*"
)
"""What a trader's process sees of this one's environment: nothing that is a secret of others."""
_PROC: Final = Path("/proc")
_START_FIELD: Final = 19
"""Of `/proc/PID/stat` behind the name: when it started, clock ticks after the machine did."""
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.\-]{0,63}")
_OWN: Final = ("STRATEGY_AGENT_PORT", "STRATEGY_AGENT_STATE_DIR")


class _Process(msgspec.Struct, frozen=True, kw_only=True):
    """Which process a trader is.

    Attributes:
        pid: 0 while it is about to be started.
        birth: with the pid it names a process for good, see `_birth_of`; empty with pid 0.
        log_begin: where in the log its own words begin.
        journal_begin: length of its journal at its start.
        stopped: it was ended in order, because that was wanted.
    """

    pid: int
    birth: str
    generation: int
    started_ms: int
    log_begin: int
    journal_begin: int
    stopped: bool = False


class LocalProcesses:
    """A `Runtime` of this machine.

    Args:
        root: folder of the traders' folders.
        wall: the machine's clock.
    """

    def __init__(self, root: Path, wall: Clock) -> None:
        self._root = root
        self._wall = wall
        self._children: dict[str, subprocess.Popen[bytes]] = {}

    async def start(self, launch: Launch) -> None:
        """Start a trader; nothing where it runs already.

        Raises:
            ConfigError: the strategy-agent is not installed.
            StorageError: its folder cannot be written.
        """
        name = launch.trader_id
        if self._alive(self._read(name)) is not None or self._found(name) is not None:
            return
        command = [*_agent_command(), *_arguments(name)]
        folder = self._folder(name)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            config = yaml.safe_dump({"traders": [dict(launch.written)]}, sort_keys=False)
            (folder / "traders.yaml").write_text(config, encoding="utf-8")
            log = folder / "agent.log"
            fresh = not log.exists() or log.stat().st_size > _LOG_BYTES
            with log.open("wb" if fresh else "ab") as output:
                begun = _Process(
                    pid=0,
                    birth="",
                    generation=launch.generation,
                    started_ms=self._wall.now_ms(),
                    log_begin=output.tell(),
                    journal_begin=_size(self._journal(name)),
                )
                self._write(name, begun)
                child = subprocess.Popen(  # noqa: ASYNC220, S603 - returns at once
                    command,
                    cwd=folder,
                    env=_environment(launch),
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            self._note(name, begun, child)
        except OSError as error:
            raise StorageError(f"cannot start {name}: {error}") from None

    def _note(self, trader_id: str, begun: _Process, child: subprocess.Popen[bytes]) -> None:
        """Note which process it is; one that cannot be noted is ended, as nobody would find it."""
        try:
            noted = msgspec.structs.replace(begun, pid=child.pid, birth=_birth_of(child.pid))
            self._write(trader_id, noted)
        except (OSError, psutil.Error):
            child.kill()
            child.wait()
            raise
        self._children[trader_id] = child

    async def stop(self, trader_id: str) -> None:
        """End a trader in order, and by force where it does not; also where the disk is full."""
        process = self._read(trader_id)
        found = self._alive(process) or self._found(trader_id)
        if found is None:
            return
        process = self._read(trader_id) or process
        if process is not None:
            with suppress(OSError):
                self._write(trader_id, msgspec.structs.replace(process, stopped=True))
        birth = ""
        with suppress(psutil.NoSuchProcess):
            birth = _birth_of(found.pid)
            found.terminate()
        deadline = asyncio.get_running_loop().time() + _STOP_S
        while self._lives(found.pid, birth) is not None:
            if asyncio.get_running_loop().time() > deadline:
                with suppress(psutil.NoSuchProcess):
                    found.kill()
            await asyncio.sleep(_LOOK_S)

    async def look(self, trader_id: str) -> Sighting:
        """See what a trader is doing."""
        process = self._read(trader_id)
        alive = self._alive(process) is not None
        if process is not None and not process.pid and self._found(trader_id) is not None:
            process, alive = self._read(trader_id) or process, True
        if process is None or (process.stopped and not alive):
            return Sighting(actual="absent")
        said = self._said(trader_id, process)
        ended = not alive and self._has_result(trader_id, process)
        token = self._folder(trader_id) / "var/tokens/operator.token"
        return Sighting(
            actual="running" if alive else "ended" if ended else "crashed",
            generation=process.generation,
            started_ms=process.started_ms,
            control_url=_control_url(said) if alive else "",
            control_token=SecretStr(_text(token).strip()),
            pid=process.pid if alive else 0,
            reason="" if alive or ended else _last_line(said),
        )

    async def known(self) -> tuple[str, ...]:
        """Find the traders that were started here and not forgotten."""
        found = (path.parent.name for path in self._root.glob("*/process.json"))
        return tuple(sorted(name for name in found if _NAME.fullmatch(name)))

    async def forget(self, trader_id: str) -> None:
        """Let go of a trader that does not run; what it wrote stays."""
        self._children.pop(trader_id, None)
        (self._folder(trader_id) / "process.json").unlink(missing_ok=True)

    def _folder(self, trader_id: str) -> Path:
        """Find the folder of a trader.

        Raises:
            ConfigError: its name is none of a folder in here.
        """
        if _NAME.fullmatch(trader_id) is None:
            raise ConfigError(f"{trader_id[:64]!r} is no name of a trader")
        return self._root / trader_id

    def _journal(self, trader_id: str) -> Path:
        return self._folder(trader_id) / f"var/journal/{trader_id}.jsonl"

    def _read(self, trader_id: str) -> _Process | None:
        try:
            written = (self._folder(trader_id) / "process.json").read_bytes()
            return msgspec.json.decode(written, type=_Process)
        except (OSError, msgspec.MsgspecError):
            return None

    def _write(self, trader_id: str, process: _Process) -> None:
        """Replace what is known of a process, as a whole."""
        path = self._folder(trader_id) / "process.json"
        beside = path.with_suffix(".new")
        beside.write_bytes(msgspec.json.encode(process))
        beside.replace(path)

    def _alive(self, process: _Process | None) -> psutil.Process | None:
        """Find a process if it is still that one."""
        if process is None or not process.pid:
            return None
        return self._lives(process.pid, process.birth)

    def _lives(self, pid: int, birth: str) -> psutil.Process | None:
        """Find a process if it is still that one; an own one that has ended is waited for."""
        own = [child for child in self._children.values() if child.pid == pid]
        try:
            if _birth_of(pid) != birth:
                return None
            found = psutil.Process(pid)
            ended = own[0].poll() is not None if own else found.status() == psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return None
        return None if ended else found

    def _found(self, trader_id: str) -> psutil.Process | None:
        """Find a process that a manager started and could not note any more, and note it.

        Where it is not known what it was started with, that is generation 0: another than wanted.
        """
        pid = _find_in(self._folder(trader_id), _arguments(trader_id))
        if not pid:
            return None
        begun = self._read(trader_id)
        if begun is None or begun.pid:
            begun = _Process(
                pid=0, birth="", generation=0, started_ms=0, log_begin=0, journal_begin=0
            )
        with suppress(OSError, psutil.NoSuchProcess):
            noted = msgspec.structs.replace(begun, pid=pid, birth=_birth_of(pid), stopped=False)
            self._write(trader_id, noted)
        try:
            return psutil.Process(pid)
        except psutil.NoSuchProcess:
            return None

    def _said(self, trader_id: str, process: _Process) -> str:
        """What it said since its start: the beginning, and the end."""
        try:
            with (self._folder(trader_id) / "agent.log").open("rb") as log:
                log.seek(process.log_begin)
                first = log.read(_TAIL_BYTES)
                log.seek(max(log.tell(), log.seek(0, os.SEEK_END) - _TAIL_BYTES))
                return (first + log.read()).decode(errors="replace")
        except OSError:
            return ""

    def _has_result(self, trader_id: str, process: _Process) -> bool:
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


def _environment(launch: Launch) -> dict[str, str]:
    kept = {
        name: value
        for name, value in os.environ.items()
        if _INHERITED.fullmatch(name) and name not in _OWN
    }
    return {
        **kept,
        **{name: value.get_secret_value() for name, value in launch.secrets.items()},
        "TRADING_URL": launch.venue_url,
        "DATA_SERVICE_URL": launch.data_url,
        "TRADER_TOKEN": launch.token.get_secret_value(),
        "STRATEGY_AGENT_SEED": str(launch.seed),
    }


def _arguments(trader_id: str) -> tuple[str, ...]:
    return (*_OPTIONS, "--trader", trader_id)


def _agent_command() -> list[str]:
    beside = Path(sys.executable).with_name("strategy-agent")
    found = str(beside) if beside.exists() else shutil.which("strategy-agent")
    if found is None:
        raise ConfigError("strategy-agent is not installed beside trader-manager")
    return [found]


def _control_url(said: str) -> str:
    _, _, rest = said.partition(_CONTROL)
    return rest.splitlines()[0].strip() if "\n" in rest else ""


def _last_line(said: str) -> str:
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return lines[-1][:500].removeprefix("strategy-agent: ") if lines else ""


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _birth_of(pid: int) -> str:
    """Name the birth of a process: with its pid it is one process of one machine for good.

    Ticks since the machine started, and which start that was: unlike a time of day they stay as
    they are when somebody sets the clock. Where the system does not tell them, the time of day.

    Raises:
        psutil.NoSuchProcess: there is none of that pid.
    """
    try:
        boot = (_PROC / "sys/kernel/random/boot_id").read_text().strip()
        stat = (_PROC / f"{pid}/stat").read_text(errors="replace")
        return f"{boot} {stat.rpartition(')')[2].split()[_START_FIELD]}"
    except (OSError, IndexError):
        return f"{psutil.Process(pid).create_time():.2f}"


def _find_in(folder: Path, arguments: tuple[str, ...]) -> int:
    """Find a living process by the folder that it works in and the end of its command line.

    Returns:
        Its pid; 0 where there is none.
    """
    where = str(folder.resolve())
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.status() == psutil.STATUS_ZOMBIE or process.cwd() != where:
                continue
            if tuple(process.cmdline()[-len(arguments) :]) == arguments:
                return process.pid
    return 0
