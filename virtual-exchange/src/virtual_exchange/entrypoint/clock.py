"""`/clock`: the venue's time, and the barrier as the wire sees it."""

import msgspec

from suite.contracts.clock import (
    AdvanceRequest,
    ClockState,
    JoinRequest,
    WaitReply,
    WaitRequest,
)
from virtual_exchange.entrypoint.asgi import Answer, Call, Doc, Route, answer

_wait = msgspec.json.Decoder(WaitRequest)
_join = msgspec.json.Decoder(JoinRequest)
_advance = msgspec.json.Decoder(AdvanceRequest)


async def clock(call: Call) -> Answer:
    """`GET /clock`."""
    return answer(call.session.clock_state())


async def join(call: Call) -> Answer:
    """`POST /clock/join`."""
    session = call.session
    account = call.account(session)
    request = call.decode(_join) if call.body else JoinRequest()
    return answer(session.barrier.join(account, request.want))


async def wait(call: Call) -> Answer:
    """`POST /clock/wait`: a whole step of a trader."""
    session = call.session
    account = call.account(session)
    ticket = session.barrier.wait(account, call.decode(_wait))
    return answer(await call.services.mover.reply(session, ticket))


async def heartbeat(call: Call) -> Answer:
    """`POST /clock/heartbeat`."""
    session = call.session
    session.barrier.heartbeat(call.account(session))
    return answer(session.clock_state())


async def advance(call: Call) -> Answer:
    """`POST /clock/advance`, for the operator."""
    session = call.session
    session.barrier.advance(call.decode(_advance).until_ms)
    return answer(session.clock_state())


ROUTES = (
    Route(
        method="POST",
        path="/clock/wait",
        handler=wait,
        scope="trade",
        doc=Doc(
            summary="Carry out orders, sleep, and see what woke you: one round trip a decision",
            request=WaitRequest,
            response=WaitReply,
        ),
    ),
    Route(
        method="GET",
        path="/clock",
        handler=clock,
        doc=Doc(summary="What time it is, and how it moves", response=ClockState),
    ),
    Route(
        method="POST",
        path="/clock/join",
        handler=join,
        scope="trade",
        doc=Doc(summary="Take part in time", request=JoinRequest, response=WaitReply),
    ),
    Route(
        method="POST",
        path="/clock/heartbeat",
        handler=heartbeat,
        scope="trade",
        doc=Doc(summary="Keep the lease through a long decision", response=ClockState),
    ),
    Route(
        method="POST",
        path="/clock/advance",
        handler=advance,
        scope="admin",
        doc=Doc(
            summary="Move a world without participants",
            request=AdvanceRequest,
            response=ClockState,
        ),
    ),
)
