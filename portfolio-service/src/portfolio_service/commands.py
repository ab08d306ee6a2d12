"""What the command `rebalance` says and does, as a client of the running service."""

import time
from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import quote

import httpx
from rich.console import Console
from rich.table import Table

from portfolio_service.settings import Settings
from suite.errors import BadRequest, ConfigError, Conflict, UpstreamUnavailable, one_line
from suite.service.http import bearer
from suite.service.statuses import fault_of
from suite.service.token_file import read_token

_PAUSE_S: Final = 0.5
_WAIT_S: Final = 120.0
_PATH: Final = "/api/portfolio/rebalance"


class PortfolioClient:
    """The service, with the operator's token of its own state.

    Args:
        settings: name its address where none is given, and its state.
        url: its address.

    Raises:
        ConfigError: there is no token.
    """

    def __init__(self, settings: Settings, url: str | None) -> None:
        token = read_token(settings.state_dir / "tokens", "operator")
        if not token:
            where = settings.state_dir / "tokens" / "operator.token"
            raise ConfigError(f"{where} is not there: run this where the portfolio-service runs")
        self.url = url or f"http://127.0.0.1:{settings.port}"
        self._headers = bearer(token)

    def rebalance(self, body: dict[str, Any]) -> dict[str, Any]:
        """`POST /api/portfolio/rebalance`; what is None is not given."""
        given = {name: value for name, value in body.items() if value is not None}
        return self._ask("POST", _PATH, json=given)

    def look(self, plan_id: str) -> dict[str, Any]:
        """`GET /api/portfolio/rebalance/{plan_id}`."""
        return self._ask("GET", f"{_PATH}/{quote(plan_id, safe='')}")

    def _ask(self, method: str, path: str, **more: Any) -> dict[str, Any]:
        try:
            reply = httpx.request(
                method, self.url + path, headers=self._headers, timeout=30, trust_env=False, **more
            )
        except httpx.HTTPError as error:
            text = f"the portfolio-service at {self.url} cannot be reached: {error}"
            raise UpstreamUnavailable(one_line(text)) from None
        if reply.is_error:
            raise fault_of(reply.status_code)(one_line(reply.text))
        found: dict[str, Any] = reply.json()
        return found


def shares_of(given: Sequence[str]) -> dict[str, float] | None:
    """Read `id=share` each; None for none.

    Raises:
        BadRequest: one is not of that form.
    """
    shares = {}
    for text in given:
        name, equals, number = text.partition("=")
        try:
            shares[name.strip()] = float(number)
        except ValueError:
            equals = ""
        if not equals or not name.strip():
            raise BadRequest(f"not a share: {text[:60]!r}; write --share anna=0.25")
    return shares or None


def show(plan: dict[str, Any]) -> None:
    """Print a plan."""
    console = Console()
    table = Table("step", "trader", "from USD", "to USD", "is")
    for step in plan["steps"]:
        before = "all of its account" if step["from_usd"] is None else f"{step['from_usd']:,.6f}"
        table.add_row(
            str(step["number"]), step["trader"], before, f"{step['to_usd']:,.6f}", step["status"]
        )
    console.print(table)
    console.print(
        f"plan {plan['plan_id']}, {plan['status']}: of {plan['total_capital']:,.6f} USD,"
        f" {plan['reserve_after']:,.6f} stay in reserve",
        soft_wrap=True,
    )
    for note in (*plan["notes"], *(f"{n} is left: {why}" for n, why in plan["left"].items())):
        console.print(f"note: {note}", soft_wrap=True)
    for one in plan["transfers"]:
        console.print(
            f"to be transferred by a person: {one['usd']:,.6f} USD from {one['from_trader']} to"
            f" {one['to_trader']}",
            soft_wrap=True,
        )


def carry_out(client: PortfolioClient, plan_id: str) -> None:
    """Wait until a plan is done.

    Raises:
        Conflict: it waits for somebody for too long; it goes on without us.
    """
    waited = 0.0
    while (plan := client.look(plan_id))["status"] == "running":
        if waited >= _WAIT_S:
            raise Conflict(f"the plan {plan_id} goes on, and is not done yet: {plan['note']}")
        time.sleep(_PAUSE_S)
        waited += _PAUSE_S
    Console().print(f"plan {plan_id} is {plan['status']}", soft_wrap=True)
