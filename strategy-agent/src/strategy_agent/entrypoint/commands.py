"""Commands to traders, each answered with what became of it."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from decimal import Decimal
from functools import partial
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter
from pydantic import Field

from strategy_agent.application.alpha_loop import AlphaLoop, CommandResult
from strategy_agent.entrypoint.controlled import Body, Controlled, Operator, Reason, check_reason
from suite.errors import Conflict, SuiteError

TURN_LIMIT_S: Final = 3.0
"""How long the turn that takes a command is waited for; a command wakes its trader."""
_WORST_FIRST: Final = ("refused", "waiting", "taken")


class CommandBody(Body):
    """Why, and to whom; to all when no instance is named."""

    reason: Reason = ""
    instance: str | None = None


class AllocateBody(Body):
    """How much of its account a trader may use."""

    instance: str
    usd: Annotated[Decimal, Field(strict=False, ge=0, max_digits=18, decimal_places=6)] | None = (
        None
    )
    reason: Reason = ""


class TellBody(Body):
    """One command to several; each answers for itself."""

    command: Literal["start", "pause", "resume", "stop", "flatten", "run-once"]
    instances: Annotated[list[str], Field(max_length=10_000)]
    reason: Reason = ""


def command_routes(controlled: Controlled) -> APIRouter:
    """Make the routes of commands."""
    router, alpha = APIRouter(), controlled.alpha
    acts: dict[str, tuple[str, Callable[..., CommandResult]]] = {
        "start": ("Begin again; out of STOPPED with a reason", alpha.start),
        "pause": ("Take no new risk", alpha.pause),
        "resume": ("Go on; out of STOPPED or a pause by a person with a reason", alpha.resume),
        "stop": ("Decide no more; exits go on until flat", alpha.stop),
        "flatten": ("Close the positions", alpha.flatten),
    }
    for name, (summary, act) in acts.items():
        router.add_api_route(
            f"/{name}",
            _telling(controlled, act, needs_reason=name != "start"),
            methods=["POST"],
            summary=summary,
        )
    several = {name: act for name, (_, act) in acts.items()} | {"run-once": alpha.run_once}

    @router.post("/allocate", summary="Let a trader use so much of its account, or all of it")
    async def allocate(grant: Operator, body: AllocateBody) -> dict[str, Any]:
        async def told() -> dict[str, Any]:
            result = alpha.allocate(
                body.instance, usd=body.usd, actor=grant.name, reason=body.reason
            )
            return await answer_of(alpha, result)

        return await controlled.within(told)

    @router.post("/tell", summary="Tell several traders one thing; the answer is that of each")
    async def tell(grant: Operator, body: TellBody) -> dict[str, Any]:
        if body.command not in {"start", "run-once"}:
            check_reason(body.reason)

        async def told() -> dict[str, Any]:
            act = partial(several[body.command], actor=grant.name, reason=body.reason)
            return {"traders": await _outcomes(alpha, _each(act, body.instances))}

        return await controlled.within(told)

    return router


def _telling(
    controlled: Controlled, act: Callable[..., CommandResult], *, needs_reason: bool
) -> Callable[..., Awaitable[dict[str, Any]]]:
    async def tell(grant: Operator, body: CommandBody | None = None) -> dict[str, Any]:
        asked = body or CommandBody()
        if needs_reason:
            check_reason(asked.reason)

        async def told() -> dict[str, Any]:
            result = act(asked.instance, actor=grant.name, reason=asked.reason)
            return await answer_of(controlled.alpha, result)

        return await controlled.within(told)

    return tell


def _each(act: Callable[[str], CommandResult], names: Iterable[str]) -> CommandResult:
    """Give a command to each, and put the answers together; one that refuses hinders no other."""
    refused: dict[str, str] = {}
    pending: dict[str, asyncio.Future[str]] = {}
    accepted: list[str] = []
    for name in dict.fromkeys(names):
        try:
            result = act(name)
        except SuiteError as error:
            refused[name] = str(error)
        else:
            accepted += result.accepted
            pending |= result.pending
    return CommandResult(accepted=tuple(accepted), refused=refused, pending=pending)


async def answer_of(alpha: AlphaLoop, result: CommandResult) -> dict[str, Any]:
    """Wait for the turns that take a command, and sum up what became of it.

    Raises:
        Conflict: all refused.
    """
    return _answer(await _outcomes(alpha, result))


async def _outcomes(alpha: AlphaLoop, result: CommandResult) -> dict[str, dict[str, str]]:
    """Wait for the turns that take a command; say what became of it, by trader."""
    if result.pending:
        await asyncio.wait(result.pending.values(), timeout=TURN_LIMIT_S)
    found = {name: _said("refused", reason) for name, reason in result.refused.items()}
    for name in result.accepted:
        told = result.pending.get(name)
        if told is None:
            found[name] = _said("taken", alpha.instance(name).status.state)
        elif not told.done():
            retries = alpha.instance(name).status.state == "retrying"
            taker = "try, POST /start makes it now" if retries else "turn, look at GET /status"
            found[name] = _said("waiting", f"it is taken by the next {taker}")
        elif told.cancelled():
            found[name] = _said("refused", "the trader ended before a turn took it")
        elif (fault := told.exception()) is not None:
            found[name] = _said("refused", str(fault))
        else:
            found[name] = _said("taken", told.result())
    return found


def _said(state: str, reason: str) -> dict[str, str]:
    return {"state": state, "reason": reason}


def _answer(found: Mapping[str, dict[str, str]]) -> dict[str, Any]:
    """Sum up the outcomes: the worst one is that of the command.

    Raises:
        Conflict: all refused.
    """
    told = [(name, one["state"], one["reason"]) for name, one in found.items()]
    accepted = [name for name, state, _ in told if state != "refused"]
    told.sort(key=lambda one: _WORST_FIRST.index(one[1]))
    if told and not accepted:
        raise Conflict("; ".join(f"{name}: {reason}" for name, _, reason in told))
    name, state, reason = told[0] if told else ("", "taken", "there are no traders")
    return {
        "accepted": accepted,
        "state": state,
        "reason": reason if len(told) < 2 else f"{name}: {reason}",
        "traders": found,
    }
