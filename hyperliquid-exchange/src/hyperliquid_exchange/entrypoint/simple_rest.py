"""`/exchange/order` and its siblings: one action, the venue's answer.

A request is carried out at most once: it has a key, its own or one that is made for it, and the
answer names the key.
"""

import hashlib
from collections.abc import Awaitable, Callable

import msgspec

from hyperliquid_exchange.application.requests import Told
from hyperliquid_exchange.entrypoint.asgi import Call, Route
from suite.contracts.venue import Action
from suite.service.acting_routes import (
    acting_routes,
    answer_of,
    expires_ms_of,
    key_of,
    key_of_noop,
)
from suite.service.raw_routes import Answer


def _acting(name: str, kind: type[Action]) -> Callable[[Call], Awaitable[Answer]]:
    """Make the handler of an action."""
    decoder = msgspec.json.Decoder(kind)

    async def act(call: Call) -> Answer:
        account = call.account
        action = call.decode(decoder)
        key, expires_ms = key_of(call) or call.services.new_key(), expires_ms_of(call)
        fingerprint = hashlib.sha256(f"{name}\n".encode() + call.body).hexdigest()
        told = await call.services.simple.submit(
            account, action, key=key, fingerprint=fingerprint, expires_ms=expires_ms
        )
        return _told(key, told)

    return act


async def noop(call: Call) -> Answer:
    """`POST /exchange/noop`: use a key up, or tell what became of the request that used it."""
    account, key = call.account, key_of_noop(call)
    return _told(key, await call.services.simple.noop(account, key))


def _told(key: str, told: Told) -> Answer:
    return answer_of(key, told.reply, replayed=told.replayed)


ROUTES: tuple[Route, ...] = acting_routes(Route, _acting, noop)
