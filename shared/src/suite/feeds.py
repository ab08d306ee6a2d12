"""Who hears what comes over a connection that is kept alive."""

from collections.abc import Sequence
from typing import Protocol, TypeVar

T_contra = TypeVar("T_contra", contravariant=True)


class FeedListener(Protocol[T_contra]):
    """Who is told what a feed receives, in order; its methods return at once."""

    def connected(self) -> None:
        """From now on everything is told: a connection is open and subscribed."""
        ...

    def received(self, events: Sequence[T_contra]) -> None:
        """Something came over it."""
        ...

    def flawed(self, reason: str) -> None:
        """Something came that could not be used: `malformed`, `oversize` or `overflow`."""
        ...

    def lost(self, reason: str) -> None:
        """The connection has ended; what comes until the next one is unknown."""
        ...
