"""Memory that is there when it is written, and given back when it is old."""

import mmap
import sys
from typing import Final

import numpy as np

from suite.bars import I64

_WORD: Final = 8
_NO_RESERVE: Final = 0x4000 if sys.platform == "linux" else 0
"""`MAP_NORESERVE`, which the standard library does not name yet."""


class LazyWords:
    """A long int64 array of zeros, of which only what is written takes room.

    Args:
        count: of words; a year of a coin's seconds are 158 million, 1.3 GB of addresses.

    Attributes:
        words: the array, shape (count,).
    """

    def __init__(self, count: int) -> None:
        flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | _NO_RESERVE
        self._memory = mmap.mmap(-1, count * _WORD, flags=flags)
        if hasattr(mmap, "MADV_NOHUGEPAGE"):
            # a page of two megabytes for every field of every coin would be taken at once
            self._memory.madvise(mmap.MADV_NOHUGEPAGE)
        self.words: I64 = np.frombuffer(self._memory, np.int64)

    def give_back(self, first: int, end: int) -> None:
        """Let the whole pages within some words be zeros again, and take no room."""
        page = mmap.PAGESIZE
        start, stop = -(-first * _WORD // page) * page, end * _WORD // page * page
        if start < stop and hasattr(mmap, "MADV_DONTNEED"):
            self._memory.madvise(mmap.MADV_DONTNEED, start, stop - start)
