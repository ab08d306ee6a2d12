"""What the kill ladder needs from outside."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from hyperliquid_exchange.domain.safety import Cause
from suite.contracts.hyperliquid_exchange import L1Action
from suite.ids import TraderId


class Latch(Protocol):
    """Causes that survive this process, and files by which anybody forbids.

    A file `KILL` forbids everything to all, `KILL.<trader>` to one trader.
    """

    def load(self) -> Sequence[Cause]:
        """Read the causes that are set.

        Raises:
            StorageError: they cannot be read, or are gone.
        """
        ...

    def save(self, causes: Sequence[Cause], note: str) -> None:
        """Write all causes, whole or not at all; durable on return.

        Args:
            causes: all that are set.
            note: what has changed and by whom, for the record; one line.

        Raises:
            StorageError: they could not be written.
        """
        ...

    def changed(self) -> bool:
        """Whether the causes are not as this process read or wrote them last; a quick look.

        Raises:
            StorageError: they cannot be looked at, or are gone.
        """
        ...

    def sentinel(self, scope: TraderId | str) -> str | None:
        """Tell why a file forbids; None where there is none. A quick look.

        Raises:
            StorageError: nobody can look.
        """
        ...

    def place_sentinel(self, scope: TraderId | str, reason: str) -> None:
        """Make the file that forbids everything; nothing where it is there.

        Raises:
            StorageError: it could not be made.
        """
        ...


class Preflight(Protocol):
    """The last result of the checklist."""

    def trouble(self, now_ms: int) -> str:
        """Tell why it is not clean, or not recent enough to end a kill; empty where it is."""
        ...


class RiskPath(Protocol):
    """The way out of the risk path: at every level, and only for what reduces."""

    async def send(self, trader_id: TraderId, action: L1Action) -> Mapping[str, Any]:
        """Sign and send a cancel or reduce-only orders.

        Returns:
            The venue's answer.

        Raises:
            Forbidden: the action may add risk.
            UpstreamTimeout: what became of it is unknown.
            SuiteError: it did not leave.
        """
        ...
