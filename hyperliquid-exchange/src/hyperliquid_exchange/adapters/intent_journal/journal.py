"""Intents on disk: durable before the first byte of an action leaves, settled after.

Several that begin at once share one sync, in a thread. What was settled is known at once and
written behind; lost in a power cut, it is asked for again at the venue.

Where the disk refuses, nothing that may add risk begins any more, and everything else still does:
a reserve is given up for space, and the journal goes on in a new segment. Where that is refused as
well, exits are held in memory alone: they leave without the promise for a crash in that moment.
A noop is then not counted, so it may not leave: the action that it would end ends by its expiry.
The journal mends itself as soon as the disk takes a new segment and a new reserve.
"""

import asyncio
import contextlib
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, TypeVar

import structlog

from hyperliquid_exchange.adapters.intent_journal.index import (
    KEPT_KEYS,
    KEPT_MS,
    KeyIndex,
    noop_content,
)
from hyperliquid_exchange.adapters.intent_journal.records import Record, encoded
from hyperliquid_exchange.adapters.intent_journal.segments import Segments
from hyperliquid_exchange.domain.intents import Intent, Settled
from suite.clock import Clock
from suite.errors import Conflict, RateLimited, StorageError, one_line

T = TypeVar("T")
_SEGMENTS_MAX: Final = 64
_DROPPED_MAX: Final = 4
_LOOSE_MAX: Final = 256
_ROOM: Final = 10_000
"""Keys younger than the youngest that may be forgotten, beyond those that are kept anyhow."""
_OPEN_MAX: Final = 10_000

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalRules:
    """How much is kept.

    Attributes:
        segment_bytes: of a segment, from which on the next is begun.
        reserve_bytes: that are given up when the disk is full.
        kept_ms: within which no settled key is forgotten.
        kept_keys: of a trader, that are not forgotten either.
    """

    segment_bytes: int = 4 << 20
    reserve_bytes: int = 64 << 20
    kept_ms: int = KEPT_MS
    kept_keys: int = KEPT_KEYS


@dataclass(slots=True)
class _Waiting:
    """A record that is to be written.

    Attributes:
        content: JSON of it.
        taken: called with the segment once it is written; 0 where it is in memory alone.
        synced: done once it survives a power cut; None where nobody waits.
        if_full: what becomes of it where the disk refuses: `refuse`, or `keep` it in memory.
        owner: the intent that it begins; None for another record.
    """

    content: bytes
    taken: Callable[[int], None]
    synced: "asyncio.Future[None] | None"
    if_full: Literal["refuse", "keep"]
    owner: Intent | None = None


class IntentJournal:
    """Keys and what became of them; one process at a time.

    Args:
        folder: made when missing.
        clock: the machine's.
        rules: how much is kept.

    Raises:
        InUse: another process has it.
        StorageError: it cannot be read or written, or is damaged.
    """

    def __init__(self, folder: Path, clock: Clock, *, rules: JournalRules | None = None) -> None:
        self._folder = folder
        self._clock = clock
        self._rules = rules or JournalRules()
        self._index = KeyIndex(kept_ms=self._rules.kept_ms, kept_keys=self._rules.kept_keys)
        self._pending: dict[tuple[str, str], Intent] = {}
        self._queue: list[_Waiting] = []
        self._loose: list[bytes] = []
        """Records that no sync has covered yet, oldest first."""
        self._writer: asyncio.Task[None] | None = None
        self._is_torn = False
        """Nothing may be appended to the newest segment any more."""
        self.trouble = ""
        """Why nothing that may add risk begins; empty when all is well."""
        self._segments = Segments(folder)
        try:
            self._segments.read(self._index.take)
            self._segments.begin(*self._beginning())
            self._mark = self._segments.mark()
        except OSError as error:
            self._segments.close()
            raise self._segments.fault("write", error) from None
        except StorageError:
            self._segments.close()
            raise
        if not self._make_reserve():
            self.trouble = f"the disk has no room for a reserve of the intents in {folder}"
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="intents")

    # the port

    async def begin(self, intent: Intent) -> None:
        """Write an intent down; on return it survives a power cut. Several at once share a sync.

        Who is canceled while it waits has begun nothing: the key is settled as `never`.

        Raises:
            Conflict: the key is known already.
            RateLimited: so many keys are young that none can be forgotten, and it may add risk.
            StorageError: it could not be written, and must not leave.
        """
        key = intent.trader_id, intent.key
        if key in self._pending or self.find(*key) is not None:
            raise Conflict(f"the key {intent.key} is used already")
        if intent.adds_risk:
            self._refuse_risk(intent.trader_id)
        content = encoded(Record(at_ms=self._clock.now_ms(), begin=intent))
        self._pending[key] = intent
        synced = asyncio.get_running_loop().create_future()

        def taken(segment: int) -> None:
            del self._pending[key]
            self._index.begin(intent, content, segment)

        if_full: Literal["refuse", "keep"] = "refuse" if intent.adds_risk else "keep"
        self._put(_Waiting(content, taken, synced, if_full, owner=intent))
        try:
            await synced
        except asyncio.CancelledError:
            if synced.done() and not synced.cancelled() and synced.exception() is None:
                self._abandon(intent)
            raise

    async def count_noop(self, intent: Intent) -> int:
        """Note that a noop with the nonce of an open intent is about to leave.

        Returns:
            How many were noted before, in whatever life of this process.

        Raises:
            Conflict: the intent is not open.
            StorageError: it could not be written, and must not leave.
        """
        known = self._index.open.get((intent.trader_id, intent.key))
        if known is None:
            raise Conflict(f"the key {intent.key} is not open")
        before = known.noops
        noop, content = noop_content(intent, before + 1, self._clock.now_ms())
        # at once, so that another who asks meanwhile is told of this one
        known.noops = before + 1
        await self._durably(content, lambda segment: self._index.noop(noop, content, segment))
        return before

    async def settle(self, settled: Settled, *, durable: bool = False) -> None:
        """Note what became of a key; of one without an intent too.

        Args:
            settled: what became of it; known at once.
            durable: return only once it survives a power cut.

        Raises:
            StorageError: it should have been durable and is not; it is known all the same.
        """
        now_ms = self._clock.now_ms()
        content = encoded(Record(at_ms=now_ms, settle=settled))
        # its segment is the newest or, where one begins meanwhile, a later one: never dropped
        self._index.settle(settled, now_ms, content, self._segments.newest)
        if durable:
            await self._durably(content, lambda _: None, if_full="keep")
        else:
            self._put(_Waiting(content, lambda _: None, None, "keep"))

    def find(self, trader_id: str, key: str) -> Intent | Settled | None:
        """Tell what is known of a key: open, settled, or never seen."""
        return self._pending.get((trader_id, key)) or self._index.find(trader_id, key)

    def has_room(self, trader_id: str) -> bool:
        """Whether a trader has fewer young keys than are kept at the most."""
        return self._index.has_room(trader_id, self._clock.now_ms(), _ROOM)

    def holds(self, intent: Intent) -> bool:
        """Whether this very intent was written down and is open: what leaves was decided."""
        known = self._index.open.get((intent.trader_id, intent.key))
        return known is not None and known.intent == intent

    def open_intents(self) -> Sequence[Intent]:
        """Tell those whose fate is not known, oldest first."""
        return tuple(known.intent for known in self._index.open.values())

    async def close(self) -> None:
        """Write what waits, and let another process have it."""
        while self._writer is not None:
            await asyncio.wait([self._writer])
        self._thread.shutdown()
        with contextlib.suppress(OSError):
            if self._is_torn:
                self._segments.begin(*self._beginning())
            else:
                self._segments.append([], sync=True)
        self._segments.close()

    # writing

    def _refuse_risk(self, trader_id: str) -> None:
        """Raise where nothing that may add risk may begin."""
        if self.trouble:
            self._wake()  # it may be mended by now
            raise StorageError(f"{self.trouble}; only what takes risk away may leave")
        if len(self._index.open) + len(self._pending) >= _OPEN_MAX:
            raise RateLimited(f"the fate of {_OPEN_MAX} actions is not known", retry_after_ms=1000)
        if not self.has_room(trader_id):
            raise RateLimited(
                "too many keys within ten minutes; none of them may be forgotten",
                retry_after_ms=60_000,
            )

    async def _durably(
        self,
        content: bytes,
        taken: Callable[[int], None],
        *,
        if_full: Literal["refuse", "keep"] = "refuse",
    ) -> None:
        synced = asyncio.get_running_loop().create_future()
        self._put(_Waiting(content, taken, synced, if_full))
        await synced

    def _put(self, waiting: _Waiting) -> None:
        self._queue.append(waiting)
        self._wake()

    def _wake(self) -> None:
        if self._writer is None:
            self._writer = asyncio.get_running_loop().create_task(self._write())

    async def _write(self) -> None:
        """Write until nothing waits: whatever came while the last sync ran shares the next."""
        try:
            while True:
                batch, self._queue = self._queue, []
                try:
                    await self._write_batch(batch)
                except BaseException as error:
                    self._give_up(batch, error)
                    raise
                if not self._queue:
                    return
        finally:
            self._writer = None

    def _give_up(self, batch: list[_Waiting], error: BaseException) -> None:
        """Let nobody wait for what will not be written; nothing that adds risk begins again."""
        why = one_line(f"{type(error).__name__}: {error}")
        self.trouble = f"the journal of intents has failed: {why}"
        self._is_torn = True
        self._segments.back_to(self._mark)
        _log.critical("journal_failed", folder=str(self._folder), reason=self.trouble)
        self._leave_out([it for it in batch if it.owner is not None or it.if_full == "refuse"])
        for waiting in (*batch, *self._queue):
            if waiting.owner is not None:
                self._pending.pop((waiting.owner.trader_id, waiting.owner.key), None)
            if waiting.synced is not None and not waiting.synced.done():
                waiting.synced.set_exception(StorageError(self.trouble))
        self._queue.clear()

    async def _write_batch(self, batch: list[_Waiting]) -> None:
        contents = [waiting.content for waiting in batch]
        self._loose += contents
        is_awaited = any(waiting.synced is not None for waiting in batch)
        sync = is_awaited or len(self._loose) > _LOOSE_MAX
        if not self._is_torn:
            try:
                await self._in_thread(lambda: self._segments.append(contents, sync=sync))
            except OSError as error:
                self._tear(error)
        if self._is_torn:
            await self._go_on(batch)
            return
        if sync:
            self._covered()
        for waiting in batch:
            self._done(waiting, self._segments.newest)
        if self.trouble:
            await self._mend()
        if self._segments.size >= self._rules.segment_bytes:
            await self._rotate()

    async def _rotate(self) -> None:
        """Begin the next segment, behind one that is safe."""
        try:
            await self._in_thread(lambda: self._segments.append([], sync=True))
            self._covered()
            beginning = self._beginning()
            await self._in_thread(lambda: self._segments.begin(*beginning))
            self._covered()
        except OSError as error:
            self._tear(error)

    def _tear(self, error: OSError) -> None:
        """Append nothing more: after a refused sync nobody can say what is on the disk."""
        self._is_torn = True
        self._segments.back_to(self._mark)
        self.trouble = str(self._segments.fault("write", error))
        _log.error("journal_refused", folder=str(self._folder), reason=error.strerror)

    async def _go_on(self, batch: list[_Waiting]) -> None:
        """Go on in a new segment with all that is not safe yet, without what may add risk."""
        refused = [waiting for waiting in batch if waiting.if_full == "refuse"]
        self._leave_out(refused)
        fault = StorageError(self.trouble)
        for waiting in refused:
            if waiting.owner is not None:
                del self._pending[waiting.owner.trader_id, waiting.owner.key]
            if waiting.synced is not None and not waiting.synced.done():
                waiting.synced.set_exception(fault)
        beginning = self._beginning()
        if is_written := await self._in_thread(lambda: self._begun(beginning)):
            self._is_torn = False
            self._covered()
            await self._mend()
        for waiting in batch:
            if waiting not in refused:
                is_held = is_written or waiting.owner is not None
                segment = self._segments.newest if is_written else 0
                self._done(waiting, segment, fault=None if is_held else fault)

    def _leave_out(self, refused: list[_Waiting]) -> None:
        """Write nothing of what was refused, whatever of it has reached the disk."""
        gone = {id(waiting.content) for waiting in refused}
        self._loose = [content for content in self._loose if id(content) not in gone]

    def _begun(self, beginning: tuple[list[bytes], int, int]) -> bool:
        """Begin a segment, with the space of the reserve where needed; whether it worked."""
        for give_up in (False, True):
            if give_up:
                with contextlib.suppress(OSError):
                    self._reserve.unlink(missing_ok=True)
            with contextlib.suppress(OSError):
                self._segments.begin(*beginning)
                return True
        return False

    def _beginning(self) -> tuple[list[bytes], int, int]:
        """Say how the next segment begins: its records, the time, how many of the oldest go.

        What only those say that go is carried over, as is what was refused so far.
        """
        number, sizes = self._segments.newest + 1, self._segments.sizes
        drop = 0
        for segment in sorted(sizes)[:_DROPPED_MAX]:
            is_worn = self._index.live.get(segment, 0) * 2 < sizes[segment]
            if not is_worn and len(sizes) < _SEGMENTS_MAX:
                break
            drop += 1
        going = {0, *sorted(sizes)[:drop]}
        self._index.move(self._index.of_segments(going), number)
        # with those of an earlier try that was refused
        carried = [it for found in self._index.of_segments({number}) for it in found.contents]
        return [*carried, *self._loose], self._clock.now_ms(), drop

    def _covered(self) -> None:
        """All that was written is safe now."""
        self._loose.clear()
        self._mark = self._segments.mark()

    async def _mend(self) -> None:
        """Let everything begin again once there is a reserve."""
        if await self._in_thread(self._make_reserve):
            self.trouble = ""
            _log.warning("journal_mended", folder=str(self._folder))

    @property
    def _reserve(self) -> Path:
        return self._folder / "reserve"

    def _make_reserve(self) -> bool:
        """Set space aside for what takes risk away when the disk is full; whether it is there."""
        size = self._rules.reserve_bytes
        try:
            if size and (not self._reserve.exists() or self._reserve.stat().st_size < size):
                handle = os.open(self._reserve, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
                try:
                    os.posix_fallocate(handle, 0, size)
                finally:
                    os.close(handle)
        except OSError:
            with contextlib.suppress(OSError):
                self._reserve.unlink(missing_ok=True)
            return False
        return True

    def _done(self, waiting: _Waiting, segment: int, *, fault: StorageError | None = None) -> None:
        """Tell whoever waits; begin nothing for who does not wait any more."""
        waiting.taken(segment)
        synced = waiting.synced
        if synced is None:
            return
        if synced.cancelled() and waiting.owner is not None:
            self._abandon(waiting.owner)
        elif not synced.done() and fault is None:
            synced.set_result(None)
        elif not synced.done() and fault is not None:
            synced.set_exception(fault)

    def _abandon(self, intent: Intent) -> None:
        """Settle a key whose intent nobody will send."""
        settled = Settled(
            trader_id=intent.trader_id,
            key=intent.key,
            fingerprint=intent.fingerprint,
            outcome="never",
        )
        now_ms = self._clock.now_ms()
        content = encoded(Record(at_ms=now_ms, settle=settled))
        self._index.settle(settled, now_ms, content, self._segments.newest)
        self._put(_Waiting(content, lambda _: None, None, "keep"))

    async def _in_thread(self, call: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, call)
