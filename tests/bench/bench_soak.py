"""What ten traders under a manager cost for as long as they run: processor, memory, latency.

    python -m tests.bench.bench_soak                # 10 minutes of paper trading at speed 1
    python -m tests.bench.bench_soak --minutes 30
    python -m tests.bench.bench_soak --week         # a simulated week, at 1,200 times that speed

A market moves, a paper venue follows it second by second, a manager with its database runs a
process a trader there; the week is played by a venue that owns its time.
"""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import psutil
from tests.support.manager_process import Manager, end_traders, managing
from tests.support.processes import Service
from tests.support.venue_process import VenueUnderTest, eventually, running_venue

from suite.addresses import account_address

COINS: Final = ("BTC", "ETH", "SOL")
KINDS: Final[tuple[dict[str, Any], ...]] = (
    {"kind": "sma_cross", "params": {"fast": 2, "slow": 5, "minutes": 1}},
    {"kind": "random", "params": {"probability": 0.5}},
    {"kind": "random", "params": {"probability": 0.1}},
    {"kind": "fixed_spread"},
    {"kind": "funding_rate"},
)
TAKERS: Final = ("sma_cross", "random")
TRADERS: Final = 10
WEEK_SPEED: Final = 1200
MINUTE_MS: Final = 60_000
SAMPLE_S: Final = 5.0
MB: Final = 2**20


@dataclass
class Usage:
    """What the processes of a folder used, by kind, sample by sample.

    Attributes:
        memory_mb: own memory of all processes of a kind.
        seconds: processor seconds of all of them since they began.
    """

    memory_mb: dict[str, list[float]] = field(default_factory=dict)
    seconds: dict[str, dict[int, float]] = field(default_factory=dict)

    def sample(self, folder: Path) -> None:
        """Look at every process that works in the folder."""
        found: dict[str, float] = {}
        for process in psutil.process_iter():
            try:
                if not process.cwd().startswith(str(folder)):
                    continue
                kind, spent = _kind(process), process.cpu_times()
                found[kind] = found.get(kind, 0.0) + process.memory_full_info().uss / MB
            except (psutil.NoSuchProcess, psutil.AccessDenied):
                continue
            self.seconds.setdefault(kind, {})[process.pid] = spent.user + spent.system
        for kind, used in found.items():
            self.memory_mb.setdefault(kind, []).append(used)

    def total(self) -> dict[str, float]:
        return {kind: sum(pids.values()) for kind, pids in self.seconds.items()}


def _kind(process: psutil.Process) -> str:
    words = " ".join(process.cmdline())
    for name in ("strategy-agent", "trader-manager", "virtual-exchange"):
        if name in words:
            return name
    return "database"


@contextmanager
def market(folder: Path, *, week: bool) -> Iterator[VenueUnderTest]:
    """Serve where the traders trade: a paper world in a market that moves, or a fast one."""
    if week:
        with running_venue(folder / "venue", coins=COINS, minutes=11_000, speed=WEEK_SPEED) as fast:
            yield fast
        return
    with running_venue(folder / "market", coins=COINS, minutes=11_000, speed=1.0) as source:
        (folder / "paper").mkdir()
        options = ("--clock", "paper", "--feed", source.url, "--symbols", ",".join(COINS))
        service = Service(folder / "paper", *options)
        try:
            yield VenueUnderTest("paper", service.url, folder / "paper")
        finally:
            service.kill()


def traders() -> dict[str, Any]:
    """Ten traders, two of a kind, that decide every minute."""
    entries = [
        {
            "trader_id": f"t{number}",
            "strategy": KINDS[number % len(KINDS)],
            "symbols": list(COINS),
            "interval": "1m",
        }
        for number in range(TRADERS)
    ]
    return {"traders": entries}


def latencies_s(venue: VenueUnderTest, since_ms: int, speed: float) -> list[float]:
    """Wall seconds from the end of a bar to the orders that takers answered it with.

    Args:
        venue: where they trade.
        since_ms: from then on: who has just begun decides at once, whatever the time.
        speed: of the venue's time.
    """
    takers = [one for one in traders()["traders"] if one["strategy"]["kind"] in TAKERS]
    orders = [
        row["order"]
        for taker in takers
        for row in venue.info("historicalOrders", user=account_address(taker["trader_id"]))
    ]
    placed_ms = [one["timestamp"] for one in orders if not one["isTrigger"]]
    late_ms = [time_ms % MINUTE_MS for time_ms in placed_ms if time_ms >= since_ms]
    return sorted(value / 1000 / speed for value in late_ms)


def watch(folder: Path, manager: Manager, seconds: float) -> Usage:
    """Sample until the time is over; all must run all the time."""
    usage, end = Usage(), time.monotonic() + seconds
    while time.monotonic() < end:
        time.sleep(SAMPLE_S)
        usage.sample(folder)
        states = {name: row["actual"] for name, row in manager.traders().items()}
        assert set(states.values()) == {"running"}, states
    return usage


def tell(usage: Usage, before: dict[str, float], seconds: float, latency: list[float]) -> None:
    """Print the figures."""
    cores, total = psutil.cpu_count() or 1, 0.0
    print(f"{'':<18}{'of the machine':>16}{'MB at a third':>16}{'two thirds':>12}{'the end':>12}")
    for kind, spent in sorted(usage.total().items()):
        share = (spent - before.get(kind, 0.0)) / seconds / cores
        total += share
        rows = usage.memory_mb[kind]
        third = max(1, len(rows) // 3)
        shown = (rows[third], rows[min(2 * third, len(rows) - 1)], statistics.median(rows[-3:]))
        print(f"{kind:<18}{share:>16.1%}{shown[0]:>16.0f}{shown[1]:>12.0f}{shown[2]:>12.0f}")
    print(f"{'all':<18}{total:>16.1%}")
    if latency:
        p50, p99 = latency[len(latency) // 2], latency[int(len(latency) * 0.99)]
        print(
            f"from a bar's end to its order: {len(latency)} orders, p50 {p50:.2f} s,"
            f" p99 {p99:.2f} s, longest {latency[-1]:.2f} s"
        )


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--week", action="store_true")
    options = parser.parse_args()
    seconds = 7 * 86_400 / WEEK_SPEED if options.week else options.minutes * 60
    speed = WEEK_SPEED if options.week else 1.0
    with tempfile.TemporaryDirectory(prefix="soak-") as name, ExitStack() as stack:
        folder = Path(name)
        folder.chmod(0o755)
        for part in ("venue", "market", "home"):
            (folder / part).mkdir()
        venue = stack.enter_context(market(folder, week=options.week))
        home = folder / "home"
        stack.callback(end_traders, home)
        (home / "traders.yaml").write_text(json.dumps(traders()))
        manager = stack.enter_context(managing(home, venue, "--traders", "traders.yaml"))
        eventually(
            lambda: sum(manager.state(f"t{n}") == "running" for n in range(TRADERS)),
            lambda running: running == TRADERS,
            limit_s=120,
        )
        first = Usage()
        first.sample(folder)
        since_ms = venue.get("/clock")["now_ms"] + MINUTE_MS
        start = time.monotonic()
        usage = watch(folder, manager, seconds)
        taken = time.monotonic() - start
        what = "a simulated week" if options.week else f"{options.minutes:g} minutes"
        print(f"{TRADERS} traders for {what}, {taken:.0f} s of the wall")
        tell(usage, first.total(), taken, latencies_s(venue, since_ms, speed))


if __name__ == "__main__":
    main()
