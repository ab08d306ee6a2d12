"""`/leaderboard` and the records behind it: who does how well, and what they did."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Annotated, Any, Final

import msgspec
import numpy as np
from fastapi import APIRouter, Depends, Query
from starlette.responses import Response

from suite.contracts.fills import TradeRow
from suite.errors import BadRequest
from suite.moments import parse_range
from suite.service.tokens import ADMIN, require
from suite.wealth import wealth_index
from trader_manager.application.board import Board
from trader_manager.application.fleet import TraderManager
from trader_manager.domain.records import EquitySeries, Moment, Trade
from trader_manager.entrypoint.answers import (
    BestAnswer,
    BoardAnswer,
    HistoryAnswer,
    PositionsAnswer,
    TradesAnswer,
)

ANSWERS: Final[Mapping[tuple[str, str], Any]] = {
    ("GET", "/leaderboard"): BoardAnswer,
    ("GET", "/compare"): BoardAnswer,
    ("GET", "/best"): BestAnswer,
    ("GET", "/traders/{trader_id}/history"): HistoryAnswer,
    ("GET", "/traders/{trader_id}/trades"): TradesAnswer,
    ("GET", "/traders/{trader_id}/positions"): PositionsAnswer,
}
"""Types of the answers, for the description of the API."""
_MOMENT: Final = "ISO date and time, UTC, or epoch ms of the venue's time"
Since = Annotated[str | None, Query(description=f"from then on: {_MOMENT}")]
Until = Annotated[str | None, Query(description=f"before then: {_MOMENT}")]
_JSON: Final = "application/json"
_encode = msgspec.json.Encoder().encode


def make_board_router(manager: TraderManager) -> APIRouter:
    """Make the routes; what traders did may be seen by the operator only."""
    router = APIRouter(dependencies=[Depends(require(ADMIN))], default_response_class=Response)

    @router.get("/leaderboard", summary="Who does how well, over the window that all share")
    async def leaderboard(since: Since = None, until: Until = None) -> Response:
        since_ms, until_ms = _range(since, until)
        found = await manager.compare_performance(since_ms=since_ms, until_ms=until_ms)
        return _said(BoardAnswer(**_of(found.moment), board=found.board))

    @router.get("/compare", summary="The same of some traders, over the window that these share")
    async def compare(
        traders: Annotated[str, Query(description="ids, separated by commas")],
        since: Since = None,
        until: Until = None,
    ) -> Response:
        names = [name.strip() for name in traders.split(",") if name.strip()]
        if not names:
            raise BadRequest("traders names nobody; write traders=a,b")
        since_ms, until_ms = _range(since, until)
        found = await manager.compare_performance(
            since_ms=since_ms, until_ms=until_ms, trader_ids=names
        )
        return _said(BoardAnswer(**_of(found.moment), board=found.board))

    @router.get("/best", summary="The best competitor; `tied_with` says who may be as good")
    async def best() -> Response:
        moment, row = await manager.get_best_performer()
        return _said(BestAnswer(**_of(moment), best=row))

    _add_records(router, manager.board)
    return router


def _add_records(router: APIRouter, board: Board) -> None:
    @router.get("/traders/{trader_id}/history", summary="Equity of a trader over time")
    async def history(
        trader_id: str,
        since: Since = None,
        until: Until = None,
        points: Annotated[int, Query(ge=2, le=100_000, description="at most so many")] = 5000,
    ) -> Response:
        since_ms, until_ms = _range(since, until)
        moment, series = await board.get_history(trader_id, since_ms=since_ms, until_ms=until_ms)
        return _said(
            HistoryAnswer(
                **_of(moment),
                trader_id=trader_id,
                samples=len(series.time_ms),
                total_return=_return(series),
                **_columns(series, points),
            )
        )

    @router.get("/traders/{trader_id}/trades", summary="Fills of a trader, oldest first")
    async def trades(
        trader_id: str,
        since: Since = None,
        until: Until = None,
        limit: Annotated[int, Query(ge=1, le=100_000, description="the newest so many")] = 1000,
    ) -> Response:
        since_ms, until_ms = _range(since, until)
        moment, found = await board.get_trades(trader_id, since_ms=since_ms, until_ms=until_ms)
        rows = [shown_trade(one) for one in found[-limit:]]
        return _said(
            TradesAnswer(**_of(moment), trader_id=trader_id, fills=len(found), trades=rows)
        )

    @router.get("/traders/{trader_id}/positions", summary="Positions of a trader, as last read")
    async def positions(trader_id: str) -> Response:
        moment, found = await board.get_positions(trader_id)
        return _said(
            PositionsAnswer(
                **_of(moment),
                trader_id=trader_id,
                time_ms=None if found is None else found.time_ms,
                positions=None if found is None else found.positions,
            )
        )


def _range(since: str | None, until: str | None) -> tuple[int | None, int | None]:
    try:
        return parse_range(since, until)
    except ValueError as error:
        raise BadRequest(str(error)) from None


def _of(moment: Moment) -> dict[str, Any]:
    return {"world": moment.world, "now_ms": moment.now_ms, "trouble": moment.trouble}


def _return(series: EquitySeries) -> float | None:
    """What became of a dollar, less that dollar; None without a sample."""
    if not len(series.time_ms):
        return None
    value = series.equity_usd - series.llm_cost_usd
    return float(wealth_index(value, series.net_deposits_usd)[-1]) - 1.0


def _columns(series: EquitySeries, points: int) -> dict[str, Any]:
    """Write samples as columns; the first and the last are among those that are chosen."""
    rows = len(series.time_ms)
    chosen = np.unique(np.linspace(0, rows - 1, min(points, rows)).round().astype(np.int64))
    return {
        field.name: getattr(series, field.name)[chosen].tolist() for field in fields(EquitySeries)
    }


def shown_trade(one: Trade) -> TradeRow:
    """Write a fill as answers have it."""
    same = {name: getattr(one, name) for name in TradeRow.__struct_fields__ if name != "side"}
    return TradeRow(**same, side=one.side.name.lower())


def _said(answer: msgspec.Struct) -> Response:
    return Response(_encode(answer), media_type=_JSON)
