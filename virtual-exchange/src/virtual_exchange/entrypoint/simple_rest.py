"""`/exchange/order` and its siblings: one action, the venue's answer.

With `Idempotency-Key` a request is carried out at most once; without, as often as it comes.
"""

import hashlib
import re
from collections.abc import Awaitable, Callable
from typing import Any, Final

import msgspec

from suite.contracts.venue import Action
from suite.errors import BadRequest, Forbidden, NotFound
from suite.ids import AccountId
from suite.service.acting_routes import (
    acting_routes,
    answer_of,
    expires_ms_of,
    key_of,
    key_of_noop,
)
from virtual_exchange.application.exchange.keys import Kept
from virtual_exchange.application.inputs import EndKey, Send
from virtual_exchange.entrypoint.asgi import Answer, Call, Doc, Route, answer

_OID: Final = re.compile(r"[0-9]{1,16}")


def _acting(name: str, kind: type[Action]) -> Callable[[Call], Awaitable[Answer]]:
    """Make the handler of an action."""
    decoder = msgspec.json.Decoder(kind)

    async def act(call: Call) -> Answer:
        session = call.session
        account = call.account(session)
        action = call.decode(decoder)
        key, expires_ms = key_of(call), expires_ms_of(call)
        session.barrier.touch(account)
        it = Send(
            account=account,
            action=action,
            expired=expires_ms is not None and call.services.clock.now_ms() > expires_ms,
            key=key or "",
            fingerprint=hashlib.sha256(f"{name}\n".encode() + call.body).digest() if key else b"",
        )
        kept = session.take(it)
        if key is None:
            return answer(await call.services.scheduler.arrival(session, kept.delivery))
        return await _told(call, key, kept)

    return act


async def noop(call: Call) -> Answer:
    """`POST /exchange/noop`: use a key up, or tell what became of the request that used it."""
    session = call.session
    account, key = call.account(session), key_of_noop(call)
    session.barrier.touch(account)
    return await _told(call, key, session.take(EndKey(account=account, key=key)))


async def _told(call: Call, key: str, kept: Kept) -> Answer:
    """Answer a request with a key once it is known what became of it."""
    reply = await call.services.scheduler.arrival(call.session, kept.delivery)
    return answer_of(key, reply, replayed=kept.replayed)


async def orders(call: Call) -> Answer:
    """`GET /exchange/orders`: the newest orders of the account, newest first."""
    session, query = call.session, call.query()
    asked, before = query.get("account"), query.get("before_oid")
    if before is not None and not _OID.fullmatch(before):
        raise BadRequest(f"before_oid: {before[:20]!r} is not an order id")
    before_oid = None if before is None else int(before)
    if asked is not None and (
        call.grant is None or not call.grant.covers(f"read:account:{asked}", realm=call.world_id)
    ):
        raise Forbidden(f"this token does not cover account {asked[:64]!r}")
    if asked is None:
        account = call.account(session)
    else:
        named = session.world.by_id.get(AccountId(asked))
        if named is None:
            raise NotFound(f"no account {asked[:64]!r} in this world")
        account = named.index
    return answer(session.queries.accounts.orders.order_rows(account, before_oid))


ROUTES = (
    *acting_routes(Route, _acting, noop),
    Route(
        method="GET",
        path="/exchange/orders",
        handler=orders,
        scope="read:account",
        doc=Doc(
            summary="The account's newest 2000 orders, with the margin each held and gave back",
            response=list[dict[str, Any]],
            query={
                "account": "account id; the token's own when not given",
                "before_oid": "only orders older than this one: the last of the page before",
            },
        ),
    ),
)
