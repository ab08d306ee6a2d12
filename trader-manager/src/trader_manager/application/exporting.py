"""The port to files of what is stored."""

from collections.abc import AsyncIterator, Sequence
from typing import Literal, Protocol, TypeAlias

from suite.ids import TraderId, WorldId

Kind: TypeAlias = Literal["equity", "trades", "decisions"]
Form: TypeAlias = Literal["csv", "parquet"]


class RecordFiles(Protocol):
    """Writes what is stored of traders into files."""

    def export(
        self, world: WorldId, trader_ids: Sequence[TraderId], kind: Kind, form: Form
    ) -> AsyncIterator[bytes]:
        """Write a file, piece by piece.

        Args:
            world: of the traders.
            trader_ids: whose rows; in this order.
            kind: what of them.
            form: of the file.

        Raises:
            SuiteError: the database is away; what was written then is no whole file.
        """
        ...
