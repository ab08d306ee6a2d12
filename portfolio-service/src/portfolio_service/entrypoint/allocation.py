"""`/api/portfolio/allocation`, `/api/portfolio/rebalance` and what traders are told."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from portfolio_service.application.answers import (
    AllocationAnswer,
    AutomaticAnswer,
    LimitsAnswer,
    PlanAnswer,
    Told,
)
from portfolio_service.application.automatic import AutomaticRebalance
from portfolio_service.application.capital import Capital
from portfolio_service.application.planning import shown_allocation, shown_limits, shown_plan
from portfolio_service.application.portfolio import Portfolio
from portfolio_service.application.ports import Command, FleetCommands, PlanStore
from portfolio_service.application.rebalancing import Rebalancer
from portfolio_service.application.syncing import Sync
from portfolio_service.domain.weighing import Method
from portfolio_service.entrypoint.access import READ, Allowed, Operator, role
from portfolio_service.entrypoint.replies import reply
from suite.errors import BadRequest

ANSWERS: Final[dict[tuple[str, str], Any]] = {
    ("GET", "/api/portfolio/allocation"): AllocationAnswer,
    ("PUT", "/api/portfolio/allocation/limits"): LimitsAnswer,
    ("PUT", "/api/portfolio/allocation/automatic"): AutomaticAnswer,
    ("POST", "/api/portfolio/rebalance"): PlanAnswer,
    ("GET", "/api/portfolio/rebalance/{plan_id}"): PlanAnswer,
    ("GET", "/api/portfolio/rebalance"): tuple[PlanAnswer, ...],
    **{
        ("POST", f"/api/strategy/{{trader_id}}/{command}"): Told
        for command in ("pause", "resume", "stop", "flatten", "start")
    },
}
_COMMANDS: Final[dict[Command, str]] = {
    "pause": "Let a trader take no new risk",
    "resume": "Let a trader go on",
    "stop": "Want a trader not to run",
    "flatten": "Close a trader's positions",
    "start": "Want a trader to run",
}
Reason = Annotated[str, Field(max_length=500)]
_Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class NewLimits(_Body):
    """Limits as they shall be; what is not given stays.

    Attributes:
        weight_max: share of the capital that one trader may have at most.
        reserve_min: share that nobody has.
        drawdown_stop: fall from its highest at which a trader gets nothing.
        method: of shares, where none is named.
    """

    weight_max: Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)] | None = None
    reserve_min: Annotated[float, Field(ge=0, lt=1, allow_inf_nan=False)] | None = None
    drawdown_stop: Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)] | None = None
    method: Method | None = None


class NewAutomatic(_Body):
    """When plans are made and run without anybody asking.

    Attributes:
        daily_at: time of day, `HH:MM` UTC; null for not daily.
        on_change: when a trader joins or leaves.
    """

    daily_at: Annotated[str, Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")] | None
    on_change: bool


class Rebalance(_Body):
    """What shall be shared out how, or which plan is to be run.

    Attributes:
        plan_id: of a preview, to be carried out.
        method: that gives the shares.
        shares: of the capital by trader, instead; who is not among them gets nothing.
        preview: think it through, and do nothing.
    """

    plan_id: Annotated[str, Field(max_length=64)] | None = None
    method: Method | None = None
    shares: dict[str, _Share] | None = None
    preview: bool = False
    reason: Reason = ""


class Because(_Body):
    """Why a command is given."""

    reason: Reason = ""


def make_allocation_router(
    sync: Sync,
    portfolio: Portfolio,
    capital: Capital,
    rebalancer: Rebalancer,
    plans: PlanStore,
    automatic: AutomaticRebalance,
) -> APIRouter:
    """Make the routes of allocations and of rebalances."""
    router = APIRouter(tags=["allocation"])
    reads = [Depends(Allowed(READ))]

    @router.get("/api/portfolio/allocation", summary="Who may use how much", dependencies=reads)
    async def allocation() -> Response:
        return reply(shown_allocation(portfolio, capital, rebalancer, automatic.answer()))

    @router.put("/api/portfolio/allocation/limits", summary="Bound allocations otherwise")
    async def limits(body: NewLimits, _grant: Operator) -> Response:
        changed = await capital.change_limits(
            method=body.method,
            weight_max=body.weight_max,
            reserve_min=body.reserve_min,
            drawdown_stop=body.drawdown_stop,
        )
        return reply(shown_limits(changed))

    @router.put(
        "/api/portfolio/allocation/automatic", summary="Have plans made and run by themselves"
    )
    async def change_automatic(body: NewAutomatic, _grant: Operator) -> Response:
        minute = None
        if body.daily_at is not None:
            hours, minutes = body.daily_at.split(":")
            minute = 60 * int(hours) + int(minutes)
        await automatic.change(daily_at=minute, on_change=body.on_change)
        return reply(automatic.answer())

    @router.post(
        "/api/portfolio/rebalance", summary="Think a rebalance through, or carry a plan out"
    )
    async def rebalance(body: Rebalance, grant: Operator) -> Response:
        if body.plan_id is not None:
            if body.preview or body.method is not None or body.shares is not None:
                raise BadRequest("a plan_id is run as it is: give nothing else with it")
            return reply(shown_plan(await rebalancer.run(body.plan_id)))
        stored = await capital.preview(
            sync.age(),
            method=body.method,
            shares=body.shares,
            reason=body.reason,
            actor=role(grant),
        )
        if not body.preview:
            stored = await rebalancer.run(stored.plan.plan_id)
        return reply(shown_plan(stored))

    @router.get("/api/portfolio/rebalance", summary="The newest plans", dependencies=reads)
    async def newest() -> Response:
        return reply([shown_plan(one) for one in await plans.list_plans(20)])

    @router.get(
        "/api/portfolio/rebalance/{plan_id}", summary="How far a plan is", dependencies=reads
    )
    async def progress(plan_id: str) -> Response:
        return reply(shown_plan(await rebalancer.look(plan_id)))

    return router


def make_commands_router(commands: FleetCommands) -> APIRouter:
    """Make the routes that tell traders something; all of it is handed on to the manager."""
    router = APIRouter(tags=["traders"])

    def add(command: Command, summary: str) -> None:
        @router.post(
            f"/api/strategy/{{trader_id}}/{command}",
            operation_id=f"{command}_strategy",
            summary=summary,
        )
        async def tell(trader_id: str, grant: Operator, body: Because | None = None) -> Response:
            reason = (body or Because()).reason or f"told by the {role(grant)}"
            result = await commands.tell(trader_id, command, reason=reason)
            return reply(Told(trader=trader_id, command=command, result=dict(result)))

    for command, summary in _COMMANDS.items():
        add(command, summary)
    return router
