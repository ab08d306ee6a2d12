"""Reading what another process says."""

import asyncio

import pytest

from suite.service import output_lines
from suite.service.output_lines import lines_of


@pytest.mark.parametrize("size", [1, 3, 100])
async def test_lines_are_the_same_wherever_a_chunk_ends(
    size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Long ones are cut."""
    monkeypatch.setattr(output_lines, "_CHUNK_BYTES", size)
    monkeypatch.setattr(output_lines, "_LINE_BYTES", 10)
    stream = asyncio.StreamReader()
    stream.feed_data(b"one\n\n" + b"0123456789abc\n" + b"two\nthree")
    stream.feed_eof()
    assert ["one", "", "0123456789", "two", "three"] == [line async for line in lines_of(stream)]
