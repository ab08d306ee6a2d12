"""`/api/portfolio`, risk, equity, funding, and what traders did."""

import asyncio
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response, StreamingResponse

from portfolio_service.application.answers import (
    CurvesAnswer,
    FillsAnswer,
    FundingRow,
    PortfolioAnswer,
    RisksAnswer,
)
from portfolio_service.application.broadcasting import Broadcast
from portfolio_service.application.portfolio import Portfolio
from portfolio_service.application.records import TradersRecords
from portfolio_service.application.services import Services
from portfolio_service.application.showing import shown_curve, shown_risk
from portfolio_service.application.syncing import Sync
from portfolio_service.entrypoint.access import READ, Allowed, still_allowed
from portfolio_service.entrypoint.replies import raw, reply
from suite.contracts.trader import near
from suite.errors import BadRequest, NotFound, UpstreamUnavailable
from suite.moments import parse_moment

ANSWERS: Final[dict[tuple[str, str], Any]] = {
    ("GET", "/api/portfolio"): PortfolioAnswer,
    ("GET", "/api/risk-indicators"): RisksAnswer,
    ("GET", "/api/equity"): CurvesAnswer,
    ("GET", "/api/trades"): FillsAnswer,
    ("GET", "/api/funding-rates"): tuple[FundingRow, ...],
}
_QUIET_S: Final = 15.0
_MEDIA: Final = {
    "csv": "text/csv; charset=utf-8",
    "parquet": "application/vnd.apache.parquet",
}
Trader = Annotated[str | None, Query(description="an id; all when not given")]
Since = Annotated[
    str | None, Query(description="from then on: ISO date, UTC, or epoch ms of the venue's time")
]


def make_portfolio_router(
    sync: Sync, portfolio: Portfolio, services: Services, records: TradersRecords
) -> APIRouter:
    """Make the routes that read."""
    router = APIRouter(tags=["portfolio"], dependencies=[Depends(Allowed(READ))])

    @router.get("/api/portfolio", summary="All traders, what they made, and the sums")
    async def read_portfolio() -> Response:
        return reply(sync.answer())

    @router.get("/api/risk-indicators", summary="Liquidation buffer, inventory drift, drawdown")
    async def risk() -> Response:
        return reply(shown_risk(portfolio))

    @router.get("/api/funding-rates", summary="Funding of each coin, and whom it favors")
    async def funding() -> Response:
        if services.funding_trouble and not services.funding:
            raise UpstreamUnavailable(services.funding_trouble)
        return reply(services.funding)

    @router.get("/api/equity", summary="Curves of all together and of each, thinned to a screen")
    async def equity(
        points: Annotated[int, Query(ge=8, le=10_000, description="of a curve, at most")] = 500,
        trader: Trader = None,
        since: Since = None,
    ) -> Response:
        since_ms = _moment(since)
        names = _known(portfolio, trader)
        curves = {name: portfolio.traders[name].curve.points() for name in names}
        whole, moment = portfolio.curve.points(), (portfolio.world, portfolio.venue_ms)

        def shown() -> Response:
            return reply(
                CurvesAnswer(
                    world=moment[0],
                    venue_ms=moment[1],
                    portfolio=shown_curve(whole, points, since_ms),
                    traders={
                        name: shown_curve(curve, points, since_ms) for name, curve in curves.items()
                    },
                )
            )

        # Choosing points of many long curves takes a while: others are answered meanwhile.
        return await asyncio.to_thread(shown)

    _add_records(router, portfolio, records)
    _add_export(router, portfolio, records)
    return router


def _add_records(router: APIRouter, portfolio: Portfolio, records: TradersRecords) -> None:
    @router.get("/api/trades", summary="Fills, newest first; of all traders the latest of each")
    async def trades(
        trader: Trader = None,
        since: Since = None,
        limit: Annotated[int, Query(ge=1, le=10_000, description="at most so many")] = 500,
    ) -> Response:
        _known(portfolio, trader)
        return reply(FillsAnswer(trades=await records.trades(trader, _moment(since), limit)))

    @router.get("/api/decisions", summary="Decisions with verdicts, newest first")
    async def decisions(
        trader: Trader = None,
        limit: Annotated[int, Query(ge=1, le=200, description="at most so many")] = 50,
        before: Annotated[
            int | None, Query(ge=1, description="of one trader: those of a lower number only")
        ] = None,
    ) -> Response:
        if trader is None and before is not None:
            raise BadRequest("before needs a trader: numbers are each trader's own")
        _known(portfolio, trader)
        return reply({"decisions": await records.decisions(trader, limit, before)})

    @router.get("/api/leaderboard", summary="The leaderboard, with intervals and ties")
    async def leaderboard() -> Response:
        return raw(await records.leaderboard())


def _add_export(router: APIRouter, portfolio: Portfolio, records: TradersRecords) -> None:
    @router.get(
        "/api/export",
        summary="What is known as a file, CSV or Parquet",
        response_class=StreamingResponse,
        responses={
            200: {
                "content": {
                    media: {"schema": {"type": "string", "format": "binary"}}
                    for media in _MEDIA.values()
                }
            }
        },
    )
    async def export(
        kind: Annotated[
            Literal["portfolio", "equity", "trades", "decisions"],
            Query(description="a row for each trader as it is now, samples, fills, or decisions"),
        ],
        form: Annotated[Literal["csv", "parquet"], Query(description="of the file")] = "csv",
        trader: Trader = None,
    ) -> StreamingResponse:
        names = _known(portfolio, trader)
        pieces = records.export(kind, form, trader, names)
        # The first piece is read before the answer begins: a manager that is away is told.
        first = await anext(pieces, b"")

        async def whole() -> Any:
            yield first
            async for piece in pieces:
                yield piece

        name = f"{portfolio.world or 'portfolio'}-{trader or 'all'}-{kind}.{form}"
        return StreamingResponse(
            whole(),
            media_type=_MEDIA[form],
            headers={"content-disposition": f'attachment; filename="{name}"'},
        )


def make_stream_router(broadcast: Broadcast) -> APIRouter:
    """Make the route that pushes."""
    router = APIRouter(tags=["portfolio"], dependencies=[Depends(Allowed(READ))])

    @router.get(
        "/api/stream",
        summary="Server-sent events: `snapshot`, then `changes`",
        response_class=StreamingResponse,
        responses={200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}},
    )
    async def stream(request: Request) -> StreamingResponse:
        async def events() -> Any:
            async for message in broadcast.listen(quiet_s=_QUIET_S):
                if not still_allowed(request):
                    return
                yield message

        return StreamingResponse(
            events(),
            media_type="text/event-stream",
            headers={"cache-control": "no-store", "x-accel-buffering": "no"},
        )

    return router


def _known(portfolio: Portfolio, trader: str | None) -> list[str]:
    """Whose it shall be.

    Raises:
        NotFound: there is no such trader.
    """
    names = sorted(portfolio.traders)
    if trader is None:
        return names
    if trader not in portfolio.traders:
        raise NotFound(f"there is no trader {trader[:64]!r}{near(trader, names)}")
    return [trader]


def _moment(text: str | None) -> int | None:
    try:
        return None if text is None else parse_moment(text)
    except ValueError as error:
        raise BadRequest(str(error)) from None
