"""Waiting for an effect inside an event loop."""

import asyncio
from collections.abc import Callable


async def until(holds: Callable[[], object], limit_s: float = 10.0) -> None:
    """Wait until something holds; fail when it does not in time."""
    async with asyncio.timeout(limit_s):
        while not holds():  # noqa: ASYNC110 - of any kind, there is no event to wait for
            await asyncio.sleep(0.001)
