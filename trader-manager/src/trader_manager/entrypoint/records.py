"""`POST /records`: what is new of all traders in one answer, for who follows the whole fleet."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Annotated, Any, Final

import msgspec
import numpy as np
from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from suite.bars import DAY_MS, I64
from suite.ids import TraderId
from suite.page.thinning import drawdown, thin
from suite.service.tokens import ADMIN, require
from trader_manager.application.board import Board
from trader_manager.domain.records import EquitySeries, News, Positions, Reached
from trader_manager.entrypoint.answers import RecordsAnswer, RecordsRow
from trader_manager.entrypoint.board import shown_trade

ANSWERS: Final[Mapping[tuple[str, str], Any]] = {("POST", "/records"): RecordsAnswer}
_NEVER: Final = (1 << 62) - 1
_JSON: Final = "application/json"
_encode = msgspec.json.Encoder().encode
_Moment = Annotated[int, Field(ge=-1, le=_NEVER)]


class Read(BaseModel):
    """How far a trader was read: the latest times, -1 before any."""

    model_config = ConfigDict(extra="forbid", strict=True)

    equity_ms: _Moment = -1
    trade_ms: _Moment = -1


class ReadOn(BaseModel):
    """From where to read on.

    Attributes:
        world: that was read; of another one everything is new.
        after: how far each trader was read; one that is not in it is read as a whole.
        points: samples of one trader at most; the ends, the extremes, each day's last and those
            beside deposits are among them in any case.
        trades: fills of one trader at most, the oldest of those that are new.
    """

    model_config = ConfigDict(extra="forbid", strict=True)

    world: str = ""
    after: dict[str, Read] = Field(default_factory=dict)
    points: int = Field(default=5000, ge=8, le=100_000)
    trades: int = Field(default=20_000, ge=1, le=100_000)


def make_records_router(board: Board) -> APIRouter:
    """Make the route; what traders did may be seen by the operator only."""
    router = APIRouter(dependencies=[Depends(require(ADMIN))], default_response_class=Response)

    @router.post("/records", summary="What is new of all traders since it was last read")
    async def records(body: ReadOn) -> Response:
        after = {
            TraderId(name): Reached(
                equity_ms=one.equity_ms, trade_ms=one.trade_ms, funding_ms=_NEVER
            )
            for name, one in body.after.items()
        }
        moment, news, positions = await board.read_on(body.world, after)
        answer = RecordsAnswer(
            world=moment.world,
            now_ms=moment.now_ms,
            trouble=moment.trouble,
            more=any(len(one.trades) > body.trades for one in news.values()),
            traders={
                name: _row(one, positions.get(name), body.points, body.trades)
                for name, one in news.items()
            },
        )
        return Response(_encode(answer), media_type=_JSON)

    return router


def _row(news: News, positions: Positions | None, points: int, trades: int) -> RecordsRow:
    series, chosen = news.series, chosen_rows(news.series, points)
    return RecordsRow(
        **{field.name: getattr(series, field.name)[chosen].tolist() for field in fields(series)},
        trades=[shown_trade(one) for one in news.trades[:trades]],
        positions_ms=None if positions is None else positions.time_ms,
        positions=None if positions is None else positions.positions,
    )


def chosen_rows(series: EquitySeries, most: int) -> I64:
    """Choose the samples that a curve, its falls, its days and its deposits need.

    Args:
        series: of one trader.
        most: how many, beside those of days and deposits.

    Returns:
        Shape (chosen,), rising places in the series.
    """
    count = len(series.time_ms)
    if count <= most:
        return np.arange(count, dtype=np.int64)
    made: Sequence[float] = (series.equity_usd - series.net_deposits_usd).tolist()
    kept = set(thin(made, drawdown(series.equity_usd.tolist()), most))
    days = np.flatnonzero(np.diff(series.time_ms // DAY_MS))
    flows = np.flatnonzero(np.diff(series.net_deposits_usd))
    kept.update(days.tolist(), flows.tolist(), (flows + 1).tolist())
    return np.array(sorted(kept), dtype=np.int64)
