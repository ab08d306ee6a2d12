"""The simple REST: one action of a token's account, through the last hop."""

from collections.abc import Mapping
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any, Final

import msgspec

from hyperliquid_exchange.application import answers
from hyperliquid_exchange.application.answers import Reply
from hyperliquid_exchange.application.last_hop import LastHop
from hyperliquid_exchange.application.ports import Upstream
from hyperliquid_exchange.application.requests import Request, Told
from hyperliquid_exchange.application.translating import Refused, Translator
from hyperliquid_exchange.domain.accounts import LiveAccount
from hyperliquid_exchange.domain.actions import Allowed
from suite.contracts.venue import Action, ModifyOrder, PlaceOrder
from suite.errors import UpstreamUnavailable
from suite.fixed import Price

_OK: Final = 200
_encode = msgspec.json.Encoder().encode


class SimpleRest:
    """Actions as people and scripts write them.

    Args:
        hop: the way out.
        translator: writes them as the venue takes them.
        upstream: asked for what the venue has not pushed yet: an order just placed, a first price.
    """

    def __init__(self, hop: LastHop, translator: Translator, upstream: Upstream) -> None:
        self._hop = hop
        self._translator = translator
        self._upstream = upstream

    async def submit(
        self,
        account: LiveAccount,
        action: Action,
        *,
        key: str,
        fingerprint: str,
        expires_ms: int | None,
    ) -> Told:
        """Carry an action out; arguments, result and faults as of `LastHop.submit`."""

        async def native() -> Allowed | Reply:
            return await self._native(account, key, action)

        told = await self._hop.submit(
            account,
            Request(key=key, fingerprint=fingerprint, action=native, expires_ms=expires_ms),
        )
        return _as_of_modify(told) if isinstance(action, ModifyOrder) else told

    async def noop(self, account: LiveAccount, key: str) -> Told:
        """Use a key up; as `LastHop.noop`."""
        return await self._hop.noop(account, key)

    async def _native(self, account: LiveAccount, key: str, action: Action) -> Allowed | Reply:
        translator = self._translator
        try:
            cloid = None
            if isinstance(action, ModifyOrder):
                cloid = translator.cloid_known(account.trader_id, action)
                if cloid is None and action.oid is not None:
                    cloid = await self._cloid_of(account, action.oid)
            mid = None
            if isinstance(action, PlaceOrder | ModifyOrder) and translator.lacks_mid(
                account.trader_id, action
            ):
                mid = await self._mid(action.coin)
            return translator.translate(account, key, action, old_cloid=cloid, mid=mid)
        except Refused as refused:
            return refused.reply

    async def _cloid_of(self, account: LiveAccount, oid: int) -> str | None:
        """Ask for the client id of an order that was not pushed yet."""
        told = await self._info({"type": "orderStatus", "user": account.address, "oid": oid})
        match told:
            case {"order": {"order": {"cloid": str(cloid)}}}:
                return cloid.lower()
        return None

    async def _mid(self, coin: str) -> Price:
        """Ask for the price of a coin, in the units of its instrument."""
        instrument = self._translator.instrument(coin)
        mids = await self._info({"type": "allMids"})
        text = mids.get(instrument.coin) if isinstance(mids, dict) else None
        if not isinstance(text, str):
            raise UpstreamUnavailable(f"no price of {instrument.coin} is known yet")
        units = Decimal(text).scaleb(instrument.price_decimals)
        return Price(int(units.to_integral_value(ROUND_HALF_EVEN)))

    async def _info(self, body: Mapping[str, Any]) -> Any:
        status, told = await self._upstream.info(_encode(body))
        if status != _OK:
            raise UpstreamUnavailable(f"the venue answered a read with status {status}")
        try:
            return msgspec.json.decode(told)
        except msgspec.DecodeError:
            raise UpstreamUnavailable("the venue answered a read with no JSON") from None


def _as_of_modify(told: Told) -> Told:
    """Tell that there was nothing to modify as the venue's single modification does."""
    match answers.statuses_of(told.reply):
        case [{"error": str(text)}] if text.startswith(answers.CANNOT_MODIFY):
            reply = answers.err(answers.CANNOT_MODIFY)
            return Told(reply=reply, replayed=told.replayed, late=told.late)
    return told
