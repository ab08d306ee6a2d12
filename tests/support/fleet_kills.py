"""A fleet that trades a world while its traders, its manager and its database are killed."""

import json
import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

import httpx
import psutil
from tests.support.manager_process import Manager, end_traders, managing
from tests.support.postgres_servers import TestServer
from tests.support.venue_process import VenueUnderTest, running_venue

COINS = ["BTC", "ETH"]
KINDS: dict[str, dict[str, Any]] = {
    "cross": {"kind": "sma_cross", "params": {"fast": 2, "slow": 5, "stop_loss": 0.01}},
    "maker": {"kind": "fixed_spread"},
    "dice": {"kind": "random", "params": {"probability": 0.5}},
    "carry": {"kind": "funding_rate"},
}


class Arena:
    """A supervised world, a database, and the manager of the fleet that trades there."""

    def __init__(self, venue: VenueUnderTest, database: TestServer, folder: Path, to: str) -> None:
        folder.mkdir()
        made = venue.post(
            "/worlds",
            {
                "symbols": COINS,
                "from": "2025-05-06",
                "to": to,
                "accounts": [{"id": name} for name in KINDS],
                "supervised": True,
            },
            "operator",
        )
        self._url = f"{venue.url}/worlds/{made['world_id']}"
        self._headers = {"authorization": f"Bearer {venue.token('operator')}"}
        self._venue, self._folder, self._database = venue, folder, database
        self._settings = {
            "TRADING_URL": made["base_url"],
            "TRADER_TOKENS": json.dumps(made["tokens"]),
            "DATABASE_URL": database.empty(),
            "TRADER_MANAGER_SEED": "7",
        }
        traders = [
            {"trader_id": name, "strategy": kind, "symbols": COINS, "interval": "15m"}
            for name, kind in KINDS.items()
        ]
        (folder / "traders.yaml").write_text(json.dumps({"traders": traders}))
        self._serving = ExitStack()
        self.manager: Manager | None = None
        self.killed = Counter[str]()

    def __enter__(self) -> Self:
        self.serve()
        return self

    def __exit__(self, *_reason: object) -> None:
        self._serving.close()
        end_traders(self._folder)

    def serve(self) -> None:
        """Start the manager: again, where it was killed."""
        opened = managing(self._folder, self._venue, "--traders", "traders.yaml", **self._settings)
        self.manager = self._serving.enter_context(opened)

    def read(self, path: str = "") -> Any:
        return httpx.get(self._url + path, headers=self._headers, timeout=60).json()

    def kill_manager(self) -> None:
        assert self.manager is not None
        self.manager.process.kill()
        self.manager.process.wait()
        self._serving.close()
        self.serve()

    def kill_trader(self) -> None:
        """Kill one that runs, in turn; its pid is in its folder, whatever the database says."""
        lives = {
            path.parent.name: pid
            for path in sorted(self._folder.glob("var/fleet/*/process.json"))
            if psutil.pid_exists(pid := json.loads(path.read_text())["pid"])
        }
        # one that is killed more than three times in a row would come back PAUSED
        name = min(lives, key=lambda name: (self.killed[name], name))
        os.kill(lives[name], signal.SIGKILL)
        self.killed[name] += 1

    def lose_database(self, away_s: float) -> None:
        """Stop it; a trader dies meanwhile, and nobody can know what is wanted of it."""
        assert self.manager is not None
        self._database.server.stop()
        for path in ("/leaderboard", "/compare?traders=cross,maker", "/traders/cross/trades"):
            refused = self.manager.ask("GET", path)
            assert refused.status_code in {503, 504}, (path, refused.text)
            assert refused.text.startswith("the database "), (path, refused.text)
            assert "\n" not in refused.text.rstrip()
        self.kill_trader()
        time.sleep(away_s)
        self._database.server.start()

    def fight(self, plan: Sequence[tuple[float, str]], *, away_s: float) -> Any:
        """Let the fleet trade; at some percent of the run something dies.

        Returns:
            The report of the world.
        """
        left = list(plan)
        acts: dict[str, Callable[[], None]] = {
            "trader": self.kill_trader,
            "manager": self.kill_manager,
            "database": lambda: self.lose_database(away_s),
        }
        while not (status := self.read())["finished"]:
            time.sleep(0.05)
            if left and status["percent"] >= left[0][0]:
                acts[left.pop(0)[1]]()
        assert not left, "the run was over before all had died"
        return self.read("/report")


def reports(
    folder: Path, home: Path, database: TestServer, plan: Sequence[tuple[float, str]], **run: Any
) -> tuple[Any, Any]:
    """Play one world undisturbed, and one in which things die; both reports.

    Args:
        folder: of the venue.
        home: of the fleets; the database's user may enter it.
        database: of both.
        plan: what dies at which percent of the run: `trader`, `manager` or `database`.
        run: `to`, when the world ends, and `away_s`, for how long the database is away.
    """
    folder.mkdir()
    options, coins = ("--clock", "lockstep"), tuple(COINS)
    with running_venue(folder, *options, coins=coins, speed=None) as venue:
        with Arena(venue, database, home / "calm", run["to"]) as arena:
            calm = arena.fight((), away_s=0)
        with Arena(venue, database, home / "hurt", run["to"]) as arena:
            hurt = arena.fight(plan, away_s=run["away_s"])
            assert arena.killed.total() == sum(fault != "manager" for _, fault in plan)
    return calm, hurt


def assert_equal(calm: Any, hurt: Any) -> None:
    """Everybody traded, and ended where they would have, to the byte."""
    for name in KINDS:
        assert len(calm["result"]["traders"][name]["trades"]) > 3
        was, came = calm["result"]["traders"][name], hurt["result"]["traders"][name]
        differ = _differences(was, came)
        assert not differ, f"{name}: {differ}"
    assert calm["sha256"] == hurt["sha256"]


def _differences(was: Any, came: Any) -> list[str]:
    """Which parts of a trader's report differ, and from where on."""
    found = []
    for part in was:
        if was[part] == came[part]:
            continue
        if isinstance(was[part], list):
            pairs = zip(was[part], came[part], strict=False)
            at = next((n for n, (one, two) in enumerate(pairs) if one != two), "the end")
            size = f"{len(was[part])} and {len(came[part])}"
            first = (was[part][at], came[part][at]) if isinstance(at, int) else ""
            found.append(f"{part}: {size}, from {at}: {first}")
        else:
            found.append(f"{part}: {was[part]} and {came[part]}")
    return found
