"""A rebalance whose service is killed half-way goes on to the very plan that was begun."""

import os
import signal
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.support.manager_process import Manager, managing
from tests.support.portfolio_process import PortfolioUnderTest, serving_portfolio
from tests.support.venue_process import VenueUnderTest, eventually, running_venue

pytestmark = [pytest.mark.process, pytest.mark.slow, pytest.mark.timeout(400)]

NAMES = ("anna", "bert", "carl", "dora")
TRADERS = "traders:\n" + "".join(
    f"  - {{trader_id: {name}, strategy: {{kind: flat}}, symbols: [BTC], interval: 1m}}\n"
    for name in NAMES
)
FIRST = dict(zip(NAMES, (0.3, 0.3, 0.2, 0.1), strict=True))
SECOND = dict(zip(NAMES, (0.1, 0.2, 0.3, 0.3), strict=True))


@pytest.fixture
def venue(tmp_path: Path) -> Iterator[VenueUnderTest]:
    with running_venue(tmp_path / "venue", coins=("BTC",), speed=60) as found:
        yield found


def told(manager: Manager) -> dict[str, Decimal]:
    """What each trader's process says that it may use."""
    rows = manager.traders()
    return {
        name: Decimal(row["status"]["allocation"] or -1)
        for name, row in rows.items()
        if row["status"]
    }


def written(plan: dict[str, Any]) -> dict[str, Decimal]:
    return {name: exact(usd) for name, usd in plan["after"].items()}


def exact(value: float) -> Decimal:
    return Decimal(repr(value)).quantize(Decimal("0.000001"))


def preview(portfolio: PortfolioUnderTest, shares: dict[str, float]) -> dict[str, Any]:
    body = {"shares": shares, "preview": True, "reason": "a test"}
    reply = portfolio.ask("POST", "/api/portfolio/rebalance", body)
    assert 200 == reply.status_code, reply.text
    plan: dict[str, Any] = reply.json()
    assert {"planned"} == {step["status"] for step in plan["steps"]}
    return plan


def run(portfolio: PortfolioUnderTest, plan: dict[str, Any]) -> None:
    body = {"plan_id": plan["plan_id"]}
    assert 200 == portfolio.ask("POST", "/api/portfolio/rebalance", body).status_code


def look(portfolio: PortfolioUnderTest, plan: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = portfolio.get(f"/api/portfolio/rebalance/{plan['plan_id']}")
    return found


def carried_out(portfolio: PortfolioUnderTest, manager: Manager, plan: dict[str, Any]) -> None:
    """The plan is done, as it was, and every trader has what it says."""
    done = eventually(
        lambda: look(portfolio, plan), lambda seen: seen["status"] == "done", limit_s=90
    )
    assert [step["key"] for step in plan["steps"]] == [step["key"] for step in done["steps"]]
    assert written(plan) == written(done)
    eventually(lambda: told(manager), lambda seen: seen == written(plan), limit_s=30)
    given = {
        row["id"]: exact(row["allocation"])
        for row in portfolio.get("/api/portfolio/allocation")["traders"]
    }
    assert written(plan) == given


def refused_when_outdated(
    portfolio: PortfolioUnderTest, manager: Manager, first: dict[str, Any], second: dict[str, Any]
) -> None:
    """What is done is not done again; what was made under other limits is not done at all."""

    def again(plan: dict[str, Any]) -> httpx.Response:
        body = {"plan_id": plan["plan_id"]}
        return portfolio.ask("POST", "/api/portfolio/rebalance", body)

    assert [(200, "done")] * 2 == [
        (reply.status_code, reply.json()["status"]) for reply in (again(second), again(first))
    ]
    carried_out(portfolio, manager, second)
    stale = preview(portfolio, FIRST)
    limits = portfolio.ask("PUT", "/api/portfolio/allocation/limits", {"weight_max": 0.35})
    assert 0.35 == limits.json()["weight_max"]
    refused = again(stale)
    why = f"the plan {stale['plan_id']} is outdated: the limits have changed since"
    assert (409, f"{why}; make another") == (refused.status_code, refused.text)
    carried_out(portfolio, manager, second)


def killed_in(serving: Any, manager: Manager, shares: dict[str, float], place: int) -> None:
    """Kill the service as soon as a step is done, or at once; the next one goes on."""
    with serving() as portfolio:
        eventually(lambda: portfolio.get("/api/portfolio")["sums"]["compared"] == 4, limit_s=60)
        wanted = preview(portfolio, shares)
        run(portfolio, wanted)
        if place:
            eventually(lambda: look(portfolio, wanted)["steps"][place]["status"] == "done")
        portfolio.process.kill()
        portfolio.process.wait(20)
    with serving() as portfolio:
        carried_out(portfolio, manager, wanted)


def test_a_rebalance_killed_half_way_is_resumed_to_the_exact_plan(
    venue: VenueUnderTest, home: Path
) -> None:
    """One trader hangs while it shall give up, so nobody gets more; then the service is killed."""
    (home / "traders.yaml").write_text(TRADERS)
    with managing(home, venue, "--traders", "traders.yaml") as manager:
        token = (home / "var/tokens/operator.token").read_text().strip()

        def serving() -> Any:
            return serving_portfolio(home / "portfolio", manager.url, token)

        eventually(lambda: all(manager.state(name) == "running" for name in NAMES), limit_s=90)
        with serving() as portfolio:
            eventually(lambda: portfolio.get("/api/portfolio")["sums"]["compared"] == 4, limit_s=60)
            first = preview(portfolio, FIRST)
            assert written(first) == {n: Decimal(40_000) * exact(s) for n, s in FIRST.items()}
            run(portfolio, first)
            carried_out(portfolio, manager, first)
            second = preview(portfolio, SECOND)
            assert ["anna", "bert", "carl", "dora"] == [one["trader"] for one in second["steps"]]
            pid = manager.traders()["bert"]["pid"]
            os.kill(pid, signal.SIGSTOP)
            try:
                run(portfolio, second)
                half = eventually(
                    lambda: look(portfolio, second),
                    lambda seen: seen["steps"][1]["status"] == "allotted",
                    limit_s=30,
                )
                assert ["done", "allotted", "planned", "planned"] == [
                    step["status"] for step in half["steps"]
                ]
                body = {"shares": FIRST}
                other = portfolio.ask("POST", "/api/portfolio/rebalance", body)
                assert (409, f"the plan {second['plan_id']} is being carried out") == (
                    other.status_code,
                    other.text,
                )
                portfolio.process.kill()
                portfolio.process.wait(20)
            finally:
                os.kill(pid, signal.SIGCONT)
        eventually(lambda: "bert" in told(manager), limit_s=30)
        before = {**written(first), "anna": written(second)["anna"]}
        assert before == {**told(manager), "bert": before["bert"]}, "nobody has more yet"
        with serving() as portfolio:
            carried_out(portfolio, manager, second)
            refused_when_outdated(portfolio, manager, first, second)
        for place in range(3):
            killed_in(serving, manager, SECOND if place % 2 else FIRST, place)
        with serving() as portfolio:
            assert 0.35 == portfolio.get("/api/portfolio/allocation")["limits"]["weight_max"]
