"""Bodies: as the venue reads them, and as they are sent with a name for what is in them."""

import hashlib
import re
from dataclasses import dataclass
from typing import Final, TypeVar

import msgspec

T = TypeVar("T")

_TRAILING: Final = re.compile(r"trailing characters \(byte (\d+)\)")


def decode_first(decoder: "msgspec.json.Decoder[T]", body: bytes) -> T:
    """Decode the first value of a body, as the venue does: what follows it does not count.

    Raises:
        msgspec.DecodeError: it is not JSON, or (`ValidationError`) has another shape.
    """
    try:
        return decoder.decode(body)
    except msgspec.ValidationError:
        raise
    except msgspec.DecodeError as error:
        rest = _TRAILING.search(str(error))
        if rest is None:
            raise
        return decoder.decode(body[: int(rest[1]) - 1])


@dataclass(frozen=True, slots=True)
class Encoded:
    """An answer.

    Attributes:
        body: as it is sent.
        digest: of the body; equal bodies have equal ones.
    """

    body: bytes
    digest: str

    @classmethod
    def of(cls, body: bytes) -> "Encoded":
        """Name a body by its content."""
        return cls(body, hashlib.blake2b(body, digest_size=16).hexdigest())
