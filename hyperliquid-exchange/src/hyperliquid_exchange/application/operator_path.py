"""The risk path: what an operator's kill sends, through the one way out."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from hyperliquid_exchange.application.answers import Reply
from hyperliquid_exchange.application.last_hop import LastHop
from hyperliquid_exchange.application.requests import Request
from hyperliquid_exchange.domain.accounts import LiveAccount
from hyperliquid_exchange.domain.actions import Allowed, is_allowed, may_add_risk
from suite.contracts.hyperliquid_exchange import L1Action
from suite.errors import Forbidden
from suite.ids import TraderId


class OperatorPath:
    """Sends cancels and reduce-only orders at every level of the ladder; a `RiskPath`.

    Args:
        hop: the way out.
        accounts: by trader id.
        new_key: makes the key of a request.
    """

    def __init__(
        self,
        hop: LastHop,
        accounts: Mapping[TraderId, LiveAccount],
        new_key: Callable[[], str],
    ) -> None:
        self._hop = hop
        self._accounts = accounts
        self._new_key = new_key

    async def send(self, trader_id: TraderId, action: L1Action) -> Mapping[str, Any]:
        """Sign and send.

        Raises:
            Forbidden: the action may add risk.
            UpstreamTimeout: what became of it is unknown.
            SuiteError: it did not leave.
        """
        account = self._accounts.get(trader_id)
        if account is None or not is_allowed(action) or may_add_risk(action):
            raise Forbidden("the risk path only cancels and reduces")
        chosen: Allowed = action

        async def known() -> Allowed | Reply:
            return chosen

        key = self._new_key()
        request = Request(
            key=key,
            fingerprint=f"operator {msgspec.json.encode(action).hex()}",
            action=known,
            by_operator=True,
        )
        return (await self._hop.submit(account, request)).reply
