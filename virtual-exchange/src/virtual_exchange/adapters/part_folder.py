"""Parts of a backtest on disk; each is there as a whole or not at all.

<folder>/market-<key>.part              what all traders have alike
<folder>/<trader>-<key>.part            the run of one trader
<folder>/<trader>-<key>.jsonl           its journal
<folder>/<trader>-<key>.decisions/      what a slow strategy has decided so far
<folder>/running-<pid>/                 of a process at work; what a killed one leaves is removed
"""

import contextlib
import os
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from suite.errors import StorageError
from suite.service.store_files import LocalFiles
from virtual_exchange.application.parts.plan import PlannedTrader, RunPlan
from virtual_exchange.application.parts.records import (
    MarketPart,
    TraderPart,
    read_market,
    read_trader,
)

_DIGITS: Final = 20
"""Of a key in the name of a file."""
_RUNNING: Final = "running-"


class PartFolder:
    """The kept parts of one place.

    Args:
        folder: need not exist.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files = LocalFiles(folder)

    def trader(self, trader: PlannedTrader) -> TraderPart | None:
        """Read the part of a trader; None where there is none that is whole."""
        if not (self._folder / f"{_name(trader)}.jsonl").exists():
            return None
        data = self._files.read(f"{_name(trader)}.part")
        return None if data is None else read_trader(data, trader.key)

    def market(self, plan: RunPlan) -> MarketPart | None:
        """Read what all traders have alike; None where it is not there."""
        data = self._files.read(_market(plan))
        return None if data is None else read_market(data)

    def working_folder(self) -> Path:
        """Make a folder for what this process writes while it works.

        Raises:
            StorageError: it cannot be made.
        """
        folder = self._folder / f"{_RUNNING}{os.getpid()}"
        try:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
        except OSError as error:
            raise StorageError(f"cannot write to {self._folder}: {error.strerror}") from None
        return folder

    def keep(
        self, plan: RunPlan, *, market: bytes, parts: Mapping[str, bytes], journals: Path
    ) -> None:
        """Keep the parts of some traders.

        Args:
            plan: what was run.
            market: what all traders have alike.
            parts: by trader id.
            journals: folder of their journals, which are moved from there.

        Raises:
            StorageError: the disk refuses; those that were written before are kept.
        """
        self._files.write(_market(plan), market)
        for trader in plan.of(parts):
            journal = journals / f"{trader.trader_id}.jsonl"
            try:
                with journal.open("rb+") as file:
                    os.fsync(file.fileno())
                journal.replace(self._folder / f"{_name(trader)}.jsonl")
            except OSError as error:
                raise StorageError(f"cannot keep {journal}: {error.strerror}") from None
            self._files.write(f"{_name(trader)}.part", parts[trader.trader_id])

    def decisions(self, trader: PlannedTrader) -> Path:
        """Name the file of what a slow strategy has decided."""
        return self._folder / f"{_name(trader)}.decisions" / f"{trader.trader_id}.jsonl"

    def forget(self, traders: Iterable[PlannedTrader]) -> None:
        """Remove all that is kept of some traders.

        Raises:
            StorageError: the disk refuses.
        """
        for trader in traders:
            for end in ("part", "jsonl", "decisions"):
                self._files.remove(f"{_name(trader)}.{end}")

    def sweep(self) -> None:
        """Remove what killed processes have left behind."""
        for folder in self._folder.glob(f"{_RUNNING}*"):
            if not _is_alive(folder.name.removeprefix(_RUNNING)):
                shutil.rmtree(folder, ignore_errors=True)
        self._files.sweep(".")

    def show_journals(self, traders: Iterable[PlannedTrader], target: Path) -> None:
        """Put the journals of some traders, and no others, into a folder by the traders' names.

        Raises:
            StorageError: the disk refuses.
        """
        try:
            target.mkdir(parents=True, exist_ok=True)
            for old in target.glob("*.jsonl"):
                old.unlink()
            for trader in traders:
                kept = self._folder / f"{_name(trader)}.jsonl"
                shown = target / f"{trader.trader_id}.jsonl"
                try:
                    shown.hardlink_to(kept)
                except OSError:
                    shutil.copyfile(kept, shown)
        except OSError as error:
            raise StorageError(f"cannot write journals to {target}: {error.strerror}") from None


def _name(trader: PlannedTrader) -> str:
    return f"{trader.trader_id}-{trader.key[:_DIGITS]}"


def _market(plan: RunPlan) -> str:
    return f"market-{plan.market_key[:_DIGITS]}.part"


def _is_alive(pid: str) -> bool:
    with contextlib.suppress(ValueError, ProcessLookupError):
        try:
            os.kill(int(pid), 0)
        except PermissionError:
            return True
        return True
    return False
