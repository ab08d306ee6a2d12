"""Accounts and their keys, as the process that signs holds them."""

from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from hyperliquid_exchange.adapters.accounts_file import (
    AccountsFileError,
    KeySource,
    WrittenAccount,
    read_accounts_file,
)
from hyperliquid_exchange.adapters.keystore import AgentKey, read_key_file, read_key_variable
from hyperliquid_exchange.domain.accounts import (
    TRADERS_MAX,
    GlobalLimits,
    LiveAccount,
    Network,
)
from suite.errors import ConfigError
from suite.ids import TraderId

Role = Literal["proxy", "watchdog"]
"""Who holds the keys: the proxy those that trade, the watchdog those of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Custody:
    """What a process may act for, and with what.

    Attributes:
        network: that is signed for.
        limits: over all traders.
        accounts: by trader id, in the order of the file.
        wallets: what signs, by address.
    """

    network: Network
    limits: GlobalLimits
    accounts: Mapping[TraderId, LiveAccount]
    wallets: Mapping[str, AgentKey]


def open_custody(
    path: Path,
    *,
    network: Network,
    is_stand_in: bool,
    environment: MutableMapping[str, str],
    role: Role = "proxy",
) -> Custody:
    """Read the accounts file and the keys that it names.

    Args:
        path: of the file.
        network: that the settings name.
        is_stand_in: what is traded at is no Hyperliquid: example keys may sign there.
        environment: variables with keys are taken out of it.
        role: whose keys are read. A watchdog has the accounts alone for which it has a key.

    Raises:
        ConfigError: a file, a key or both together are wrong; all of it is told.
    """
    written = read_accounts_file(path, network=network)
    problems: list[str] = []
    accounts: dict[TraderId, LiveAccount] = {}
    wallets: dict[str, AgentKey] = {}
    holders: dict[str, TraderId] = {}
    people = {address for entry in written.accounts for address in (entry.address, entry.master)}
    for entry in written.accounts:
        source = entry.key if role == "proxy" else entry.watchdog_key
        if source is None:
            continue
        try:
            key = _key(source, environment, network)
            _refuse_unfit(key, entry, people, is_stand_in=is_stand_in)
        except ConfigError as error:
            problems.append(f"line {source.line}: {source.place}: {error}")
            continue
        holder = holders.setdefault(key.address, entry.trader_id)
        if role == "proxy" and holder != entry.trader_id:
            problems.append(
                f"line {source.line}: {source.place}: the key is that of {holder} too; every "
                "trader has one alone"
            )
        wallets[key.address] = key
        accounts[entry.trader_id] = _live(entry, key.address)
    if len(accounts) > TRADERS_MAX:
        problems.append(
            f"accounts: {len(accounts)} traders, and the venue lets one address follow "
            f"{TRADERS_MAX}: run another hyperliquid-exchange, at another address, for the others"
        )
    if problems:
        raise AccountsFileError(tuple(problems))
    return Custody(network=network, limits=written.limits, accounts=accounts, wallets=wallets)


def _key(source: KeySource, environment: MutableMapping[str, str], network: Network) -> AgentKey:
    if source.file is not None:
        return read_key_file(source.file)
    return read_key_variable(str(source.env), environment, network=network)


def _refuse_unfit(
    key: AgentKey, entry: WrittenAccount, people: set[str], *, is_stand_in: bool
) -> None:
    """Refuse a key that is no agent's, or that is no secret.

    Raises:
        ConfigError: why.
    """
    if key.address in people:
        raise ConfigError(
            f"this is the master wallet's key ({key.address}), which can withdraw; make an agent: "
            f"hyperliquid-exchange keys new {entry.trader_id}"
        )
    if key.address in entry.client_signers:
        raise ConfigError(
            f"{key.address} is a client's signer too: who signs anew has a key that no client has"
        )
    if key.example and not is_stand_in:
        raise ConfigError(
            f"the key of {key.address} is an example ({key.example}), so everybody can sign with "
            f"it; make one: hyperliquid-exchange keys new {entry.trader_id}"
        )


def _live(entry: WrittenAccount, signer: str) -> LiveAccount:
    return LiveAccount(
        trader_id=entry.trader_id,
        address=entry.address,
        master=entry.master,
        signer=signer,
        native=entry.native,
        client_signers=entry.client_signers,
        symbols=entry.symbols,
        limits=entry.limits,
    )
