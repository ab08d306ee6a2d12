"""What is asked of the last hop, and what it tells."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from hyperliquid_exchange.application.answers import Reply
from hyperliquid_exchange.domain.actions import Allowed


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """A request that came with its signature.

    Attributes:
        signer: who signed, lower case.
        nonce: of it.
        payload: its bytes.
    """

    signer: str
    nonce: int
    payload: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What a caller wants.

    Attributes:
        key: of it; unique for the trader.
        fingerprint: hex digest, not empty; equal for equal requests.
        action: finds what is asked for, or the answer that needs no venue.
        expires_ms: when the venue must refuse it, wall time; None for the usual, and of a signed
            request for never.
        signed: the request as its client signed it, which is sent on as it is.
        by_operator: it belongs to a flatten, which a kill lets through.
    """

    key: str
    fingerprint: str
    action: Callable[[], Awaitable[Allowed | Reply]]
    expires_ms: int | None = None
    signed: Signed | None = None
    by_operator: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What became of a key.

    Attributes:
        reply: the venue's answer, or one in its place.
        replayed: it belongs to an earlier request.
        late: the answer was not had at once; of an earlier life that is not known, and so it is.
    """

    reply: Mapping[str, Any]
    replayed: bool
    late: bool = False


@dataclass(slots=True)
class Counts:
    """What went out, and what it was about.

    Attributes:
        decided: intents that were written down.
        left: intents whose first byte left; never more than decided.
        again: the same bytes, again.
        noops: that were to end a nonce.
        refused: actions that never became an intent.
        unknown: intents whose answer could not be believed.
        resolved: of these, those of which the venue's answer was found.
        never: of these, those that were proven not to have been executed.
    """

    decided: int = 0
    left: int = 0
    again: int = 0
    noops: int = 0
    refused: int = 0
    unknown: int = 0
    resolved: int = 0
    never: int = 0
