"""The trader-manager as a process, and what it leaves behind."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil
from tests.support.processes import serving
from tests.support.venue_process import VenueUnderTest

COMMAND = str(Path(sys.executable).with_name("trader-manager"))


class Manager:
    """A running manager, and its operator."""

    def __init__(self, folder: Path, url: str, process: subprocess.Popen[str]) -> None:
        self.url = url
        self.process = process
        token = (folder / "var/tokens/operator.token").read_text().strip()
        self._headers = {"authorization": f"Bearer {token}"}

    def ask(self, method: str, path: str, **body: Any) -> httpx.Response:
        return httpx.request(
            method, self.url + path, json=body or None, headers=self._headers, timeout=30
        )

    def traders(self) -> dict[str, Any]:
        rows = self.ask("GET", "/traders").json()["traders"]
        return {row["trader_id"]: row for row in rows}

    def state(self, trader: str) -> str:
        status = self.traders()[trader]["status"]
        return str(status["state"]) if status else ""


@contextmanager
def managing(folder: Path, venue: VenueUnderTest, *options: str, **more: str) -> Iterator[Manager]:
    """Serve a manager; what it has started runs on when the context closes."""
    env = {
        "TRADING_URL": venue.url,
        "VENUE_OPERATOR_TOKEN": venue.token("operator"),
        "TRADER_MANAGER_LOG_FORMAT": "json",
        **more,
    }
    log = folder / "manager.log"
    with serving("trader-manager", folder, log, *options, **env) as (url, process):
        yield Manager(folder, url, process)


def lives(pid: int) -> bool:
    """Whether a process runs; one that nobody has waited for yet does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def end_traders(folder: Path) -> None:
    for process in psutil.process_iter(["cwd"]):
        if str(process.info["cwd"] or "").startswith(str(folder / "var/fleet")):
            process.kill()
