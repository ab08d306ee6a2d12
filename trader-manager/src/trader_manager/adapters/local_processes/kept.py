"""A process of this machine with a folder of its own, which outlives the one that began it.

FOLDER/process.json    which process it is; a pid alone may be somebody else's by now. It is
                       there before the process is: one that nobody noted is found by its
                       folder and its command line
FOLDER/agent.log       what it said
"""

import asyncio
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final, Generic, TypeVar

import msgspec
import psutil
from pydantic import SecretStr

from suite.errors import ConfigError
from trader_manager.application.runtime import Launch
from trader_manager.domain.agent_words import last_line
from trader_manager.domain.reserved import agent_settings

_LOOK_S: Final = 0.05
_LOG_BYTES: Final = 8 << 20
"""A log larger than this begins anew with the next start."""
_TAIL_BYTES: Final = 1 << 13
_INHERITED: Final = re.compile(
    r"PATH|HOME|USER|LANG|LC_.*|TZ|TMPDIR|VIRTUAL_ENV|PYTHON.*|NUMBA_.*|XDG_.*|SSL_CERT_.*"
    r"|(HTTPS?|NO)_PROXY|(https?|no)_proxy"
)
"""What a trader's process sees of this one's environment: nothing that is a secret of others."""
_PATHS: Final = {
    "STRATEGY_AGENT_PLUGIN_DIR": ".",
    "LLM_LEDGER": "var/models/spent.sqlite",
    "MODELS_DIR": "var/models",
}
"""Places that all agents share, and where they are when nothing is said."""
_PATH_NAMES: Final = frozenset({*_PATHS, "LLM_CASSETTE", "LLM_PROVIDERS_FILE"})
_PROC: Final = Path("/proc")
_START_FIELD: Final = 19
"""Of `/proc/PID/stat` behind the name: when it started, clock ticks after the machine did."""


class Process(msgspec.Struct, frozen=True, kw_only=True):
    """Which process it is.

    Attributes:
        pid: 0 while it is about to be started.
        birth: with the pid it names a process for good, see `_birth_of`; empty with pid 0.
        started_ms: when, epoch ms.
        log_begin: where in the log its own words begin.
        stopped: it was ended in order, because that was wanted.
        exit_code: that it ended with, -9 for signal 9; None while it runs, and where the manager
            that had started it was not there any more.
    """

    pid: int = 0
    birth: str = ""
    started_ms: int = 0
    log_begin: int = 0
    stopped: bool = False
    exit_code: int | None = None


P = TypeVar("P", bound=Process)


class KeptProcess(Generic[P]):
    """One process of one folder: started once, found again by whoever comes next, ended.

    Args:
        folder: that it works in.
        arguments: of `strategy-agent`; the end of its command line.
        kind: what is noted of it; all of it has defaults, for one that nobody noted.
    """

    def __init__(self, folder: Path, arguments: tuple[str, ...], kind: type[P]) -> None:
        self.folder = folder
        self._arguments = arguments
        self._kind = kind
        self._child: subprocess.Popen[bytes] | None = None

    def noted(self) -> P | None:
        """Read what is known of it."""
        try:
            return msgspec.json.decode((self.folder / "process.json").read_bytes(), type=self._kind)
        except (OSError, msgspec.MsgspecError):
            return None

    def start(self, begun: P, environment: Mapping[str, str]) -> None:
        """Start it; what is known of it is noted before and after.

        Args:
            begun: to be noted of it.
            environment: all that it sees.

        Raises:
            ConfigError: strategy-agent is not installed.
            OSError: the folder cannot be written.
        """
        command = [*agent_command(), *self._arguments]
        self.folder.mkdir(parents=True, exist_ok=True)
        log = self.folder / "agent.log"
        fresh = not log.exists() or log.stat().st_size > _LOG_BYTES
        with log.open("wb" if fresh else "ab") as output:
            begun = msgspec.structs.replace(begun, pid=0, birth="", log_begin=output.tell())
            self.note(begun)
            child = subprocess.Popen(  # noqa: S603 - what to start is not anybody's to say
                command,
                cwd=self.folder,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            self.note(msgspec.structs.replace(begun, pid=child.pid, birth=_birth_of(child.pid)))
        except (OSError, psutil.Error):  # nobody would find it
            child.kill()
            child.wait()
            raise
        self._child = child

    async def stop(self, within_s: float) -> None:
        """End it in order, and by force where it does not; also where the disk is full.

        Args:
            within_s: how long it may take.
        """
        found = self.alive() or self.found()
        noted = self.noted()
        if found is None:
            if noted is not None and not noted.stopped:
                with suppress(OSError):
                    self.note(msgspec.structs.replace(noted, stopped=True))
            return
        if noted is not None:
            with suppress(OSError):
                self.note(msgspec.structs.replace(noted, stopped=True))
        birth = ""
        with suppress(psutil.NoSuchProcess):
            birth = _birth_of(found.pid)
            found.terminate()
        deadline = asyncio.get_running_loop().time() + within_s
        while self._lives(found.pid, birth) is not None:
            if asyncio.get_running_loop().time() > deadline:
                with suppress(psutil.NoSuchProcess):
                    found.kill()
            await asyncio.sleep(_LOOK_S)

    def forget(self) -> None:
        """Let go of one that does not run."""
        self._child = None
        (self.folder / "process.json").unlink(missing_ok=True)

    def note(self, process: P) -> None:
        """Replace what is known of it, as a whole.

        Raises:
            OSError: the folder cannot be written.
        """
        path = self.folder / "process.json"
        beside = path.with_suffix(".new")
        beside.write_bytes(msgspec.json.encode(process))
        beside.replace(path)

    def alive(self) -> psutil.Process | None:
        """Find it if it is still the process that was noted."""
        process = self.noted()
        if process is None or not process.pid:
            return None
        return self._lives(process.pid, process.birth)

    def _lives(self, pid: int, birth: str) -> psutil.Process | None:
        """Find a process if it is still that one; an own one that has ended is waited for."""
        own = self._child if self._child is not None and self._child.pid == pid else None
        try:
            if _birth_of(pid) != birth:
                return None
            found = psutil.Process(pid)
            ended = own.poll() is not None if own else found.status() == psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return None
        return None if ended else found

    def found(self) -> psutil.Process | None:
        """Find one that was started and could not be noted any more, and note it.

        What it was started with is not known then.
        """
        pid = _find_in(self.folder, self._arguments)
        if not pid:
            return None
        begun = self.noted()
        if begun is None or begun.pid:
            begun = self._kind()
        with suppress(OSError, psutil.NoSuchProcess):
            self.note(msgspec.structs.replace(begun, pid=pid, birth=_birth_of(pid), stopped=False))
        try:
            return psutil.Process(pid)
        except psutil.NoSuchProcess:
            return None

    def ended(self, process: P) -> P:
        """Note with which code it ended, once, where that is known here.

        Args:
            process: as it was noted; it runs no more.
        """
        child = self._child
        if process.exit_code is not None or child is None or child.pid != process.pid:
            return process
        process = msgspec.structs.replace(process, exit_code=child.poll())
        with suppress(OSError):
            self.note(process)
        return process

    def said(self, process: P) -> str:
        """Read what it said since its start: the beginning, and the end."""
        try:
            with (self.folder / "agent.log").open("rb") as log:
                log.seek(process.log_begin)
                first = log.read(_TAIL_BYTES)
                log.seek(max(log.tell(), log.seek(0, os.SEEK_END) - _TAIL_BYTES))
                return (first + log.read()).decode(errors="replace")
        except OSError:
            return ""

    def operator_token(self) -> str:
        """Read the token of its control API; empty before it has one."""
        try:
            return (self.folder / "var/tokens/operator.token").read_text().strip()
        except OSError:
            return ""


def agent_command() -> list[str]:
    """Find the strategy-agent.

    Raises:
        ConfigError: it is not installed.
    """
    beside = Path(sys.executable).with_name("strategy-agent")
    found = str(beside) if beside.exists() else shutil.which("strategy-agent")
    if found is None:
        raise ConfigError("strategy-agent is not installed beside trader-manager")
    return [found]


def environment_of(launch: Launch, secrets: Mapping[str, SecretStr]) -> dict[str, str]:
    """Say what a process sees: of this one's environment what it needs, secrets, and its venue."""
    return {
        **passed_on(),
        **{name: value.get_secret_value() for name, value in secrets.items()},
        "TRADING_URL": launch.venue_url,
        "DATA_SERVICE_URL": launch.data_url,
        "STRATEGY_AGENT_SEED": str(launch.seed),
    }


def passed_on() -> dict[str, str]:
    """Say what every agent here sees of this one's environment.

    Paths are made whole: each agent works in a folder of its own, and all share plugins, cassette
    and the ledger of what models cost.
    """
    kept = {name: value for name, value in os.environ.items() if _INHERITED.fullmatch(name)}
    settings = _PATHS | {name: value for name, value in agent_settings(os.environ).items() if value}
    paths = {name: str(Path(settings[name]).resolve()) for name in _PATH_NAMES & settings.keys()}
    return {**kept, **settings, **paths}


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


def reason_of(process: Process, said: str) -> str:
    """Say why a process has ended: the signal that killed it, and the last that it said."""
    last, code = last_line(said), process.exit_code
    if code is None or code >= 0:
        return last
    return f"killed by signal {-code}" + (f"; the last that it said: {last}" if last else "")
