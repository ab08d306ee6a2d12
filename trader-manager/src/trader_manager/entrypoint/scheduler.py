"""`/scheduler`: rounds of decisions at a cadence; and what a single trader would decide."""

from dataclasses import fields
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field

from suite.service.tokens import ADMIN, require
from trader_manager.application.fleet import TraderManager
from trader_manager.application.schedulers import HighFreqScheduler, Round


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Cadence(_Body):
    """How often.

    Attributes:
        cadence_s: between the beginnings of two rounds, s.
    """

    cadence_s: float


class GivenDecision(_Body):
    """A decision to carry out, as `preview` shows one, and why."""

    decision: dict[str, Any]
    reason: Annotated[str, Field(min_length=1, max_length=500)]


def make_scheduler_router(scheduler: HighFreqScheduler, manager: TraderManager) -> APIRouter:
    """Make the routes; the operator's only."""
    router = APIRouter(dependencies=[Depends(require(ADMIN))])

    @router.get("/scheduler", summary="Whether rounds are done, how often, and the last one")
    async def show() -> dict[str, Any]:
        last = scheduler.rounds(1)
        return {
            "running": scheduler.running,
            "cadence_s": scheduler.cadence_s,
            "last": shown_round(last[0]) if last else None,
        }

    @router.get("/scheduler/rounds", summary="The last rounds, newest first")
    async def rounds(
        limit: Annotated[int, Query(ge=1, le=200, description="the newest so many")] = 20,
    ) -> dict[str, Any]:
        return {"rounds": [shown_round(one) for one in scheduler.rounds(limit)]}

    @router.post("/scheduler/start", summary="Do a round now, and at a cadence from now on")
    async def start(body: Cadence) -> dict[str, Any]:
        scheduler.start(body.cadence_s)
        return {"running": True, "cadence_s": scheduler.cadence_s}

    @router.post("/scheduler/stop", summary="Do no further round")
    async def stop() -> dict[str, Any]:
        await scheduler.stop()
        return {"running": False}

    @router.post("/scheduler/run-once", summary="Do one round now")
    async def run_once() -> dict[str, Any]:
        return shown_round(await scheduler.run_round())

    @router.post("/traders/{trader_id}/preview", summary="What a trader would decide now")
    async def preview(trader_id: str) -> dict[str, Any]:
        return dict(await (await manager.get_trader(trader_id)).get_decision())

    @router.post("/traders/{trader_id}/decisions", summary="Carry a decision out, after its guards")
    async def execute(trader_id: str, body: GivenDecision) -> dict[str, Any]:
        trader = await manager.get_trader(trader_id)
        return dict(await trader.execute_decision(body.decision, reason=body.reason))

    return router


def shown_round(done: Round) -> dict[str, Any]:
    """Show a round."""
    whole = {each.name: getattr(done, each.name) for each in fields(done)}
    return {
        **whole,
        "mids": dict(done.mids),
        "asked": dict(done.asked),
        "rows": msgspec.to_builtins(done.rows),
        "trouble": list(done.trouble),
    }
