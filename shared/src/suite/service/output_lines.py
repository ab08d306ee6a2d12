"""What another process says, line by line."""

import asyncio
from collections.abc import AsyncIterator

_CHUNK_BYTES = 1 << 14
_LINE_BYTES = 1 << 12
"""Of a longer line the rest is left out: it may be of any length, and is read by people."""


async def lines_of(stream: asyncio.StreamReader) -> AsyncIterator[str]:
    """Read lines of any length and number; of a long one its beginning."""
    rest = b""
    while chunk := await stream.read(_CHUNK_BYTES):
        first, *more = chunk.split(b"\n")
        for line in more:
            yield _text(rest + first)
            rest, first = b"", line
        rest = (rest + first)[:_LINE_BYTES]
    if rest:
        yield _text(rest)


def _text(line: bytes) -> str:
    return line[:_LINE_BYTES].decode(errors="replace").strip()
