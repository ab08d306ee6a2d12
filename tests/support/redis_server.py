"""A Redis of a test's own: the system's server, or a made one that speaks its protocol."""

import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import redis

PROGRAM: Final = shutil.which("redis-server")
"""None where the machine has none: fakeredis stands for it, which is slower and no less strict."""
MADE: Final = """
import sys
from fakeredis import TcpFakeServer
TcpFakeServer.allow_reuse_address = True
server = TcpFakeServer(("127.0.0.1", int(sys.argv[1])), server_type="redis")
print(server.server_address[1], flush=True)
server.serve_forever()
"""


class RedisProcess:
    """A Redis on a port of this machine, which may be killed, frozen and started again.

    Attributes:
        port: where it listens; the same after another start.
        password: that it asks for; empty for none.
    """

    def __init__(self, folder: Path, password: str = "") -> None:
        self.folder = folder
        self.port = 0
        self.password = password
        self._process: subprocess.Popen[str] | None = None

    @property
    def url(self) -> str:
        """How a service is told of it."""
        given = f":{self.password}@" if self.password else ""
        return f"redis://{given}127.0.0.1:{self.port}/0"

    def client(self) -> "redis.Redis":
        """A client of the test's own."""
        import redis

        return redis.Redis.from_url(self.url)

    def start(self) -> None:
        """Start it, empty; it answers when this returns."""
        self.port = self.port or free_port()
        if PROGRAM is None:
            command = [sys.executable, "-c", MADE, str(self.port)]
        else:
            options = {"save": "", "appendonly": "no", "dir": str(self.folder)}
            options |= {"requirepass": self.password} if self.password else {}
            words = [word for name, value in options.items() for word in (f"--{name}", value)]
            command = [PROGRAM, "--bind", "127.0.0.1", "--port", str(self.port), *words]
        with (self.folder / "redis.log").open("ab") as log:
            self._process = subprocess.Popen(
                command, stdout=log, stderr=log, text=True, cwd=self.folder
            )
        from redis import ConnectionError as Refused

        for _ in range(3000):
            with suppress(Refused), self.client() as client:
                client.ping()
                return
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(0.02)
                break
        raise AssertionError((self.folder / "redis.log").read_text()[-2000:])

    def kill(self) -> None:
        """End it at once; what was in it is gone."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def freeze(self) -> None:
        """Let it answer nothing, with all connections open."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on where it was."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@contextmanager
def redis_server(folder: Path, password: str = "") -> Iterator[RedisProcess]:
    """Run one until it is no longer needed."""
    server = RedisProcess(folder, password)
    server.start()
    try:
        yield server
    finally:
        server.kill()
