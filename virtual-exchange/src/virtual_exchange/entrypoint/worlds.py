"""`/worlds`: worlds of this process, and their reports."""

import asyncio
from collections.abc import Sequence

import msgspec

from suite.contracts.world import AccountsRequest, WorldCreated, WorldRequest, WorldStatus
from suite.errors import Conflict, Forbidden
from suite.ids import AccountId
from suite.service.tokens import ADMIN, account_grant, digest_of
from virtual_exchange.application.inputs import Admit, Open
from virtual_exchange.application.market.rules import described_rules
from virtual_exchange.application.session import Session
from virtual_exchange.application.world import DEFAULT_NAME
from virtual_exchange.application.worlds import DEFAULT
from virtual_exchange.domain.accounts import Account
from virtual_exchange.entrypoint.asgi import Answer, Call, Doc, Route, answer

_request = msgspec.json.Decoder(WorldRequest)
_accounts = msgspec.json.Decoder(AccountsRequest)


def base_url(call: Call, world_id: str) -> str:
    """Address of a world as the caller sees this service."""
    host = next((v for n, v in call.scope["headers"] if n == b"host"), b"127.0.0.1").decode(
        "latin-1"
    )
    path = f"/w/{world_id}" if world_id != DEFAULT else ""
    return f"{call.scope['scheme']}://{host}{path}"


def status_of(call: Call, session: Session) -> WorldStatus:
    """Describe a world, as far as the caller may know it."""
    world, request, barrier = session.world, session.request, session.barrier
    knows = session.mask is None or _is_operator(call, session)
    manifest = world.market.manifest if knows else {}
    return WorldStatus(
        world_id=world.name,
        base_url=base_url(call, world.world_id),
        symbols=world.market.coins,
        accounts=tuple(account.account_id for account in world.accounts),
        clock=request.clock,
        speed=session.speed,
        interval=session.interval,
        from_ms=world.from_ms,
        to_ms=world.to_ms,
        now_ms=world.now_ms,
        finished=world.finished,
        percent=round(100 * world.done, 2),
        supervised=request.supervised,
        participants={p.name: p.state for p in barrier.participants.values()},
        late=barrier.late,
        degraded=tuple(world.accounts[index].account_id for index in sorted(barrier.degraded)),
        rules=described_rules(world.rules),
        seed=request.seed if knows else None,
        mask=manifest.get("mask"),
        time_shift_weeks=manifest.get("time_shift_weeks"),
        feed=session.paper.described() if session.paper else None,
        waits_for=barrier.waits_for,
    )


def _is_operator(call: Call, session: Session) -> bool:
    return call.grant is not None and call.grant.covers(ADMIN, realm=session.world.world_id)


def _named(call: Call) -> Session:
    name = call.path("id")
    return call.services.worlds.get(DEFAULT if name == DEFAULT_NAME else name)


async def create(call: Call) -> Answer:
    """`POST /worlds`."""
    services = call.services
    session = await services.worlds.create(call.decode(_request))
    services.scheduler.watch(session)
    return answer(_created(call, session, session.world.accounts), status=201)


async def open_accounts(call: Call) -> Answer:
    """`POST /worlds/{id}/accounts`."""
    session, wanted = _named(call), call.decode(_accounts)
    world = session.world
    known = [one for one in wanted.accounts if wanted.again and one.id in world.by_id]
    new = [one for one in wanted.accounts if one not in known]
    opened = list(session.take(Open(accounts=tuple(new)))) if new else []
    for one in known:
        call.services.tokens.revoke(account=one.id, realm=world.world_id)
        opened.append(world.by_id[AccountId(one.id)])
    return answer(_created(call, session, opened), status=201)


def _created(call: Call, session: Session, accounts: Sequence[Account]) -> WorldCreated:
    """Tell the way into a world, with a new token for each of some accounts."""
    world = session.world
    tokens: dict[str, str] = {}
    for account in accounts:
        name: str = account.account_id
        token = call.services.tokens.issue(account_grant(name, realm=world.world_id))
        session.take(Admit(account=name, digest=digest_of(token).hex(), alone=True))
        tokens[name] = token
    return WorldCreated(
        world_id=world.world_id, base_url=base_url(call, world.world_id), tokens=tokens
    )


async def listing(call: Call) -> Answer:
    """`GET /worlds`."""
    return answer([status_of(call, session) for session in call.services.worlds.all()])


async def show(call: Call) -> Answer:
    """`GET /worlds/{id}`."""
    return answer(status_of(call, _named(call)))


async def delete(call: Call) -> Answer:
    """`DELETE /worlds/{id}`."""
    session = _named(call)
    call.services.worlds.delete(session.world.world_id)
    call.services.tokens.revoke(realm=session.world.world_id)
    await call.services.scheduler.forget(session)
    return answer({"deleted": session.world.world_id})


async def report(call: Call) -> Answer:
    """`GET /worlds/{id}/report`: it shows every account, so the caller must be free to read all."""
    session = _named(call)
    for account in session.world.accounts:
        needed = f"read:account:{account.account_id}"
        if call.grant is None or not call.grant.covers(needed, realm=session.world.world_id):
            raise Forbidden(f"the report shows every account; this token does not cover {needed}")
    if not session.world.finished:
        raise Conflict(f"the world is not finished; {100 * session.world.done:.1f} % are played")
    as_shown = not _is_operator(call, session)
    return Answer(body=await asyncio.to_thread(session.final_report, as_shown=as_shown))


ROUTES = (
    Route(
        method="POST",
        path="/worlds",
        handler=create,
        scope="admin",
        in_world=False,
        doc=Doc(
            summary="Build a world; its tokens are shown this once",
            request=WorldRequest,
            response=WorldCreated,
        ),
    ),
    Route(
        method="GET",
        path="/worlds",
        handler=listing,
        scope="admin",
        in_world=False,
        doc=Doc(summary="Worlds of this process", response=list[WorldStatus]),
    ),
    Route(
        method="GET",
        path="/worlds/{id}",
        handler=show,
        scope="read:market",
        in_world=False,
        named="id",
        doc=Doc(summary="One world; the one at the root is `default`", response=WorldStatus),
    ),
    Route(
        method="POST",
        path="/worlds/{id}/accounts",
        handler=open_accounts,
        scope="admin",
        in_world=False,
        named="id",
        doc=Doc(
            summary="Open accounts in a world that goes on; their tokens are shown this once",
            request=AccountsRequest,
            response=WorldCreated,
        ),
    ),
    Route(
        method="DELETE",
        path="/worlds/{id}",
        handler=delete,
        scope="admin",
        in_world=False,
        doc=Doc(summary="Forget a world", response=dict[str, str]),
    ),
    Route(
        method="GET",
        path="/worlds/{id}/report",
        handler=report,
        scope="read:account",
        in_world=False,
        named="id",
        doc=Doc(summary="Canonical report of a finished world, for who may read all its accounts"),
    ),
)
