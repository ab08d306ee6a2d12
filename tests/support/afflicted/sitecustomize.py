"""Troubles of a machine, for one process: what it is told of the time and of names.

A process that has this folder on its `PYTHONPATH` looks into the folder `AFFLICTIONS` whenever it
asks for the time or for a name. A file `clock` there holds how far its clock is ahead, ms; while
there is a file `names`, no name is found any more.
"""

import os
import socket
import sys
import time
from pathlib import Path
from typing import Any

_FOLDER = Path(os.environ.get("AFFLICTIONS", "/nonexistent"))
_LOOKED_NS = 50_000_000
_wall_ns, _wall, _steady_ns = time.time_ns, time.time, time.monotonic_ns
_resolve = socket.getaddrinfo
_known = [0, 0]


def _ahead_ns() -> int:
    """How far the clock is ahead; read again now and then, for it is asked for all the time."""
    if _steady_ns() >= _known[0]:
        try:
            _known[1] = int((_FOLDER / "clock").read_text()) * 1_000_000
        except (OSError, ValueError):
            _known[1] = 0
        _known[0] = _steady_ns() + _LOOKED_NS
    return _known[1]


def _asked(host: Any, *rest: Any, **more: Any) -> Any:
    if (_FOLDER / "names").exists() and host and not str(host)[0].isdigit() and ":" not in host:
        with (_FOLDER / "asked").open("ab") as file:
            file.write(b".")
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
    return _resolve(host, *rest, **more)


sys.modules["uvloop"] = None  # type: ignore[assignment]  # it asks the system for names itself
time.time_ns = lambda: _wall_ns() + _ahead_ns()
time.time = lambda: _wall() + _ahead_ns() / 1e9
socket.getaddrinfo = _asked
