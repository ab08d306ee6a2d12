"""`GET /export`: what is stored as a file to download."""

from collections.abc import AsyncIterator
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Query
from starlette.responses import StreamingResponse

from suite.service.tokens import ADMIN, require
from trader_manager.application.board import Board
from trader_manager.application.exporting import Form, Kind, RecordFiles

_MEDIA: Final[dict[Form, str]] = {
    "csv": "text/csv; charset=utf-8",
    "parquet": "application/vnd.apache.parquet",
}
_FILE: Final = {"schema": {"type": "string", "format": "binary"}}


def make_export_router(board: Board, files: RecordFiles) -> APIRouter:
    """Make the route."""
    router = APIRouter(dependencies=[Depends(require(ADMIN))])

    @router.get(
        "/export",
        summary="What traders did, as CSV or Parquet",
        response_class=StreamingResponse,
        responses={200: {"content": dict.fromkeys(_MEDIA.values(), _FILE)}},
    )
    async def export(
        kind: Annotated[Kind, Query(description="samples of equity, fills, or decisions")],
        form: Annotated[Form, Query(description="of the file")] = "csv",
        trader: Annotated[str | None, Query(description="an id; all when not given")] = None,
    ) -> StreamingResponse:
        moment, names = await board.recorded(trader)
        pieces = files.export(moment.world, names, kind, form)
        # The first piece is read before the answer begins: a database that is away is told.
        first = await anext(pieces)
        name = f"{moment.world}-{trader or 'all'}-{kind}.{form}"
        return StreamingResponse(
            _whole(first, pieces),
            media_type=_MEDIA[form],
            headers={"content-disposition": f'attachment; filename="{name}"'},
        )

    return router


async def _whole(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for piece in rest:
        yield piece
