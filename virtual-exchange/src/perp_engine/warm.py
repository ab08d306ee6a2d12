"""Fill the compile cache: `python -m perp_engine.warm`, run once by an installation.

Most of the kernel is compiled when it is imported, so that happens after the first line is shown.
The finished cache is marked with its hash, so that a second call only looks.
"""

import importlib
import time

from perp_engine.kernel.jit import CACHE


def main() -> None:
    """Compile the kernel unless its cache is complete."""
    mark = CACHE / "complete"
    if mark.exists():
        print("engine: compile cache is warm")
        return
    print("engine: compiling (20 to 30 s, once) ...", flush=True)
    begin = time.perf_counter()
    importlib.import_module("perp_engine.exercise").exercise()
    mark.parent.mkdir(parents=True, exist_ok=True)
    mark.write_text("complete\n")
    print(f"engine: ready in {time.perf_counter() - begin:.1f} s")


if __name__ == "__main__":
    main()
