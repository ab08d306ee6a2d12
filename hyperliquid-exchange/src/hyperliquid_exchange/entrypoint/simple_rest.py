"""`/exchange/order` and its siblings: one action, the venue's answer.

A request is carried out at most once: it has a key, its own or one that is made for it, and the
answer names the key. Source: the IETF HTTP API draft "The Idempotency-Key HTTP Header Field", read
2026-11.
"""

import hashlib
import re
from collections.abc import Awaitable, Callable
from typing import Final

import msgspec

from hyperliquid_exchange.application.requests import Told
from hyperliquid_exchange.entrypoint.asgi import Call, Route
from suite.contracts.venue import (
    Action,
    ActionReply,
    AdjustMargin,
    CancelOrder,
    ModifyOrder,
    PlaceOrder,
    SetLeverage,
)
from suite.errors import BadRequest
from suite.service.raw_routes import Answer, Doc, answer

_KEY: Final = re.compile(r"[!-~](?:[ -~]{0,62}[!-~])?")
_TIME_MS: Final = re.compile(r"[0-9]{1,16}")
_KEY_TEXT: Final = "1 to 64 printable ASCII characters: the request acts at most once"
_EXPIRES_TEXT: Final = "epoch ms by the wall clock: a request that comes later is refused"


def _acting(name: str, kind: type[Action]) -> Callable[[Call], Awaitable[Answer]]:
    """Make the handler of an action."""
    decoder = msgspec.json.Decoder(kind)

    async def act(call: Call) -> Answer:
        account = call.account
        action = call.decode(decoder)
        key, expires_ms = _key(call) or call.services.new_key(), _expires_ms(call)
        fingerprint = hashlib.sha256(f"{name}\n".encode() + call.body).hexdigest()
        told = await call.services.simple.submit(
            account, action, key=key, fingerprint=fingerprint, expires_ms=expires_ms
        )
        return _told(key, told)

    return act


async def noop(call: Call) -> Answer:
    """`POST /exchange/noop`: use a key up, or tell what became of the request that used it."""
    account = call.account
    key = _key(call)
    if key is None:
        raise BadRequest("Idempotency-Key: missing; a noop ends the key that it names")
    return _told(key, await call.services.simple.noop(account, key))


def _told(key: str, told: Told) -> Answer:
    reply = answer(told.reply)
    replayed = b"true" if told.replayed else b"false"
    reply.headers = ((b"idempotency-key", key.encode()), (b"idempotent-replayed", replayed))
    return reply


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


ROUTES: tuple[Route, ...] = (
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
)
