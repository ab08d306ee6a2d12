"""`GET /report`: the arena as one page, of what runs at present."""

import asyncio

from fastapi import APIRouter, Depends
from starlette.responses import HTMLResponse

from suite.service.tokens import ADMIN, require
from trader_manager.application.report.from_store import StoredReport
from trader_manager.application.report.page import render_page


def make_report_router(report: StoredReport) -> APIRouter:
    """Make the route; what traders did may be seen by the operator only."""
    router = APIRouter(dependencies=[Depends(require(ADMIN))])
    one_at_a_time = asyncio.Lock()

    @router.get("/report", summary="The arena as one HTML page", response_class=HTMLResponse)
    async def arena() -> HTMLResponse:
        async with one_at_a_time:
            view = await report.view()
            page = await asyncio.to_thread(render_page, view)
        return HTMLResponse(page, headers={"cache-control": "no-store"})

    return router
