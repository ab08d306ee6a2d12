"""Sweeps that are interrupted again and again, as by Ctrl-C, until they are whole."""

from collections.abc import Callable
from typing import Any, TypeVar

import pytest

from virtual_exchange.research.sweep_store import SweepFolder

T = TypeVar("T")
_MOST = 50


def whole_in_parts(run: Callable[[], T], patch: pytest.MonkeyPatch, *, every: int) -> tuple[T, int]:
    """Run until nothing interrupts it any more.

    Args:
        run: the sweep; it goes on where it was interrupted.
        patch: undone by its owner.
        every: which of the results that are to be kept ends it instead.

    Returns:
        What came of it, and how often it was interrupted.
    """
    keep, kept = SweepFolder.keep, 0

    def keep_some(self: SweepFolder, key: str, rows: Any) -> None:
        nonlocal kept
        kept += 1
        if kept % every == 0:
            raise KeyboardInterrupt
        keep(self, key, rows)

    patch.setattr(SweepFolder, "keep", keep_some)
    for interruptions in range(_MOST):
        try:
            return run(), interruptions
        except KeyboardInterrupt:
            continue
    raise AssertionError(f"not whole after {_MOST} interruptions")
