"""`POST /exchange`: an action that a client has signed itself.

Nothing passes here that the venue would refuse: the signature must be for the configured network,
over the venue's own form of the action, by a key of this account. What only a simulator takes is
refused with the reason.

`forward` sends the very bytes on. `resign` takes signatures of either network by a client's key,
and signs with the trader's agent key; the client's nonce is then the key of the request.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from hyperliquid_exchange.application import answers
from hyperliquid_exchange.application.answers import Reply
from hyperliquid_exchange.application.last_hop import LastHop
from hyperliquid_exchange.application.requests import Request, Signed, Told
from hyperliquid_exchange.domain.accounts import LiveAccount, Network
from hyperliquid_exchange.domain.actions import ALLOWED, Allowed, forbidden, is_allowed
from suite.addresses import normal_address
from suite.clock import Clock
from suite.contracts import hyperliquid_exchange as wire
from suite.contracts.hyperliquid_signing import Source, l1_digest, recover
from suite.errors import Conflict

OLD_MS: Final = 480_000
AHEAD_MS: Final = 60_000
"""How old, and how far ahead, a client's nonce may be that is not sent on: together less than the
ten minutes for which no key is forgotten, or who has caught a request could bring it once more."""
_NONCE_LIMIT: Final = 1 << 64
_SOURCES: Final[Mapping[Network, Source]] = {"mainnet": "a", "testnet": "b"}
_NAMES: Final[Mapping[Source, Network]] = {"a": "mainnet", "b": "testnet"}
_LOCALHOST: Final = (
    "the official SDK signs for mainnet only where its base_url is that of mainnet, and for "
    "testnet everywhere else, at localhost too"
)
_FRESH: Final = "; it is the time of the request in ms: set the client's clock"
_envelope = msgspec.json.Decoder(wire.Envelope)


class Malformed(Exception):
    """A body that is no request of the venue.

    Attributes:
        is_json: it has another shape; otherwise it is no JSON at all.
    """

    def __init__(self, text: str, *, is_json: bool) -> None:
        super().__init__(text)
        self.is_json = is_json


class _Refused(Exception):
    """The action as a whole is refused with a text."""


class Native:
    """Takes signed actions in.

    Args:
        hop: the way out.
        network: whose signatures pass untouched.
        clock: wall time, of the window of nonces.
    """

    def __init__(self, hop: LastHop, *, network: Network, clock: Clock) -> None:
        self._hop = hop
        self._network: Network = network
        self._clock = clock

    async def post(self, account: LiveAccount, body: bytes) -> Mapping[str, Any]:
        """Check a signed action, and let it leave.

        Args:
            account: of the token that it came with.
            body: of the request.

        Returns:
            The venue's answer, or a refusal in its shape.

        Raises:
            Malformed: the body is no request.
            UpstreamTimeout: what became of it is unknown.
            NotOwner, StorageError: nothing has left.
        """
        envelope = _read(body)
        try:
            action = _action(envelope)
            signer = self._signer(account, envelope, action)
            self._check_vault(account, envelope)
            if account.native == "resign":
                self._check_nonce(envelope.nonce)
        except _Refused as refused:
            return answers.err(str(refused))
        return await self._submit(account, envelope, action, signer, body)

    async def _submit(
        self,
        account: LiveAccount,
        envelope: wire.Envelope,
        action: Allowed,
        signer: str,
        body: bytes,
    ) -> Mapping[str, Any]:
        nonce = envelope.nonce
        key = f"native:{signer}:{nonce}"
        forwards = account.native == "forward"

        async def known() -> Allowed | Reply:
            return action

        request = Request(
            key=key,
            fingerprint=hashlib.sha256(body).hexdigest(),
            action=known,
            expires_ms=envelope.expiresAfter,
            signed=Signed(signer=signer, nonce=nonce, payload=body) if forwards else None,
        )
        used = answers.err(f"Invalid nonce: duplicate nonce {nonce}")
        if isinstance(action, wire.Noop) and (not forwards or self._hop.knows(account, key)):
            # it ends the action of the same nonce, which may be under way here
            ended = await self._hop.noop(account, key)
            return used if ended.replayed else ended.reply
        try:
            told = await self._hop.submit(account, request)
        except Conflict:
            return used
        return used if _was_told(told) else told.reply

    # who

    def _signer(self, account: LiveAccount, envelope: wire.Envelope, action: Allowed) -> str:
        """Find the known address that signed as the venue will see it."""
        known = {account.signer, account.master, *account.client_signers}
        source = _SOURCES[self._network]
        if account.native == "resign":
            known = set(account.client_signers)
        canonical, as_sent = _forms(envelope, action)
        first = self._recover(envelope, canonical, source)
        if first in known:
            return first
        other: Source = "b" if source == "a" else "a"
        if self._recover(envelope, canonical, other) in known:
            if account.native == "resign":
                return self._recover(envelope, canonical, other)
            raise _Refused(
                f"User or API Wallet {first} does not exist. The signature is for {_NAMES[other]} "
                f"(source {other}), and this account trades on {self._network} (source {source}): "
                f"{_LOCALHOST}"
            )
        if as_sent != canonical and any(
            self._recover(envelope, as_sent, either) in known for either in _NAMES
        ):
            raise _Refused(
                f"User or API Wallet {first} does not exist. The signature is over another form of "
                "the action than the venue's own, which it hashes: its order of keys, decimals "
                "without superfluous zeros, addresses and client ids in lower case"
            )
        raise _Refused(
            f"User or API Wallet {first} does not exist. It is no signer of this token's account"
        )

    def _recover(self, envelope: wire.Envelope, packed: bytes, source: Source) -> str:
        vault = envelope.vaultAddress
        digest = l1_digest(
            packed,
            envelope.nonce,
            source,
            vault=None if vault is None else bytes.fromhex(normal_address(vault)[2:]),
            expires_after=envelope.expiresAfter,
        )
        halves = int(envelope.signature.r, 16), int(envelope.signature.s, 16)
        signer = recover(digest, *halves, envelope.signature.v)
        if signer is None:
            raise _Refused("Unable to recover signer.")
        return signer

    def _check_vault(self, account: LiveAccount, envelope: wire.Envelope) -> None:
        """Make sure that an action acts for the token's own account."""
        asked = envelope.vaultAddress
        vault = None if asked is None else normal_address(asked)
        if vault == account.vault or (vault is None and account.native == "resign"):
            return
        if vault is None:
            raise _Refused(f"vaultAddress is missing: this token acts for {account.vault}")
        raise _Refused(f"Vault not registered: {vault}")

    def _check_nonce(self, nonce: int) -> None:
        """Make sure that a client's nonce is fresh: the venue never sees it, and cannot refuse it.

        Narrower than the venue's own window, as keys are remembered for minutes and not for days.
        """
        now_ms = self._clock.now_ms()
        low, high = now_ms - OLD_MS, now_ms + AHEAD_MS
        if nonce < low:
            raise _Refused(f"Invalid nonce: nonce too low {nonce} < {low}{_FRESH}")
        if nonce > high:
            raise _Refused(f"Invalid nonce: nonce too high {nonce} > {high}{_FRESH}")


def _was_told(told: Told) -> bool:
    """Whether the answer was had at once by the request that used the nonce first."""
    return told.replayed and not told.late


def _read(body: bytes) -> wire.Envelope:
    """Read the envelope.

    Raises:
        Malformed: it is no JSON, has another shape, or names a key twice: readers would disagree.
    """
    try:
        envelope = _envelope.decode(body)
        json.loads(body, object_pairs_hook=_without_repeats)
    except msgspec.ValidationError as error:
        raise Malformed(str(error), is_json=True) from None
    except (ValueError, RecursionError):
        raise Malformed("", is_json=False) from None
    if envelope.nonce >= _NONCE_LIMIT or (envelope.expiresAfter or 0) >= _NONCE_LIMIT:
        raise Malformed("Expected `int` below 2^64 - at `$.nonce`", is_json=True)
    return envelope


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Malformed("duplicate field", is_json=True)
    return found


def _action(envelope: wire.Envelope) -> Allowed:
    """Read the action.

    Raises:
        Malformed: it has another shape.
        _Refused: it is none that may leave.
    """
    try:
        name = wire.type_of(envelope.action)
        if wire.is_user_signed(name) or name in wire.OTHER_L1:
            raise _Refused(_never(name))
        action = wire.decode_action(envelope.action)
    except (msgspec.ValidationError, ValueError, RecursionError) as error:
        raise Malformed(str(error), is_json=True) from None
    reason = forbidden(action)
    if not is_allowed(action):
        raise _Refused(_never(name))
    if reason is not None:
        raise _Refused(f"action: {reason}")
    return action


def _never(name: str) -> str:
    return (
        f"action: {name} never leaves from here, whoever signed it: only "
        f"{', '.join(sorted(ALLOWED))} do; move money and approve agents with the master wallet at "
        "the venue itself"
    )


def _forms(envelope: wire.Envelope, action: Allowed) -> tuple[bytes, bytes]:
    """Write an action as the venue does, and as it was sent.

    Raises:
        Malformed: it has what cannot be signed over, as a number of more than 64 bits.
    """
    try:
        return wire.packed(action), wire.packed_as_sent(envelope.action)
    except (msgspec.MsgspecError, OverflowError, RecursionError, UnicodeEncodeError):
        raise Malformed("the action cannot be written", is_json=True) from None
