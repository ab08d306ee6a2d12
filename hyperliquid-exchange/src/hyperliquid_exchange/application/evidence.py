"""What the venue itself shows of an action whose answer was lost.

An order is looked up by its client id. One that was derived from the request names that request
alone; one that the caller chose may be the name of an older order too, so what is found must look
like what was sent. Nothing here changes anything at the venue.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

import msgspec

from hyperliquid_exchange.application import answers
from hyperliquid_exchange.application.answers import Reply, Status
from hyperliquid_exchange.application.ports import Upstream
from hyperliquid_exchange.application.translating import cloid_of
from hyperliquid_exchange.domain.accounts import LiveAccount
from hyperliquid_exchange.domain.actions import Allowed, OrderLeg, is_allowed, legs_of
from hyperliquid_exchange.domain.intents import Intent
from suite.contracts import hyperliquid_exchange as wire
from suite.errors import SuiteError

LOST: Final = "the venue's answer was lost: whether it was carried out is not known"
USED: Final = "the venue's answer was lost: it was carried out, or refused as it stood"
_OK: Final = 200
_NONSENSE: Final = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
"""What reading an answer of another shape comes to; of a text that is no number, `ArithmeticError`.
Nothing may end a resolution but a proof."""
_envelope = msgspec.json.Decoder(wire.Envelope)
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What was found.

    Attributes:
        reply: what the venue must have answered, as far as it shows; None where nothing does.
        absent: nothing of the action is at the venue: it was not executed so far.
        mute: what is there tells neither way, and will not later.
    """

    reply: Reply | None = None
    absent: bool = False
    mute: bool = False


NOTHING: Final = Seen()
"""Nobody has answered."""


def action_of(intent: Intent) -> Allowed:
    """Read the action of an intent out of what was, or would have been, sent."""
    action = wire.decode_action(_envelope.decode(intent.payload).action)
    if not is_allowed(action):
        raise ValueError(f"an intent holds {intent.kind}")
    return action


def names_itself(intent: Intent, action: Allowed) -> bool:
    """Whether every order of an action has a client id that no other request can have."""
    legs = legs_of(action)
    return bool(legs) and all(
        leg.cloid == cloid_of(intent.trader_id, intent.key, leg.place) for leg in legs
    )


def is_to(action: Allowed, reply: Mapping[str, Any]) -> bool:
    """Whether an answer can be the one to an action: it names no order of another."""
    cloids = [leg.cloid for leg in legs_of(action)]
    for place, status in enumerate(answers.statuses_of(reply) if cloids else ()):
        match status:
            case {"resting": {"cloid": str(cloid)}} | {"filled": {"cloid": str(cloid)}}:
                if place < len(cloids) and cloids[place] not in {None, cloid.lower()}:
                    return False
    return True


class Evidence:
    """Asks the venue.

    Args:
        upstream: it.
    """

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream

    async def look(self, account: LiveAccount, intent: Intent, action: Allowed) -> Seen:
        """Find out what an action has left at the venue."""
        try:
            match action:
                case wire.Order() | wire.Modify() | wire.BatchModify():
                    return await self._orders(account, intent, action)
                case wire.Cancel() | wire.CancelByCloid():
                    return await self._cancels(account, action)
                case wire.UpdateLeverage():
                    return await self._leverage(account, intent, action)
        except (SuiteError, msgspec.MsgspecError, *_NONSENSE):
            return NOTHING
        return Seen(mute=True)

    async def _orders(self, account: LiveAccount, intent: Intent, action: Allowed) -> Seen:
        legs = legs_of(action)
        rows: list[Mapping[str, Any] | None] = []
        for leg in legs:
            if leg.cloid is None:
                return Seen(mute=True)
            row = await self._order(account, leg.cloid)
            own = cloid_of(intent.trader_id, intent.key, leg.place)
            if row is not None and leg.cloid != own and not _is_like(row, leg):
                row = await self._as_sent(account, leg)
            rows.append(row)
        if not any(row is not None for row in rows):
            return Seen(absent=True)
        if isinstance(action, wire.Modify):
            return Seen(reply=answers.DONE)
        fills = await self._fills(account) if any(_was_filled(row) for row in rows) else []
        found = [_status(leg, row, fills) for leg, row in zip(legs, rows, strict=True)]
        return Seen(reply=answers.statuses("order", found))

    async def _cancels(
        self, account: LiveAccount, action: wire.Cancel | wire.CancelByCloid
    ) -> Seen:
        found: list[Status] = []
        name: int | str
        is_open = False
        for item in action.cancels:
            if isinstance(item, wire.CancelItem):
                name, asset = item.o, item.a
            else:
                name, asset = item.cloid, item.asset
            row = await self._order(account, name)
            state = "" if row is None else str(row["status"])
            is_open = is_open or state in {"open", "triggered"}
            gone = state == "canceled"
            found.append("success" if gone else answers.of_asset(answers.UNKNOWN_ORDER, asset))
        return Seen(absent=True) if is_open else Seen(reply=answers.statuses("cancel", found))

    async def _leverage(
        self, account: LiveAccount, intent: Intent, action: wire.UpdateLeverage
    ) -> Seen:
        told = await self._info(
            {"type": "activeAssetData", "user": account.address, "coin": intent.coins[0]}
        )
        has = told["leverage"]
        wanted = ("cross" if action.isCross else "isolated", action.leverage)
        if (has["type"], has["value"]) == wanted:
            return Seen(reply=answers.DONE)
        return Seen(mute=True)  # a later choice may have followed on it

    async def _order(self, account: LiveAccount, name: int | str) -> Mapping[str, Any] | None:
        """Ask for one order; None when the venue has none of that name."""
        told = await self._info({"type": "orderStatus", "user": account.address, "oid": name})
        if told["status"] == "unknownOid":
            return None
        row: Mapping[str, Any] = told["order"]
        return row

    async def _as_sent(self, account: LiveAccount, leg: OrderLeg) -> Mapping[str, Any] | None:
        """Find what was modified since: of a name the venue shows the newest order alone."""
        rows = await self._info({"type": "historicalOrders", "user": account.address})
        named = (row for row in rows if row["order"].get("cloid") == leg.cloid)
        return next((row for row in named if _is_like(row, leg)), None)

    async def _fills(self, account: LiveAccount) -> Sequence[Mapping[str, Any]]:
        rows: Sequence[Mapping[str, Any]] = await self._info(
            {"type": "userFills", "user": account.address}
        )
        return rows

    async def _info(self, body: Mapping[str, Any]) -> Any:
        status, told = await self._upstream.info(_encode(body))
        if status != _OK:
            raise ValueError(f"status {status}")
        return msgspec.json.decode(told)


def _is_like(row: Mapping[str, Any], leg: OrderLeg) -> bool:
    """Whether an order at the venue may be the one that was sent."""
    order = row["order"]
    return bool(
        order["side"] == ("B" if leg.is_buy else "A")
        and (Decimal(leg.size) == 0 or Decimal(order["origSz"]) == Decimal(leg.size))
        and Decimal(order["limitPx"]) == Decimal(leg.price)
        and (leg.trigger_price is None or Decimal(order["triggerPx"]) == Decimal(leg.trigger_price))
    )


def _was_filled(row: Mapping[str, Any] | None) -> bool:
    return row is not None and Decimal(row["order"]["sz"]) < Decimal(row["order"]["origSz"])


def _status(
    leg: OrderLeg, row: Mapping[str, Any] | None, fills: Sequence[Mapping[str, Any]]
) -> Status:
    """What the venue must have said of one order."""
    if row is None:
        return {"error": "Order was refused by the venue; its words were lost."}
    state, order = str(row["status"]), row["order"]
    if state.endswith("Rejected"):
        text = answers.REJECTED_AS.get(state, f"Order was refused by the venue: {state}.")
        return answers.of_asset(text, leg.asset)
    if leg.is_child:
        return "waitingForTrigger" if state == "triggered" else "waitingForFill"
    ids = {"oid": order["oid"]} | ({} if order.get("cloid") is None else {"cloid": order["cloid"]})
    own = [fill for fill in fills if fill["oid"] == order["oid"]]
    size = sum((Decimal(fill["sz"]) for fill in own), Decimal(0))
    if size and (state == "filled" or leg.takes):
        value = sum((Decimal(fill["px"]) * Decimal(fill["sz"]) for fill in own), Decimal(0))
        average = (value / size).quantize(Decimal("0.000001"))
        return {"filled": {"totalSz": _text(size), "avgPx": _text(average), **ids}}
    if leg.takes and not _was_filled(row):
        return answers.of_asset(answers.REJECTED_AS["iocCancelRejected"], leg.asset)
    return {"resting": ids}


def _text(number: Decimal) -> str:
    """Write a decimal as the venue does: plain, with a digit after the point."""
    text = f"{number:f}"
    text = text.rstrip("0") if "." in text else f"{text}."
    return f"{text}0" if text.endswith(".") else text
