"""An action that is about to leave, as it is written down before its first byte does."""

from typing import Any, Literal

import msgspec

Outcome = Literal["answered", "never"]
"""`answered`: the venue told what became of it. `never`: proof that it was not and will not be
executed."""


class Intent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One action of one trader.

    Attributes:
        trader_id: whose it is.
        key: the caller's `Idempotency-Key`, or one made for the request; unique for the trader.
        fingerprint: hex digest of the request; another request with the same key is refused.
        kind: type of the native action, e.g. `order`.
        coins: that it is about.
        adds_risk: it may make a position larger.
        signer: address that signed.
        nonce: of the signature.
        expires_ms: `expiresAfter` of it, wall time; None for never.
        payload: the whole signed request, JSON: a repetition is these very bytes.
    """

    trader_id: str
    key: str
    fingerprint: str
    kind: str
    coins: tuple[str, ...]
    adds_risk: bool
    signer: str
    nonce: int
    expires_ms: int | None
    payload: bytes


class Settled(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of a key.

    Attributes:
        outcome: see `Outcome`.
        reply: the venue's answer, or the gate's; None for `never`.
        noops: how many noops with an unknown outcome were sent for its nonce before.
    """

    trader_id: str
    key: str
    fingerprint: str
    outcome: Outcome
    reply: dict[str, Any] | None = None
    noops: int = 0
