"""`/exchange/order` and its siblings, as each venue of the suite has them: an action a request.

A request with a key is carried out at most once, and its answer repeats the key, so that nobody
takes another's answer for it. Source: the IETF HTTP API draft "The Idempotency-Key HTTP Header
Field", read 2026-11.
"""

import re
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar

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
from suite.service.raw_routes import Answer, Call, Doc, Route, answer

_KEY: Final = re.compile(r"[!-~](?:[ -~]{0,62}[!-~])?")
_TIME_MS: Final = re.compile(r"[0-9]{1,16}")
_KEY_TEXT: Final = "1 to 64 printable ASCII characters: the request acts at most once"
_EXPIRES_TEXT: Final = "epoch ms by the wall clock: a request that comes later is refused"
_ACTIONS: Final[tuple[tuple[str, type[Action], str], ...]] = (
    ("order", PlaceOrder, "Place an order, with stop_loss or take_profit as one group"),
    ("cancel", CancelOrder, "Cancel an order"),
    ("modify", ModifyOrder, "Replace an order by another"),
    ("leverage", SetLeverage, "Choose the leverage of a coin"),
    ("isolated-margin", AdjustMargin, "Add margin to an isolated position, or remove it"),
)

C = TypeVar("C", bound=Call[Any])
R = TypeVar("R", bound=Route[Any])


def acting_routes(
    make: Callable[..., R],
    acting: Callable[[str, type[Action]], Callable[[C], Awaitable[Answer]]],
    noop: Callable[[C], Awaitable[Answer]],
) -> tuple[R, ...]:
    """Write the rows of a service's table.

    Args:
        make: puts a route of the service together.
        acting: makes the handler of an action, by its name and the type of its body.
        noop: handler of what ends a key.
    """
    acts = tuple(
        make(
            method="POST",
            path=f"/exchange/{name}",
            handler=acting(name, kind),
            scope="trade",
            doc=Doc(
                summary=summary,
                request=kind,
                response=ActionReply,
                headers={"Idempotency-Key": _KEY_TEXT, "Expires-After": _EXPIRES_TEXT},
            ),
        )
        for name, kind, summary in _ACTIONS
    )
    ends = make(
        method="POST",
        path="/exchange/noop",
        handler=noop,
        scope="trade",
        doc=Doc(
            summary="Use a key up: no request with it is carried out any more",
            response=ActionReply,
            headers={"Idempotency-Key": f"{_KEY_TEXT}; required"},
        ),
    )
    return (*acts, ends)


def key_of(call: Call[Any]) -> str | None:
    """Read the key of a request; None where it has none.

    Raises:
        BadRequest: it cannot be one.
    """
    key = call.header(b"idempotency-key")
    if key is not None and not _KEY.fullmatch(key):
        raise BadRequest(f"Idempotency-Key: must be {_KEY_TEXT.partition(':')[0]}")
    return key


def key_of_noop(call: Call[Any]) -> str:
    """Read the key that a noop ends.

    Raises:
        BadRequest: there is none, or it cannot be one.
    """
    key = key_of(call)
    if key is None:
        raise BadRequest("Idempotency-Key: missing; a noop ends the key that it names")
    return key


def expires_ms_of(call: Call[Any]) -> int | None:
    """Read until when a request may come, epoch ms; None for ever.

    Raises:
        BadRequest: it is no time.
    """
    text = call.header(b"expires-after")
    if text is None:
        return None
    if not _TIME_MS.fullmatch(text):
        raise BadRequest(f"Expires-After: {text[:20]!r} is not a time in epoch ms")
    return int(text)


def answer_of(key: str, reply: object, *, replayed: bool) -> Answer:
    """Answer a request that had a key.

    Args:
        key: of it.
        reply: the body.
        replayed: it was answered before.
    """
    told = answer(reply)
    said = b"true" if replayed else b"false"
    told.headers = ((b"idempotency-key", key.encode()), (b"idempotent-replayed", said))
    return told
