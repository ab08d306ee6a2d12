"""What the journal knows of each key, in memory."""

from dataclasses import dataclass, field
from typing import Final

from hyperliquid_exchange.adapters.intent_journal.records import Noop, Record, decoded, encoded
from hyperliquid_exchange.domain.intents import Intent, Settled

KEPT_MS: Final = 600_000
"""No settled key younger than this is forgotten."""
KEPT_KEYS: Final = 20_000
"""Nor one that is among a trader's newest."""

Key = tuple[str, str]
"""Trader and key."""


@dataclass(slots=True)
class Open:
    """An intent whose fate is not known.

    Attributes:
        intent: as it was written down.
        content: JSON of its record.
        segment: where that is; 0 where the disk refused it.
        noops: that were noted for it.
        noop: JSON of the record that noted the last; None before the first.
    """

    intent: Intent
    content: bytes
    segment: int
    noops: int = 0
    noop: bytes | None = None

    @property
    def contents(self) -> list[bytes]:
        """Records that say all of it."""
        return [self.content] if self.noop is None else [self.content, self.noop]


@dataclass(slots=True)
class Kept:
    """A key whose fate is known: JSON of its record, and where that is."""

    at_ms: int
    content: bytes
    segment: int

    @property
    def contents(self) -> list[bytes]:
        """Records that say all of it."""
        return [self.content]


@dataclass(slots=True)
class KeyIndex:
    """All keys.

    Attributes:
        open: intents whose fate is not known, oldest first.
        kept: settled keys by trader, oldest first.
        live: bytes that count, by segment.
    """

    kept_ms: int = KEPT_MS
    kept_keys: int = KEPT_KEYS
    open: dict[Key, Open] = field(default_factory=dict)
    kept: dict[str, dict[str, Kept]] = field(default_factory=dict)
    live: dict[int, int] = field(default_factory=dict)

    def take(self, segment: int, content: bytes, record: Record) -> None:
        """Take in a record as it was read."""
        if record.begin is not None:
            self.begin(record.begin, content, segment)
        elif record.noop is not None:
            self.noop(record.noop, content, segment)
        elif record.settle is not None:
            self.settle(record.settle, record.at_ms, content, segment)

    def begin(self, intent: Intent, content: bytes, segment: int) -> None:
        """Take in an intent; one that was carried over is where it was carried to."""
        key = intent.trader_id, intent.key
        known = self.open.get(key)
        if known is not None:
            self._count(known.segment, known.contents, -1)
            known.content, known.segment = content, segment
            self._count(segment, known.contents, 1)
        else:
            self.open[key] = Open(intent, content, segment)
            self._count(segment, [content], 1)

    def noop(self, noop: Noop, content: bytes, segment: int) -> None:
        """Take in that a noop was about to leave."""
        known = self.open.get((noop.trader_id, noop.key))
        if known is not None:
            self._count(known.segment, known.contents, -1)
            known.noops, known.noop = max(noop.count, known.noops), content
            self._count(known.segment, known.contents, 1)

    def settle(self, settled: Settled, at_ms: int, content: bytes, segment: int) -> None:
        """Take in what became of a key; forget what need not be known any more."""
        key = settled.trader_id, settled.key
        if (known := self.open.pop(key, None)) is not None:
            self._count(known.segment, known.contents, -1)
        mine = self.kept.setdefault(settled.trader_id, {})
        if (earlier := mine.get(settled.key)) is not None:
            self._count(earlier.segment, earlier.contents, -1)
        mine[settled.key] = Kept(at_ms, content, segment)
        self._count(segment, [content], 1)
        self._forget(mine, at_ms)

    def find(self, trader_id: str, key: str) -> Intent | Settled | None:
        """Tell what is known of a key."""
        if (known := self.open.get((trader_id, key))) is not None:
            return known.intent
        kept = self.kept.get(trader_id, {}).get(key)
        return None if kept is None else decoded(kept.content).settle

    def has_room(self, trader_id: str, now_ms: int, more: int) -> bool:
        """Whether another key of a trader can be kept: there is room, or one may be forgotten.

        Args:
            trader_id: whose.
            now_ms: wall time.
            more: keys too young to be forgotten, beyond those that are kept anyhow.
        """
        mine = self.kept.get(trader_id, {})
        if len(mine) < self.kept_keys + more:
            return True
        return now_ms - next(iter(mine.values())).at_ms >= self.kept_ms

    def of_segments(self, segments: set[int]) -> list[Open | Kept]:
        """Find what only these segments say."""
        found: list[Open | Kept] = [it for it in self.open.values() if it.segment in segments]
        found += [
            kept
            for mine in self.kept.values()
            for kept in mine.values()
            if kept.segment in segments
        ]
        return found

    def move(self, moved: list[Open | Kept], segment: int) -> None:
        """Note that records were written anew."""
        for it in moved:
            self._count(it.segment, it.contents, -1)
            it.segment = segment
            self._count(segment, it.contents, 1)

    def _forget(self, mine: dict[str, Kept], now_ms: int) -> None:
        while len(mine) > self.kept_keys:
            name = next(iter(mine))
            oldest = mine[name]
            if now_ms - oldest.at_ms < self.kept_ms:
                return
            del mine[name]
            self._count(oldest.segment, oldest.contents, -1)

    def _count(self, segment: int, contents: list[bytes], sign: int) -> None:
        size = sum(len(content) for content in contents)
        self.live[segment] = self.live.get(segment, 0) + sign * size


def noop_content(intent: Intent, count: int, at_ms: int) -> tuple[Noop, bytes]:
    """Write that a noop is about to leave."""
    noop = Noop(trader_id=intent.trader_id, key=intent.key, count=count)
    return noop, encoded(Record(at_ms=at_ms, noop=noop))
