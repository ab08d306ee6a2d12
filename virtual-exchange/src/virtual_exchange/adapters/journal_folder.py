"""Journals of the traders of a backtest: `<folder>/<trader>.jsonl`, see `strategy_core.journal`."""

from pathlib import Path
from typing import Final, Self

from strategy_core.journal import journal_line
from strategy_core.port import Strategy
from suite.contracts.trader import TraderSpec
from suite.errors import StorageError
from virtual_exchange.application.keeping import Ask

_HELD_BYTES: Final = 1 << 16
"""Of one trader, before they are written; so that no file stays open for each of a thousand."""


class JournalFolder:
    """Keeps the journals of a run; those of an earlier one are replaced.

    A context: what is held back is written at its end.

    Args:
        folder: made when missing.

    Raises:
        StorageError: the folder cannot be made.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._held: dict[str, bytearray] = {}
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self._fault(error) from None

    def asking(self, spec: TraderSpec, strategy: Strategy, ask: Ask) -> Ask:
        """Let it be asked itself."""
        return ask

    def write(self, spec: TraderSpec, kind: str, record: object) -> None:
        """Append a record.

        Raises:
            StorageError: the disk does not take it.
        """
        held = self._held.get(spec.trader_id)
        if held is None:
            held = self._held[spec.trader_id] = bytearray()
            self._append(spec.trader_id, held, anew=True)
        held += journal_line(kind, record)
        if len(held) >= _HELD_BYTES:
            self._append(spec.trader_id, held)

    def flush(self) -> None:
        """Write what is held back.

        Raises:
            StorageError: the disk does not take it.
        """
        for trader_id, held in self._held.items():
            self._append(trader_id, held)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.flush()

    def _append(self, trader_id: str, held: bytearray, *, anew: bool = False) -> None:
        try:
            with (self._folder / f"{trader_id}.jsonl").open("wb" if anew else "ab") as file:
                file.write(held)
        except OSError as error:
            raise self._fault(error) from None
        held.clear()

    def _fault(self, error: OSError) -> StorageError:
        return StorageError(f"cannot write journals to {self._folder}: {error.strerror}")
