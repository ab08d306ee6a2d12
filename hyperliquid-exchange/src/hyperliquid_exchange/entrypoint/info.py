"""`POST /info` in the venue's own dialect, with a trader's token."""

import math
from typing import Any, Final

from starlette.exceptions import HTTPException

from hyperliquid_exchange.application.reads import Malformed
from hyperliquid_exchange.entrypoint.asgi import Call, Route
from suite.contracts.hyperliquid_info import InfoRequest
from suite.errors import one_line
from suite.service.faults import NOT_JSON, WRONG_SHAPE
from suite.service.raw_routes import JSON, Answer, Doc, unprocessable

_TEXT: Final = b"text/plain; charset=utf-8"


async def info(call: Call) -> Answer:
    """`POST /info`: status and body are the venue's."""
    services = call.services
    reader = services.reader(call.grant)
    try:
        told = await services.reads.info(reader, call.body)
    except Malformed as error:
        if not error.is_json:
            raise HTTPException(400, NOT_JSON) from None
        raise unprocessable(one_line(f"{WRONG_SHAPE}: {error}")) from None
    headers: list[tuple[bytes, bytes]] = []
    if told.age_s is not None:
        headers.append((b"age", b"%d" % told.age_s))
    if told.retry_after_s is not None:
        headers.append((b"retry-after", b"%d" % math.ceil(told.retry_after_s)))
    is_json = told.status == 200 or told.body == b"null"
    return Answer(
        body=told.body,
        status=told.status,
        media_type=JSON if is_json else _TEXT,
        headers=tuple(headers),
    )


ROUTES: tuple[Route, ...] = (
    Route(
        method="POST",
        path="/info",
        handler=info,
        scope="read:account",
        doc=Doc(
            summary="Read the market and the token's own account; `user` may be left out",
            request=InfoRequest,
            response=Any,
        ),
    ),
)
