"""`/exchange/order` and its siblings: one action, the venue's answer."""

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from suite.contracts.venue import (
    ActionReply,
    AdjustMargin,
    CancelOrder,
    ModifyOrder,
    PlaceOrder,
    SetLeverage,
)
from suite.errors import Forbidden, NotFound
from suite.ids import AccountId
from virtual_exchange.entrypoint.asgi import Answer, Call, Doc, Route, answer

_Action = (
    type[PlaceOrder]
    | type[CancelOrder]
    | type[ModifyOrder]
    | type[SetLeverage]
    | type[AdjustMargin]
)


def _acting(kind: _Action) -> Callable[[Call], Awaitable[Answer]]:
    """Make the handler of an action."""
    decoder: Any = msgspec.json.Decoder(kind)

    async def act(call: Call) -> Answer:
        session = call.session
        account = call.account(session)
        action = call.decode(decoder)
        session.barrier.touch(account)
        delivery = session.barrier.send(account, action)
        return answer(await call.services.mover.arrival(session, delivery))

    return act


async def orders(call: Call) -> Answer:
    """`GET /exchange/orders`: every order of the account, newest first."""
    session = call.session
    asked = call.query().get("account")
    if asked is not None and (
        call.grant is None or not call.grant.covers(f"read:account:{asked}", realm=call.world_id)
    ):
        raise Forbidden(f"this token does not cover account {asked[:64]!r}")
    if asked is None:
        return answer(session.queries.accounts.order_rows(call.account(session)))
    named = session.world.by_id.get(AccountId(asked))
    if named is None:
        raise NotFound(f"no account {asked[:64]!r} in this world")
    return answer(session.queries.accounts.order_rows(named.index))


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
            summary="Every order of the account, with the margin it held and gave back",
            response=list[dict[str, Any]],
            query={"account": "account id; the token's own when not given"},
        ),
    ),
)
