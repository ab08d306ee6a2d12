"""Fill the compile cache of the features: `python -m strategy_core.ict.warm`, after installing."""

import time

import numpy as np


def main() -> None:
    """Compile what a stream and a batch run, and say how long it took."""
    begin = time.perf_counter()
    from strategy_core.ict.features import Stream
    from strategy_core.ict.kernel.jit import INTERPRETED
    from strategy_core.ict.structures import structures
    from suite.bars import MINUTE_MS, Bars

    if INTERPRETED:
        print("features: interpreted, nothing to compile")
        return
    one = np.ones(1)
    Stream(MINUTE_MS).step(0, 1.0, 1.0, 1.0, 1.0, 1.0)
    structures(Bars(MINUTE_MS, np.zeros(1, np.int64), one, one, one, one, one))
    print(f"features: compiled, or found so, after {time.perf_counter() - begin:.1f} s")


if __name__ == "__main__":
    main()
