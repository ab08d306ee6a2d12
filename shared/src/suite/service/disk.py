"""How full the disks are that a service writes to: told early, long before writing fails.

A disk is looked at every five seconds. Above nine tenths people are told; above 95 % a service
stops what can wait, so that what may not fail has room left.
"""

import asyncio
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog

WARN: Final = 0.90
"""Share of a disk in use from which on people are told."""
STOP: Final = 0.95
"""From here on what can wait stops."""
LOOK_S: Final = 5.0
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Disk:
    """The fullest disk, at one look.

    Attributes:
        used: share of it that is in use, 0 to 1, as a user sees it.
        path: a folder on it.
    """

    used: float = 0.0
    path: str = ""

    @property
    def is_filling(self) -> bool:
        """People should know."""
        return self.used > WARN

    @property
    def is_short(self) -> bool:
        """What can wait should."""
        return self.used > STOP

    @property
    def text(self) -> str:
        """In words, with what to do."""
        return f"the disk of {self.path} is {self.used:.0%} full; free some space"


class DiskWatch:
    """Looks at the disks of some folders.

    Args:
        folders: that the service writes to; those that do not exist yet count as their parents.
        read: tells which share of a folder's disk is in use.

    Attributes:
        disk: the fullest of them at the last look.
        listeners: told of every look.
        tell: tells people, a kind and a text; the log alone where nothing else is set.
        turns: looks so far.
    """

    def __init__(self, *folders: Path, read: Callable[[Path], float] | None = None) -> None:
        self.disk = Disk()
        self.listeners: list[Callable[[Disk], None]] = []
        self.tell: Callable[[str, str], None] = _log_alert
        self.turns = 0
        self._folders = list(folders)
        self._read = read or used_share
        self._is_told = False

    def add(self, folder: Path) -> None:
        """Look at another folder's disk too."""
        self._folders.append(folder)

    async def run(self) -> None:
        """Look, until canceled."""
        while True:
            self.take(await asyncio.to_thread(self.look))
            await asyncio.sleep(LOOK_S)

    def look(self) -> Disk:
        """Find the fullest disk; one that cannot be asked counts as empty, for writing will say."""
        found = Disk()
        for folder in self._folders:
            try:
                used = self._read(folder)
            except OSError as error:
                _log.debug("disk_not_read", folder=str(folder), reason=error.strerror)
                continue
            if used >= found.used:
                found = Disk(used=used, path=str(folder))
        return found

    def take(self, disk: Disk) -> None:
        """Believe a look, and tell of it: people once, until there is room again."""
        self.disk = disk
        self.turns += 1
        if disk.is_filling and not self._is_told:
            self.tell("disk", disk.text)
        self._is_told = disk.is_filling
        for listener in self.listeners:
            listener(disk)


def used_share(folder: Path) -> float:
    """Tell which share of a folder's disk is in use, of what is not kept for root.

    Raises:
        OSError: it cannot be asked.
    """
    place = folder.absolute()
    while not place.exists() and place != place.parent:
        place = place.parent
    found = os.statvfs(place)
    used = found.f_blocks - found.f_bfree
    whole = used + found.f_bavail
    return used / whole if whole else 0.0


def _log_alert(kind: str, text: str) -> None:
    _log.warning("alert", kind=kind, text=text)
