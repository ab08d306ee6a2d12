"""A process that was started here: what it says, how it ends, and how it is ended."""

import asyncio

from suite.service.output_lines import lines_of

_STOP_S = 5.0


class Child:
    """A running process; of what it says on stderr the last line is kept, whatever it says.

    Args:
        process: started with a pipe for stderr.
    """

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._last_line = ""
        self._listening = asyncio.ensure_future(self._listen())

    async def ended(self) -> str | None:
        """Wait until it has ended; tell the reason when that was an error."""
        code = await self._process.wait()
        await self._listening
        return None if code == 0 else self._last_line or f"exit code {code}"

    async def stop(self) -> None:
        """End it: politely, then not."""
        if self._process.returncode is None:
            self._process.terminate()
            try:
                await asyncio.wait_for(self._process.wait(), _STOP_S)
            except TimeoutError:
                self._process.kill()
                await self._process.wait()
        # not awaited to its own end: what the process has started itself may hold the pipe open
        self._listening.cancel()
        await asyncio.gather(self._listening, return_exceptions=True)

    async def _listen(self) -> None:
        if self._process.stderr is not None:
            async for line in lines_of(self._process.stderr):
                self._last_line = line or self._last_line
