"""Two machines of a Ray cluster on one: a network namespace each, joined by a cable."""

import contextlib
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.support.peers import PEERS, is_installed
from tests.support.venue_process import eventually

ROOT = Path(__file__).parents[2]
HEAD, WORKER = "10.77.0.1", "10.77.0.2"
PORT = 27380


def ray_python() -> str | None:
    """An interpreter that has Ray: this one, else that of `make peers`."""
    if list(Path(sys.prefix).glob("lib/python*/site-packages/ray/__init__.py")):
        return sys.executable
    return str(PEERS / "ray" / "bin" / "python") if is_installed("ray") else None


def reason_against() -> str:
    """Why two machines cannot be made here; empty when they can."""
    if ray_python() is None:
        return "Ray is not installed: make peers, or make distributed"
    if os.geteuid() or shutil.which("ip") is None:
        return "network namespaces need root and iproute2"
    made = subprocess.run(["ip", "netns", "add", f"try{os.getpid()}"], check=False)
    if made.returncode:
        return "this machine makes no network namespaces"
    _ip("netns", "del", f"try{os.getpid()}")
    return ""


class Machines:
    """A head and a worker, each of one processor.

    Attributes:
        address: of the cluster.
        told: lines of the commands that were run, for a transcript.
    """

    def __init__(self, python: str, folder: Path) -> None:
        self.address = f"{HEAD}:{PORT}"
        self._python, self._folder = python, folder
        self._names = {HEAD: f"rh{os.getpid()}", WORKER: f"rw{os.getpid()}"}
        self._environment = os.environ | {
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN": secrets.token_hex(32),
            "RAY_USAGE_STATS_ENABLED": "0",
            "PYTHONPATH": f"{ROOT}:{os.environ.get('PYTHONPATH', '')}",
        }
        self._started: list[subprocess.Popen[bytes]] = []

    def begin(self) -> None:
        """Lay the cable, and start Ray on both ends."""
        ends = zip(self._names.items(), ("rv0", "rv1"), strict=True)
        for name in self._names.values():
            _ip("netns", "add", name)
        one, two = self._names.values()
        _ip("link", "add", "rv0", "netns", one, "type", "veth", "peer", "rv1", "netns", two)
        for (host, name), link in ends:
            _ip("-n", name, "addr", "add", f"{host}/24", "dev", link)
            _ip("-n", name, "link", "set", link, "up")
            _ip("-n", name, "link", "set", "lo", "up")
        options = ["--num-cpus=1", "--object-store-memory=100000000", "--block"]
        head = [f"--port={PORT}", "--head", "--include-dashboard=false"]
        self._wait(
            HEAD,
            [*head, f"--node-ip-address={HEAD}", f"--temp-dir={self._folder}", *options],
            nodes=1,
        )
        worker = [f"--address={self.address}", f"--node-ip-address={WORKER}", *options]
        self._wait(WORKER, worker, nodes=2)

    def _wait(self, host: str, words: Sequence[str], *, nodes: int) -> None:
        """Start Ray on a machine, again where it gave up, as it does after 30 s of a busy one."""
        ray = [self._python, "-m", "ray.scripts.scripts", "start", *words]
        started = self.popen(host, ray)

        def up() -> int:
            nonlocal started
            if started.poll() is not None:
                self.kill(host)
                started = self.popen(host, ray)
            return self.nodes()

        eventually(up, lambda found: found == nodes, limit_s=900)

    def logs(self) -> str:
        """The last that each command said."""
        told = [f"{file.name}: {file.read_text()[-1000:]}" for file in self._folder.glob("*.log")]
        return "\n".join(told)

    def popen(self, host: str, words: Sequence[str]) -> "subprocess.Popen[bytes]":
        """Start a command on a machine; its output goes to a file of the folder."""
        log = self._folder / f"{host}-{len(self._started)}.log"
        with log.open("ab") as stream:
            process = subprocess.Popen(
                ["ip", "netns", "exec", self._names[host], *words],
                env=self._environment,
                stdout=stream,
                stderr=stream,
            )
        self._started.append(process)
        return process

    def nodes(self) -> int:
        """How many machines the cluster has at present."""
        code = (
            "import ray; ray.init(address='auto', log_to_driver=False, logging_level='ERROR'); "
            "print('nodes', sum(node['Alive'] for node in ray.nodes()))"
        )
        words = ["ip", "netns", "exec", self._names[HEAD], self._python, "-c", code]
        environment = self._environment | {"RAY_ADDRESS": self.address}
        done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
        found = [line for line in done.stdout.splitlines() if line.startswith("nodes ")]
        return int(found[0].split()[1]) if found else 0

    def kill(self, host: str) -> int:
        """End every process of a machine at once, as a power cut does; returns how many."""
        done = subprocess.run(
            ["ip", "netns", "pids", self._names[host]], capture_output=True, text=True, check=False
        )
        pids = [int(word) for word in done.stdout.split()]
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return len(pids)

    def end(self) -> None:
        """End both machines, and take the cable away."""
        for host in self._names:
            self.kill(host)
        for process in self._started:
            process.wait()
        for name in self._names.values():
            subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)


@contextlib.contextmanager
def two_machines() -> Iterator[Machines]:
    """Make them for a while."""
    python = ray_python()
    assert python is not None
    with tempfile.TemporaryDirectory(
        prefix="ray", dir="/tmp", ignore_cleanup_errors=True
    ) as folder:
        machines = Machines(python, Path(folder))
        try:
            machines.begin()
            yield machines
        except BaseException:
            print(machines.logs())
            raise
        finally:
            machines.end()


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)
