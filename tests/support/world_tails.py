"""Journals of a world that were cut and damaged at every byte."""

import random
from pathlib import Path
from typing import Final

from suite.errors import StorageError
from virtual_exchange.adapters.world_journals import WorldFile, frames

RECORDS: Final = [random.Random(n).randbytes(40 + 13 * n) for n in range(40)]
CUTS: Final = 4096


def write(path: Path, records: list[bytes] = RECORDS, *, sync: bool = False) -> None:
    file = WorldFile(path, sync=sync)
    assert list(file.read()) == []
    for record in records:
        file.append(record)
    file.close()


def read(path: Path) -> list[bytes]:
    file = WorldFile(path, sync=False)
    try:
        return list(file.read())
    finally:
        file.close()


def recovered(path: Path, every: int) -> int:
    """Cut at each of the last 4,096 bytes: how many cuts were read as what was whole by then.

    Args:
        path: of the journal to write.
        every: so many cuts apart the file is opened as a service does, written to and read again.
    """
    write(path)
    data, found = path.read_bytes(), 0
    ends = [0, *(frame.end for frame in frames(data, path))]
    for size in range(len(data) - CUTS, len(data)):
        whole = RECORDS[: sum(end <= size for end in ends) - 1]
        found += [frame.content for frame in frames(data[:size], path)] == whole
        if size % every == 0:
            path.write_bytes(data[:size])
            file = WorldFile(path, sync=False)
            assert list(file.read()) == whole
            file.append(b"next")
            file.close()
            assert read(path) == [*whole, b"next"]
    return found


def flips(path: Path, records: int) -> tuple[int, int]:
    """Damage each byte of a journal in three ways: how many there were, and were found.

    Args:
        path: of the journal to write.
        records: of it.
    """
    write(path, RECORDS[:records])
    data = path.read_bytes()
    starts = [0, *(frame.end for frame in frames(data, path))]
    found = 0
    for place in range(len(data)):
        named = f"is damaged in record {sum(start <= place for start in starts)} "
        for flip in (1, 0x80, 0xFF):
            damaged = bytearray(data)
            damaged[place] ^= flip
            try:
                for _ in frames(bytes(damaged), path):
                    pass
            except StorageError as error:
                found += named in str(error)
    return 3 * len(data), found
