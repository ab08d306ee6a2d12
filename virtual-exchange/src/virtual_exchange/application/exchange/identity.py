"""Who is who in a world: accounts, their agents and sub-accounts, and what they have approved."""

from collections.abc import Callable
from typing import Any

from suite.addresses import derived_address
from suite.clock import Clock
from suite.fixed import Usd
from suite.ids import AccountId
from virtual_exchange.application.world import World
from virtual_exchange.domain.accounts import Account
from virtual_exchange.domain.agents import Agents
from virtual_exchange.domain.nonces import NonceWindow

_SUB_ACCOUNTS = 10


class Identity:
    """The addresses of one world.

    Args:
        world: whose accounts they are.
        clock: wall time, by which clients number and limit what they sign.
        faucet_usd: what an address gets when it is first named in a read, micro-USD; 0 is none.

    Attributes:
        agents: API wallets.
        fund: opens an account for an address that nobody has named before.
    """

    def __init__(self, world: World, clock: Clock, *, faucet_usd: Usd) -> None:
        self._world = world
        self._clock = clock
        self._faucet_usd = faucet_usd
        self._nonces: dict[str, NonceWindow] = {}
        self._builder_fees: dict[tuple[int, str], int] = {}
        self._referrers: dict[int, str] = {}
        self.agents = Agents()
        self.fund: Callable[[str], None] = self.open_funded

    @property
    def now_ms(self) -> int:
        """Wall time."""
        return self._clock.now_ms()

    def principal(self, signer: str) -> Account | None:
        """The account a signer acts for: its own, or the one that made it an agent."""
        agent = self.agents.find(signer, self.now_ms)
        if agent is not None:
            return self._world.accounts[agent.account]
        return self._world.by_address.get(signer)

    def use_nonce(self, signer: str, nonce: int) -> str | None:
        """Use up a nonce of a known signer; tell why it may not be used."""
        return self._nonces.setdefault(signer, NonceWindow()).use(nonce, self.now_ms)

    def approve_agent(self, account: Account, address: str, name: str) -> str | None:
        """Let an address trade for an account; tell why it may not."""
        if address in self._world.by_address:
            return "Extra agent already used."
        return self.agents.approve(
            account.index,
            address,
            name,
            now_ms=self.now_ms,
            sub_accounts=len(self.sub_accounts(account.index)),
        )

    def agents_of(self, account: int) -> list[tuple[str, str, int | None]]:
        """Name, address and last moment of each named agent."""
        return [
            (agent.name, agent.address, agent.valid_until_ms)
            for agent in self.agents.of(account)
            if agent.name
        ]

    def role(self, address: str) -> dict[str, Any]:
        """What an address is, as `userRole` tells it."""
        agent = self.agents.find(address.lower(), self.now_ms)
        if agent is not None:
            master = self._world.accounts[agent.account].address
            return {"role": "agent", "data": {"user": master}}
        account = self._world.by_address.get(address.lower())
        if account is None:
            return {"role": "missing"}
        if account.master is not None:
            master = self._world.accounts[account.master].address
            return {"role": "subAccount", "data": {"master": master}}
        return {"role": "user"}

    def sub_accounts(self, account: int) -> list[Account]:
        """Accounts that were opened below one."""
        return [owned for owned in self._world.accounts if owned.master == account]

    def open_sub_account(self, master: Account, name: str) -> Account | str:
        """Open an empty account below another; tell why it may not be.

        Raises:
            Conflict: the world has no room for one more.
        """
        if not 1 <= len(name) <= 16:
            return "Sub-account name must have 1 to 16 characters."
        if master.master is not None:
            return "Sub-accounts cannot have sub-accounts."
        own = self.sub_accounts(master.index)
        if len(own) >= _SUB_ACCOUNTS:
            return f"Too many sub-accounts. Current limit is {_SUB_ACCOUNTS}"
        number = len(own) + 1
        account = Account(
            index=len(self._world.accounts),
            account_id=AccountId(f"{master.account_id}/{number}"),
            address=derived_address(f"sub-account:{master.address}/{number}".encode()),
            initial_balance_usd=Usd(0),
            master=master.index,
            name=name,
        )
        self._world.open_account(account)
        return account

    def register(self, address: str) -> None:
        """Fund an address that a read has named for the first time, where there is a faucet.

        Raises:
            Conflict: the world has no room for one more.
        """
        known = address in self._world.by_address or self.agents.find(address, self.now_ms)
        if self._faucet_usd and not known and not self._world.finished:
            self.fund(address)

    def open_funded(self, address: str) -> None:
        """Open an account with the faucet's money.

        Raises:
            Conflict: the world has no room for one more.
        """
        self._world.open_account(
            Account(
                index=len(self._world.accounts),
                account_id=AccountId(address),
                address=address,
                initial_balance_usd=self._faucet_usd,
            )
        )

    def is_unused(self, address: str) -> bool:
        """Tell whether an account is there by the faucet only: nobody signed or moved anything."""
        account = self._world.by_address.get(address)
        if account is None or account.account_id != address or address in self._nonces:
            return False
        book = self._world.books[account.index]
        return not (book.orders or book.rejected) and [
            (entry.kind, entry.perp_usd) for entry in book.ledger
        ] == [("deposit", self._faucet_usd)]

    def approve_builder_fee(self, account: int, builder: str, tenths_bps: int) -> None:
        """Allow a builder a fee, in tenths of a basis point."""
        self._builder_fees[account, builder.lower()] = tenths_bps

    def max_builder_fee(self, account: int | None, builder: str) -> int:
        """What a builder is allowed, in tenths of a basis point; nothing by who does not exist."""
        return 0 if account is None else self._builder_fees.get((account, builder.lower()), 0)

    def referrer(self, account: int | None) -> str | None:
        """Code of who brought a user, as it named it."""
        return None if account is None else self._referrers.get(account)

    def set_referrer(self, account: int, code: str) -> bool:
        """Remember who brought a user, once."""
        if account in self._referrers:
            return False
        self._referrers[account] = code
        return True
