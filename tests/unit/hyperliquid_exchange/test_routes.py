"""Every write says what it needs; nothing answers before the service is open."""

import httpx

from hyperliquid_exchange.main import create_app
from hyperliquid_exchange.settings import Settings
from suite.service.app import undeclared_write_routes
from suite.service.tokens import account_grant


def test_every_write_route_declares_a_scope() -> None:
    assert [] == undeclared_write_routes(create_app(Settings()))


async def test_nothing_is_answered_before_the_service_is_open() -> None:
    app = create_app(Settings())
    token = app.state.chassis.tokens.issue(account_grant("alice"))
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        bare = await client.post("/exchange/order", json={})
        early = await client.post(
            "/exchange/order", json={}, headers={"authorization": f"Bearer {token}"}
        )
        health = await client.get("/health")
    assert [401, 503, 503] == [bare.status_code, early.status_code, health.status_code]
