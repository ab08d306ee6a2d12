"""Traders that come, change and go while the process runs."""

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from strategy_agent.entrypoint.controlled import (
    REASON_LIMIT,
    Body,
    Controlled,
    Operator,
    Reason,
    check_reason,
)
from strategy_core.registry import PLUGIN, problems
from suite.contracts.trader import Check, TradersFileError, TraderSpec, parse_traders
from suite.errors import ConfigError, Unauthorized

_PLACE: Final = re.compile(r"^traders\[[^\]]*\]\.?")
_WORDS: Final = {
    "trader_id": "id",
    "strategy.kind": "type",
    "strategy.params": "params",
    "symbols": "symbol",
}
"""What a request calls a key of `traders.yaml`."""


class NewInstance(BaseModel):
    """A trader to take in: the keys of an entry of `traders.yaml`, three by shorter names.

    Of any type here, so that all mistakes are told at once.
    """

    model_config = ConfigDict(extra="allow")

    id: Any = Field(default=None, description="trader_id of the entry", examples=["sma-2"])
    type: Any = Field(default=None, description="kind of its strategy", examples=["sma_cross"])
    symbol: Any = Field(default=None, description="a coin, or a list", examples=["BTC"])
    params: Any = Field(default_factory=dict, description="of its strategy, an object")
    token: Any = Field(default=None, description="of its account, where TRADER_TOKENS has none")
    reason: Any = Field(default="", description="why, for the journal")


class HostedInstance(Body):
    """A trader that somebody else looks after.

    Attributes:
        entry: of `traders.yaml`; secrets are names.
        secrets: values of those names; nowhere else than in this process, and in no answer.
        token: of its account.
        paused: why it begins PAUSED, for a person to resume; empty where it does not.
        reason: why, for the journal.
    """

    entry: dict[str, Any]
    secrets: dict[str, SecretStr] = Field(default_factory=dict)
    token: SecretStr = SecretStr("")
    paused: Reason = ""
    reason: Reason = ""


class NewSymbol(Body):
    """What an instance shall trade from now on."""

    symbol: str | list[str]
    reason: Reason = ""


class ReasonBody(Body):
    """Why."""

    reason: Reason = ""


def instance_routes(controlled: Controlled) -> APIRouter:
    """Make the routes of instances."""
    router, alpha = APIRouter(), controlled.alpha

    @router.post("/instances", status_code=201, summary="Take a trader in and start it")
    async def add(body: NewInstance, grant: Operator) -> Response:
        entry, spec, found = _read(body)
        if spec is None or found:
            return _refusal(found)
        return await controlled.within(
            lambda: _take_in(controlled, spec, entry=entry, body=body, actor=grant.name)
        )

    @router.delete("/instances/{instance}", summary="Stop a trader and forget it")
    async def remove(
        instance: str,
        grant: Operator,
        reason: Reason = "",
        returns: Annotated[bool, Query(description="it comes back, whatever it holds")] = False,  # noqa: FBT002
    ) -> dict[str, Any]:
        if returns:
            await controlled.within(
                lambda: alpha.release_strategy_instance(instance, actor=grant.name, reason=reason)
            )
            return {"released": instance}
        await controlled.within(
            lambda: alpha.remove_strategy_instance(instance, actor=grant.name, reason=reason)
        )
        return alpha.get_status()

    @router.post(
        "/instances/{instance}/leave",
        summary="Have a trader leave its venue's time when it ends: it does not come back",
    )
    async def leave(
        instance: str, grant: Operator, body: ReasonBody | None = None
    ) -> dict[str, Any]:
        async def mark() -> dict[str, Any]:
            alpha.let_leave(instance, actor=grant.name, reason=body.reason if body else "")
            return {"leaves": instance}

        return await controlled.within(mark)

    @router.put("/instances/{instance}/symbol", summary="Let a trader trade another coin")
    async def set_symbol(instance: str, body: NewSymbol, grant: Operator) -> Response:
        async def change() -> Response:
            changed = alpha.instance(instance)
            await alpha.set_symbol(body.symbol, instance, actor=grant.name, reason=body.reason)
            return JSONResponse(changed.status.as_dict())

        try:
            return await controlled.within(change)
        except TradersFileError as error:
            return _refusal(_in_words_of_the_request(error))

    @router.post(
        "/instances/{instance}/adopt",
        summary="Believe the venue's account where it differs from its own messages",
    )
    async def adopt(instance: str, body: ReasonBody, grant: Operator) -> dict[str, Any]:
        check_reason(body.reason)

        async def believe() -> dict[str, Any]:
            asked = alpha.instance(instance)
            differed = asked.adopt(actor=grant.name, reason=body.reason)
            return {"instance": asked.spec.trader_id, "adopted": list(differed)}

        return await controlled.within(believe)

    return router


def hosting_routes(controlled: Controlled, check: Check) -> APIRouter:
    """Make the route by which somebody who looks after traders puts them here.

    Nothing is asked of the venue: a trader that cannot begin says so in its status, as it would in
    a process of its own.

    Args:
        controlled: what it acts on.
        check: rules for one trader.
    """
    router, alpha = APIRouter(), controlled.alpha

    @router.put("/instances/{instance}", status_code=201, summary="Host a trader, and start it")
    async def host(instance: str, body: HostedInstance, grant: Operator) -> Response:
        env = {name: value.get_secret_value() for name, value in body.secrets.items()}
        entry = {**body.entry, "trader_id": instance}
        try:
            (spec,) = parse_traders({"traders": [entry]}, env, check=check).traders
        except TradersFileError as error:
            return _refusal(list(error.problems))

        async def begin() -> Response:
            added = alpha.add(spec, written=entry)
            if body.token.get_secret_value():  # it connects after this
                controlled.use_token(spec.trader_id, body.token)
            added.note("host", actor=grant.name, reason=body.reason)
            if body.paused:
                added.begin_paused(body.paused)
            alpha.begin(added)
            return JSONResponse(added.status.as_dict(), 201)

        return await controlled.within(begin)

    return router


async def _take_in(
    controlled: Controlled,
    spec: TraderSpec,
    *,
    entry: Mapping[str, Any],
    body: NewInstance,
    actor: str,
) -> Response:
    """Add a trader that could be read, and start it; nothing is changed before all is in order."""
    alpha = controlled.alpha
    try:
        await alpha.check(spec, body.token)
    except TradersFileError as error:
        return _refusal(_in_words_of_the_request(error))
    except Unauthorized as error:
        return _refusal([f"token: {error}"])
    except ConfigError as error:
        return _refusal([str(error)])
    added = alpha.add(spec, written=entry)
    if body.token:  # it connects after this
        controlled.use_token(spec.trader_id, SecretStr(body.token))
    added.note("add", actor=actor, reason=body.reason)
    alpha.begin(added)
    return JSONResponse(added.status.as_dict(), 201)


def _read(body: NewInstance) -> tuple[dict[str, Any], TraderSpec | None, list[str]]:
    """Read a trader.

    Returns:
        The entry of `traders.yaml`, the trader, and all that is wrong.
    """
    given, more = body.model_fields_set, body.model_extra or {}
    found = [f"{key}: unknown key, it is {_TAKEN[key]} here" for key in more if key in _TAKEN]
    entry: dict[str, Any] = {key: value for key, value in more.items() if key not in _TAKEN}
    entry["strategy"] = {"params": body.params} | ({"kind": body.type} if "type" in given else {})
    if "id" in given:
        entry["trader_id"] = body.id
    if "symbol" in given:
        entry["symbols"] = [body.symbol] if isinstance(body.symbol, str) else body.symbol
    if not (body.token is None or (isinstance(body.token, str) and body.token)):
        found.append("token: must be a text")
    if not isinstance(body.reason, str) or len(body.reason) > REASON_LIMIT:
        found.append(f"reason: must be a text of at most {REASON_LIMIT} characters")
    if isinstance(body.type, str) and body.type.startswith(PLUGIN):
        found.append("type: a plugin is code; only the traders file of the process names it")
    try:
        (spec,) = parse_traders({"traders": [entry]}, {}, check=problems).traders
    except TradersFileError as error:
        return entry, None, [*_in_words_of_the_request(error), *found]
    return entry, spec, found


_TAKEN: Final = {"trader_id": "id", "strategy": "type and params", "symbols": "symbol"}


def _refusal(found: Sequence[str]) -> Response:
    """Answer with all that is wrong, a line for each."""
    return PlainTextResponse("\n".join(found), 422)


def _in_words_of_the_request(error: TradersFileError) -> list[str]:
    return [_in_words(problem) for problem in error.problems]


def _in_words(problem: str) -> str:
    place, colon, reason = problem.partition(": ")
    place = _PLACE.sub("", place)
    for theirs, ours in _WORDS.items():
        if place == theirs or place.startswith((f"{theirs}.", f"{theirs}[")):
            place = f"{ours}{place[len(theirs) :]}"
            break
    return f"{place}{colon}{reason}" if place else reason
