"""The sync: the manager is asked each second, and what it says becomes one picture.

Who traders are, what they made, whether services are there, and plans each have a loop of their
own: what is slow or away holds up nothing else.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from portfolio_service.application.answers import AgedTrader, PortfolioAnswer, PortfolioTotals
from portfolio_service.application.broadcasting import Broadcast
from portfolio_service.application.planning import shown_plan
from portfolio_service.application.portfolio import Age, Portfolio
from portfolio_service.application.ports import FleetReads, Memory
from portfolio_service.application.rebalancing import Rebalancer
from portfolio_service.application.services import Alert, Services
from portfolio_service.application.showing import (
    exactly,
    fields_of,
    shown_risk,
    shown_trader,
    totals,
)
from suite.clock import Clock
from suite.contracts.fills import TradeRow
from suite.errors import SuiteError, one_line

SERVICES_S: Final = 5.0
"""Between two looks at the other services."""
BUDGETS_S: Final = 60.0
"""Between two looks at what accounts may still send."""
REMEMBER_S: Final = 15.0
"""Between two times that what is known is kept."""
_ALERTS_MAX: Final = 100


class Sync:
    """Follows the manager.

    Args:
        reads: the manager.
        portfolio: what it says is put into.
        rebalancer: carries plans out.
        services: the others.
        broadcast: tells those who watch.
        memory: keeps what is known, for a start at which the manager is away.
        wall: its time.
        every_s: between two looks.

    Attributes:
        synced_ms: wall time of the last look at the records that was answered.
        trouble: why the last one was not; empty otherwise.
    """

    def __init__(
        self,
        *,
        reads: FleetReads,
        portfolio: Portfolio,
        rebalancer: Rebalancer,
        services: Services,
        broadcast: Broadcast,
        memory: Memory,
        wall: Clock,
        every_s: float,
    ) -> None:
        self._reads = reads
        self._portfolio = portfolio
        self._capital = rebalancer.capital
        self._rebalancer = rebalancer
        self._services = services
        self._broadcast = broadcast
        self._memory = memory
        self._wall = wall
        self._every_s = every_s
        self._fleet_s: float | None = None
        self._records_s: float | None = None
        self._fleet_trouble = ""
        self._records_trouble = "the manager has not answered yet"
        self._points: Mapping[str, list[Any]] = {}
        self.synced_ms: int | None = None
        self.rounds = 0

    @property
    def trouble(self) -> str:
        """Why what is known is no later; empty where it is the present."""
        return self._records_trouble or self._fleet_trouble

    def age(self) -> Age:
        """As of when the picture is."""
        now_s = asyncio.get_running_loop().time()
        return Age(now_s=now_s, fleet_s=self._fleet_s, records_s=self._records_s)

    async def begin(self) -> None:
        """Go on from what is kept.

        Raises:
            SuiteError: the database is away.
        """
        await self._rebalancer.load()
        self._portfolio.recall(await self._memory.recall())

    async def run(self) -> None:
        """Follow for as long as the service runs."""
        async with asyncio.TaskGroup() as loops:
            loops.create_task(self._again(self.look_at_fleet, self._every_s))
            loops.create_task(self._again(self.look_at_records, self._every_s))
            loops.create_task(self._again(self._services.look, SERVICES_S))
            loops.create_task(self._look_at_budgets_always())
            loops.create_task(self._remember_always())
            loops.create_task(self._rebalance())

    async def _again(self, look: Callable[[], Awaitable[None]], every_s: float) -> None:
        clock = asyncio.get_running_loop().time
        due_s = clock()
        while True:
            await look()
            # A look that took long is not made up for.
            due_s = max(due_s + every_s, clock())
            await asyncio.sleep(due_s - clock())

    async def _rebalance(self) -> None:
        try:
            while True:
                self._rebalancer.due.clear()
                await self._rebalancer.turn()
                try:
                    async with asyncio.timeout(self._every_s):
                        await self._rebalancer.due.wait()
                except TimeoutError:
                    continue
        finally:
            await self._rebalancer.close()

    async def _look_at_budgets_always(self) -> None:
        """Ask what accounts may still send, the first time as soon as any is known."""
        while True:
            asked = await self.look_at_budgets()
            await asyncio.sleep(BUDGETS_S if asked else self._every_s)

    async def look_at_budgets(self) -> int:
        """Ask what accounts may still send; how many were asked for."""
        accounts = {
            one.trader_id: one.managed.account
            for one in self._portfolio.present
            if one.managed is not None and one.managed.account
        }
        await self._services.look_at_budgets(accounts)
        return len(accounts)

    async def _remember_always(self) -> None:
        """Keep what is known, the first time as soon as there is anything."""
        while True:
            await asyncio.sleep(self._every_s if self._records_s is None else REMEMBER_S)
            await self.remember()

    async def remember(self) -> None:
        """Keep what is known; a database that is away keeps what it has."""
        if self._records_s is not None:
            with contextlib.suppress(SuiteError):
                await self._memory.remember(self._portfolio.known())

    async def look_at_fleet(self) -> None:
        """Read who traders are, and what they do."""
        begun_s = asyncio.get_running_loop().time()
        try:
            fleet = await self._reads.fleet()
        except SuiteError as error:
            self._fleet_trouble = one_line(str(error))
            self._portfolio.lose_fleet(self._fleet_trouble)
            return
        self._fleet_trouble, self._fleet_s = "", begun_s
        self._portfolio.take_fleet(fleet)

    async def look_at_records(self) -> None:
        """Read what they made, and tell those who watch."""
        fills: dict[str, tuple[TradeRow, ...]] = {}
        more = True
        while more:
            begun_s = asyncio.get_running_loop().time()
            portfolio = self._portfolio
            try:
                records = await self._reads.records(portfolio.world, portfolio.reached())
            except SuiteError as error:
                self._records_trouble = one_line(str(error))
                break
            count = portfolio.take_records(records, begun_s, self._wall.now_ms())
            fills.update(portfolio.new_fills)
            self._records_trouble, self._records_s = "", begun_s
            self.synced_ms = self._wall.now_ms()
            more = records.more and count > 0
        self.rounds += 1
        self._broadcast.publish(self.picture(), self._events(fills))

    def totals(self) -> PortfolioTotals:
        """Sum up."""
        return totals(
            self._portfolio,
            self.age(),
            self._capital.allotments,
            now_ms=self._wall.now_ms(),
            synced_ms=self.synced_ms,
            trouble=self.trouble,
        )

    def answer(self) -> PortfolioAnswer:
        """`GET /api/portfolio`."""
        now_s, age = asyncio.get_running_loop().time(), self.age()
        rows = []
        for _, one in sorted(self._portfolio.traders.items()):
            row = shown_trader(self._portfolio, one, age, self._capital.allotments)
            old_ms = None if one.sample is None else round((now_s - one.seen_s) * 1000)
            rows.append(AgedTrader(**fields_of(row), age_ms=old_ms))
        return PortfolioAnswer(**fields_of(self.totals()), strategies=tuple(rows))

    def picture(self) -> Mapping[str, Any]:
        """All that those see who watch."""
        age, plan = self.age(), self._rebalancer.running
        portfolio = fields_of(self.totals())
        del portfolio["now_ms"], portfolio["synced_ms"]  # they change whatever else does not
        return {
            "portfolio": portfolio,
            "traders": {
                name: fields_of(shown_trader(self._portfolio, one, age, self._capital.allotments))
                for name, one in sorted(self._portfolio.traders.items())
            },
            "risk": {
                n: v for n, v in fields_of(shown_risk(self._portfolio)).items() if n != "traders"
            },
            "plan": None if plan is None else shown_plan(plan),
            "services": [
                {"name": row.name, "url": row.url, "state": row.state, "reason": row.reason}
                for row in self._services.ordered
            ],
            "alerts": self.alerts(),
            "funding": self._services.funding,
            "safety": self._services.safety,
            "drift": self._services.drift,
        }

    def _events(self, fills: Mapping[str, tuple[TradeRow, ...]]) -> Mapping[str, Any]:
        """What is told once: the newest points of curves, and new fills."""
        points = {
            name: [one.curve.last_ms, exactly(one.curve.equity_usd[-1]), one.curve.index[-1]]
            for name, one in self._portfolio.traders.items()
            if one.curve.time_ms
        }
        before = self._points
        self._points = points
        new = {name: point for name, point in points.items() if before.get(name) != point}
        curve = self._portfolio.curve
        if curve.time_ms and (not before or new):
            new[""] = [curve.last_ms, exactly(curve.equity_usd[-1]), curve.index[-1]]
        return {"points": new, "fills": fills, "synced_ms": self.synced_ms}

    def alerts(self) -> list[Alert]:
        """What a person should know now, the worst first."""
        found = list(self._services.alerts())
        checked = self._portfolio.agreement(self.age())
        if not checked.holds:
            away = exactly(checked.traders_usd - checked.accounts_usd)
            found.append(
                Alert(
                    level="critical",
                    source="portfolio",
                    text=f"the sum over traders is {away:f} USD away from that of their accounts",
                )
            )
        troubles = (self.trouble, self._portfolio.trouble, self._rebalancer.trouble)
        found += [Alert(level="critical", source="portfolio", text=why) for why in troubles if why]
        found += [
            Alert(level="warning", source=name, text=why)
            for name, why in self._rebalancer.troubles.items()
        ]
        for one in self._portfolio.present:
            status = one.managed.status if one.managed else None
            if one.flaw:
                text = f"its records cannot be read: {one.flaw}"
                found.append(Alert(level="warning", source=one.trader_id, text=text))
            if one.status == "unknown":
                text = f"unknown: {one.status_reason}"
                found.append(Alert(level="warning", source=one.trader_id, text=text))
            elif status is not None and status.alert:
                found.append(
                    Alert(
                        level="warning",
                        source=one.trader_id,
                        text=status.alert,
                        at_ms=status.alert_ms,
                    )
                )
        level = self._portfolio.risk().overall_risk_level
        if level in {"high", "critical"} and self.synced_ms is not None:
            text = f"the risk of all traders together is {level}"
            found.append(
                Alert(
                    level="critical" if level == "critical" else "warning",
                    source="portfolio",
                    text=text,
                )
            )
        found.sort(key=lambda one: one.level != "critical")
        return found[:_ALERTS_MAX]
