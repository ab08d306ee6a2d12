"""`POST /info`: each request type and the read that answers it."""

from collections.abc import Callable
from typing import Any

from suite.addresses import is_address, normal_address
from virtual_exchange.application.activity import Activities
from virtual_exchange.application.exchange.identity import Identity
from virtual_exchange.application.info import spot as spot_reads
from virtual_exchange.application.info.accounts import AccountReads
from virtual_exchange.application.info.fees import FeeReads
from virtual_exchange.application.info.identities import IdentityReads
from virtual_exchange.application.info.market import MarketReads
from virtual_exchange.application.info.portfolio import PortfolioReads
from virtual_exchange.application.info.request import (
    InfoBody,
    Read,
    UnknownRequest,
    Unsupported,
)
from virtual_exchange.application.limits import ActionLimits
from virtual_exchange.application.world import World, account_of, symbol_of

_NO_AUCTION = {
    "startTimeSeconds": 0,
    "durationSeconds": 0,
    "startGas": "0.0",
    "currentGas": "0.0",
    "endGas": "0.0",
}
_NO_STAKE = {
    "delegated": "0.0",
    "undelegated": "0.0",
    "totalPendingWithdrawal": "0.0",
    "nPendingWithdrawals": 0,
}
_LEGAL = {"ipAllowed": True, "acceptedTerms": True, "userAllowed": True}
_NO_OUTCOMES: dict[str, Any] = {
    "outcomes": [],
    "questions": [],
    "deployers": [],
    "feeScale": "0.0",
}


class Queries:
    """Answers of one world.

    Args:
        world: what is read.
        identity: who is who in it.

    Attributes:
        market: reads that need no account.
        accounts: reads of an account.
        activities: what accounts have traded.
        limits: what they have sent, and may.
    """

    def __init__(self, world: World, identity: Identity) -> None:
        self._world = world
        self._identity = identity
        self.market = MarketReads(world)
        self.accounts = AccountReads(world)
        self.activities = Activities(world)
        self.limits = ActionLimits(self.activities)
        self._who = IdentityReads(world, identity, self.market, self.accounts)
        self._reads = self._of_market() | self._of_orders() | self._of_accounts() | _constants()

    def serve(self, request: InfoBody, caller: int | None) -> Any:
        """Answer a client as `info` does; where there is a faucet, whom it names has an account.

        Raises:
            UnknownRequest: as of `info`.
            Conflict: an account would be opened, and there is no room.
        """
        if request.user is not None:
            self.register(request.user)
        return self.info(request, caller)

    def register(self, user: str) -> None:
        """Open an account for an address that a client names, where there is a faucet.

        Raises:
            Conflict: there is no room for one more.
        """
        if is_address(user):
            self._identity.register(normal_address(user))

    def info(self, request: InfoBody, caller: int | None) -> Any:
        """Answer one request; what is returned may be shared and must not be changed.

        Args:
            request: its body.
            caller: account of the token it came with, None without one.

        Raises:
            UnknownRequest: the type is unknown, or a field it needs is missing.
            Unsupported: the venue has nothing for a value of a field.
        """
        read = self._reads.get(request.type)
        if read is None:
            raise UnknownRequest(f"unknown type {request.type[:40]!r}")
        if request.dex:
            raise Unsupported("there are no builder-deployed dexs here")
        for name in read.needs:
            if getattr(request, name) is None:
                raise UnknownRequest(f"missing field `{name}`")
        account = caller
        if request.user is not None:
            user = request.user
            found = account_of(self._world, normal_address(user) if is_address(user) else user)
            account = found.index if found else None
        elif account is None and read.of_user:
            raise UnknownRequest("missing field `user`")
        return read.answer(request, account)

    def _user(self, request: InfoBody, account: int | None) -> str:
        """The address a request is about, as the venue echoes it."""
        if account is not None:
            return self._world.accounts[account].address
        user = request.user or ""
        return normal_address(user) if is_address(user) else user

    def _of_market(self) -> dict[str, Read]:
        market, now = self.market, self._world
        return {
            "meta": Read(answer=lambda _r, _a: market.meta()),
            "metaAndAssetCtxs": Read(answer=lambda _r, _a: [market.meta(), market.contexts()]),
            "allPerpMetas": Read(answer=lambda _r, _a: [market.meta()]),
            "allMids": Read(answer=lambda _r, _a: market.mids()),
            "l2Book": Read(answer=self._book, needs=("coin",)),
            "recentTrades": Read(
                answer=lambda r, _a: market.recent_trades(r.coin or ""), needs=("coin",)
            ),
            "candleSnapshot": Read(answer=lambda r, _a: market.candles.snapshot(r.req)),
            "fundingHistory": Read(
                answer=lambda r, _a: market.funding_history(r), needs=("coin", "startTime")
            ),
            "predictedFundings": Read(answer=lambda _r, _a: market.predicted_fundings()),
            "marginTable": Read(answer=lambda r, _a: market.margin_table(r.id), needs=("id",)),
            "maxMarketOrderNtls": Read(answer=lambda _r, _a: market.largest_orders()),
            "exchangeStatus": Read(
                answer=lambda _r, _a: {"time": now.now_ms, "specialStatuses": None}
            ),
            "tokenDetails": Read(
                answer=lambda r, _a: spot_reads.token_details(r.tokenId), needs=("tokenId",)
            ),
        }

    def _book(self, request: InfoBody, _account: int | None) -> Any:
        if request.coin in spot_reads.COINS:
            return {"coin": request.coin, "time": self._world.now_ms, "levels": [[], []]}
        return self.market.book(request.coin or "", request.nSigFigs, request.mantissa)

    def _of_orders(self) -> dict[str, Read]:
        orders, fills = self.accounts.orders, self.accounts.fills
        return {
            "openOrders": _of_user(lambda _r, a: orders.open_orders(a)),
            "frontendOpenOrders": _of_user(lambda _r, a: orders.frontend_orders(a)),
            "orderStatus": _of_user(orders.order_status, "oid"),
            "historicalOrders": _of_user(lambda _r, a: orders.historical(a)),
            "userFills": _of_user(fills.latest),
            "userFillsByTime": _of_user(fills.by_time, "startTime"),
            "userTwapSliceFills": _of_user(lambda _r, a: fills.slices(a)),
            "userTwapSliceFillsByTime": _of_user(fills.slices_by_time, "startTime"),
            "twapHistory": _of_user(lambda _r, a: fills.twap_history(a)),
        }

    def _of_accounts(self) -> dict[str, Read]:
        world, accounts, who = self._world, self.accounts, self._who
        identity = self._identity
        ledger = accounts.ledger
        fees = FeeReads(world, self.market.days, self.activities, self.limits)
        portfolio = PortfolioReads(world, self.activities)
        return {
            "clearinghouseState": _of_user(lambda _r, a: accounts.clearinghouse(a)),
            "spotClearinghouseState": _of_user(lambda _r, a: spot_reads.balances(world, a)),
            "activeAssetData": _of_user(self._active_asset, "coin"),
            "userFunding": _of_user(ledger.funding),
            "userNonFundingLedgerUpdates": _of_user(ledger.others),
            "userFees": _of_user(lambda _r, a: fees.fees(a)),
            "userRateLimit": _of_user(lambda _r, a: fees.rate_limit(a)),
            "referral": _of_user(lambda _r, a: fees.referral(a, identity.referrer(a))),
            "portfolio": _of_user(lambda _r, a: portfolio.portfolio(a)),
            "userRole": _of_user(lambda r, a: identity.role(self._user(r, a))),
            "extraAgents": _of_user(lambda _r, a: who.agents(a)),
            "subAccounts": _of_user(lambda _r, a: who.sub_accounts(a)),
            "maxBuilderFee": _of_user(
                lambda r, a: identity.max_builder_fee(a, normal_address(r.builder or "")), "builder"
            ),
            "preTransferCheck": _of_user(lambda _r, a: who.exists(a)),
            "webData2": _of_user(lambda r, a: who.page(self._user(r, a), a)),
        }

    def _active_asset(self, request: InfoBody, account: int | None) -> Any:
        symbol = symbol_of(self._world, request.coin or "")
        if symbol is None:
            return None
        return self.accounts.active_asset(
            account,
            symbol,
            user=self._user(request, account),
            mark_text=self.market.mark(symbol),
        )


def _of_user(answer: Callable[[InfoBody, int | None], Any], *needs: str) -> Read:
    return Read(answer=answer, needs=needs, of_user=True)


def _constants() -> dict[str, Read]:
    """What is the same in every world: no builder dexs, spot trading, vaults, stakes, outcomes."""
    of_all = {
        "perpDexs": [None],
        "perpsAtOpenInterestCap": [],
        "spotMeta": spot_reads.META,
        "spotMetaAndAssetCtxs": [spot_reads.META, spot_reads.contexts()],
        "outcomeMeta": _NO_OUTCOMES,
        "outcomeTemplates": [],
        "perpDeployAuctionStatus": _NO_AUCTION,
        "spotPairDeployAuctionStatus": _NO_AUCTION,
        "perpCategories": [],
        "perpConciseAnnotations": [],
        "perpAnnotation": None,
        "allBorrowLendReserveStates": [],
        "alignedQuoteTokenInfo": None,
        "liquidatable": [],
        "vaultSummaries": [],
    }
    of_users: dict[str, Any] = {
        "userAbstraction": "default",
        "userDexAbstraction": None,
        "userToMultiSigSigners": None,
        "userVaultEquities": [],
        "leadingVaults": [],
        "delegatorSummary": _NO_STAKE,
        "delegations": [],
        "delegatorRewards": [],
        "delegatorHistory": [],
        "spotDeployState": {"states": [], "gasAuction": _NO_AUCTION},
        "isVip": False,
        "legalCheck": _LEGAL,
    }
    reads = {kind: Read(answer=_always(value)) for kind, value in of_all.items()}
    reads |= {kind: _of_user(_always(value)) for kind, value in of_users.items()}
    reads["vaultDetails"] = Read(answer=_always(None), needs=("vaultAddress",))
    return reads


def _always(value: Any) -> Callable[[InfoBody, int | None], Any]:
    return lambda _request, _account: value
