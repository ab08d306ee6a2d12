"""`POST /exchange` and `POST /info` in the venue's own dialect."""

from typing import Any

import msgspec
from starlette.exceptions import HTTPException

from suite.contracts.hyperliquid_exchange import Envelope
from suite.errors import one_line
from suite.info_weights import items_of, weight
from suite.service.faults import NOT_JSON, WRONG_SHAPE
from virtual_exchange.application.exchange.gateway import Malformed
from virtual_exchange.application.info.request import (
    InfoBody,
    UnknownRequest,
    Unsupported,
    read_body,
)
from virtual_exchange.application.inputs import Post
from virtual_exchange.domain.rate_limits import action_weight
from virtual_exchange.entrypoint.asgi import SIGNED, Answer, Call, Doc, Route, answer, unprocessable


async def exchange(call: Call) -> Answer:
    """`POST /exchange`."""
    session = call.session
    if not call.spend(action_weight(1)):
        return answer(None, status=429)
    try:
        delivery = session.take(Post(body=call.body))
    except Malformed as error:
        if not error.is_json:
            raise HTTPException(400, NOT_JSON) from None
        raise unprocessable(one_line(f"{WRONG_SHAPE}: {error}")) from None
    told = await call.services.scheduler.arrival(session, delivery)
    call.charge(action_weight(_statuses(told)) - action_weight(1))
    return answer(told)


def _statuses(told: Any) -> int:
    """How many orders or cancels an action was about."""
    match told:
        case {"response": {"data": {"statuses": list(statuses)}}}:
            return len(statuses)
    return 1


async def info(call: Call) -> Answer:
    """`POST /info`."""
    session = call.session
    caller = call.account(session) if call.grant is not None and call.grant.account else None
    request = _request(call.body)
    if not call.spend(weight(request.type)):
        return answer(None, status=429)
    try:
        told = session.queries.serve(request, caller)
    except Unsupported:
        return answer(None, status=500)
    except UnknownRequest as error:
        raise unprocessable(f"{WRONG_SHAPE}: {error}") from None
    call.charge(weight(request.type, items_of(told)) - weight(request.type))
    return answer(told)


def _request(body: bytes) -> InfoBody:
    """Read a body.

    Raises:
        HTTPException: 400 when it is not JSON, 422 when it has another shape.
    """
    try:
        return read_body(body)
    except msgspec.ValidationError as error:
        raise unprocessable(one_line(f"{WRONG_SHAPE}: {error}")) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise HTTPException(400, NOT_JSON) from None


ROUTES = (
    Route(
        method="POST",
        path="/exchange",
        handler=exchange,
        scope=SIGNED,
        doc=Doc(
            summary="A signed action, as the venue takes it",
            request=Envelope,
            response=Any,
        ),
    ),
    Route(
        method="POST",
        path="/info",
        handler=info,
        optional_scope="read:account",
        doc=Doc(
            summary="Read the market and accounts; `user` may be left out with a token",
            request=InfoBody,
            response=Any,
        ),
    ),
)
