"""What a slow strategy has decided in a backtest, on disk as it decides it."""

from pathlib import Path

import msgspec

from strategy_core.replaying import KeptDecision, kept_of, line_of
from suite.errors import StorageError
from suite.service.appended_lines import AppendedLines


class DecisionFile:
    """Decisions of one trader, each synced before it is acted on.

    Args:
        path: of the file.

    Attributes:
        kept: those of an earlier run.

    Raises:
        StorageError: it cannot be opened, or is damaged.
    """

    def __init__(self, path: Path) -> None:
        self._file = AppendedLines(path)
        try:
            self.kept = kept_of(self._file.lines)
        except msgspec.MsgspecError as error:
            self._file.close()
            raise StorageError(f"{path} is damaged ({error}); begin afresh") from None

    def keep(self, decision: KeptDecision) -> None:
        """Keep one more.

        Raises:
            StorageError: the disk does not take it.
        """
        self._file.append(line_of(decision))

    def close(self) -> None:
        """Close the file."""
        self._file.close()
