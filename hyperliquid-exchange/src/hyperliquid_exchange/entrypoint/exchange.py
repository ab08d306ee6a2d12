"""`POST /exchange` in the venue's own dialect."""

from typing import Any

from starlette.exceptions import HTTPException

from hyperliquid_exchange.application.native import Malformed
from hyperliquid_exchange.entrypoint.asgi import Call, Route
from suite.contracts.hyperliquid_exchange import Envelope
from suite.errors import one_line
from suite.service.faults import NOT_JSON, WRONG_SHAPE
from suite.service.raw_routes import Answer, Doc, answer, unprocessable


async def exchange(call: Call) -> Answer:
    """`POST /exchange`."""
    try:
        return answer(await call.services.native.post(call.account, call.body))
    except Malformed as error:
        if not error.is_json:
            raise HTTPException(400, NOT_JSON) from None
        raise unprocessable(one_line(f"{WRONG_SHAPE}: {error}")) from None


ROUTES: tuple[Route, ...] = (
    Route(
        method="POST",
        path="/exchange",
        handler=exchange,
        scope="trade",
        doc=Doc(
            summary="A signed action, checked and sent on, or signed anew",
            request=Envelope,
            response=Any,
        ),
    ),
)
