"""Every write says what it needs; nothing answers before the service is open."""

import httpx
import msgspec
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from hyperliquid_exchange.entrypoint.examples import EXAMPLES
from hyperliquid_exchange.entrypoint.routes import ROUTES
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


def test_description_has_every_route_with_bodies_that_it_takes() -> None:
    """Each with what it needs, how it refuses, and an example that its own schema allows."""
    described = create_app(Settings()).openapi()
    found = {
        f"{method.upper()} {path}": operation
        for path, methods in described["paths"].items()
        for method, operation in methods.items()
    }
    assert {f"{one.method} {one.path}" for one in ROUTES} <= set(found)
    for level in ("pause", "stop", "kill", "resume", "adopt"):
        assert f"POST /safety/{level}" in found
    tried = 0
    for operation in found.values():
        assert [{"token": []}] == operation["security"]
        assert {"401", "403", "503", "504"} <= set(operation["responses"])
        bodies = [operation.get("requestBody", {}), *operation["responses"].values()]
        for body in bodies:
            content = body.get("content", {}).get("application/json", {})
            if "example" in content:
                whole = content["schema"] | {"components": described["components"]}
                Draft202012Validator(whole).validate(content["example"])
                tried += 1
    assert tried > 15
    assert all(len(found[f"{one.method} {one.path}"]["summary"]) > 5 for one in ROUTES)


def test_examples_are_read_as_the_service_reads_them() -> None:
    """Requests by the types of their routes; no example is of a route that is not there."""
    assert {(one.method, one.path) for one in ROUTES} == set(EXAMPLES)
    for route in ROUTES:
        if route.doc.request is not None:
            sent = msgspec.json.encode(EXAMPLES[route.method, route.path].request)
            msgspec.json.decode(sent, type=route.doc.request)


async def test_page_of_the_description_loads_nothing_from_elsewhere() -> None:
    transport = httpx.ASGITransport(create_app(Settings()))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        page = await client.get("/docs")
        described = await client.get("/openapi.json")
    assert [200, 200] == [page.status_code, described.status_code]
    assert "https://" not in page.text
