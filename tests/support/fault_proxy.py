"""A WebSocket proxy that does to frames what networks and venues do.

`FrameFaults` is what happens to frames, with or without a network; `FaultProxy` is a process-local
server in front of a venue that applies it to what the venue sends.
"""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

OVERSIZE = 1 << 23


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """Shares of frames, 0 to 1, to which something happens.

    Attributes:
        drop, repeat: it does not come; it comes twice.
        reorder: it comes after up to `reach` later ones.
        delay: it waits `delay_s`, and all behind it.
        split: it comes in two pieces.
        garble: a byte of it is another.
        oversize: it has become longer than anybody takes.
    """

    drop: float = 0.0
    repeat: float = 0.0
    reorder: float = 0.0
    delay: float = 0.0
    split: float = 0.0
    garble: float = 0.0
    oversize: float = 0.0
    reach: int = 3
    delay_s: float = 0.02


class FrameFaults:
    """Decides what becomes of each frame.

    Args:
        faults: how often.
        chance: of everything.
        spares: frames to leave alone.

    Attributes:
        done: how often what was done.
    """

    def __init__(
        self,
        faults: Faults,
        chance: random.Random,
        *,
        spares: Callable[[bytes], bool] = lambda _: False,
    ) -> None:
        self.faults = faults
        self.done: Counter[str] = Counter()
        self._chance = chance
        self._spares = spares
        self._held: list[tuple[int, bytes]] = []

    def pass_on(self, frame: bytes) -> list[bytes]:
        """Take a frame; return those that come out now, in their order."""
        out = []
        held, self._held = self._held, []
        for left, waiting in held:
            if left <= 0:
                out.append(waiting)
            else:
                self._held.append((left - 1, waiting))
        faults = self.faults
        if self._spares(frame):
            return [frame, *out]
        if self._hits("drop", faults.drop):
            return out
        if self._hits("reorder", faults.reorder):
            self._held.append((self._chance.randrange(faults.reach), frame))
            return out
        if self._hits("garble", faults.garble):
            frame = self._garbled(frame)
        if self._hits("oversize", faults.oversize):
            frame += b" " * OVERSIZE
        copies = 2 if self._hits("repeat", faults.repeat) else 1
        return [*[frame] * copies, *out]

    def splits(self) -> bool:
        """Whether the next frame comes in pieces."""
        return self._hits("split", self.faults.split)

    def delays(self) -> bool:
        """Whether it waits."""
        return self._hits("delay", self.faults.delay)

    def _hits(self, name: str, share: float) -> bool:
        hit = share > 0 and self._chance.random() < share
        self.done[name] += hit
        return hit

    def _garbled(self, frame: bytes) -> bytes:
        at = self._chance.randrange(len(frame))
        return frame[:at] + b"#" + frame[at + 1 :]


class FaultProxy:
    """Stands in front of a venue's WebSocket.

    Args:
        upstream: the venue's address.
        frames: what becomes of the venue's frames.

    Attributes:
        url: where it listens.
        connections: how many were accepted.
        silent: nothing of the venue's is passed on, though all stays open.
        pongs_only: nothing but answers to pings is passed on.
        hides: frames that are kept back.
    """

    def __init__(self, upstream: str, frames: FrameFaults) -> None:
        self.upstream = upstream
        self.frames = frames
        self.url = ""
        self.connections = 0
        self.silent = False
        self.pongs_only = False
        self.hides: Callable[[bytes], bool] = lambda _: False
        self._open: set[ServerConnection] = set()

    def cut(self) -> None:
        """End all connections without a word."""
        for connection in self._open:
            connection.transport.abort()

    async def handle(self, client: ServerConnection) -> None:
        """Carry one connection."""
        self.connections += 1
        self._open.add(client)
        try:
            async with (
                connect(self.upstream, max_size=None, compression=None) as venue,
                asyncio.TaskGroup() as tasks,
            ):
                tasks.create_task(self._up(client, venue))
                tasks.create_task(self._down(venue, client))
        except* (ConnectionClosed, OSError):
            pass
        finally:
            self._open.discard(client)

    async def _up(self, client: ServerConnection, venue: ClientConnection) -> None:
        async for message in client:
            await venue.send(message)
        raise ConnectionClosed(None, None)

    async def _down(self, venue: ClientConnection, client: ServerConnection) -> None:
        async for message in venue:
            data = message.encode() if isinstance(message, str) else message
            pong = b'"pong"' in data[:40]
            if self.silent or (self.pongs_only and not pong) or self.hides(data):
                continue
            for frame in self.frames.pass_on(data):
                text = frame.decode(errors="replace")
                if self.frames.delays():
                    await asyncio.sleep(self.frames.faults.delay_s)
                if self.frames.splits():
                    await client.send([text[: len(text) // 2], text[len(text) // 2 :]])
                else:
                    await client.send(text)
        raise ConnectionClosed(None, None)


@asynccontextmanager
async def fault_proxy(
    upstream: str, faults: Faults | None = None, *, seed: int = 1
) -> AsyncIterator[FaultProxy]:
    """Run a proxy; subscriptions' answers and pongs are left alone."""

    def spares(frame: bytes) -> bool:
        return b"subscriptionResponse" in frame[:60] or b'"pong"' in frame[:40]

    frames = FrameFaults(faults or Faults(), random.Random(seed), spares=spares)
    proxy = FaultProxy(upstream, frames)
    async with serve(proxy.handle, "127.0.0.1", 0, compression=None, max_size=None) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        proxy.url = f"ws://127.0.0.1:{port}/ws"
        yield proxy
        proxy.cut()
        with suppress(TimeoutError):
            server.close()
