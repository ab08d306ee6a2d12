"""The command `trader-manager arena`, as its user runs it."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

BIN = Path(sys.executable).parent


def arena_command(*options: str) -> list[str]:
    return [
        *(str(BIN / "trader-manager"), "arena", "--data", "data"),
        *("--traders", "traders.yaml", "--out", "out", *options),
    ]


def run_arena(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run it to its end."""
    return subprocess.run(
        arena_command(*options),
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )


def start_arena(folder: Path, *options: str) -> subprocess.Popen[str]:
    """Start it."""
    return subprocess.Popen(
        arena_command(*options),
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def processes_of(folder: Path) -> list[int]:
    """Everything that was started for an arena in a folder: it is where they all work."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            if (place / "cwd").readlink() == folder and "arena" not in os.fsdecode(
                (place / "cmdline").read_bytes()
            ).split("\0"):
                found.append(int(place.name))
        except OSError:
            continue
    return found


def until(condition: Callable[[], Any], what: str, *, seconds: float = 90.0) -> None:
    """Wait for an effect."""
    end_s = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end_s, f"no {what} after {seconds} s"
        time.sleep(0.02)


def kill_all(process: subprocess.Popen[str], folder: Path) -> None:
    """End a command and all it has started as a power cut would."""
    os.kill(process.pid, signal.SIGKILL)
    for pid in processes_of(folder):
        os.kill(pid, signal.SIGKILL)
    process.communicate()


def report_of(folder: Path) -> dict[str, Any]:
    """The report that was written."""
    report: dict[str, Any] = json.loads((folder / "out" / "report.json").read_bytes())
    return report
