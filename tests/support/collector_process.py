"""The data-collector as a process of its own."""

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

BIN = Path(sys.executable).parent


class CollectorProcess:
    """A running `data-collector serve --collect hyperliquid`.

    Attributes:
        url: where it answers.
        data: root of its store.
    """

    def __init__(self, folder: Path, venue_url: str, symbols: str, **settings: object) -> None:
        self.folder = folder
        self.data = folder / "data"
        port = str(settings.pop("port", 0))
        options = ["--data", str(self.data), "--port", port, "--collect", "hyperliquid"]
        named = {f"DATA_COLLECTOR_{name.upper()}": str(v) for name, v in settings.items()}
        self._errors = (folder / "collector.log").open("ab")
        self.process = subprocess.Popen(
            [
                str(BIN / "data-collector"),
                "serve",
                *options,
                "--symbols",
                symbols,
                "--url",
                venue_url,
            ],
            cwd=folder,
            env=os.environ | named,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, (folder / "collector.log").read_text()[-2000:]
        self.url = line.split()[-1]

    def get(self, path: str) -> Any:
        """Ask it; None where it has nothing."""
        try:
            with urllib.request.urlopen(self.url + path, timeout=10) as reply:
                return json.load(reply)
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return None
            raise

    def metrics(self) -> dict[str, float]:
        with urllib.request.urlopen(f"{self.url}/metrics", timeout=10) as reply:
            lines = reply.read().decode().splitlines()
        rows = (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
        return {name: float(value) for name, value in rows}

    def bars(self, coin: str = "BTC") -> int:
        """How many it has acknowledged."""
        rows = [row for row in self.get("/coverage") or [] if row["coin"] == coin]
        return int(rows[0]["bars"]) if rows else 0

    def last_bar_ms(self, coin: str) -> int:
        """Open time of the last bar that is closed; cheap to ask, unlike what is stored."""
        rows = [row for row in self.get("/collection") if row["coin"] == coin]
        return int(rows[0].get("last_bar_ms") or 0) if rows else 0

    def missing(self) -> dict[str, int]:
        """How many bars are missing between those it has, by coin."""
        return {row["coin"]: row["missing_bars"] for row in self.get("/coverage")}

    def memory_kb(self) -> int:
        """Resident memory, kB."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        (line,) = (row for row in status.splitlines() if row.startswith("VmRSS"))
        return int(line.split()[1])

    def cpu_s(self) -> float:
        """Processor time it has used, seconds."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / 100

    def stop(self) -> int:
        """End it as an operator does."""
        self.process.send_signal(signal.SIGTERM)
        self.process.communicate(timeout=30)
        self._errors.close()
        return self.process.returncode

    def kill(self) -> None:
        """End it at once."""
        self.process.kill()
        self.process.communicate()
        self._errors.close()
