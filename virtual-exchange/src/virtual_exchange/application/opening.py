"""Opening accounts: those that a world begins with, and those that come later."""

from collections.abc import Sequence
from dataclasses import replace

from suite.addresses import account_address
from suite.contracts.trader import BALANCE_MAX_USD
from suite.contracts.world import AccountRequest
from suite.errors import BadRequest, Conflict
from suite.fixed import USD_DECIMALS, Usd, parse_fixed
from suite.ids import AccountId
from virtual_exchange.application.exchange.identity import Identity
from virtual_exchange.application.world import World
from virtual_exchange.domain.accounts import Account
from virtual_exchange.domain.agents import Agent


def accounts_of(wanted: Sequence[AccountRequest], *, first: int = 0) -> tuple[Account, ...]:
    """Make accounts as they are wanted.

    Args:
        wanted: of them.
        first: index of the first.

    Raises:
        BadRequest: one cannot be so, or two are the same.
    """
    accounts = tuple(_account(index, one) for index, one in enumerate(wanted, start=first))
    if len({account.account_id for account in accounts}) < len(accounts):
        raise BadRequest("two accounts have the same id")
    agents = [address.lower() for one in wanted for address in one.agents]
    addresses = [*(account.address for account in accounts), *agents]
    if len(set(addresses)) < len(addresses):
        raise BadRequest("two accounts or agents have the same address")
    return accounts


def know_agents(identity: Identity, wanted: Sequence[AccountRequest], *, first: int = 0) -> None:
    """Let the agents that come with accounts sign for them."""
    for account, one in enumerate(wanted, start=first):
        for number, address in enumerate(one.agents):
            identity.agents.add(
                Agent(
                    address=address.lower(),
                    account=account,
                    name=f"agent {number}" if number else "",
                    valid_until_ms=None,
                )
            )


def open_accounts(
    world: World, identity: Identity, wanted: Sequence[AccountRequest]
) -> tuple[Account, ...]:
    """Open accounts in a world that goes on, all or none of them; nobody else notices.

    An account that is there because a read has named its address, and that nobody has used, is
    the one that is opened: its name and its money are those that are wanted.

    Raises:
        BadRequest: one cannot be as it is wanted.
        Conflict: one is there already, there is no room, or the world has finished.
    """
    first = len(world.accounts)
    accounts = accounts_of(wanted, first=first)
    given = {one.address for one in accounts if identity.is_unused(one.address)}
    for account, one in zip(accounts, wanted, strict=True):
        if account.account_id in world.by_id:
            raise Conflict(f"there is an account {account.account_id} already")
        for address in (account.address, *(text.lower() for text in one.agents)):
            known = identity.agents.find(address, identity.now_ms)
            if (address in world.by_address and address not in given) or known is not None:
                raise Conflict(f"address {address} of {account.account_id} is known already")
    if world.finished:
        raise Conflict("the world has finished")
    if first + len(accounts) - len(given) > world.capacity:
        raise world.full()
    opened = tuple(_open(world, account, given=account.address in given) for account in accounts)
    for account, one in zip(opened, wanted, strict=True):
        know_agents(identity, (one,), first=account.index)
    return opened


def _open(world: World, account: Account, *, given: bool) -> Account:
    """Open one, or give one that is there its name; say at which index it is."""
    if given:
        account = replace(account, index=world.by_address[account.address].index)
        world.rename_account(account)
    else:
        account = replace(account, index=len(world.accounts))
        world.open_account(account)
    return account


def _account(index: int, wanted: AccountRequest) -> Account:
    try:
        balance = parse_fixed(wanted.initial_balance, USD_DECIMALS)
    except ValueError as error:
        raise BadRequest(f"initial_balance of {wanted.id}: {error}") from None
    if not 0 < wanted.initial_balance <= BALANCE_MAX_USD:
        raise BadRequest(f"initial_balance of {wanted.id}: must be positive and at most 1e11")
    return Account(
        index=index,
        account_id=AccountId(wanted.id),
        address=(wanted.address or account_address(wanted.id)).lower(),
        initial_balance_usd=Usd(balance),
    )
