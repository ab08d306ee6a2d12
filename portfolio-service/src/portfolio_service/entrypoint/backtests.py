"""`/api/backtests`: begun by form, run by the venue, watched here."""

from collections.abc import AsyncIterator
from typing import Annotated, Any, Final

import msgspec
from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response, StreamingResponse

from portfolio_service.application.backtests import Backtests, Job, JobsAnswer
from portfolio_service.entrypoint.access import READ, Allowed, Operator, still_allowed
from portfolio_service.entrypoint.replies import encoded, raw, reply
from suite.bodies import Encoded
from suite.service.caching import Cache, Version

ANSWERS: Final[dict[tuple[str, str], Any]] = {
    ("GET", "/api/backtests"): JobsAnswer,
    ("POST", "/api/backtests"): Job,
    ("POST", "/api/backtests/{job_id}/cancel"): Job,
}
_QUIET_S: Final = 15.0
_encode = msgspec.json.Encoder().encode


class NewBacktest(BaseModel):
    """What shall be run.

    Attributes:
        name: for people.
        request: the body of the venue's `POST /backtest/run`; the venue judges it.
    """

    model_config = ConfigDict(extra="forbid", strict=True)

    name: Annotated[str, Field(min_length=1, max_length=64)]
    request: dict[str, Any]


def make_backtests_router(backtests: Backtests, cache: Cache) -> APIRouter:
    """Make the routes.

    Args:
        backtests: that were begun here.
        cache: of what screens show of reports: a report is final, and reading it takes a while.
    """
    router = APIRouter(tags=["backtests"])
    reads = [Depends(Allowed(READ))]

    @router.get(
        "/api/backtests", summary="Runs that were begun here, newest first", dependencies=reads
    )
    async def jobs() -> Response:
        return reply(backtests.answer())

    @router.post("/api/backtests", summary="Begin a backtest", status_code=202)
    async def start(body: NewBacktest, _grant: Operator) -> Response:
        answer = reply(await backtests.start(body.name, body.request))
        answer.status_code = 202
        return answer

    @router.get(
        "/api/backtests/events",
        summary="Runs as server-sent events, after each change",
        dependencies=reads,
        response_class=StreamingResponse,
        responses={200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}},
    )
    async def events(request: Request) -> StreamingResponse:
        async def told() -> AsyncIterator[bytes]:
            async for answer in backtests.listen(quiet_s=_QUIET_S):
                if not still_allowed(request):
                    return
                if answer is None:
                    yield b": quiet\n\n"
                else:
                    yield b"event: jobs\ndata: %s\n\n" % _encode(answer)

        return StreamingResponse(
            told(), media_type="text/event-stream", headers={"cache-control": "no-store"}
        )

    _add_reports(router, backtests, cache)

    @router.post("/api/backtests/{job_id}/cancel", summary="Stop a run")
    async def cancel(job_id: str, _grant: Operator) -> Response:
        return reply(await backtests.cancel(job_id))

    return router


def _add_reports(router: APIRouter, backtests: Backtests, cache: Cache) -> None:
    reads = [Depends(Allowed(READ))]

    @router.get("/api/backtests/{job_id}/report", summary="What came of a run", dependencies=reads)
    async def report(job_id: str) -> Response:
        begun = Version(backtests.begun_ms(job_id), job_id)

        async def version() -> Version:
            return begun

        async def made() -> Encoded:
            return Encoded.of(encoded(await backtests.report(job_id)))

        return raw((await cache.get(f"report/{job_id}", version, made)).body)

    @router.get(
        "/api/backtests/{job_id}/report.json",
        summary="The whole report, as the venue wrote it",
        dependencies=reads,
    )
    async def whole(job_id: str) -> Response:
        return raw(await backtests.whole_report(job_id))
