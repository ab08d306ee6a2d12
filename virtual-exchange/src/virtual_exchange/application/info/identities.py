"""Reads of who an account is: its agents, sub-accounts, and the page that shows it all."""

from typing import Any

from virtual_exchange.application.exchange.identity import Identity
from virtual_exchange.application.info import spot as spot_reads
from virtual_exchange.application.info.accounts import AccountReads
from virtual_exchange.application.info.market import MarketReads
from virtual_exchange.application.info.values import usd
from virtual_exchange.application.world import World


class IdentityReads:
    """Who is who in one world, as the venue tells it."""

    def __init__(
        self, world: World, identity: Identity, market: MarketReads, accounts: AccountReads
    ) -> None:
        self._world = world
        self._identity = identity
        self._market = market
        self._accounts = accounts

    def agents(self, account: int | None) -> list[dict[str, Any]]:
        """Named agents of an account."""
        agents = [] if account is None else self._identity.agents_of(account)
        return [
            {"name": name, "address": address, "validUntil": valid_until}
            for name, address, valid_until in agents
        ]

    def sub_accounts(self, account: int | None) -> list[dict[str, Any]] | None:
        """Sub-accounts with their money, None where there are none."""
        own = [] if account is None else self._identity.sub_accounts(account)
        rows = [
            {
                "name": sub.name,
                "subAccountUser": sub.address,
                "master": self._world.accounts[account or 0].address,
                "clearinghouseState": self._accounts.clearinghouse(sub.index),
                "spotState": spot_reads.balances(self._world, sub.index),
            }
            for sub in own
        ]
        return rows or None

    def exists(self, account: int | None) -> dict[str, Any]:
        """`preTransferCheck`: whether money may be sent there."""
        sent = account is not None and bool(self._world.books[account].orders)
        return {
            "fee": "0.0",
            "isSanctioned": False,
            "userExists": account is not None,
            "userHasSentTx": sent,
        }

    def page(self, user: str, account: int | None) -> dict[str, Any]:
        """`webData2`: all that the venue's own page shows."""
        moved, agent = 0, None
        if account is not None:
            moved = self._world.books[account].moved_usd
            own = self._identity.agents.of(account)
            agent = next((one for one in own if not one.name), None)
        return {
            "clearinghouseState": self._accounts.clearinghouse(account),
            "leadingVaults": [],
            "totalVaultEquity": "0.0",
            "openOrders": self._accounts.orders.frontend_orders(account),
            "agentAddress": agent.address if agent else None,
            "agentValidUntil": agent.valid_until_ms if agent else None,
            "cumLedger": usd(moved),
            "meta": self._market.meta(),
            "assetCtxs": self._market.contexts(),
            "serverTime": self._world.now_ms,
            "isVault": False,
            "user": user,
            "twapStates": self._accounts.fills.running_twaps(account),
            "spotState": spot_reads.balances(self._world, account),
            "spotAssetCtxs": spot_reads.contexts(),
            "perpsAtOpenInterestCap": [],
        }
