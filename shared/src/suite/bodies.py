"""Bodies as the venue reads them: the first JSON value counts, what follows it does not."""

import re
from typing import Final, TypeVar

import msgspec

T = TypeVar("T")

_TRAILING: Final = re.compile(r"trailing characters \(byte (\d+)\)")


def decode_first(decoder: "msgspec.json.Decoder[T]", body: bytes) -> T:
    """Decode the first value of a body.

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
