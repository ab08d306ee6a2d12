"""The only module that knows whether the features are compiled.

numba validates a cached function by the text of its own file only, and a change in a callee of
another file goes unnoticed. So the cache folder is named after the text of every file compiled.
Other kernels of the process have folders of their own: the setting is put back after each use.

Where numba is not installed (extra `ml`) the same text is interpreted: equal bits, a hundred times
slower, which is a fraction of a second for what a chart shows.
"""

import hashlib
import os
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, TypeVar, cast

F = TypeVar("F", bound=Callable[..., Any])

INTERPRETED: Final = find_spec("numba") is None or os.environ.get("NUMBA_DISABLE_JIT", "0") != "0"


def sources_hash() -> str:
    """Hash of the text of everything that is compiled."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


_BASE = os.environ.get("NUMBA_CACHE_DIR") or Path.home() / ".cache" / "autocryptotrader"
CACHE: Final = Path(_BASE) / f"ict-{sources_hash()}"
"""Folder of the compiled functions."""


def jit(function: F) -> F:
    """Compile a function, kept on disk; it lets go of the interpreter while it runs.

    No fast mathematics: additions stay in the order they are written in, so that the same bars give
    the same bits in a stream, in a batch and interpreted.
    """
    if INTERPRETED:
        return function
    import numba
    from numba import config

    before, config.CACHE_DIR = config.CACHE_DIR, str(CACHE)
    try:
        return cast(
            "F", numba.njit(cache=True, nogil=True, error_model="numpy", forceinline=True)(function)
        )
    finally:
        config.CACHE_DIR = before
