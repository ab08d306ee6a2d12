"""Sweeps that are interrupted again and again, as by Ctrl-C, until they are whole."""

from collections.abc import Callable, Container
from typing import Any, TypeVar

import pytest

from virtual_exchange.research.sweep_store import SweepFolder

T = TypeVar("T")
_MOST = 50


def whole_in_parts(
    run: Callable[[], T], patch: pytest.MonkeyPatch, *, at: Container[int]
) -> tuple[T, int]:
    """Run until nothing interrupts it any more.

    Args:
        run: the sweep; it goes on where it was interrupted.
        patch: undone by its owner.
        at: which of the results that are to be kept end it instead, counted from 1.

    Returns:
        What came of it, and how often it was interrupted.
    """
    keep, kept = SweepFolder.keep, 0

    def keep_some(self: SweepFolder, key: str, rows: Any) -> None:
        nonlocal kept
        kept += 1
        if kept in at:
            raise KeyboardInterrupt
        keep(self, key, rows)

    patch.setattr(SweepFolder, "keep", keep_some)
    for interruptions in range(_MOST):
        try:
            return run(), interruptions
        except KeyboardInterrupt:
            continue
    raise AssertionError(f"not whole after {_MOST} interruptions")
