"""`/clock`: the venue's time, and the barrier as the wire sees it."""

from typing import Final

import msgspec

from suite.contracts.clock import (
    AdvanceRequest,
    ClockState,
    GiveUpRequest,
    JoinRequest,
    LeaveRequest,
    WaitReply,
    WaitRequest,
    WakeRequest,
)
from suite.errors import NotFound
from suite.ids import AccountId
from virtual_exchange.application.inputs import GiveUp, Join, Leave, Wait, Wake
from virtual_exchange.entrypoint.asgi import Answer, Call, Doc, Route, answer

_NOBODY_THERE: Final = 499
"""For the metrics; the client has left."""
_wait = msgspec.json.Decoder(WaitRequest)
_join = msgspec.json.Decoder(JoinRequest)
_wake = msgspec.json.Decoder(WakeRequest)
_give_up = msgspec.json.Decoder(GiveUpRequest)
_leave = msgspec.json.Decoder(LeaveRequest)
_advance = msgspec.json.Decoder(AdvanceRequest)


async def clock(call: Call) -> Answer:
    """`GET /clock`."""
    session, name = call.session, call.grant.account if call.grant else ""
    account = session.world.by_id.get(AccountId(name))
    state = session.clock_state()
    if account is not None:
        state = msgspec.structs.replace(state, account=name, address=account.address)
    return answer(state)


async def join(call: Call) -> Answer:
    """`POST /clock/join`."""
    session = call.session
    account = call.account(session)
    request = call.decode(_join) if call.body else JoinRequest()
    return answer(session.take(Join(account=account, want=request.want)))


async def wait(call: Call) -> Answer:
    """`POST /clock/wait`: a whole step of a trader."""
    session = call.session
    account = call.account(session)
    ticket = session.take(Wait(account=account, request=call.decode(_wait)))
    reply = await call.services.scheduler.reply(session, ticket, call.left)
    return Answer(status=_NOBODY_THERE) if reply is None else answer(reply)


async def heartbeat(call: Call) -> Answer:
    """`POST /clock/heartbeat`."""
    session = call.session
    session.barrier.heartbeat(call.account(session))
    return answer(session.clock_state())


async def wake(call: Call) -> Answer:
    """`POST /clock/wake`."""
    session = call.session
    account = call.account(session)
    session.take(Wake(account=account, step_seq=call.decode(_wake).step_seq))
    return answer(session.clock_state())


async def leave(call: Call) -> Answer:
    """`POST /clock/leave`."""
    session = call.session
    account = call.account(session)
    request = call.decode(_leave) if call.body else LeaveRequest()
    session.take(Leave(account=account, guards=request.guards))
    await call.services.scheduler.settle(session)
    return answer(session.clock_state())


async def give_up(call: Call) -> Answer:
    """`POST /clock/give-up`, for the supervisor."""
    session = call.session
    name = call.decode(_give_up).account
    account = session.world.by_id.get(AccountId(name))
    if account is None:
        raise NotFound(f"no account {name[:64]!r} in this world")
    session.take(GiveUp(account=account.index))
    await call.services.scheduler.settle(session)
    return answer(session.clock_state())


async def advance(call: Call) -> Answer:
    """`POST /clock/advance`, for the operator."""
    session = call.session
    await call.services.scheduler.advance(session, call.decode(_advance).until_ms)
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
        optional_scope="read:market",
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
        path="/clock/wake",
        handler=wake,
        scope="trade",
        doc=Doc(
            summary="End the account's own wait from outside, with its answers",
            request=WakeRequest,
            response=ClockState,
        ),
    ),
    Route(
        method="POST",
        path="/clock/leave",
        handler=leave,
        scope="trade",
        doc=Doc(
            summary="Take part no more: time no longer waits",
            request=LeaveRequest,
            response=ClockState,
        ),
    ),
    Route(
        method="POST",
        path="/clock/give-up",
        handler=give_up,
        scope="admin",
        doc=Doc(
            summary="Flatten a participant that is lost for good, and let time go on without it",
            request=GiveUpRequest,
            response=ClockState,
        ),
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
