"""One text for every feature: compiled by numba, or interpreted with `NUMBA_DISABLE_JIT=1`."""
