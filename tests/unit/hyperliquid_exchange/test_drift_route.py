"""The last drift report over HTTP: as it was written, to who may read every account."""

from collections.abc import Callable

import httpx
import msgspec
import pytest
from fastapi import FastAPI

from hyperliquid_exchange.entrypoint.drift import drift_routes
from hyperliquid_exchange.entrypoint.safety import PAUSER
from suite.contracts.drift import DriftSummary
from suite.errors import StorageError
from suite.service.app import install_chassis
from suite.service.settings import ServiceSettings
from suite.service.tokens import ADMIN, Grant, TokenStore, account_grant

GRANTS = {
    "operator": Grant(name="operator", scopes=frozenset({ADMIN})),
    "reader": Grant(name="reader", scopes=frozenset({"read:account"})),
    "pauser": PAUSER,
    "trader": account_grant("anna"),
}
REPORT = b'{"rows": []}\n'
ANNA = DriftSummary(
    trader_id="anna",
    orders=1,
    outcomes={"live_only": 1},
    price_bps_mean=None,
    price_bps_median=None,
    price_bps_worst=None,
    fee_bps_mean=None,
    latency_ms_p50=7,
    latency_ms_p99=7,
    cost_usd="0.0",
)


async def asked(
    who: str, last: Callable[[], bytes | None] = lambda: REPORT, path: str = "/drift"
) -> httpx.Response:
    tokens = TokenStore()
    headers = {name: f"Bearer {tokens.issue(grant)}" for name, grant in GRANTS.items()}
    app = FastAPI(title="drift")
    install_chassis(app, ServiceSettings(), tokens=tokens)
    app.include_router(drift_routes(last))
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        named = {"authorization": headers[who]} if who in headers else {}
        return await client.get(path, headers=named)


@pytest.mark.parametrize(
    ("who", "status"),
    [("operator", 200), ("reader", 200), ("trader", 403), ("pauser", 403), ("nobody", 401)],
)
async def test_who_may_read_the_report(who: str, status: int) -> None:
    """It names every trader, so a trader's own token is not enough."""
    reply = await asked(who)
    assert status == reply.status_code
    assert (reply.content == REPORT) == (status == 200)


async def test_report_is_told_as_it_was_written() -> None:
    reply = await asked("reader")
    assert "application/json" == reply.headers["content-type"]
    assert REPORT == reply.content


async def test_sums_are_told_without_the_orders() -> None:
    """Thousands of orders are no business of who looks every few seconds."""
    sums = {
        "as_of_ms": 2,
        "since_ms": 1,
        "summaries": [msgspec.to_builtins(ANNA)],
        "absent": {"anna": 1},
        "foreign": {},
    }
    report = msgspec.json.encode(sums | {"rows": [{"oid": 1}], "rules": {}})
    for who, status in (("reader", 200), ("trader", 403), ("nobody", 401)):
        reply = await asked(who, lambda: report, "/drift/summary")
        assert status == reply.status_code
        assert status != 200 or sums == reply.json()
    assert 404 == (await asked("reader", lambda: None, "/drift/summary")).status_code


async def test_without_a_report_it_is_said_how_to_make_one() -> None:
    reply = await asked("reader", lambda: None)
    assert 404 == reply.status_code
    assert "hyperliquid-exchange drift" in reply.text


async def test_a_report_that_cannot_be_read_is_an_error_of_the_service() -> None:
    def last() -> bytes | None:
        raise StorageError("cannot read drift.json: Permission denied")

    assert (await asked("reader", last)).status_code >= 500
