"""`/exchange/order` and its siblings: one action, the venue's answer."""

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
from virtual_exchange.entrypoint.asgi import Answer, Call, Doc, Route, answer

_OID: Final = re.compile(r"[0-9]{1,16}")


def _acting(kind: type[Action]) -> Callable[[Call], Awaitable[Answer]]:
    """Make the handler of an action."""
    decoder = msgspec.json.Decoder(kind)

    async def act(call: Call) -> Answer:
        session = call.session
        account = call.account(session)
        action = call.decode(decoder)
        session.barrier.touch(account)
        delivery = session.barrier.send(account, action)
        return answer(await call.services.mover.arrival(session, delivery))

    return act


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
            handler=_acting(kind),
            scope="trade",
            doc=Doc(summary=summary, request=kind, response=ActionReply),
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
