"""`POST /exchange` and `POST /info` in the venue's own dialect."""

import re
from typing import Any, Final

import msgspec
from starlette.exceptions import HTTPException

from suite.contracts.hyperliquid_exchange import Envelope, address
from suite.errors import one_line
from suite.service.faults import NOT_JSON, WRONG_SHAPE
from virtual_exchange.application.exchange.door import Malformed
from virtual_exchange.application.info_request import InfoBody, UnknownRequest
from virtual_exchange.application.session import Session
from virtual_exchange.entrypoint.asgi import SIGNED, Answer, Call, Doc, Route, answer, unprocessable

_ADDRESS: Final = re.compile("(0x)?[0-9a-fA-F]{40}")
_info = msgspec.json.Decoder(InfoBody)


async def exchange(call: Call) -> Answer:
    """`POST /exchange`."""
    session = call.session
    try:
        delivery = session.door.post(call.body)
    except Malformed as error:
        if not error.is_json:
            raise HTTPException(400, NOT_JSON) from None
        raise unprocessable(one_line(f"{WRONG_SHAPE}: {error}")) from None
    return answer(await call.services.mover.arrival(session, delivery))


def read(session: Session, request: InfoBody, caller: int | None) -> Any:
    """Answer an info request, over HTTP or the WebSocket.

    Raises:
        UnknownRequest: the type is unknown, or a field it needs is missing.
    """
    if request.user is not None and _ADDRESS.fullmatch(request.user):
        session.identity.welcome(address(request.user))
    return session.queries.info(request, caller)


async def info(call: Call) -> Answer:
    """`POST /info`."""
    session = call.session
    caller = call.account(session) if call.grant is not None and call.grant.account else None
    try:
        return answer(read(session, call.decode(_info), caller))
    except UnknownRequest as error:
        raise unprocessable(f"{WRONG_SHAPE}: {error}") from None


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
        doc=Doc(
            summary="Read the market and accounts; `user` may be left out with a token",
            request=InfoBody,
            response=Any,
        ),
    ),
)
