"""`POST /info`: each request type and the read that answers it."""

from collections.abc import Callable
from typing import Any

from virtual_exchange.application.account_reads import AccountReads
from virtual_exchange.application.info_request import InfoBody, UnknownRequest
from virtual_exchange.application.market_reads import MarketReads
from virtual_exchange.application.world import World, account_of

_MAX_FILLS = 2000
_OF_AN_ACCOUNT = frozenset(
    {
        "clearinghouseState",
        "openOrders",
        "frontendOpenOrders",
        "orderStatus",
        "userFills",
        "userFunding",
    }
)


class Queries:
    """Answers of one world.

    Attributes:
        market: reads that need no account.
        accounts: reads of an account.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self.market = market = MarketReads(world)
        self.accounts = accounts = AccountReads(world)
        self._types: dict[str, Callable[[InfoBody, int | None], Any]] = {
            "meta": lambda _request, _account: market.meta(),
            "metaAndAssetCtxs": lambda _request, _account: [market.meta(), market.contexts()],
            "allMids": lambda _request, _account: market.mids(),
            "l2Book": lambda request, _account: market.book(request.coin),
            "candleSnapshot": lambda request, _account: market.candles(request.req),
            "clearinghouseState": lambda _request, account: accounts.clearinghouse(account),
            "openOrders": lambda _request, account: accounts.open_orders(account),
            "frontendOpenOrders": lambda _request, account: accounts.frontend_orders(account),
            "orderStatus": accounts.order_status,
            "userFills": lambda _request, account: accounts.user_fills(account)[::-1][:_MAX_FILLS],
            "userFunding": accounts.user_funding,
        }

    def info(self, request: InfoBody, caller: int | None) -> Any:
        """Answer one request.

        Args:
            request: its body.
            caller: account of the token it came with, None without one.

        Raises:
            UnknownRequest: the type is unknown, or a field it needs is missing.
        """
        answer = self._types.get(request.type)
        if answer is None:
            raise UnknownRequest(f"unknown type {request.type[:40]!r}")
        account = caller
        if request.user is not None:
            found = account_of(self._world, request.user)
            account = found.index if found else None
        elif account is None and request.type in _OF_AN_ACCOUNT:
            raise UnknownRequest("missing field `user`")
        return answer(request, account)
