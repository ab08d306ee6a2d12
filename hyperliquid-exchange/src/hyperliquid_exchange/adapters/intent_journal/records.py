"""What a line of the journal is.

`chain json`: the chain is the first half of SHA-256 over the chain before and the JSON. It is a
checksum, and it tells a line that is missing, moved or written anew from outside.
"""

import hashlib
from typing import Final

import msgspec

from hyperliquid_exchange.domain.intents import Intent, Settled

CHAIN_BYTES: Final = 16
ORIGIN: Final = bytes(CHAIN_BYTES)
"""Chain before the first line of all."""


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """First record of a segment: how it goes on from those before.

    Attributes:
        segment: number of this one, from 1.
        oldest: the first one that still counts; those before are gone.
        end: bytes of the one before that count; what follows there was never acknowledged.
        chain: of the last of those, hex.
    """

    segment: int
    oldest: int
    end: int
    chain: str


class Noop(msgspec.Struct, frozen=True, kw_only=True):
    """A noop with the nonce of an open intent is about to leave.

    Attributes:
        count: of them, this one included.
    """

    trader_id: str
    key: str
    count: int


class Record(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One of the four.

    Attributes:
        at_ms: wall time it was written down first, epoch ms.
    """

    at_ms: int
    head: Head | None = None
    begin: Intent | None = None
    noop: Noop | None = None
    settle: Settled | None = None


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Record).decode


def encoded(record: Record) -> bytes:
    """Write a record without its chain."""
    return _encode(record)


def decoded(content: bytes) -> Record:
    """Read a record without its chain.

    Raises:
        ValueError: it is none.
    """
    try:
        return _decode(content)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ValueError(str(error)) from None


def next_chain(chain: bytes, content: bytes) -> bytes:
    """Go on with a chain."""
    return hashlib.sha256(chain + content).digest()[:CHAIN_BYTES]


def framed(chain: bytes, contents: list[bytes]) -> tuple[bytes, bytes]:
    """Write lines that follow a chain; them, and the chain after the last."""
    lines = []
    for content in contents:
        chain = next_chain(chain, content)
        lines.append(chain.hex().encode() + b" " + content + b"\n")
    return b"".join(lines), chain


def is_next(chain: bytes, line: bytes) -> bool:
    """Whether a line, without its end, is whole and follows a chain."""
    digest, _, content = line.partition(b" ")
    return digest == next_chain(chain, content).hex().encode()


def content_of(line: bytes) -> bytes:
    """Take the JSON of a line."""
    return line.partition(b" ")[2]
