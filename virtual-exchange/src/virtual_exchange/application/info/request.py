"""What `POST /info` is asked."""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import msgspec

from suite.bodies import decode_first
from suite.contracts.hyperliquid_info import InfoRequest

T = TypeVar("T")
_LAST: Final = 1 << 62


class UnknownRequest(ValueError):
    """The body of an info request means nothing here; the venue answers 422."""


class Unsupported(UnknownRequest):
    """A value of the right type that the venue has nothing for; it answers 500 and `null`."""


class InfoBody(InfoRequest, frozen=True, kw_only=True):
    """Body of `POST /info` with the fields that only some types read."""

    oid: int | str | None = None
    startTime: int | None = None  # noqa: N815 - the wire's own name
    endTime: int | None = None  # noqa: N815
    aggregateByTime: bool | None = None  # noqa: N815
    nSigFigs: int | None = None  # noqa: N815
    mantissa: int | None = None
    builder: str | None = None
    id: int | None = None
    tokenId: str | None = None  # noqa: N815
    vaultAddress: str | None = None  # noqa: N815


_body = msgspec.json.Decoder(InfoBody)


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """What answers one type of request.

    Attributes:
        answer: given the request and the account it is about, None when the world has none such.
        needs: fields that must be there.
        of_user: it is about an account.
    """

    answer: Callable[[InfoBody, int | None], Any]
    needs: tuple[str, ...] = ()
    of_user: bool = False


def read_body(body: bytes) -> InfoBody:
    """Decode a request; as on the venue, what follows the first value is ignored.

    Raises:
        msgspec.DecodeError: it is not JSON, or (`ValidationError`) has another shape.
    """
    return decode_first(_body, body)


def in_range(
    rows: Sequence[T], request: InfoBody, time_of: Callable[[T], int], *, most: int
) -> Sequence[T]:
    """Rows between `startTime` and `endTime`, both included: the oldest of them, up to a number.

    So a client that asks again from the last time it was told gets all of them.

    Args:
        rows: oldest first.
        request: names the range.
        time_of: time of a row, ms.
        most: how many at most.
    """
    first, end = stretch(rows, request, time_of, most=most)
    return rows[first:end]


def stretch(
    rows: Sequence[T], request: InfoBody, time_of: Callable[[T], int], *, most: int
) -> tuple[int, int]:
    """Where the rows of `in_range` begin and end."""
    end_ms = _LAST if request.endTime is None else request.endTime
    first = bisect_left(rows, request.startTime or 0, key=time_of)
    end = bisect_right(rows, end_ms, key=time_of)
    return first, min(end, first + most)
