"""`/api/system`, and what the data service says of its store."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query
from starlette.responses import Response

from portfolio_service.application.services import ServiceReads, Services, SystemAnswer
from portfolio_service.application.structure import StructuresAnswer, structures_of
from portfolio_service.application.syncing import Sync
from portfolio_service.entrypoint.access import READ, Allowed
from portfolio_service.entrypoint.replies import raw, reply
from suite.clock import Clock

ANSWERS: Final[dict[tuple[str, str], Any]] = {
    ("GET", "/api/system"): SystemAnswer,
    ("GET", "/api/structures"): StructuresAnswer,
}
_BUDGET: Final = "budget"
_LAST_MS: Final = 4_102_444_800_000  # the year 2100
_Symbol = Annotated[str, Query(description="a coin, in any venue's spelling", max_length=64)]


def make_system_router(
    sync: Sync, services: Services, reads: ServiceReads, wall: Clock
) -> APIRouter:
    """Make the routes."""
    router = APIRouter(tags=["system"], dependencies=[Depends(Allowed(READ))])

    @router.get("/api/system", summary="Services, health, alerts, rate budgets, kill switch")
    async def system() -> Response:
        rows = tuple(services.ordered)
        budgets = {
            row.name: {name: value for name, value in row.detail.items() if _BUDGET in name}
            for row in rows
        }
        budgets["venue"] = {**budgets.get("venue", {}), **services.budgets}
        return reply(
            SystemAnswer(
                now_ms=wall.now_ms(),
                services=rows,
                alerts=tuple(sync.alerts()),
                budgets={name: told for name, told in budgets.items() if told},
                safety=services.safety,
                drift=services.drift,
            )
        )

    @router.get("/api/data/coverage", summary="What is stored of each coin, with its gaps")
    async def coverage() -> Response:
        return raw(await reads.data("coverage", {}))

    @router.get("/api/data/coverage/days", summary="Which share of each day of a coin is stored")
    async def days(symbol: _Symbol) -> Response:
        return raw(await reads.data(f"coverage/{symbol}", {}))

    @router.get("/api/data/collection", summary="What is being collected")
    async def collection() -> Response:
        return raw(await reads.data("collection", {}))

    @router.get("/api/klines", summary="Closed bars of a coin, at most the last 5000")
    async def klines(
        symbol: _Symbol,
        interval: Annotated[str, Query(description="as 1m, 15m, 1h", max_length=8)] = "15m",
        start: Annotated[str | None, Query(description="epoch ms or ISO date")] = None,
        end: Annotated[str | None, Query(description="epoch ms or ISO date")] = None,
    ) -> Response:
        query = {"interval": interval}
        query |= {n: v for n, v in (("start", start), ("end", end)) if v is not None}
        return raw(await reads.data(f"klines/{symbol}", query))

    @router.get("/api/structures", summary="Market structure in sight of closed bars of a coin")
    async def structures(
        symbol: _Symbol,
        start: Annotated[int, Query(description="epoch ms", ge=0, le=_LAST_MS)],
        end: Annotated[int, Query(description="epoch ms", ge=0, le=_LAST_MS)],
        interval: Annotated[str, Query(description="as 1m, 15m, 1h", max_length=8)] = "15m",
    ) -> Response:
        return reply(await structures_of(reads, symbol, interval, start, end))

    return router
