"""`/notices`: what is critical and nobody has acknowledged."""

from typing import Any

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict

from suite.notices import Notices
from suite.service.tokens import ADMIN, require


class Acknowledged(BaseModel):
    """What has been seen.

    Attributes:
        number: of the notice; all of them where it is not given.
    """

    model_config = ConfigDict(extra="forbid")

    number: int | None = None


def make_notices_router(notices: Notices) -> APIRouter:
    """Make the routes; the operator's only."""
    router = APIRouter(prefix="/notices", dependencies=[Depends(require(ADMIN))])

    @router.get("", summary="What is critical and not acknowledged, and whether channels work")
    async def show() -> dict[str, Any]:
        rows = [
            {"number": one.number, "kind": one.kind, "text": one.text, "at_ms": one.at_ms}
            for one in notices.unacknowledged
        ]
        return {"unacknowledged": rows, "failing": notices.failing, "dropped": notices.dropped}

    @router.post("/acknowledge", summary="Say that it was seen, so that it is told no more")
    async def acknowledge(body: Acknowledged) -> dict[str, Any]:
        return {"acknowledged": notices.acknowledge(body.number)}

    return router
