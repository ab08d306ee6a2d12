"""A live stack whose database goes: what goes on, what waits, and what is there afterwards."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tests.support.database_gate import DatabaseGate, gate_to
from tests.support.live_day import STARTED_S, TRADERS, Day, all_run, live_day
from tests.support.live_stack import fetch
from tests.support.manager_process import lives
from tests.support.portfolio_process import PortfolioUnderTest
from tests.support.venue_process import eventually

from suite.service.postgres import EmbeddedPostgres

PATIENCE_S = 60.0
STOPPED = "cross"
"""Who is stopped and closed while the database is away."""


@asynccontextmanager
async def day_with_database(
    folder: Path, home: Path, *, speed: float, seed: int
) -> AsyncIterator[tuple[Day, DatabaseGate]]:
    """Start the stack with a database behind a door; all of its traders run."""
    server = EmbeddedPostgres(home / "server")
    await asyncio.to_thread(server.start)
    try:
        async with gate_to(server.url) as gate:
            opened = live_day(folder, home, speed=speed, seed=seed, database_url=gate.url)
            async with opened as day:
                await asyncio.to_thread(eventually, lambda: all_run(day), limit_s=STARTED_S)
                yield day, gate
    finally:
        await asyncio.to_thread(server.stop)
        await asyncio.to_thread(server.close)


def fills(day: Day) -> int:
    """Count what the venue has filled so far, the newest page of each trader."""
    return sum(
        len(day.venue.info("userFills", user=day.stack.traders[name].address)) for name in TRADERS
    )


def lose_it(day: Day, gate: DatabaseGate, seconds: float = 0.0) -> int:
    """Take the database away, and look at everything; how many fills there were meanwhile.

    Args:
        day: of the stack.
        gate: to the database.
        seconds: for which it is away at the least.
    """
    assert day.manager is not None
    assert day.portfolio is not None
    portfolio, end_s = day.portfolio.url, time.monotonic() + seconds
    pids = [row["pid"] for row in day.manager.traders().values()]
    gate.shut()
    before = fills(day)
    told = eventually(lambda: _health(day.manager.url), lambda one: one[0] == 503, PATIENCE_S)  # type: ignore[union-attr]
    assert "database" in told[1]
    for method, path in (("POST", "/traders/cross/start"), ("POST", "/start-all")):
        refused = day.manager.ask(method, path)
        assert refused.status_code in {503, 504}, (path, refused.status_code, refused.text)
        assert refused.text.startswith("the database cannot be used at present: "), refused.text
        assert "\n" not in refused.text.rstrip()
    eventually(lambda: fills(day) > before, limit_s=PATIENCE_S)
    _stop(day)
    eventually(lambda: _health(portfolio)[0] == 503, limit_s=PATIENCE_S)
    _shown(day.portfolio)
    eventually(lambda: time.monotonic() > end_s, limit_s=seconds + PATIENCE_S)
    assert all(lives(pid) for pid in pids)
    return fills(day) - before


def _stop(day: Day) -> None:
    """Stop and flatten one trader at the proxy; then let it go on."""
    operator = day.stack.headers("operator")
    body = {"trader": STOPPED, "reason": "the database is away", "flatten": True}
    status, text = fetch(f"{day.stack.url}/safety/stop", body, operator)
    assert status == 200, text
    user = day.stack.traders[STOPPED].address

    def rests() -> Any:
        state = day.venue.info("clearinghouseState", user=user)
        return state["assetPositions"] or day.venue.info("openOrders", user=user)

    eventually(lambda: not rests(), limit_s=PATIENCE_S)
    status, text = fetch(f"{day.stack.url}/safety/resume", {"trader": STOPPED}, operator)
    assert status == 200, text


def _shown(portfolio: PortfolioUnderTest) -> None:
    """What is shown is that of before, and one line says why it is no later."""
    assert TRADERS.keys() == portfolio.traders().keys()
    trouble = portfolio.get("/api/portfolio")["trouble"]
    assert "the database" in trouble
    assert "\n" not in trouble
    alerts = portfolio.get("/api/system")["alerts"]
    assert any("the database" in one["text"] for one in alerts if one["level"] == "critical")


def back_to_normal(day: Day) -> None:
    """Wait until manager and portfolio say that all is well."""
    assert day.manager is not None
    assert day.portfolio is not None
    for url in (day.manager.url, day.portfolio.url):
        eventually(lambda: _health(url)[0] == 200, limit_s=PATIENCE_S)  # noqa: B023


def _health(url: str) -> tuple[int, str]:
    return fetch(f"{url}/ready")
