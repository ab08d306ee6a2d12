"""Fill the compile cache: `python -m perp_engine.warm`, run once by an installation.

Most of the kernel is compiled when it is imported, so that happens after the first line is shown.
The finished cache is marked with the place of its sources, which the compiler tells apart, so that
a second call only looks.
"""

import contextlib
import hashlib
import importlib
import time
from collections.abc import Callable
from pathlib import Path

from perp_engine.kernel.jit import CACHE, INTERPRETED


def warm_up(say: Callable[[str], None]) -> bool:
    """Compile the kernel unless its cache is complete.

    Args:
        say: told before and after what takes long; of nothing where all is there.

    Returns:
        Whether it was compiled now.
    """
    sources = hashlib.sha256(str(Path(__file__).parent).encode()).hexdigest()[:8]
    mark = CACHE / f"complete-{sources}"
    if INTERPRETED or mark.exists():
        return False
    say("compiling the engine (once, about 40 s) ...")
    begin = time.perf_counter()
    importlib.import_module("perp_engine.exercise").exercise()
    with contextlib.suppress(OSError):  # a cache that cannot be written is told of each time
        mark.parent.mkdir(parents=True, exist_ok=True)
        mark.write_text("complete\n")
    say(f"the engine is ready after {time.perf_counter() - begin:.1f} s")
    return True


def main() -> None:
    """Compile, and say so."""
    if not warm_up(lambda text: print(f"engine: {text}", flush=True)):
        print("engine: compile cache is warm")


if __name__ == "__main__":
    main()
