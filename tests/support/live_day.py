"""The whole live stack as processes, at a simulated venue, while things go wrong.

Venue, a faulty network, the proxy, a collector, a manager with its database, an agent process for
each trader, and the portfolio with a database of its own. The venue's time runs faster than life;
the agents go by it. At the end all are flat, and the venue's own books are held against everything
that was recorded here.
"""

import asyncio
import os
import random
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import yaml
from tests.support.collector_process import CollectorProcess
from tests.support.http_faults import HttpFaults, http_faults
from tests.support.live_delivery import LIVE_FAULTS, cloid_of, venue_world
from tests.support.live_stack import LiveStack, LiveTrader, fetch, running_stack
from tests.support.manager_process import Manager, end_traders, managing
from tests.support.portfolio_process import PortfolioUnderTest, serving_portfolio
from tests.support.venue_process import VenueUnderTest, eventually, running_venue
from tests.support.worlds import START_MS

from suite.bars import DAY_MS, MINUTE_MS
from suite.klines import Source
from suite.service.kline_store import KlineStore

COINS = ("BTC", "ETH")
HISTORY_DAYS = 2
"""Stored before the world begins, for indicators."""
FROM_MS = START_MS + HISTORY_DAYS * DAY_MS
TRADERS: dict[str, dict[str, Any]] = {
    "cross": {"kind": "sma_cross", "params": {"fast": 3, "slow": 8, "stop_loss": 0.01}},
    "dice": {"kind": "random", "params": {"probability": 0.3}},
    "maker": {"kind": "fixed_spread"},
}
FAULT_SHARE = 0.1
HEALED_S = 120.0
STARTED_S = 90.0


@dataclass(slots=True)
class Day:
    """The stack while it runs.

    Attributes:
        done: what went wrong, and how often.
        database_url: of manager and portfolio; their own servers where it is empty.
    """

    venue: VenueUnderTest
    faults: HttpFaults
    stack: LiveStack
    collector: CollectorProcess
    home: Path
    started: ExitStack
    chance: random.Random
    database_url: str = ""
    manager: Manager | None = None
    portfolio: PortfolioUnderTest | None = None
    done: Counter[str] = field(default_factory=Counter)

    # what goes wrong

    def proxy_killed(self) -> None:
        self.stack.kill()
        self.stack.start()

    def proxy_frozen(self) -> None:
        assert self.stack.process is not None
        self._frozen(self.stack.process.pid, 8.0)

    def venue_frozen(self) -> None:
        port = int(self.venue.url.rpartition(":")[2])
        self._frozen(_listener(port), 6.0)

    def trader_killed(self) -> None:
        assert self.manager is not None
        rows = [row for row in self.manager.traders().values() if row["pid"]]
        if rows:
            os.kill(self.chance.choice(rows)["pid"], signal.SIGKILL)

    def manager_killed(self) -> None:
        assert self.manager is not None
        self.manager.process.kill()
        self.manager.process.wait()
        self.start_manager()

    def portfolio_killed(self) -> None:
        assert self.portfolio is not None
        self.portfolio.process.kill()
        self.portfolio.process.wait()
        self.start_portfolio()

    def collector_killed(self) -> None:
        self.collector.kill()
        port = int(self.collector.url.rpartition(":")[2])
        self.collector = CollectorProcess(
            self.collector.folder, self.venue.url, ",".join(COINS), port=port
        )

    def venue_errs(self) -> None:
        """Errors are answered for a while, and most of what they deny is executed."""
        self.faults.outage = True
        time.sleep(8.0)
        self.faults.outage = False

    def _frozen(self, pid: int, seconds: float) -> None:
        os.kill(pid, signal.SIGSTOP)
        try:
            time.sleep(seconds)
        finally:
            os.kill(pid, signal.SIGCONT)

    # the rest

    @property
    def _database(self) -> dict[str, str]:
        return {"DATABASE_URL": self.database_url} if self.database_url else {}

    def start_manager(self) -> None:
        as_venue = VenueUnderTest("hyperliquid-exchange", self.stack.url, self.stack.folder)
        port = "0" if self.manager is None else self.manager.url.rpartition(":")[2]
        self.manager = self.started.enter_context(
            managing(
                self.home,
                as_venue,
                *("--traders", "traders.yaml"),
                *("--port", port),
                DATA_SERVICE_URL=self.collector.url,
                TRADER_TOKENS_DIR=str(self.stack.folder / "var" / "tokens"),
                TRADER_MANAGER_COLLECTING_PAUSE_S="0.2",
                **self._database,
            )
        )

    def start_portfolio(self) -> None:
        assert self.manager is not None
        self.portfolio = self.started.enter_context(
            serving_portfolio(
                self.home / "portfolio",
                self.manager.url,
                (self.home / "var/tokens/operator.token").read_text().strip(),
                TRADING_URL=self.stack.url,
                DATA_SERVICE_URL=self.collector.url,
                VENUE_TOKEN_FILE=str(self.stack.folder / "var/tokens/operator.token"),
                PORTFOLIO_SERVICE_LIVE="true",
                **self._database,
            )
        )

    def now_ms(self) -> int:
        return int(self.venue.get("/clock")["now_ms"])

    def allow_again(self) -> None:
        """Do what an operator does after each fault that paused what only a person lets go on."""
        fetch(f"{self.stack.url}/safety/resume", {}, self.stack.headers("risk-resume"))
        assert self.manager is not None
        self.manager.ask("POST", "/resume", reason="looked at it")


FAULTS = (
    Day.proxy_killed,
    Day.trader_killed,
    Day.venue_errs,
    Day.collector_killed,
    Day.manager_killed,
    Day.portfolio_killed,
    Day.venue_frozen,
    Day.proxy_frozen,
)


def _listener(port: int) -> int:
    import psutil

    for child in psutil.Process().children():
        if any(at.laddr.port == port for at in child.net_connections() if at.status == "LISTEN"):
            return int(child.pid)
    raise AssertionError(f"nobody listens on {port}")


@asynccontextmanager
async def live_day(
    folder: Path, home: Path, *, speed: float, seed: int, database_url: str = ""
) -> AsyncIterator[Day]:
    """Start everything.

    Args:
        folder: of venue, proxy and collector.
        home: of the manager.
        speed: of the venue's time.
        seed: of chance.
        database_url: of manager and portfolio; their own servers where it is empty.
    """
    names, chance = tuple(TRADERS), random.Random(seed)
    world = venue_world(folder, names)
    options = ("--signatures", "mainnet", "--world", str(world), "--from", str(FROM_MS))
    (folder / "venue").mkdir()
    (folder / "collector").mkdir()
    entries = [
        {"trader_id": name, "strategy": kind, "symbols": list(COINS), "interval": "1m"}
        for name, kind in TRADERS.items()
    ]
    (home / "traders.yaml").write_text(yaml.safe_dump({"traders": entries}))
    with running_venue(folder / "venue", *options, coins=COINS, speed=speed) as venue:
        assert venue.folder is not None
        played = KlineStore(venue.folder / "var" / "data")
        for coin in COINS:
            past = played.read(coin, "1m", None, FROM_MS)
            KlineStore(folder / "collector" / "data").write_bars(Source("hyperliquid"), coin, past)
        collector = CollectorProcess(folder / "collector", venue.url, ",".join(COINS))
        async with http_faults(
            venue.url, {}, seed=seed, late_s=2.0, hold_s=1.5, name_of=cloid_of
        ) as faults:
            traders = [LiveTrader(name, symbols=COINS) for name in names]
            with (
                running_stack(
                    folder,
                    *traders,
                    venue=venue,
                    upstream_url=faults.url,
                    starts=False,
                    settings={"HYPERLIQUID_EXCHANGE_WEIGHT_PER_MINUTE": "1000000"},
                ) as stack,
                ExitStack() as started,
            ):
                await asyncio.to_thread(stack.start)
                day = Day(venue, faults, stack, collector, home, started, chance, database_url)
                await asyncio.to_thread(day.start_manager)
                await asyncio.to_thread(day.start_portfolio)
                try:
                    yield day
                finally:
                    end_traders(home)
                    day.collector.kill()


async def go_through(day: Day, *, hours: float, pause_s: float) -> None:
    """Let it trade for so long, the venue's time, one thing after the other going wrong."""
    assert day.manager is not None
    await asyncio.to_thread(eventually, lambda: all_run(day), limit_s=STARTED_S)
    end_ms = day.now_ms() + int(hours * 60) * MINUTE_MS
    day.faults.shares = dict.fromkeys(LIVE_FAULTS, FAULT_SHARE / len(LIVE_FAULTS))
    number = 0
    while await asyncio.to_thread(day.now_ms) < end_ms:
        await asyncio.sleep(pause_s * (0.5 + day.chance.random()))
        fault = FAULTS[number % len(FAULTS)]
        await asyncio.to_thread(fault, day)
        day.done[fault.__name__] += 1
        number += 1
        await asyncio.sleep(pause_s / 2)
        await asyncio.to_thread(day.allow_again)
    day.faults.heal()
    await day.faults.settle()


def all_run(day: Day) -> bool:
    assert day.manager is not None
    rows = day.manager.traders()
    return {row["status"]["state"] for row in rows.values() if row["status"]} == {"running"} and (
        len(rows) == len(TRADERS)
    )


async def come_to_rest(day: Day) -> None:
    """Have all of them flat and ended."""
    await asyncio.to_thread(eventually, lambda: _flattened(day), limit_s=HEALED_S)
    assert day.manager is not None
    manager = day.manager
    await asyncio.to_thread(manager.ask, "POST", "/stop-all")
    await asyncio.to_thread(
        eventually,
        lambda: {row["actual"] for row in manager.traders().values()} == {"absent"},
        limit_s=HEALED_S,
    )


def _flattened(day: Day) -> bool:
    day.allow_again()
    assert day.manager is not None
    day.manager.ask("POST", "/flatten", reason="the day is over")
    time.sleep(2)
    return not any(_held(day, name) for name in TRADERS)


def _held(day: Day, name: str) -> Any:
    user = day.stack.traders[name].address
    state = day.venue.info("clearinghouseState", user=user)
    return state["assetPositions"] or day.venue.info("openOrders", user=user)


@dataclass(slots=True)
class Books:
    """One trader's books, as the venue has them and as they were recorded.

    Attributes:
        fills: how many.
        problems: where they differ.
    """

    fills: int
    problems: list[str]


def reconciled(day: Day, name: str) -> Books:
    """Hold the venue's books of a trader against themselves, and against what was recorded."""
    user = day.stack.traders[name].address
    fills = _all_fills(day, user)
    funding = day.venue.info("userFunding", user=user, startTime=0)
    state = day.venue.info("clearinghouseState", user=user)
    ledger = day.venue.info("userNonFundingLedgerUpdates", user=user, startTime=0)
    paid_in = sum((Decimal(row["delta"]["usdc"]) for row in ledger), Decimal(0))
    earned = sum((Decimal(row["closedPnl"]) - Decimal(row["fee"]) for row in fills), Decimal(0))
    earned += sum((Decimal(row["delta"]["usdc"]) for row in funding), Decimal(0))
    problems = []
    value = Decimal(state["marginSummary"]["accountValue"])
    if value != paid_in + earned:
        problems.append(f"{name}: the account is worth {value}, its books say {paid_in + earned}")
    assert day.manager is not None
    manager = day.manager
    told = {str(row["tid"]) for row in fills}

    def recorded() -> list[dict[str, Any]]:
        answer = manager.ask("GET", f"/traders/{name}/trades?limit=100000")
        if not answer.is_success:
            print(f"{name}: {answer.status_code} {answer.text}")
            return []
        found: list[dict[str, Any]] = answer.json()["trades"]
        return found

    rows = eventually(recorded, lambda rows: len(rows) >= len(told), limit_s=HEALED_S)
    if {str(row["tid"]) for row in rows} != told:
        problems.append(f"{name}: {len(rows)} fills are recorded, the venue has {len(told)}")
    fees = sum((Decimal(row["fee"]) for row in fills), Decimal(0))
    noted = sum((Decimal(str(row["fee_usd"])) for row in rows), Decimal(0)) if rows else Decimal(0)
    if rows and noted != fees:
        problems.append(f"{name}: fees of {noted} are recorded, the venue took {fees}")
    problems.extend(_shown(day, name, worth=paid_in + earned, earned=earned))
    return Books(len(fills), problems)


def _shown(day: Day, name: str, *, worth: Decimal, earned: Decimal) -> Iterator[str]:
    """Tell where the portfolio shows other money than the venue's books have."""
    assert day.portfolio is not None
    due = {"equity_usd": worth, "pnl": earned, "difference_usd": Decimal(0)}

    def told() -> dict[str, Decimal | None]:
        assert day.portfolio is not None
        row = day.portfolio.traders().get(name, {})
        return {key: None if row.get(key) is None else Decimal(str(row[key])) for key in due}

    with suppress(AssertionError):
        eventually(told, lambda found: found == due, limit_s=HEALED_S)
    if (found := told()) != due:
        yield f"{name}: the portfolio shows {found}, the venue's books are {due}"


def _all_fills(day: Day, user: str) -> Sequence[dict[str, Any]]:
    found: dict[int, dict[str, Any]] = {}
    start_ms = 0
    while True:
        page = day.venue.info("userFillsByTime", user=user, startTime=start_ms)
        fresh = [row for row in page if row["tid"] not in found]
        found.update((row["tid"], row) for row in fresh)
        if not fresh:
            return list(found.values())
        start_ms = page[-1]["time"]
