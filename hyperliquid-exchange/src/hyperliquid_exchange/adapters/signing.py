"""The only place that signs: allow-listed actions, for the configured network.

Signatures are made by the official client's own function. Each is then looked at as the venue will:
over the bytes that the venue hashes it must recover to the agent's address. A signature never
fails by itself, it only becomes a stranger's.
"""

from collections.abc import Mapping
from typing import Any, Final, Protocol

import msgspec
from eth_account.datastructures import SignedMessage
from eth_account.messages import SignableMessage

from hyperliquid_exchange.application.ports import Ownership
from hyperliquid_exchange.domain.accounts import LiveAccount, Network
from hyperliquid_exchange.domain.actions import is_allowed, name_of
from suite.checks import check
from suite.contracts.hyperliquid_exchange import L1Action, canonical, packed
from suite.contracts.hyperliquid_signing import Source, l1_digest, recover
from suite.errors import Forbidden
from suite.ids import TraderId

_SOURCES: Final[Mapping[Network, Source]] = {"mainnet": "a", "testnet": "b"}
_WORD: Final = 1 << 64


class Wallet(Protocol):
    """What signs for an address."""

    address: str

    def sign_message(self, message: SignableMessage) -> SignedMessage:
        """Sign."""
        ...


class AgentSigner:
    """Signs with the key of a trader's agent.

    Args:
        accounts: by trader id.
        wallets: by address, those that the accounts name.
        network: whose signatures are made; the other one's never.
        ownership: asked before each signature.
    """

    def __init__(
        self,
        accounts: Mapping[TraderId, LiveAccount],
        wallets: Mapping[str, Wallet],
        *,
        network: Network,
        ownership: Ownership,
    ) -> None:
        # at the start, as it takes half a second, and not within the first order
        from hyperliquid.utils.signing import sign_l1_action

        self._sign = sign_l1_action
        self._accounts = accounts
        self._wallets = wallets
        self._network: Network = network
        self._ownership = ownership

    def sign(
        self,
        trader_id: TraderId,
        action: L1Action,
        *,
        nonce: int,
        expires_ms: int | None,
    ) -> bytes:
        """Sign an action for a trader's account, and write the whole request.

        Raises:
            Forbidden: the action is none that is signed here, or nobody has this trader's key.
            NotOwner: this process does not own the signer (any more).
        """
        account = self._accounts.get(trader_id)
        if account is None:
            raise Forbidden(f"there is no account of {trader_id} here")
        if not is_allowed(action):
            raise Forbidden(f"{name_of(action)} is no action that is signed here")
        check(0 < nonce < _WORD, "a nonce is out of range")
        self._ownership.check(account.signer)
        wallet = self._wallets[account.signer]
        canonical(action)
        built = msgspec.to_builtins(action)
        signature = self._sign(
            wallet, built, account.vault, nonce, expires_ms, self._network == "mainnet"
        )
        self._look_at(signature, action, account, nonce, expires_ms)
        return msgspec.json.encode(
            {
                "action": built,
                "nonce": nonce,
                "signature": signature,
                "vaultAddress": account.vault,
                "expiresAfter": expires_ms,
            }
        )

    def _look_at(
        self,
        signature: Mapping[str, Any],
        action: L1Action,
        account: LiveAccount,
        nonce: int,
        expires_ms: int | None,
    ) -> None:
        """Make sure that the venue will see the agent's signature, and no stranger's."""
        digest = l1_digest(
            packed(action),
            nonce,
            _SOURCES[self._network],
            vault=None if account.vault is None else bytes.fromhex(account.vault[2:]),
            expires_after=expires_ms,
        )
        halves = int(signature["r"], 16), int(signature["s"], 16)
        seen = recover(digest, *halves, signature["v"])
        check(seen == account.signer, "a signature is not that of the agent")
