"""The quick start of docs/live.md, carried out as it is written."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from tests.support.venue_process import eventually

from suite.service.http import bearer

PAGE = Path(__file__).parents[2] / "docs" / "live.md"
VENUE, PROXY = "http://127.0.0.1:8100", "http://127.0.0.1:8200"


@dataclass(frozen=True, kw_only=True)
class QuickStart:
    """What runs after the commands before.

    Attributes:
        folder: of the proxy: its accounts file, keys and state.
        url: of it.
        calls: further commands, each a `curl` line.
    """

    folder: Path
    url: str
    calls: tuple[str, ...]


def _commands(text: str) -> list[str]:
    (block,) = re.findall(r"```bash quickstart\n(.*?)```", text, re.DOTALL)
    lines = block.replace("\\\n", " ").splitlines()
    return [line.partition("  #")[0].strip() for line in lines if line.strip()]


@contextmanager
def _served(command: str, folder: Path) -> Iterator[str]:
    """Run a server of the page on a free port; its address."""
    words = [*command.split(), "--port", "0"]
    words[0] = str(Path(sys.executable).with_name(words[0]))
    with (
        (folder / "log").open("w") as log,
        subprocess.Popen(words, cwd=folder, stdout=subprocess.PIPE, stderr=log, text=True) as one,
    ):
        assert one.stdout is not None
        line = one.stdout.readline()
        assert line, (folder / "log").read_text()[-3000:]
        try:
            yield line.split()[-1]
        finally:
            one.send_signal(signal.SIGTERM)


def _await_orders(url: str, live: Path) -> None:
    """Wait for the first order that fills; of another size than that of the page."""
    token = (live / "var" / "tokens" / "anna.token").read_text().strip()
    order, headers = {"coin": "BTC", "is_buy": True, "sz": "0.002"}, bearer(token)

    def fills() -> bool:
        return "filled" in httpx.post(f"{url}/exchange/order", json=order, headers=headers).text

    eventually(fills)


@contextmanager
def quick_start(folder: Path) -> Iterator[QuickStart]:
    """Do what the page says, on free ports."""
    text = PAGE.read_text(encoding="utf-8")
    market, venue_command, *steps, serve, call = _commands(text)
    live = folder / "live"
    live.mkdir()
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    env = os.environ | {"PATH": path}
    subprocess.run(["/bin/sh", "-ec", market], cwd=folder, check=True, env=env)
    with _served(venue_command, folder) as venue:
        for name, content in re.findall(r"```\w+ (\S*\.(?:py|env))\n(.*?)```", text, re.DOTALL):
            (live / name).write_text(content.replace(VENUE, venue))
        for step in steps:
            subprocess.run(["/bin/sh", "-ec", step], cwd=live, check=True, env=env)
        with _served(serve, live) as proxy:
            _await_orders(proxy, live)
            yield QuickStart(folder=live, url=proxy, calls=(call,))
