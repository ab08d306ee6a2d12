"""The orders of one account at a venue of the suite, over HTTP.

An answer counts only when it is the venue's own, in the venue contract's shape, and repeats the key
of its request; anything else leaves the fate of the request unknown.
"""

import hashlib
from collections.abc import Sequence
from typing import Final, TypeVar

import msgspec

from strategy_agent.application.parts import Cancel
from strategy_agent.application.ports import DurableIntent
from suite.account.events import FundingPayment, StatePush
from suite.clock import Clock
from suite.contracts.clock import ClockState
from suite.contracts.hyperliquid_info import ClearinghouseState, LedgerRow, OpenOrder, UserFill
from suite.contracts.venue import (
    Action,
    ActionReply,
    AdjustMargin,
    CancelOrder,
    ModifyOrder,
    PlaceOrder,
    SetLeverage,
)
from suite.errors import SuiteError, UpstreamTimeout
from suite.service.calls import Answered, ServiceCalls

_T = TypeVar("_T")

_CANCEL_VALID_MS: Final = 15_000
_PAGE: Final = 2000
"""Fills of one answer."""
_DONE: Final = ActionReply(status="ok", response={"type": "default"})
_KINDS: Final[dict[type[Action], frozenset[str]]] = {
    PlaceOrder: frozenset({"order"}),
    CancelOrder: frozenset({"cancel"}),
    ModifyOrder: frozenset({"order", "default"}),
    SetLeverage: frozenset({"default"}),
    AdjustMargin: frozenset({"default"}),
}
"""What an answer may be to: a native modification is answered `default`."""

_encode = msgspec.json.Encoder().encode


class _Page(msgspec.Struct):
    clearinghouseState: ClearinghouseState  # noqa: N815 - the wire's own names
    openOrders: tuple[OpenOrder, ...]  # noqa: N815


class _FundingDelta(msgspec.Struct):
    coin: str
    usdc: str
    szi: str
    fundingRate: str  # noqa: N815


class _FundingRow(msgspec.Struct):
    time: int
    delta: _FundingDelta

    def payment(self) -> FundingPayment:
        delta = self.delta
        return FundingPayment(
            time=self.time,
            coin=delta.coin,
            usdc=delta.usdc,
            szi=delta.szi,
            fundingRate=delta.fundingRate,
        )


class _Statuses(msgspec.Struct):
    statuses: tuple[dict[str, object] | str, ...]


class _Response(msgspec.Struct):
    type: str
    data: _Statuses | None = None


class VenueOrders:
    """A venue as the orders of one account see it.

    Args:
        calls: of the venue, with the account's token; a request must have a limit of time.
    """

    def __init__(self, calls: ServiceCalls) -> None:
        self.calls = calls
        self._any = msgspec.json.Decoder()
        self._clock = msgspec.json.Decoder(ClockState)
        self._page = msgspec.json.Decoder(_Page)
        self._fills = msgspec.json.Decoder(tuple[UserFill, ...])
        self._fundings = msgspec.json.Decoder(tuple[_FundingRow, ...])
        self._ledger = msgspec.json.Decoder(tuple[LedgerRow, ...])
        self._reply = msgspec.json.Decoder(ActionReply)

    async def clock(self) -> ClockState:
        """`GET /clock`."""
        return await self.calls.read("GET", "clock", None, self._clock, reason="clock")

    async def meta(self) -> object:
        """`POST /info` of type `meta`."""
        return await self._info({"type": "meta"}, self._any)

    async def fetch_account(self) -> StatePush:
        """`POST /info` of type `webData2`: positions, balances and orders of the same moment."""
        page = await self._info({"type": "webData2"}, self._page)
        state = page.clearinghouseState
        return StatePush(state=state, open_orders=page.openOrders, server_ms=state.time)

    async def fetch_fills(self, start_ms: int) -> tuple[UserFill, ...]:
        """`POST /info` of type `userFillsByTime`, page by page, oldest first."""
        found: dict[int, UserFill] = {}
        while True:
            asked = {"type": "userFillsByTime", "startTime": start_ms}
            page = await self._info(asked, self._fills)
            fresh = [fill for fill in page if fill.tid not in found]
            found.update((fill.tid, fill) for fill in fresh)
            if len(page) < _PAGE or not fresh:
                return tuple(found.values())
            start_ms = page[-1].time

    async def fetch_fundings(self, start_ms: int) -> tuple[FundingPayment, ...]:
        """`POST /info` of type `userFunding`, page by page, oldest first."""
        found: dict[tuple[int, str], FundingPayment] = {}
        while True:
            asked = {"type": "userFunding", "startTime": start_ms}
            page = await self._info(asked, self._fundings)
            fresh = [row for row in page if (row.time, row.delta.coin) not in found]
            found.update(((row.time, row.delta.coin), row.payment()) for row in fresh)
            if not fresh:
                return tuple(found.values())
            start_ms = page[-1].time

    async def fetch_ledger(self, start_ms: int) -> tuple[LedgerRow, ...]:
        """`POST /info` of type `userNonFundingLedgerUpdates`, page by page, oldest first."""
        found: dict[bytes, LedgerRow] = {}
        while True:
            asked = {"type": "userNonFundingLedgerUpdates", "startTime": start_ms}
            page = {_encode(row): row for row in await self._info(asked, self._ledger)}
            if page.keys() <= found.keys():
                return tuple(found.values())
            found |= page
            start_ms = max(row.time for row in page.values())

    async def send(self, intent: DurableIntent) -> ActionReply:
        """`POST /exchange/order` or a sibling, with the intent's key and expiry.

        Raises:
            UpstreamTimeout: there is no answer of the venue.
        """
        name = str(type(intent.action).__struct_config__.tag)
        headers = {"Idempotency-Key": intent.key, "Expires-After": str(intent.expires_ms)}
        answered = await self._post(name, _encode(intent.action), headers)
        self._check_key(answered, intent.key)
        return self._own(answered, intent.action)

    async def resolve(self, intent: DurableIntent) -> ActionReply | None:
        """`POST /exchange/noop` with the intent's key.

        Raises:
            UpstreamTimeout: there is no answer of the venue.
        """
        answered = await self._post("noop", b"{}", {"Idempotency-Key": intent.key})
        if self._check_key(answered, intent.key):
            return self._own(answered, intent.action)
        if self._decoded(answered) != _DONE:
            raise self._unknown("a noop was answered with something else")
        return None

    async def close(self) -> None:
        """Close the connections."""
        await self.calls.close()

    async def _info(self, body: object, decoder: msgspec.json.Decoder[_T]) -> _T:
        reason = body["type"] if isinstance(body, dict) else "info"
        return await self.calls.read("POST", "info", body, decoder, reason=reason)

    async def _post(self, name: str, content: bytes, headers: dict[str, str]) -> Answered:
        path = f"exchange/{name}"
        try:
            return await self.calls.once("POST", path, content, reason=name, headers=headers)
        except SuiteError as fault:
            raise UpstreamTimeout(str(fault), retry_after_ms=fault.retry_after_ms) from None

    def _check_key(self, answered: Answered, key: str) -> bool:
        """Check whose answer this is; say whether it is that of an earlier request."""
        if answered.headers.get("Idempotency-Key") != key:
            raise self._unknown("the answer does not repeat the key of its request")
        replayed = answered.headers.get("Idempotent-Replayed")
        if replayed not in {"true", "false"}:
            raise self._unknown("the answer does not say whether it is that of an earlier request")
        return replayed == "true"

    def _own(self, answered: Answered, action: Action) -> ActionReply:
        """Read the venue's answer to an action."""
        reply = self._decoded(answered)
        if reply.status == "err":
            if not isinstance(reply.response, str):
                raise self._unknown("a refusal without a text")
            return reply
        try:
            response = msgspec.convert(reply.response, _Response)
        except msgspec.ValidationError as error:
            raise self._unknown(str(error)) from None
        told = response.type == "default" or (response.data and response.data.statuses)
        if response.type not in _KINDS[type(action)] or not told:
            raise self._unknown(f"an answer of type {response.type[:20]!r} to another action")
        return reply

    def _decoded(self, answered: Answered) -> ActionReply:
        try:
            return self._reply.decode(answered.body)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise self._unknown(str(error)) from None

    def _unknown(self, text: str) -> UpstreamTimeout:
        said = f"what {self.calls.name} at {self.calls.url} answered is not the venue contract's"
        return UpstreamTimeout(f"{said}: {text}")


def cancel_with(orders: VenueOrders, clock: Clock, trader_id: str) -> Cancel:
    """Cancel over the venue's own API; an order is canceled once however often it is asked."""

    async def cancel(actions: Sequence[CancelOrder]) -> tuple[ActionReply, ...]:
        now_ms = clock.now_ms()
        replies = []
        for action in actions:
            name = f"{trader_id}\nstop\n{now_ms}\n{action.coin}\n{action.oid}"
            intent = DurableIntent(
                key=hashlib.sha256(name.encode()).hexdigest()[:32],
                action=action,
                decided_ms=now_ms,
                expires_ms=now_ms + _CANCEL_VALID_MS,
            )
            replies.append(await orders.send(intent))
        return tuple(replies)

    return cancel
