"""What code reaches for outside, as the interpreter tells its audit hooks."""

import inspect
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

EVENTS: Final = frozenset(
    {
        *("open", "os.listdir", "os.scandir", "os.remove", "os.rename", "os.mkdir", "os.putenv"),
        *("os.system", "os.exec", "os.fork", "os.posix_spawn", "subprocess.Popen", "os.kill"),
        *("socket.connect", "socket.bind", "socket.getaddrinfo", "socket.sendto"),
        *("sqlite3.connect", "_thread.start_new_thread", "builtins.input"),
    }
)
"""Of the interpreter's table of audit events; reading a clock is not among them."""
_IMPORTS: Final = "<frozen importlib"
_COMPILED: Final = str(Path("numba", "core", "caching.py"))
"""Keeps compiled code on the disk, which is no data of anybody's."""


class Watch:
    """Keeps what is reached for, until it is asked.

    An audit hook stays until the process ends, so this is for commands.

    Args:
        width: letters that are kept of what was reached for.
        own: folders of packages that count as installed, wherever they are.
    """

    def __init__(self, width: int = 60, own: Sequence[Path] = ()) -> None:
        self._width = width
        self._installed = (_IMPORTS, sys.prefix, sys.base_prefix, *map(str, own))
        self._heard: list[str] = []
        sys.addaudithook(self._hear)

    def heard(self) -> list[str]:
        """Say what was reached for since the last time; an import of what is installed is none."""
        heard, self._heard = self._heard, []
        return heard

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event in EVENTS and not self._is_importing():
            self._heard.append(
                f"{event} {repr(arguments[0])[: self._width] if arguments else ''}".strip()
            )

    def _is_importing(self) -> bool:
        """Whether code is being read, or an installed module runs as it is imported."""
        hear = inspect.currentframe()
        frame = hear.f_back.f_back if hear and hear.f_back else None
        inner = _IMPORTS
        while frame is not None:
            place = frame.f_code.co_filename
            if place.endswith(_COMPILED):
                return True
            if place.startswith(_IMPORTS):
                return inner.startswith(self._installed)
            inner, frame = place, frame.f_back
        return False
