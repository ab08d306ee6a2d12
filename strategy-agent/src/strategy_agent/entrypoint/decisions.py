"""Decisions from outside of a turn: asked for now, shown only, or carried out as given."""

import asyncio
from typing import Any

import msgspec
from fastapi import APIRouter

from strategy_agent.application.alpha_loop import DEFAULT
from strategy_agent.application.instance import StrategyInstance
from strategy_agent.application.rehearsing import Proposal
from strategy_agent.entrypoint.commands import CommandBody, answer_of
from strategy_agent.entrypoint.controlled import (
    ANSWER_LIMIT_S,
    Body,
    Controlled,
    Operator,
    Reason,
    check_reason,
)
from strategy_core.port import Decision
from suite.errors import BadRequest, SuiteError


class RunOnceBody(CommandBody):
    """Whom to ask for a decision.

    Attributes:
        dry: the decision is shown, and nothing of it carried out.
    """

    dry: bool = False


class DecisionBody(Body):
    """A decision to carry out, as `POST /run-once` with `dry` shows one."""

    decision: dict[str, Any]
    reason: Reason = ""
    instance: str = DEFAULT


def decision_routes(controlled: Controlled, *, slow_s: float) -> APIRouter:
    """Make the routes.

    Args:
        controlled: what they act on.
        slow_s: how long a decision may take.
    """
    router, alpha = APIRouter(), controlled.alpha

    @router.post("/run-once", summary="Decide now; with `dry` the decision is only shown")
    async def run_once(grant: Operator, body: RunOnceBody | None = None) -> dict[str, Any]:
        asked = body or RunOnceBody()

        async def told() -> dict[str, Any]:
            result = alpha.run_once(asked.instance, actor=grant.name, reason=asked.reason)
            return await answer_of(alpha, result)

        async def shown() -> dict[str, Any]:
            chosen = (
                alpha.instances if asked.instance is None else (alpha.instance(asked.instance),)
            )
            found = await asyncio.gather(*map(_preview, chosen))
            return {"traders": dict(found)}

        if not asked.dry:
            return await controlled.within(told)
        return await controlled.within(shown, limit_s=slow_s + ANSWER_LIMIT_S)

    @router.post("/decisions", summary="Carry a decision out, after the guards of every other")
    async def execute(body: DecisionBody, grant: Operator) -> dict[str, Any]:
        check_reason(body.reason)
        decision = _read(body.decision)

        async def told() -> dict[str, Any]:
            asked = alpha.instance(body.instance)
            record = await asked.execute(decision, actor=grant.name, reason=body.reason)
            return {"instance": asked.spec.trader_id, "record": msgspec.to_builtins(record)}

        return await controlled.within(told)

    return router


async def _preview(instance: StrategyInstance) -> tuple[str, dict[str, Any]]:
    """Ask one what it would decide; one that refuses hinders no other."""
    name = instance.spec.trader_id
    try:
        return name, _shown(await instance.preview())
    except SuiteError as error:
        return name, {"refused": str(error)}


def _shown(proposal: Proposal) -> dict[str, Any]:
    record = proposal.record
    return {
        "decision": msgspec.to_builtins(proposal.decision),
        "now_ms": record.now_ms,
        "status": record.status.value,
        "equity": str(record.equity),
        "fault": record.fault,
        "verdicts": msgspec.to_builtins(record.verdicts),
        "sent": msgspec.to_builtins(record.sent),
    }


def _read(given: dict[str, Any]) -> Decision:
    """Read a decision.

    Raises:
        BadRequest: it is none.
    """
    try:
        return msgspec.convert(given, Decision)
    except msgspec.ValidationError as error:
        raise BadRequest(f"decision: {error}") from None
