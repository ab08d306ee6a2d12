"""Whose state a token may read: its own account's, and its master's where that is nobody else's."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from hyperliquid_exchange.domain.accounts import LiveAccount
from suite.addresses import is_address, normal_address
from suite.errors import Forbidden
from suite.ids import TraderId

OF_USER: Final = frozenset(
    {
        "activeAssetData",
        "approvedBuilders",
        "clearinghouseState",
        "delegations",
        "delegatorHistory",
        "delegatorRewards",
        "delegatorSummary",
        "extraAgents",
        "frontendOpenOrders",
        "historicalOrders",
        "isVip",
        "legalCheck",
        "maxBuilderFee",
        "openOrders",
        "orderStatus",
        "portfolio",
        "preTransferCheck",
        "referral",
        "spotClearinghouseState",
        "spotDeployState",
        "subAccounts",
        "twapHistory",
        "userAbstraction",
        "userDexAbstraction",
        "userFees",
        "userFills",
        "userFillsByTime",
        "userFunding",
        "userNonFundingLedgerUpdates",
        "userRateLimit",
        "userRole",
        "userToMultiSigSigners",
        "userTwapSliceFills",
        "userTwapSliceFillsByTime",
        "userVaultEquities",
        "webData2",
    }
)
"""Reads that name a user, who is the token's own account where nobody is named."""
_OF_MASTER: Final = frozenset({"subAccounts", "subAccounts2"})
"""Reads of a master that tell the state of all its sub-accounts."""
_PUBLIC: Final = frozenset({"builder", "source", "validator", "vaultAddress"})
"""Names of addresses that are nobody's account, unless they are a trader's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """Who asks.

    Attributes:
        address: of its account; empty for the operator, who may read everything.
        own: addresses whose state it may read.
        others: addresses of other traders' accounts.
        shares_master: another trader trades a sub-account of the same master.
    """

    address: str
    own: frozenset[str]
    others: frozenset[str] = frozenset()
    shares_master: bool = False

    @property
    def is_operator(self) -> bool:
        """It may read everything."""
        return not self.address

    def may_read(self, user: str) -> bool:
        """Whether it may read a user's state.

        Args:
            user: address, in lower case.
        """
        return self.is_operator or user in self.own

    def check(self, kind: str, request: Mapping[str, Any]) -> None:
        """Make sure that a read is about nobody else.

        Args:
            kind: of the read.
            request: as it was sent.

        Raises:
            Forbidden: it names another account.
        """
        if self.is_operator:
            return
        for name, address in _addresses(request):
            is_public = name in _PUBLIC and address not in self.others
            if address not in self.own and not is_public:
                raise Forbidden(f"this token reads its own account, {self.address}, alone")
        if kind in _OF_MASTER and self.shares_master:
            raise Forbidden(f"`{kind}` tells of other traders' accounts, too")


OPERATOR: Final = Reader(address="", own=frozenset())


def readers(accounts: Mapping[TraderId, LiveAccount]) -> dict[TraderId, Reader]:
    """Say for each trader what it may read."""
    found = {}
    for trader_id, account in accounts.items():
        rest = [other for name, other in accounts.items() if name != trader_id]
        others = frozenset(other.address for other in rest) - {account.address}
        found[trader_id] = Reader(
            address=account.address,
            own=frozenset({account.address, account.master}) - others,
            others=others,
            shares_master=any(other.master == account.master for other in rest),
        )
    return found


def _addresses(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Find every address in a request, with the name of its field."""
    if isinstance(value, str):
        if is_address(value):
            yield name, normal_address(value)
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _addresses(inner, key)
    elif isinstance(value, list):
        for inner in value:
            yield from _addresses(inner, name)
