"""`/api/safety` and `/api/orders`: the switch for all traders at once, and what rests of one."""

import asyncio
from typing import Annotated, Any, Final, Literal, Protocol

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from portfolio_service.application.portfolio import Portfolio
from portfolio_service.application.ports import Command, FleetCommands
from portfolio_service.entrypoint.access import READ, Allowed, Operator, role
from portfolio_service.entrypoint.replies import reply
from suite.addresses import account_address
from suite.errors import BadRequest, NotFound, SuiteError, one_line

Switch = Literal["pause", "stop", "kill", "resume"]
CONFIRMED: Final[dict[Switch, str]] = {"stop": "STOP", "kill": "KILL", "resume": "RESUME"}
"""What a person has to type; a pause costs nothing and needs no word."""
_STEPS: Final[dict[Switch, tuple[Command, ...]]] = {
    "pause": ("pause",),
    "stop": ("stop",),
    "kill": ("flatten", "stop"),
    "resume": ("resume",),
}
ALL: Final = "all"
_AT_ONCE: Final = 8


class VenueSafety(Protocol):
    """The venue, as far as it is asked here."""

    async def safety(self, command: str, body: dict[str, Any]) -> Any:
        """Give a command to the live proxy."""
        ...

    async def open_orders(self, address: str) -> list[dict[str, Any]]:
        """Read what rests of an account."""
        ...


class Pressed(BaseModel):
    """Why the switch is pressed, and what was typed.

    Attributes:
        trader: of the live proxy one, instead of all.
        confirmation: the word; to end a kill of the live proxy, the words that it asks for.
    """

    model_config = ConfigDict(extra="forbid", strict=True)

    trader: Annotated[str, Field(min_length=1, max_length=64)] = ALL
    reason: Annotated[str, Field(max_length=500)] = ""
    confirmation: Annotated[str, Field(max_length=200)] = ""


def make_safety_router(
    portfolio: Portfolio, commands: FleetCommands, venue: VenueSafety, *, live: bool
) -> APIRouter:
    """Make the routes.

    Args:
        portfolio: who there is.
        commands: tells traders.
        venue: the live proxy, which is told instead where `live` is set; also asked for orders.
        live: the venue is the live proxy.
    """
    router = APIRouter(tags=["safety"])

    @router.post("/api/safety/{command}", summary="Pause, stop, kill or resume all traders")
    async def press(command: Switch, body: Pressed, grant: Operator) -> Response:
        reason = body.reason or f"{command} by the {role(grant)}"
        if live and command == "resume":
            words = {"trader": body.trader, "confirmation": body.confirmation}
            return reply({"by": "proxy", "answer": await venue.safety(command, words)})
        word = CONFIRMED.get(command, "")
        if word and body.confirmation != word:
            raise BadRequest(f"to {command} all traders, give confirmation {word!r}")
        if live:
            told = {"trader": body.trader, "reason": reason, "flatten": command == "kill"}
            return reply({"by": "proxy", "answer": await venue.safety(command, told)})
        if body.trader != ALL:
            raise BadRequest("without a live proxy this is for all: see /api/strategy for one")
        return reply({"by": "manager", "traders": await _everybody(command, reason)})

    async def _everybody(command: Switch, reason: str) -> dict[str, str]:
        """Tell each; one that fails holds up nobody else."""
        room = asyncio.Semaphore(_AT_ONCE)

        async def one(trader_id: str) -> str:
            said = []
            for step in _STEPS[command]:
                try:
                    async with room:
                        await commands.tell(trader_id, step, reason=reason)
                except SuiteError as error:
                    said.append(f"{step}: {one_line(str(error))}")
            return "; ".join(said) or "ok"

        names = [one.trader_id for one in portfolio.present]
        return dict(zip(names, await asyncio.gather(*map(one, names)), strict=True))

    @router.get(
        "/api/orders", summary="Resting orders of a trader", dependencies=[Depends(Allowed(READ))]
    )
    async def orders(trader: Annotated[str, Query(description="an id")]) -> Response:
        known = portfolio.traders.get(trader)
        if known is None or known.managed is None:
            raise NotFound(f"there is no trader {trader[:64]!r}")
        address = account_address(known.managed.account or trader)
        return reply({"orders": await venue.open_orders(address)})

    return router
