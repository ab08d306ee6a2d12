"""Who may say that the venue's account is right."""

from typing import Any, cast

import httpx
import pytest
from fastapi import FastAPI

from hyperliquid_exchange.application.adopting import Adopting
from hyperliquid_exchange.entrypoint.adopting import adopting_routes
from hyperliquid_exchange.entrypoint.safety import PAUSER, RESUMER, trader_grant
from hyperliquid_exchange.settings import Settings
from suite.ids import TraderId
from suite.service.app import install_chassis, undeclared_write_routes
from suite.service.tokens import ADMIN, Grant, TokenStore

ANNA = TraderId("anna")


class Watch:
    """An account that differs."""

    def __init__(self) -> None:
        self.adopted: list[str] = []

    def is_followed(self, trader_id: TraderId) -> bool:
        return trader_id == ANNA

    def differences(self, trader_id: TraderId) -> tuple[str, ...]:
        return (f"position of {trader_id}",)

    def adopt(self, trader_id: TraderId) -> None:
        self.adopted.append(trader_id)


@pytest.mark.parametrize(
    ("who", "body", "status"),
    [
        ("operator", {"trader": "anna", "reason": "looked"}, 200),
        ("operator", {"trader": "carl", "reason": "looked"}, 404),
        ("operator", {"trader": "all", "reason": "looked"}, 404),
        ("operator", {"trader": "anna"}, 422),
        ("operator", {"trader": "anna", "reason": " "}, 400),
        ("anna", {"trader": "anna", "reason": "looked"}, 403),
        ("risk-pause", {"trader": "anna", "reason": "looked"}, 403),
        ("risk-resume", {"trader": "anna", "reason": "looked"}, 403),
        ("nobody", {"trader": "anna", "reason": "looked"}, 401),
    ],
)
async def test_operator_alone_adopts(who: str, body: dict[str, Any], status: int) -> None:
    watch, tokens, app = Watch(), TokenStore(), FastAPI(title="hyperliquid-exchange")
    operator = Grant(name="operator", scopes=frozenset({ADMIN}))
    grants = {one.name: one for one in (operator, PAUSER, RESUMER, trader_grant(ANNA))}
    install_chassis(app, Settings.load(), tokens=tokens)
    adopting = Adopting(cast("Any", {ANNA: None}), cast("Any", watch), lambda _: False)
    app.include_router(adopting_routes(lambda: adopting))
    assert [] == undeclared_write_routes(app)
    headers = {}
    if who in grants:
        headers["authorization"] = f"Bearer {tokens.issue(grants[who])}"
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8200") as client:
        reply = await client.post("/safety/adopt", json=body, headers=headers)
    assert status == reply.status_code, reply.text
    assert ([ANNA] if status == 200 else []) == watch.adopted
    if status == 200:
        assert {"trader": "anna", "adopted": ["position of anna"]} == reply.json()
