"""Which process a pid means: pids are used again."""

from contextlib import suppress
from pathlib import Path
from typing import Final

import psutil

_PROC: Final = Path("/proc")
_START_FIELD: Final = 19
"""Of `/proc/PID/stat` behind the name: when it started, clock ticks after the machine did."""


def birth_of(pid: int) -> str:
    """Name the birth of a process: with its pid it is one process of one machine for good.

    Ticks since the machine started, and which start that was: unlike a time of day they stay as
    they are when somebody sets the clock. Where the system does not tell them, the time of day.

    Raises:
        psutil.NoSuchProcess: there is none of that pid.
    """
    try:
        boot = (_PROC / "sys/kernel/random/boot_id").read_text().strip()
        stat = (_PROC / f"{pid}/stat").read_text(errors="replace")
        return f"{boot} {stat.rpartition(')')[2].split()[_START_FIELD]}"
    except (OSError, IndexError):
        return f"{psutil.Process(pid).create_time():.2f}"


def find_in(folder: Path, arguments: tuple[str, ...]) -> int:
    """Find a living process by the folder that it works in and the end of its command line.

    Returns:
        Its pid; 0 where there is none.
    """
    where = str(folder.resolve())
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.status() == psutil.STATUS_ZOMBIE or process.cwd() != where:
                continue
            if tuple(process.cmdline()[-len(arguments) :]) == arguments:
                return process.pid
    return 0
