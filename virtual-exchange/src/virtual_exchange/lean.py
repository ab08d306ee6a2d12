"""Keeping a long-lived service small."""

import ctypes
import ctypes.util
import gc
import sys


def leave_out_unused() -> None:
    """Tell optional imports of libraries that they are not there.

    numba looks for scipy and cffi, structlog for rich; none of them is used by the service, and
    together they cost 35 MB and half a second. To be called before those libraries are imported.
    """
    for name in ("scipy", "cffi", "rich"):
        if name not in sys.modules:
            sys.modules[name] = None  # type: ignore[assignment]


_COLLECT_EVERY = 50_000


def give_back_memory() -> None:
    """Return what loading and compiling have left over to the system, where the C library can.

    What a world remembers has no cycles and is never garbage, so looking for some is rare from now
    on: at the usual pace it costs half as much as the orders do.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_COLLECT_EVERY, 20, 50)
    _trim()


def reclaim() -> None:
    """Free what a deleted world has left behind, cycles included, and return it to the system."""
    gc.collect()
    _trim()


def _trim() -> None:
    name = ctypes.util.find_library("c")
    trim = getattr(ctypes.CDLL(name), "malloc_trim", None) if name else None
    if trim is not None:
        trim(0)
