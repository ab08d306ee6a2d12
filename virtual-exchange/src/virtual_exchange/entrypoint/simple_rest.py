"""`/exchange/order` and its siblings: one action, the venue's answer.

With `Idempotency-Key` a request is carried out at most once; the answer repeats the key, so that
nobody takes another's answer for it. Source: the IETF HTTP API draft "The Idempotency-Key HTTP
Header Field", read 2026-11.
"""

import hashlib
import re
from collections.abc import Awaitable, Callable
from typing import Any, Final

import msgspec

from suite.contracts.venue import (
    Action,
    ActionReply,
    AdjustMargin,
    CancelOrder,
    ModifyOrder,
    PlaceOrder,
    SetLeverage,
)
from suite.errors import BadRequest, Forbidden, NotFound
from suite.ids import AccountId
from virtual_exchange.application.exchange.keys import Kept
from virtual_exchange.application.inputs import EndKey, Send
from virtual_exchange.entrypoint.asgi import Answer, Call, Doc, Route, answer

_OID: Final = re.compile(r"[0-9]{1,16}")
_KEY: Final = re.compile(r"[!-~](?:[ -~]{0,62}[!-~])?")
_TIME_MS: Final = re.compile(r"[0-9]{1,16}")
_KEY_TEXT: Final = "1 to 64 printable ASCII characters: the request acts at most once"
_EXPIRES_TEXT: Final = "epoch ms by the wall clock: a request that comes later is refused"


def _acting(name: str, kind: type[Action]) -> Callable[[Call], Awaitable[Answer]]:
    """Make the handler of an action."""
    decoder = msgspec.json.Decoder(kind)

    async def act(call: Call) -> Answer:
        session = call.session
        account = call.account(session)
        action = call.decode(decoder)
        key, expires_ms = _key(call), _expires_ms(call)
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
    account = call.account(session)
    key = _key(call)
    if key is None:
        raise BadRequest("Idempotency-Key: missing; a noop ends the key that it names")
    session.barrier.touch(account)
    return await _told(call, key, session.take(EndKey(account=account, key=key)))


async def _told(call: Call, key: str, kept: Kept) -> Answer:
    """Answer a request with a key once it is known what became of it."""
    told = answer(await call.services.scheduler.arrival(call.session, kept.delivery))
    replayed = b"true" if kept.replayed else b"false"
    told.headers = ((b"idempotency-key", key.encode()), (b"idempotent-replayed", replayed))
    return told


def _key(call: Call) -> str | None:
    key = call.header(b"idempotency-key")
    if key is not None and not _KEY.fullmatch(key):
        raise BadRequest(f"Idempotency-Key: must be {_KEY_TEXT.partition(':')[0]}")
    return key


def _expires_ms(call: Call) -> int | None:
    text = call.header(b"expires-after")
    if text is None:
        return None
    if not _TIME_MS.fullmatch(text):
        raise BadRequest(f"Expires-After: {text[:20]!r} is not a time in epoch ms")
    return int(text)


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
    *(
        Route(
            method="POST",
            path=f"/exchange/{name}",
            handler=_acting(name, kind),
            scope="trade",
            doc=Doc(
                summary=summary,
                request=kind,
                response=ActionReply,
                headers={"Idempotency-Key": _KEY_TEXT, "Expires-After": _EXPIRES_TEXT},
            ),
        )
        for name, kind, summary in (
            ("order", PlaceOrder, "Place an order, with stop_loss or take_profit as one group"),
            ("cancel", CancelOrder, "Cancel an order"),
            ("modify", ModifyOrder, "Replace an order by another"),
            ("leverage", SetLeverage, "Choose the leverage of a coin"),
            ("isolated-margin", AdjustMargin, "Add margin to an isolated position, or remove it"),
        )
    ),
    Route(
        method="POST",
        path="/exchange/noop",
        handler=noop,
        scope="trade",
        doc=Doc(
            summary="Use a key up: no request with it is carried out any more",
            response=ActionReply,
            headers={"Idempotency-Key": f"{_KEY_TEXT}; required"},
        ),
    ),
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
