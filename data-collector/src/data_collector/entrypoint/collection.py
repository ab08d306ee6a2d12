"""What is collected: status, start and stop; and the same as the first collectors had it.

Who starts or stops something needs the operator's token, also where the address is an old one that
changes something on GET.
"""

from collections.abc import Mapping
from typing import Final

import msgspec
from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from data_collector.application.ports import Collection
from data_collector.application.reading import coin_asked
from data_collector.entrypoint.queries import KNOWN_QUERY
from data_collector.entrypoint.replies import json_reply
from suite.bars import INTERVAL_MS, MINUTE_MS
from suite.contracts.market_data import Collected, CollectionResult, CollectionStarted
from suite.errors import BadRequest, Conflict, NotFound
from suite.service.tokens import ADMIN, Grant, require

OPERATOR: Final = Grant(name="operator", scopes=frozenset({ADMIN}))
_BY_NAME: Final = {name: name for name in INTERVAL_MS}
_BY_MINUTES: Final = {str(length // MINUTE_MS): name for name, length in INTERVAL_MS.items()}


def make_router(collection: Collection | None) -> APIRouter:
    """Make the routes.

    Args:
        collection: None where nothing is collected.
    """
    router = APIRouter()

    def live() -> Collection:
        if collection is None:
            raise Conflict("this service does not collect; start it with --collect VENUE")
        return collection

    controls = [Depends(live), Depends(require(ADMIN)), KNOWN_QUERY]

    @router.get(
        "/collection", summary="What is collected, and how it goes", dependencies=[KNOWN_QUERY]
    )
    async def get_collection(request: Request) -> Response:
        return json_reply(request, rows_of(collection) if collection else [])

    @router.post("/collection/{symbol:path}", summary="Collect a coin", dependencies=controls)
    async def start(request: Request, symbol: str, intervals: str = "1m") -> Response:
        coin = coin_asked(symbol)
        live().start(coin, _listed(intervals, _BY_NAME))
        return json_reply(request, rows_of(live(), coin))

    @router.delete(
        "/collection/{symbol:path}", summary="Collect a coin no longer", dependencies=controls
    )
    async def stop(request: Request, symbol: str) -> Response:
        coin = coin_asked(symbol)
        live().stop(coin)
        return json_reply(request, rows_of(live(), coin))

    @router.get(
        "/start-collection/{symbol:path}",
        summary="Collect a coin; intervals in minutes",
        dependencies=controls,
    )
    async def start_task(
        request: Request, symbol: str, intervals: str = "15,60,240,1440"
    ) -> Response:
        coin, names = coin_asked(symbol), _listed(intervals, _BY_MINUTES)
        live().start(coin, names)
        answer = CollectionStarted(
            message=f"collecting {coin}",
            intervals=[INTERVAL_MS[name] // MINUTE_MS for name in names],
            task_id="-".join((coin, *names)),
        )
        return json_reply(request, answer)

    @router.get(
        "/task-result/{task_id}",
        summary="Whether a collection has brought its first bars",
        dependencies=[KNOWN_QUERY],
    )
    async def get_task(request: Request, task_id: str) -> Response:
        coin, *names = task_id.split("-")
        rows = [row for row in rows_of(live(), coin) if row.interval in names]
        if not rows or {row.interval for row in rows} != set(names):
            raise NotFound(f"no such task, or what it began was stopped: {task_id[:80]}")
        done = all(row.last_bar_ms is not None for row in rows)
        result = CollectionResult(state="SUCCESS" if done else "PENDING", result=rows)
        return json_reply(request, result)

    return router


def rows_of(collection: Collection, coin: str | None = None) -> list[Collected]:
    """Take the status of one coin, or of all."""
    rows = msgspec.convert(collection.status(), list[Collected])
    return [row for row in rows if coin in {None, row.coin}]


def _listed(intervals: str, known: Mapping[str, str]) -> list[str]:
    """Read `1m,15m` or `15,60` as names of intervals, shortest first.

    Raises:
        BadRequest: one is unknown, or none is named.
    """
    asked = {text.strip() for text in intervals.split(",")}
    unknown = sorted(asked - known.keys())
    if unknown:
        raise BadRequest(f"unknown interval {unknown[0][:10]!r}; there are {', '.join(known)}")
    return [name for text, name in known.items() if text in asked]
