"""The portfolio-service as a process, and who may look at it."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from tests.support.processes import serving

COMMAND = str(Path(sys.executable).with_name("portfolio-service"))


class PortfolioUnderTest:
    """A running portfolio-service, with its operator and its viewer."""

    def __init__(self, folder: Path, url: str, process: subprocess.Popen[str]) -> None:
        self.folder = folder
        self.url = url
        self.process = process

    def token(self, name: str = "operator") -> str:
        return (self.folder / f"var/tokens/{name}.token").read_text().strip()

    def ask(
        self, method: str, path: str, body: Any = None, *, by: str | None = "operator"
    ) -> httpx.Response:
        headers = {"authorization": f"Bearer {self.token(by)}"} if by else {}
        return httpx.request(method, self.url + path, json=body, headers=headers, timeout=60)

    def get(self, path: str) -> Any:
        reply = self.ask("GET", path)
        assert 200 == reply.status_code, reply.text
        return reply.json()

    def traders(self) -> dict[str, Any]:
        return {row["id"]: row for row in self.get("/api/portfolio")["strategies"]}

    def events(self, count: int) -> list[tuple[str, Any]]:
        """The first events of the stream, by name."""
        found: list[tuple[str, Any]] = []
        headers = {"authorization": f"Bearer {self.token()}"}
        with httpx.stream("GET", self.url + "/api/stream", headers=headers, timeout=30) as reply:
            name = ""
            for line in reply.iter_lines():
                if line.startswith("event: "):
                    name = line.removeprefix("event: ")
                elif line.startswith("data: "):
                    found.append((name, json.loads(line.removeprefix("data: "))))
                if len(found) == count:
                    break
        return found

    def stop_while_watched(self) -> int:
        """Tell it to end while somebody watches, who is let go in order; its exit code."""
        headers = {"authorization": f"Bearer {self.token()}"}
        with httpx.stream("GET", self.url + "/api/stream", headers=headers, timeout=30) as reply:
            lines = reply.iter_lines()
            next(lines)
            self.process.send_signal(signal.SIGTERM)
            for _ in lines:
                continue
        return self.process.wait(30)

    def cpu_s(self) -> float:
        """Processor time it has used, seconds."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def serving_portfolio(
    folder: Path, manager_url: str, manager_token: str, **more: str
) -> Iterator[PortfolioUnderTest]:
    """Serve a portfolio; a process that was killed meanwhile is no matter.

    Args:
        folder: working directory of the process.
        manager_url: of the manager; manager_token: of its operator.
        more: settings.
    """
    env = {
        "MANAGER_URL": manager_url,
        "MANAGER_TOKEN": manager_token,
        "PORTFOLIO_SERVICE_LOG_FORMAT": "json",
        **more,
    }
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "portfolio.log"
    with serving("portfolio-service", folder, log, **env) as (url, process):
        yield PortfolioUnderTest(folder, url, process)
