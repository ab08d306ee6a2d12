"""The kill ladder over HTTP. Forbidding needs the weakest scope, allowing again its own.

A trader's own token pauses and stops that trader, and nobody else. What a kill answers was done
already: nothing that may add risk leaves after it.
"""

from collections.abc import Callable
from typing import Annotated, Any, Final

import msgspec
from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field

from hyperliquid_exchange.application.safety_control import Done, SafetyControl
from hyperliquid_exchange.domain.clearing import ALL, scope_name
from hyperliquid_exchange.domain.progress import Beat
from hyperliquid_exchange.domain.safety import Level
from suite.errors import Forbidden, one_line
from suite.ids import TraderId
from suite.service.tokens import ADMIN, Grant, account_grant, require

PAUSE: Final = "risk:pause"
RESUME: Final = "risk:resume"
PAUSER: Final = Grant(name="risk-pause", scopes=frozenset({PAUSE}))
"""Forbids, and looks; for components and alarms."""
RESUMER: Final = Grant(name="risk-resume", scopes=frozenset({PAUSE, RESUME}))
"""Ends kills; for one person, and in no other hands."""


def trader_grant(trader_id: TraderId) -> Grant:
    """Make the usual grant of a trader, which may also forbid itself."""
    usual = account_grant(trader_id)
    return Grant(
        name=usual.name, scopes=usual.scopes | {f"{PAUSE}:{trader_id}"}, account=usual.account
    )


class Forbid(BaseModel):
    """Forbid a trader, or all, to add risk."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    trader: str = Field(default=ALL, min_length=1, max_length=64)
    reason: str = Field(default="", max_length=500)
    flatten: bool = False


class Allow(BaseModel):
    """Allow it again."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    trader: str = Field(default=ALL, min_length=1, max_length=64)
    confirmation: str = Field(default="", max_length=200)
    allow_executions: bool = False


May = Annotated[Grant, Depends(require(PAUSE))]
MayResume = Annotated[Grant, Depends(require(RESUME))]


def progress_routes(beat: Callable[[], Beat]) -> APIRouter:
    """Make the route that the watchdog asks.

    Args:
        beat: tells the last one.
    """
    router = APIRouter()

    @router.get("/progress", summary="Proof of progress: a beat, and how far it lags")
    async def progress(grant: May) -> dict[str, Any]:
        del grant
        told: dict[str, Any] = msgspec.to_builtins(beat())
        return told

    return router


def safety_routes(
    control: Callable[[], SafetyControl], watchdog_silent_s: Callable[[], float | None]
) -> APIRouter:
    """Make the routes.

    Args:
        control: tells it once the service is open.
        watchdog_silent_s: seconds since the watchdog got on; None while it never did.
    """
    router = APIRouter(prefix="/safety")

    @router.get("", summary="What is forbidden to whom, why, and what was done about it")
    async def look(grant: May) -> dict[str, Any]:
        told = control().tell(_seen_by(grant))
        return {**told, "watchdog_silent_s": watchdog_silent_s()}

    @router.post("/pause", summary="No new risk; entries are canceled")
    async def pause(grant: May, body: Forbid) -> dict[str, Any]:
        if body.flatten:
            raise Forbidden("a pause keeps positions; stop or kill with flatten")
        return await _forbid(control(), grant, body, Level.PAUSED)

    @router.post("/stop", summary="The same, until a person resumes; positions on request")
    async def stop(grant: May, body: Forbid) -> dict[str, Any]:
        return await _forbid(control(), grant, body, Level.STOPPED)

    @router.post("/kill", summary="Nothing leaves but cancels and a flatten of this service's own")
    async def kill(grant: May, body: Forbid) -> dict[str, Any]:
        return await _forbid(control(), grant, body, Level.KILLED)

    @router.post("/resume", summary="Allow again what was set for a trader, or for all")
    async def resume(grant: MayResume, body: Allow) -> dict[str, Any]:
        scope = control().scope(body.trader)
        cleared = control().allow(
            scope,
            by=grant.name,
            may_end_kill=RESUME in grant.scopes,  # not by being an administrator alone
            words=body.confirmation,
            executions=body.allow_executions,
        )
        names = [f"{cause.level.name} by {cause.by}" for cause in cleared]
        return {"cleared": names, **control().tell(_seen_by(grant))}

    return router


async def _forbid(
    control: SafetyControl, grant: Grant, body: Forbid, level: Level
) -> dict[str, Any]:
    scope = control.scope(body.trader)
    if not (PAUSE in grant.scopes or ADMIN in grant.scopes):
        if scope != grant.account or level is Level.KILLED:
            raise Forbidden("a trader's own token pauses or stops that trader, and nobody else")
        if body.flatten:
            raise Forbidden("closing positions here is for an operator")
    reason = one_line(body.reason) or f"{level.name.lower()} by {grant.name}"
    done = await control.forbid(scope, level, by=grant.name, reason=reason, flatten=body.flatten)
    return {"scope": scope_name(scope), **_told(done), **control.tell(_seen_by(grant))}


def _told(done: Done) -> dict[str, Any]:
    return {"quiet": done.is_quiet, "done": all(one.is_done for one in done.reports)}


def _seen_by(grant: Grant) -> list[TraderId] | None:
    """Tell of whom a token may know."""
    return [TraderId(grant.account)] if grant.account and ADMIN not in grant.scopes else None
