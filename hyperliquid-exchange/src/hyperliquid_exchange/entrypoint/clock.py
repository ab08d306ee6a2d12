"""`/clock`: the venue's time. The agent sleeps by its own clock, and nobody waits for it."""

from typing import Final

import msgspec

from hyperliquid_exchange.entrypoint.asgi import Call, Route
from suite.contracts.clock import ClockState, JoinRequest, WaitReply
from suite.errors import Conflict
from suite.service.raw_routes import Answer, Doc, answer

_join: Final = msgspec.json.Decoder(JoinRequest)


async def _state(call: Call) -> ClockState:
    services, grant = call.services, call.grant
    reader = services.reader(grant)
    return msgspec.structs.replace(
        await services.time.state(),
        account="" if grant is None or reader.is_operator else grant.account,
        address=reader.address,
    )


async def clock(call: Call) -> Answer:
    """`GET /clock`."""
    return answer(await _state(call))


async def join(call: Call) -> Answer:
    """`POST /clock/join`: step 0, with the account as the venue has it at this moment."""
    services = call.services
    trader_id = call.account.trader_id
    request = call.decode(_join) if call.body else JoinRequest()
    want = request.want
    account, mids = None, None
    if want.account or want.mids:
        account, mids = await services.reads.account(services.readers[trader_id], want)
    return answer(
        WaitReply(
            now_ms=(await services.time.state()).now_ms,
            step_seq=0,
            account=account if want.account else None,
            mids=mids if want.mids else None,
        )
    )


async def wait(call: Call) -> Answer:
    """`POST /clock/wait`: there is no such thing here.

    Raises:
        Conflict: always.
    """
    _ = call.account  # a token that acts for nobody is refused
    raise Conflict("this venue wakes nobody (`wakes` of GET /clock is false): sleep until then")


async def nothing(call: Call) -> Answer:
    """`POST /clock/heartbeat|wake|leave`: nobody waits for anybody, so nothing changes."""
    _ = call.account  # a token that acts for nobody is refused
    return answer(await _state(call))


def _unused(path: str, summary: str) -> Route:
    return Route(
        method="POST",
        path=path,
        handler=nothing,
        scope="trade",
        doc=Doc(summary=summary, response=ClockState),
    )


ROUTES: tuple[Route, ...] = (
    Route(
        method="GET",
        path="/clock",
        handler=clock,
        scope="read:account",
        doc=Doc(
            summary="What time it is: wall time, or that of a simulated venue", response=ClockState
        ),
    ),
    Route(
        method="POST",
        path="/clock/join",
        handler=join,
        scope="trade",
        doc=Doc(
            summary="Read the account as the venue has it now",
            request=JoinRequest,
            response=WaitReply,
        ),
    ),
    Route(
        method="POST",
        path="/clock/wait",
        handler=wait,
        scope="trade",
        doc=Doc(summary="Not here: the agent sleeps by its own clock"),
    ),
    _unused("/clock/heartbeat", "Nothing: no lease is kept"),
    _unused("/clock/wake", "Nothing: nobody sleeps here"),
    _unused("/clock/leave", "Nothing: time waits for nobody"),
)
