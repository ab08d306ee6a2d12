"""The only place that signs: allow-listed actions, for the configured network.

The digest is computed here, as the official client's encoder takes a third of a millisecond. At the
start one signature is held against that client's own; and each is looked at as the venue will: over
the bytes that it hashes it must recover to the agent's address. A signature never fails by itself,
it only becomes a stranger's.
"""

from collections.abc import Mapping
from typing import Any, Final, Protocol

import msgspec

from hyperliquid_exchange.application.ports import Ownership
from hyperliquid_exchange.domain.accounts import LiveAccount, Network
from hyperliquid_exchange.domain.actions import is_allowed, name_of
from suite.checks import check
from suite.contracts.hyperliquid_exchange import L1Action, canonical, decode_action, packed
from suite.contracts.hyperliquid_signing import Source, l1_digest, recover
from suite.errors import Forbidden
from suite.ids import TraderId

_SOURCES: Final[Mapping[Network, Source]] = {"mainnet": "a", "testnet": "b"}
_WORD: Final = 1 << 64
_SAMPLE: Final = msgspec.Raw(
    b'{"type":"order","orders":[{"a":1,"b":true,"p":"2950.5","s":"0.25","r":false,'
    b'"t":{"trigger":{"isMarket":true,"triggerPx":"2900","tpsl":"sl"}},'
    b'"c":"0x000000000000000000000000000000ab"}],"grouping":"na"}'
)
"""What is signed to compare, with a key that nobody has approved."""


class Wallet(Protocol):
    """What signs for an address."""

    address: str

    def sign_digest(self, digest: bytes) -> bytes:
        """Sign 32 bytes that were hashed already: `r`, `s` and the parity, 65 bytes."""
        ...


class AgentSigner:
    """Signs with the key of a trader's agent.

    Args:
        accounts: by trader id.
        wallets: by address, those that the accounts name.
        network: whose signatures are made; the other one's never.
        ownership: asked before each signature.

    Raises:
        InvariantViolated: the official client signs otherwise; nothing can be signed then.
    """

    def __init__(
        self,
        accounts: Mapping[TraderId, LiveAccount],
        wallets: Mapping[str, Wallet],
        *,
        network: Network,
        ownership: Ownership,
    ) -> None:
        self._accounts = accounts
        self._wallets = wallets
        self._network: Network = network
        self._ownership = ownership
        _compare_with_official_client(network)

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
        canonical(action)
        signature = self._signature(account, packed(action), nonce, expires_ms)
        return msgspec.json.encode(
            {
                "action": action,
                "nonce": nonce,
                "signature": signature,
                "vaultAddress": account.vault,
                "expiresAfter": expires_ms,
            }
        )

    def _signature(
        self, account: LiveAccount, hashed: bytes, nonce: int, expires_ms: int | None
    ) -> dict[str, Any]:
        """Sign, and make sure that the venue will see the agent's signature, and no stranger's."""
        digest = _digest(hashed, nonce, self._network, account.vault, expires_ms)
        signature = _written(self._wallets[account.signer].sign_digest(digest))
        seen = recover(digest, int(signature["r"], 16), int(signature["s"], 16), signature["v"])
        check(seen == account.signer, "a signature is not that of the agent")
        return signature


def _compare_with_official_client(network: Network) -> None:
    """Hold one signature against the official client's, made with a key of this moment."""
    # it takes half a second to import: at the start, and not within the first order
    from coincurve import PrivateKey
    from eth_account import Account
    from hyperliquid.utils.signing import sign_l1_action

    action, secret, vault = decode_action(_SAMPLE), PrivateKey().secret, "0x" + "5a" * 20
    theirs = sign_l1_action(
        Account.from_key(secret), msgspec.to_builtins(action), vault, 1, 2, network == "mainnet"
    )
    digest = _digest(packed(action), 1, network, vault, 2)
    own = _written(PrivateKey(secret).sign_recoverable(digest, hasher=None))
    check(own == theirs, "the official client signs otherwise than this process")


def _digest(
    hashed: bytes, nonce: int, network: Network, vault: str | None, expires_ms: int | None
) -> bytes:
    return l1_digest(
        hashed,
        nonce,
        _SOURCES[network],
        vault=None if vault is None else bytes.fromhex(vault[2:]),
        expires_after=expires_ms,
    )


def _written(made: bytes) -> dict[str, Any]:
    """Write a signature of 65 bytes as the official client does: numbers without leading zeros."""
    r, s = int.from_bytes(made[:32]), int.from_bytes(made[32:64])
    return {"r": hex(r), "s": hex(s), "v": made[64] + 27}
