"""A process whose machine has troubles: a clock that is wrong, names that are not found."""

import os
from pathlib import Path

_CODE = Path(__file__).with_name("afflicted")


class Afflictions:
    """Troubles of the processes that are started with `settings`; none at first.

    Args:
        folder: of its own, where they are written.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder

    @property
    def settings(self) -> dict[str, str]:
        """Variables of a process that has them."""
        known = os.environ.get("PYTHONPATH", "")
        return {
            "PYTHONPATH": os.pathsep.join(filter(None, (str(_CODE), known))),
            "AFFLICTIONS": str(self._folder),
        }

    def set_clock(self, ahead_ms: int) -> None:
        """Have the clock so far ahead, or behind."""
        fresh = self._folder / "clock.new"
        fresh.write_text(str(ahead_ms))
        fresh.rename(self._folder / "clock")

    def lose_names(self) -> None:
        """Have no name found any more."""
        (self._folder / "names").touch()

    @property
    def lookups(self) -> int:
        """How many names were asked for and not found so far."""
        asked = self._folder / "asked"
        return asked.stat().st_size if asked.exists() else 0

    def find_names(self) -> None:
        """Have them found again."""
        (self._folder / "names").unlink()
