"""The data contract, and what is stored.

All of it reads public market data and is open, as the same routes of the virtual exchange are.
"""

from fastapi import APIRouter, FastAPI, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from data_collector.application.reading import Inventory, Page, Ranges
from data_collector.application.snapshots import Snapshots
from data_collector.entrypoint.queries import KNOWN_QUERY
from data_collector.entrypoint.replies import (
    encoded,
    form_of,
    headers_of,
    json_reply,
    rows_reply,
    tagged,
)
from data_collector.entrypoint.shortcut import Shortcut
from suite.bodies import Encoded
from suite.errors import BadRequest
from suite.moments import parse_range, parse_timestamp
from suite.service.caching import Cache, Version


def add_routes(
    app: FastAPI, inventory: Inventory, ranges: Ranges, snapshots: Snapshots, cache: Cache
) -> None:
    """Serve the routes.

    Args:
        app: the application.
        inventory: what is stored.
        ranges: rows of a range of time.
        snapshots: the market at a moment.
        cache: of pages of bars.
    """
    router = APIRouter(dependencies=[KNOWN_QUERY])

    @router.get("/coverage", summary="What is stored: from, to, bars, gaps, where it came from")
    def get_coverage(request: Request) -> Response:
        return json_reply(request, inventory.coverage())

    @router.get("/coverage/{symbol:path}", summary="Which share of each day of a coin is stored")
    def get_days(request: Request, symbol: str) -> Response:
        return json_reply(request, inventory.days(symbol))

    @router.get("/symbols", summary="The coins that have bars")
    def get_symbols(request: Request) -> Response:
        return json_reply(request, inventory.symbols())

    @router.get("/klines/{symbol:path}", summary="Closed bars, at most the last 5000 of the range")
    async def get_klines(
        request: Request,
        symbol: str,
        interval: str = "1m",
        start: str | None = None,
        end: str | None = None,
    ) -> Response:
        page = await run_in_threadpool(ranges.page, symbol, interval, *_range(start, end))
        form = form_of(request)

        async def version() -> Version:
            return Version(*await run_in_threadpool(ranges.state, page))

        async def made() -> Encoded:
            return await run_in_threadpool(lambda: encoded(ranges.klines(page), form))

        answer = await cache.get(_key(page, form), version, made)
        return tagged(request, answer, media_type=form, headers=headers_of(page.source))

    @router.get("/funding/{symbol:path}", summary="Settled funding, at most the last 5000 stamps")
    def get_funding(
        request: Request, symbol: str, start: str | None = None, end: str | None = None
    ) -> Response:
        return rows_reply(request, ranges.funding(symbol, *_range(start, end)))

    @router.get("/open-interest/{symbol:path}", summary="Open interest, at most the last 5000 rows")
    def get_open_interest(
        request: Request, symbol: str, start: str | None = None, end: str | None = None
    ) -> Response:
        return rows_reply(request, ranges.open_interest(symbol, *_range(start, end)))

    @router.get("/gpt-latest/{symbol:path}", summary="One coin's market at a moment")
    def get_latest(request: Request, symbol: str, timestamp: str | None = None) -> Response:
        try:
            as_of_ms = None if timestamp is None else parse_timestamp(timestamp)
        except ValueError as error:
            raise BadRequest(str(error)) from None
        return tagged(request, snapshots.build(symbol, as_of_ms))

    app.router.routes.insert(0, Shortcut(snapshots, get_latest))
    app.include_router(router)


def _key(page: Page, form: str) -> str:
    asked = (page.source, page.coin, page.interval, page.start_ms, page.end_ms, form)
    return "/".join(("klines", *map(str, asked), *page.stored))


def _range(start: str | None, end: str | None) -> tuple[int | None, int | None]:
    try:
        return parse_range(start, end)
    except ValueError as error:
        raise BadRequest(str(error)) from None
