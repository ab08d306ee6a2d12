"""`GET /drift`: the report that the command `drift` wrote last, whole or its sums."""

from collections.abc import Callable
from typing import Annotated

import msgspec
from fastapi import APIRouter, Depends, Response

from hyperliquid_exchange.entrypoint.services import READ_ALL
from suite.contracts.drift import DriftSums
from suite.errors import Forbidden, NotFound
from suite.service.tokens import ADMIN, Grant, require

_sums = msgspec.json.Decoder(DriftSums)
MayRead = Annotated[Grant, Depends(require(READ_ALL))]


def drift_routes(last: Callable[[], bytes | None]) -> APIRouter:
    """Make the route.

    Args:
        last: reads the report as JSON; None where none was written yet.
    """
    router = APIRouter()

    def read(grant: Grant) -> bytes:
        if grant.account and ADMIN not in grant.scopes:
            raise Forbidden("the report is of all traders: it is for an operator or a reader")
        report = last()
        if report is None:
            raise NotFound("no report was written yet: run hyperliquid-exchange drift")
        return report

    @router.get("/drift", summary="How far live orders were from the model: the last report")
    def drift(grant: MayRead) -> Response:  # in a thread, since it reads a file
        return Response(read(grant), media_type="application/json")

    @router.get("/drift/summary", summary="The sums of the last drift report, by trader")
    def summary(grant: MayRead) -> Response:
        told = msgspec.json.encode(_sums.decode(read(grant)))
        return Response(told, media_type="application/json")

    return router
