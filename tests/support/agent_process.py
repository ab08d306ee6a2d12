"""`strategy-agent run` as a process of its own."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import msgspec
from tests.support.venue_process import VenueUnderTest

COMMAND = str(Path(sys.executable).with_name("strategy-agent"))


class Agent:
    """A running agent.

    Attributes:
        url: of its control API; empty without one.
        folder: its working directory.
        said: what it wrote on its standard output after the address, once it has been stopped.
    """

    def __init__(self, folder: Path, url: str, process: subprocess.Popen[str]) -> None:
        self.folder = folder
        self.url = url
        self.process = process
        self.said = ""

    def get(self, path: str) -> Any:
        return httpx.get(self.url + path, timeout=20).json()

    def post(self, path: str, **body: Any) -> httpx.Response:
        return self.request("POST", path, **body)

    @property
    def headers(self) -> dict[str, str]:
        token = (self.folder / "var" / "tokens" / "operator.token").read_text().strip()
        return {"authorization": f"Bearer {token}"}

    def status(self, trader: str) -> dict[str, Any]:
        rows: list[dict[str, Any]] = self.get("/status")["traders"]
        return next(row for row in rows if row["trader_id"] == trader)

    def journal(self, trader: str, kind: str) -> list[Any]:
        path = self.folder / "var" / "journal" / f"{trader}.jsonl"
        lines = path.read_bytes().splitlines() if path.exists() else []
        rows = [msgspec.json.decode(line) for line in lines if line.endswith(b"}")]
        return [row[kind] for row in rows if row["type"] == kind]

    def request(self, method: str, path: str, **body: Any) -> httpx.Response:
        return httpx.request(method, self.url + path, json=body, headers=self.headers, timeout=20)

    def stop(self, signals: int = 1) -> tuple[int, float, str]:
        """Tell it to end; say its exit code, how many seconds it took, and its errors."""
        begun = time.monotonic()
        for _ in range(signals):
            self.process.send_signal(signal.SIGTERM)
            time.sleep(0.05)
        self.said, errors = self.process.communicate(timeout=25)
        return self.process.returncode, time.monotonic() - begun, errors


@contextmanager
def running_agent(
    folder: Path,
    venue: VenueUnderTest,
    traders: str,
    *names: str,
    control: bool = True,
    tokens: dict[str, str] | None = None,
    **settings: object,
) -> Iterator[Agent]:
    """Run traders; their tokens are the venue's of the same name."""
    (folder / "traders.yaml").write_text(traders)
    known = tokens if tokens is not None else {name: venue.token(name) for name in names}
    env = os.environ | {
        "TRADING_URL": venue.url,
        "TRADER_TOKENS": msgspec.json.encode(known).decode(),
        **{f"STRATEGY_AGENT_{name.upper()}": str(value) for name, value in settings.items()},
    }
    command = [COMMAND, "run", "--config", "traders.yaml", "--trader", ",".join(names)]
    with subprocess.Popen(
        [*command, *(["--control-port", "0"] if control else [])],
        cwd=folder,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        line = process.stdout.readline() if control else ""
        try:
            yield Agent(folder, line.split()[-1] if line else "", process)
        finally:
            if process.poll() is None:
                process.kill()
                process.communicate()
