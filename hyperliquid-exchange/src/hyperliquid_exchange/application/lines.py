"""Connections to the venue's WebSocket, as those who listen to them see them."""

from collections.abc import Iterable
from typing import Protocol

from suite.contracts import hyperliquid_ws as ws


class Ears(Protocol):
    """Who is told what comes over a line, in order; its methods return at once."""

    def wanted(self) -> Iterable[ws.Named]:
        """Tell what a new connection shall be subscribed to at once."""
        ...

    def connected(self) -> None:
        """A connection is open, and is being asked for all that is wanted."""
        ...

    def message(self, data: bytes) -> None:
        """Something came, pongs left out."""
        ...

    def flawed(self, reason: str) -> None:
        """Something came that could not be used."""
        ...

    def lost(self, reason: str) -> None:
        """The connection has ended."""
        ...


class Line(Protocol):
    """One connection at a time, made again and again while it is wanted."""

    async def run(self) -> None:
        """Connect and read until cancelled."""
        ...

    def want(self, *, on: bool) -> None:
        """Have a connection, or none; none to begin with."""
        ...

    def say(self, frame: ws.Said) -> None:
        """Send over the connection that is open; without one, nothing."""
        ...

    def renew(self, reason: str) -> None:
        """End the present connection and open another."""
        ...


class Lines(Protocol):
    """Makes lines to one venue."""

    def make(self, name: str, ears: Ears, *, quiet: bool) -> Line:
        """Make a line.

        Args:
            name: in logs and metrics.
            ears: is told everything.
            quiet: nothing may come for long, so that pongs are signs of life.
        """
        ...
