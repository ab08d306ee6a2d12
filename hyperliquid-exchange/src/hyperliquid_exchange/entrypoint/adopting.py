"""`POST /safety/adopt`: an operator has looked, and the venue is right."""

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field

from hyperliquid_exchange.application.adopting import Adopting
from suite.errors import BadRequest, one_line
from suite.service.tokens import ADMIN, Grant, require

Operator = Annotated[Grant, Depends(require(ADMIN))]


class Adopt(BaseModel):
    """Believe the venue's account of a trader, and say why."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    trader: str = Field(min_length=1, max_length=64)
    reason: str = Field(min_length=1, max_length=500)


def adopting_routes(adopting: Callable[[], Adopting]) -> APIRouter:
    """Make the route.

    Args:
        adopting: tells it once the service is open.
    """
    router = APIRouter(prefix="/safety")

    @router.post(
        "/adopt", summary="Believe the venue's account where it differs from its own messages"
    )
    async def adopt(grant: Operator, body: Adopt) -> dict[str, Any]:
        reason = one_line(body.reason).strip()
        if not reason:
            raise BadRequest("reason: say what was looked at")
        return adopting().adopt(body.trader, by=grant.name, reason=reason)

    return router
