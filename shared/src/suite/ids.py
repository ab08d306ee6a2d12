"""Names of things, told apart by type."""

import re
from typing import Annotated, Final, NewType

import msgspec

Oid = NewType("Oid", int)
"""Order id of the venue: `bar_index * 2^26 + account_index * 2^14 + sequence`, below 2^53."""

Cloid = NewType("Cloid", str)
"""Client order id: `0x` and 32 lower-case hex digits; the idempotency key of an order."""

_CLOID: Final = "0x[0-9a-fA-F]{32}"
CloidText = Annotated[str, msgspec.Meta(pattern=f"^{_CLOID}$")]
"""The same as it comes over the wire, in any case."""

AccountId = NewType("AccountId", str)
TraderId = NewType("TraderId", str)
WorldId = NewType("WorldId", str)
RunId = NewType("RunId", str)

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.\-/]{0,63}")
"""What a trader, account or world may be called: safe in a path segment but for the slash."""


def parse_cloid(text: str) -> Cloid:
    """Read a client order id, folding the case of its hex digits.

    Raises:
        ValueError: not `0x` and 32 hex digits.
    """
    if re.fullmatch(_CLOID, text) is None:
        raise ValueError("cloid must be 0x followed by 32 hex digits")
    return Cloid(text.lower())
