"""`/backtest`: runs as jobs, with progress as events."""

from collections.abc import AsyncIterator

import msgspec

from suite.contracts.backtest import BacktestRequest, JobState
from virtual_exchange.entrypoint.asgi import (
    EVENTS,
    Answer,
    Call,
    Doc,
    Handler,
    Method,
    Route,
    answer,
)

_request = msgspec.json.Decoder(BacktestRequest)


async def run(call: Call) -> Answer:
    """`POST /backtest/run`."""
    return answer(call.services.jobs.start(call.decode(_request)), status=202)


async def state(call: Call) -> Answer:
    """`GET /backtest/jobs/{id}`."""
    return answer(call.services.jobs.state(call.path("id")))


async def events(call: Call) -> Answer:
    """`GET /backtest/jobs/{id}/events`."""
    watched = call.services.jobs.watch(call.path("id"))
    return Answer(stream=_server_sent(watched), media_type=EVENTS)


async def report(call: Call) -> Answer:
    """`GET /backtest/jobs/{id}/report`."""
    return Answer(body=call.services.jobs.report(call.path("id")))


async def cancel(call: Call) -> Answer:
    """`DELETE /backtest/jobs/{id}`."""
    return answer(await call.services.jobs.cancel(call.path("id")))


async def _server_sent(states: AsyncIterator[JobState]) -> AsyncIterator[bytes]:
    async for one in states:
        name = "progress" if one.status == "running" else one.status
        yield b"event: %s\ndata: %s\n\n" % (name.encode(), msgspec.json.encode(one))


def _route(method: Method, path: str, handler: Handler, doc: Doc) -> Route:
    return Route(method=method, path=path, handler=handler, doc=doc, scope="admin", in_world=False)


ROUTES = (
    _route(
        "POST",
        "/backtest/run",
        run,
        Doc(
            summary="Run traders, or a plain order list, over a range of the store",
            request=BacktestRequest,
            response=JobState,
        ),
    ),
    _route(
        "GET", "/backtest/jobs/{id}", state, Doc(summary="Where a backtest is", response=JobState)
    ),
    _route(
        "GET",
        "/backtest/jobs/{id}/events",
        events,
        Doc(summary="Progress as server-sent events, percent and expected seconds to the end"),
    ),
    _route(
        "GET",
        "/backtest/jobs/{id}/report",
        report,
        Doc(summary="Canonical report of a finished backtest"),
    ),
    _route(
        "DELETE", "/backtest/jobs/{id}", cancel, Doc(summary="Stop a backtest", response=JobState)
    ),
)
