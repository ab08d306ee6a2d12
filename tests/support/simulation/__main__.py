"""Replay one seed: `python -m tests.support.simulation 4711` prints its trace."""

import sys
import time

from tests.support.simulation.world import simulate


def main() -> int:
    """Print every message of a history, and what came of it."""
    code = 0
    for seed in map(int, sys.argv[1:]):
        began_s = time.perf_counter()
        found = simulate(seed, logged=len(sys.argv) == 2)
        for line in found.log:
            print(line)
        for kind, count in sorted(found.reached.items()):
            print(f"{count:6} {kind}")
        took_s = time.perf_counter() - began_s
        print(f"seed {seed}: {found.trace[:16]}, healed in {found.healed_s:.1f} s, {took_s:.2f} s")
        for problem in found.problems:
            print(f"PROBLEM {problem}")
            code = 1
    return code


if __name__ == "__main__":
    sys.exit(main())
