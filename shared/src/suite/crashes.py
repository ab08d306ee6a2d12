"""How soon to start again what has crashed: at once a few times, then only after a pause.

A crash is an end that nobody asked for. The rule is that of `docs/trader-manager.md`.
"""

from collections.abc import Sequence
from typing import Final

CRASHES_MAX: Final = 3
"""Crashes within the window that are answered at once."""
CRASH_WINDOW_MS: Final = 600_000
CRASH_DELAY_MS: Final = 60_000
"""How long the next start waits where there were more."""


def delay_ms(crashes_ms: Sequence[int], *, now_ms: int, pause_ms: int = CRASH_DELAY_MS) -> int:
    """How long the next start has to wait: not at all after few crashes.

    Args:
        crashes_ms: epoch ms, rising.
        now_ms: epoch ms.
        pause_ms: after the last crash, where there were many.
    """
    if not is_crash_loop(crashes_ms, now_ms=now_ms):
        return 0
    # A clock that was set back must not make the wait longer than it is meant to be.
    return min(pause_ms, max(0, crashes_ms[-1] + pause_ms - now_ms))


def is_crash_loop(crashes_ms: Sequence[int], *, now_ms: int) -> bool:
    """Whether there were more crashes of late than are answered at once.

    Args:
        crashes_ms: epoch ms, rising.
        now_ms: epoch ms.
    """
    return len(recent(crashes_ms, now_ms=now_ms)) > CRASHES_MAX


def recent(crashes_ms: Sequence[int], *, now_ms: int) -> list[int]:
    """Those that count still; what is older is a stable time since.

    Args:
        crashes_ms: epoch ms, rising.
        now_ms: epoch ms.
    """
    return [at_ms for at_ms in crashes_ms if now_ms - at_ms < CRASH_WINDOW_MS]
