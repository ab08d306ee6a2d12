"""A PostgreSQL server that belongs to a folder: `embedded://./var/pg`.

Whoever needs it starts it, and uses it with all others who do; the last one to leave stops it. Each
user holds a shared lock on a file, which the system drops however the process ends, so a server
whose users were killed runs on and is found by the next one. It listens on a socket in a closed
folder only, never on the network, and is a process of its own: a Ctrl-C does not reach it.

    folder/
    ├── data/           the cluster
    ├── socket/         where it listens; elsewhere when the path is too long for a socket
    ├── postgres.log    what it said
    └── .lock, .users   who starts or stops it; who uses it
"""

import contextlib
import fcntl
import hashlib
import os
import pwd
import re
import shlex
import shutil
import socket
import struct
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from urllib.parse import quote

import psutil

from suite.errors import ConfigError, StorageError, UpstreamTimeout, one_line
from suite.service.postgres_binaries import Binaries, RunAs, find_binaries

SCHEME: Final = "embedded://"
SOCKET_PATH_BYTES: Final = 103
"""What every system allows, the name of the socket included."""
_SOCKET: Final = ".s.PGSQL.5432"
_PORT: Final = 5432
_START_S: Final = 60
"""How long a start may take; one after a kill replays the log first."""
_RETRY_S: Final = 0.05
_LOG_BYTES: Final = 1 << 20
_PASSES: Final = re.compile('shared memory block|lock file "postmaster.pid" already exists')
_GREETING: Final = b"user\0postgres\0database\0postgres\0\0"


class EmbeddedPostgres:
    """The server of one folder, as one of its users sees it. Not for use by two threads at once.

    Args:
        folder: of the server; made when it is not there.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder.absolute()
        self._data = self._folder / "data"
        self._log = self._folder / "postgres.log"
        self._socket = _socket_folder(self._folder)
        self._use: int | None = None

    @classmethod
    def from_url(cls, url: str) -> "EmbeddedPostgres | None":
        """Read `embedded://FOLDER`; None for any other address.

        Raises:
            ConfigError: no folder in it.
        """
        if not url.startswith(SCHEME):
            return None
        if not (name := url.removeprefix(SCHEME)):
            raise ConfigError("the address of the database names no folder: embedded://./var/pg")
        return cls(Path(name))

    @property
    def url(self) -> str:
        """Address for clients."""
        return f"postgresql://postgres@/postgres?host={quote(str(self._socket))}&port={_PORT}"

    def start(self) -> None:
        """Use the server; start it when it does not run, also when it was killed meanwhile.

        Raises:
            ConfigError: no programs, or the folder cannot be used.
            StorageError: it does not start.
            UpstreamTimeout: it does not answer.
        """
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with self._exclusive():
                if self._use is None:
                    self._use = self._open(".users")
                    fcntl.flock(self._use, fcntl.LOCK_SH)
                if not self._answers():
                    self._launch()
        except OSError as error:
            raise ConfigError(
                f"cannot keep a database in {self._folder}: {error.strerror or error}"
            ) from None

    def close(self) -> None:
        """Use it no longer; stop it when nobody else does. May be repeated."""
        if self._use is None:
            return
        with self._exclusive():
            try:
                # No other shared lock is there: nobody uses it, and nobody begins to meanwhile.
                fcntl.flock(self._use, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                pass
            else:
                self._halt()
            finally:
                os.close(self._use)
                self._use = None

    def stop(self) -> None:
        """Stop it whoever uses it; nothing when it does not run.

        Raises:
            StorageError: it does not stop.
        """
        if self._data.is_dir():
            with self._exclusive():
                self._halt()

    @contextlib.contextmanager
    def _exclusive(self) -> Iterator[None]:
        handle = self._open(".lock")
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)

    def _open(self, name: str) -> int:
        return os.open(self._folder / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def _answers(self) -> bool:
        """Greet the server, since files about it outlive it.

        Returns:
            False when nobody listens.

        Raises:
            UpstreamTimeout: somebody listens who never becomes ready.
        """
        code = struct.pack("!ii", 8 + len(_GREETING), 3 << 16) + _GREETING
        deadline = time.monotonic() + _START_S
        while time.monotonic() < deadline:
            try:
                with socket.socket(socket.AF_UNIX) as client:
                    client.settimeout(5)
                    client.connect(str(self._socket / _SOCKET))
                    client.sendall(code)
                    if client.recv(1) == b"R":
                        return True
            except (FileNotFoundError, ConnectionRefusedError):
                return False
            except TimeoutError:
                break
            except OSError:  # it goes away just now
                pass
            time.sleep(_RETRY_S)
        raise UpstreamTimeout(f"the database in {self._folder} runs but does not answer")

    def _launch(self) -> None:
        run_as = self._run_as()
        version = self._data / "PG_VERSION"
        major = int(version.read_text()) if version.is_file() else None
        programs = find_binaries(run_as, major=major, copies=self._folder)
        if major is None:
            self._make_cluster(programs, run_as)
        self._socket.mkdir(mode=0o700, exist_ok=True)
        if self._socket.lstat().st_uid not in {os.geteuid(), run_as.uid}:
            raise ConfigError(f"{self._socket} belongs to another user; remove it")
        run_as.own(self._socket)
        self._forget_dead_server()
        if self._log.is_file() and self._log.stat().st_size > _LOG_BYTES:
            self._log.unlink()
        self._log.touch()
        run_as.own(self._log)
        self._start_server(programs, run_as)

    def _run_as(self) -> RunAs:
        """Choose the user: root's server runs as the owner of the data, at first as `nobody`."""
        owner = self._data.stat().st_uid if self._data.is_dir() else None
        if os.geteuid() != 0:
            if owner not in {None, os.geteuid()}:
                raise ConfigError(f"{self._data} belongs to another user; start it as that one")
            return RunAs(name="this user")
        user = pwd.getpwuid(owner) if owner else pwd.getpwnam("nobody")
        run_as = RunAs(name=user.pw_name, uid=user.pw_uid, gid=user.pw_gid)
        entered = self._run(["/bin/sh", "-c", 'cd "$1"', "sh", str(self._folder)], run_as)
        if entered.returncode != 0:
            raise ConfigError(
                f"PostgreSQL does not run as root, and {user.pw_name} cannot enter {self._folder}:"
                " choose a folder that others may enter, or run as another user"
            )
        return run_as

    def _make_cluster(self, programs: Binaries, run_as: RunAs) -> None:
        """Make the cluster beside its place, so that a half-made one is never taken for one."""
        draft = self._data.with_suffix(".new")
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir()
        run_as.own(draft)
        command = [programs.program("initdb"), "-D", draft.name, "-U", "postgres"]
        # Trust is among those who can enter the socket's folder.
        made = self._run([*command, "--auth=trust", "--encoding=UTF8", "--locale=C"], run_as)
        if made.returncode != 0:
            raise StorageError(f"initdb failed in {self._folder}: {one_line(made.stderr)}")
        draft.rename(self._data)

    def _forget_dead_server(self) -> None:
        """Remove the marks of a server that was killed, where its number is no server's now.

        PostgreSQL itself only asks whether any process of the user has that number, and in a
        container that is started again one nearly always has.
        """
        mark = self._data / "postmaster.pid"
        try:
            process = psutil.Process(int(mark.read_text().split("\n", 1)[0]))
            alive = process.name().startswith(("postgres", "postmaster"))
            if alive and process.status() != psutil.STATUS_ZOMBIE:
                return
        except (FileNotFoundError, ValueError, psutil.NoSuchProcess):
            pass
        except psutil.AccessDenied:
            return
        for stale in (mark, self._socket / _SOCKET, self._socket / f"{_SOCKET}.lock"):
            stale.unlink(missing_ok=True)

    def _start_server(self, programs: Binaries, run_as: RunAs) -> None:
        listen = str(self._socket).replace('"', '""')
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": f'"{listen}"',
            "unix_socket_permissions": "0700",
            "port": str(_PORT),
            "log_checkpoints": "off",
        }
        options = " ".join(shlex.quote(f"--{name}={value}") for name, value in settings.items())
        # Its own paths go through a shell unquoted, hence the relative ones.
        command = [programs.program("pg_ctl"), "-D", self._data.name, "-l", self._log.name]
        command += ["-w", "-t", str(_START_S), "-o", options, "start"]
        deadline = time.monotonic() + _START_S
        while True:
            begin = self._log.stat().st_size
            if self._run(command, run_as).returncode == 0 or self._answers():
                return
            with self._log.open("rb") as log:
                log.seek(begin)
                said = log.read().decode(errors="replace")
            # Processes of a killed server hold its memory until they notice; one whose starter was
            # killed does not listen yet.
            if not _PASSES.search(said) or time.monotonic() > deadline:
                break
            time.sleep(_RETRY_S)
        why = re.findall(r"(?:FATAL|PANIC|ERROR): +(.*)", said) or [said]
        raise StorageError(
            f"the database in {self._folder} does not start: {one_line(why[-1])}; see {self._log}"
        )

    def _halt(self) -> None:
        if not (self._data / "postmaster.pid").is_file():
            return
        run_as = self._run_as()
        major = int((self._data / "PG_VERSION").read_text())
        programs = find_binaries(run_as, major=major, copies=self._folder)
        command = [programs.program("pg_ctl"), "-D", self._data.name, "-m", "fast", "-w", "stop"]
        stopped = self._run(command, run_as)
        if stopped.returncode != 0 and (self._socket / _SOCKET).exists() and self._answers():
            raise StorageError(
                f"the database in {self._folder} does not stop: {one_line(stopped.stderr)}"
            )

    def _run(self, command: list[str], run_as: RunAs) -> subprocess.CompletedProcess[str]:
        """Run a program to its end; a server that it leaves behind holds none of our files."""
        with tempfile.TemporaryFile("w+") as errors:
            done = subprocess.run(  # noqa: S603  programs of PostgreSQL and a shell, without input
                command,
                check=False,
                text=True,
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                **run_as.options,
            )
            errors.seek(0)
            return subprocess.CompletedProcess(command, done.returncode, "", errors.read())


def _socket_folder(folder: Path) -> Path:
    """Choose where the socket is: in the folder, or in a short path made from its name."""
    inside = folder / "socket"
    if len(os.fsencode(inside / _SOCKET)) <= SOCKET_PATH_BYTES:
        return inside
    name = hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"postgres-{name}"
