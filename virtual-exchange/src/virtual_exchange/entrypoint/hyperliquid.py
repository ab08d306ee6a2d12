"""`POST /info` in the venue's own dialect."""

from typing import Any

import msgspec

from suite.service.faults import WRONG_SHAPE
from virtual_exchange.application.info_request import InfoBody, UnknownRequest
from virtual_exchange.entrypoint.asgi import Answer, Call, Doc, Route, answer, unprocessable

_info = msgspec.json.Decoder(InfoBody)


async def info(call: Call) -> Answer:
    """`POST /info`."""
    session = call.session
    caller = call.account(session) if call.grant is not None and call.grant.account else None
    try:
        return answer(session.queries.info(call.decode(_info), caller))
    except UnknownRequest as error:
        raise unprocessable(f"{WRONG_SHAPE}: {error}") from None


ROUTES = (
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
