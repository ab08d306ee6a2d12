"""What a fleet costs on this machine: routes, decisions, collecting, processor and memory."""

import os
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any, Final

import msgspec
import psutil
from rich.console import Console
from rich.table import Table

from trader_manager.commands.fleet_client import FleetClient
from trader_manager.settings import Settings

_TIMES: Final = 20
_DECISIONS: Final = 5
_MIB: Final = 1 << 20
_ROUTES: Final = ("/ready", "/traders", "/leaderboard", "/best", "/export?kind=equity")
_EMBEDDED: Final = "embedded://"


class Latency(msgspec.Struct, frozen=True, kw_only=True):
    """How long something took, ms."""

    median_ms: float
    p95_ms: float
    max_ms: float
    times: int


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """What processes of one kind use.

    Attributes:
        cpu: processors in use on average; 1 is one of them as a whole.
        memory_mib: resident; what several share counts for each.
    """

    processes: int
    cpu: float
    memory_mib: float


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """All of them.

    Attributes:
        routes: of the manager, by path.
        decisions: of traders, by id: asked for a decision that is shown only.
        collecting_s: the last round over all traders; None where this manager collects nothing.
        usage: by what the processes are.
        cpus: of the machine.
    """

    traders: int
    routes: Mapping[str, Latency]
    decisions: Mapping[str, Latency]
    collecting_s: float | None
    usage: Mapping[str, Usage]
    cpus: int

    def encoded(self) -> bytes:
        """Write them as JSON."""
        return msgspec.json.format(msgspec.json.encode(self))


def measure(client: FleetClient, settings: Settings, *, seconds: float) -> Figures:
    """Measure a running fleet, without a change to it.

    Args:
        client: of its manager.
        settings: where that keeps its files.
        seconds: to watch the processes for.

    Raises:
        SuiteError: the manager does not answer.
    """
    rows = client.get("/traders")["traders"]
    usage = _usage(_processes(client.url, rows, settings), seconds)
    routes = list(_ROUTES)
    if rows:
        name = rows[0]["trader_id"]
        routes += [f"/traders/{name}/{what}" for what in ("history", "trades", "positions")]
    ready = client.reply("/ready").json()
    return Figures(
        traders=len(rows),
        routes={path: _latency(partial(client.reply, path), _TIMES) for path in routes},
        decisions=_decisions(client, rows),
        collecting_s=ready.get("collecting_s"),
        usage=usage,
        cpus=os.cpu_count() or 1,
    )


def _latency(do: Callable[[], object], times: int) -> Latency:
    took = []
    for _ in range(times):
        begun = time.perf_counter()
        do()
        took.append((time.perf_counter() - begun) * 1000)
    took.sort()
    return Latency(
        median_ms=round(median(took), 2),
        p95_ms=round(took[min(len(took) - 1, int(0.95 * len(took)))], 2),
        max_ms=round(took[-1], 2),
        times=times,
    )


def _decisions(client: FleetClient, rows: Sequence[Mapping[str, Any]]) -> Mapping[str, Latency]:
    """Ask traders what they would decide; those that do not say are left out."""
    found: dict[str, Latency] = {}
    for row in rows:
        ask = partial(client.reply, f"/traders/{row['trader_id']}/preview", method="POST")
        if row["control_url"] and not ask().is_error:
            found[row["trader_id"]] = _latency(ask, _DECISIONS)
    return found


def _usage(found: Mapping[str, list[psutil.Process]], seconds: float) -> Mapping[str, Usage]:
    """Watch processes for a while."""
    processes = {kind: some for kind, some in found.items() if some}
    before = {kind: _cpu_s(found) for kind, found in processes.items()}
    begun = time.perf_counter()
    time.sleep(seconds)
    took = time.perf_counter() - begun
    return {
        kind: Usage(
            processes=len(found),
            cpu=round(max(0.0, _cpu_s(found) - before[kind]) / took, 4),
            memory_mib=round(sum(map(_memory, found)) / _MIB, 1),
        )
        for kind, found in processes.items()
    }


def _processes(
    url: str, rows: Sequence[Mapping[str, Any]], settings: Settings
) -> Mapping[str, list[psutil.Process]]:
    """Find the processes of a fleet on this machine; the database where it is one of our own."""
    database = settings.database_url.get_secret_value().removeprefix(_EMBEDDED)
    folder = str(Path(database).resolve())
    traders = {row["pid"] for row in rows if row["pid"]}
    port = int(url.rpartition(":")[2].split("/")[0]) if url.count(":") > 1 else 0
    found: dict[str, list[psutil.Process]] = {"traders": [], "manager": [], "database": []}
    for process in psutil.process_iter(["pid", "name"]):
        with suppress(psutil.Error):
            if process.info["pid"] in traders:
                found["traders"].append(process)
            elif process.info["name"] == "postgres" and process.cwd().startswith(folder):
                found["database"].append(process)
            elif "trader-manager" in " ".join(process.cmdline()) and port in _listening(process):
                found["manager"].append(process)
    return found


def _listening(process: psutil.Process) -> set[int]:
    return {
        one.laddr.port
        for one in process.net_connections(kind="tcp")
        if one.status == psutil.CONN_LISTEN
    }


def _cpu_s(processes: Sequence[psutil.Process]) -> float:
    total = 0.0
    for process in processes:
        with suppress(psutil.Error):
            times = process.cpu_times()
            total += times.user + times.system
    return total


def _memory(process: psutil.Process) -> int:
    with suppress(psutil.Error):
        return int(process.memory_info().rss)
    return 0


def show(figures: Figures, console: Console | None = None) -> None:
    """Print the figures."""
    console = console or Console()
    table = Table("what", "median ms", "95 % ms", "most ms", title=f"{figures.traders} traders")
    for path, latency in figures.routes.items():
        table.add_row(path, *_cells(latency))
    for name, latency in figures.decisions.items():
        table.add_row(f"decision of {name}", *_cells(latency))
    console.print(table)
    used = Table("processes", "how many", "processors", "MiB", title=f"{figures.cpus} processors")
    for kind, usage in figures.usage.items():
        used.add_row(kind, str(usage.processes), f"{usage.cpu:.2f}", f"{usage.memory_mib:.0f}")
    console.print(used)
    if figures.collecting_s is not None:
        console.print(f"one round of collecting: {figures.collecting_s:.3f} s")


def _cells(latency: Latency) -> tuple[str, str, str]:
    return f"{latency.median_ms:.1f}", f"{latency.p95_ms:.1f}", f"{latency.max_ms:.1f}"
