"""Services as processes of their own."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

BIN = Path(sys.executable).parent


@contextmanager
def serving(
    service: str, folder: Path, log: Path, *options: str, **env: str
) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Serve on a free port; it is told to end with the context, unless it has by then.

    Args:
        service: its command.
        folder: its working directory.
        log: what it complains of is appended there.
        options: of `serve`.
        env: variables besides.

    Yields:
        Its address, and the process.
    """
    with (
        log.open("a") as written,
        subprocess.Popen(
            [str(BIN / service), "serve", "--port", "0", *options],
            cwd=folder,
            env=os.environ | env,
            stdout=subprocess.PIPE,
            stderr=written,
            text=True,
        ) as process,
    ):
        assert process.stdout is not None
        line = process.stdout.readline()
        try:
            assert line, log.read_text()
            yield line.split()[-1], process
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)


class Service:
    """A running `virtual-exchange serve`.

    Attributes:
        url: where it answers; empty when it did not start.
        folder: its working directory, with its tokens below `var/tokens`.
    """

    def __init__(self, folder: Path, *options: str, **settings: object) -> None:
        command = [str(BIN / "virtual-exchange"), "serve", "--port", "0", *options]
        named = {f"VIRTUAL_EXCHANGE_{name.upper()}": str(v) for name, v in settings.items()}
        self.process = subprocess.Popen(
            command,
            cwd=folder,
            env=os.environ | named,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        self.url = line.split()[-1] if line else ""
        self.folder = folder

    def token(self, name: str) -> str:
        return (self.folder / "var" / "tokens" / f"{name}.token").read_text().strip()

    def operator(self) -> httpx.Client:
        """A client that may do everything."""
        headers = {"authorization": f"Bearer {self.token('operator')}"}
        return httpx.Client(base_url=self.url, headers=headers, timeout=60)

    def memory_kb(self) -> int:
        """Resident memory, kB."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        (line,) = (row for row in status.splitlines() if row.startswith("VmRSS"))
        return int(line.split()[1])

    def cpu_s(self) -> float:
        """Processor time it has used, seconds."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / 100

    def stop(self) -> tuple[int, str]:
        """End it; say with which code it did, and what it complained of."""
        self.process.send_signal(signal.SIGTERM)
        _, errors = self.process.communicate(timeout=20)
        return self.process.returncode, errors

    def kill(self) -> None:
        """End it at once where it still runs."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.communicate()
