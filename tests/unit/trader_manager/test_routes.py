"""What routes take and refuse, before anybody is asked."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from tests.support.scripted_venue import followed

from suite.service.app import install_chassis
from suite.service.tokens import ADMIN, Grant
from trader_manager.entrypoint.board import ANSWERS, make_board_router
from trader_manager.entrypoint.claims import make_router as make_claims_router
from trader_manager.entrypoint.exports import make_export_router
from trader_manager.entrypoint.openapi import describe_with
from trader_manager.entrypoint.records import ANSWERS as RECORDS_ANSWERS
from trader_manager.entrypoint.records import make_records_router
from trader_manager.entrypoint.report import make_report_router
from trader_manager.entrypoint.scheduler import make_scheduler_router
from trader_manager.entrypoint.traders import make_router
from trader_manager.settings import Settings


class NotingManager:
    """Takes every change."""

    def __init__(self) -> None:
        self.changed: list[dict[str, Any]] = []
        self.board = self

    async def change_trader(self, entry: dict[str, Any], *, generation: int) -> Any:
        assert 1 == generation
        self.changed.append(entry)
        return followed("anna")


@pytest.fixture
def manager() -> NotingManager:
    return NotingManager()


@pytest.fixture
async def client(manager: Any, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    app = FastAPI()
    chassis = install_chassis(app, Settings.load(state_dir=tmp_path))
    token = chassis.tokens.issue(Grant(name="operator", scopes=frozenset({ADMIN})))
    app.include_router(make_router(manager, manager, "http://venue"))
    transport, headers = httpx.ASGITransport(app), {"authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(
        transport=transport, base_url="http://localhost", headers=headers
    ) as found:
        yield found


def test_every_route_says_how_it_refuses_and_what_a_query_means(manager: Any) -> None:
    """Also of those whose answers have no type of their own."""
    app = FastAPI()
    app.include_router(make_router(manager, manager, "http://venue"))
    app.include_router(make_board_router(manager))
    app.include_router(make_export_router(manager, manager))
    app.include_router(make_scheduler_router(manager, manager))
    app.include_router(make_claims_router(manager))
    app.include_router(make_report_router(manager))
    app.include_router(make_records_router(manager))
    describe_with(app, {**ANSWERS, **RECORDS_ANSWERS})
    for path, operations in app.openapi()["paths"].items():
        for method, told in operations.items():
            place, statuses = f"{method} {path}", set(told["responses"])
            assert {"401", "403", "503"} <= statuses, place
            assert (method != "get") == ("409" in statuses), place
            names = [one["name"] for one in told.get("parameters", ())]
            assert ("trader_id" not in names) or "404" in statuses, place
            assert ("requestBody" not in told and not names) or "400" in statuses, place
            for one in told.get("parameters", ()):
                assert "path" == one["in"] or one.get("description"), f"{place} {one['name']}"


async def test_a_trader_keeps_its_id(client: httpx.AsyncClient, manager: NotingManager) -> None:
    """An entry of another id is refused, one of none is that of the route."""
    body = {"entry": {"trader_id": "bert", "name": "b"}, "generation": 1}
    reply = await client.put("/traders/anna", json=body)
    assert (400, []) == (reply.status_code, manager.changed)
    assert "entry.trader_id is 'bert', and the route's 'anna'" in reply.text
    for entry in ({}, {"trader_id": "anna"}):
        assert (
            200
            == (
                await client.put("/traders/anna", json={"entry": entry, "generation": 1})
            ).status_code
        )
    assert [{"trader_id": "anna"}] * 2 == manager.changed
