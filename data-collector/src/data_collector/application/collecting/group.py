"""The coins of one connection: events in, closed bars out."""

import asyncio
from collections import deque
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Protocol

from data_collector.application.collecting.ports import LiveFeed
from data_collector.domain.assembly import GRACE_MS, Assembly
from data_collector.domain.candles import (
    AssetContext,
    Candle,
    Followed,
    MarketEvent,
    Mids,
    Print,
    Refused,
    candle_fault,
)
from data_collector.domain.connection import STEP_MS, Connection
from suite.bars import MINUTE_MS

_FROZEN: Final = 2
"""Lost minutes of a coin, one after the other, after which the connection is replaced."""
_EARLY: Final = 1_000
"""Events that are kept until the venue's time is known; candles are told again anyway."""


class Outlet(Protocol):
    """Where a group puts what it makes."""

    def closed(self, candles: Sequence[Candle]) -> bool:
        """Take bars that are closed, or that changed after all; False when there is no room."""
        ...

    def interest(self, coin: str, time_ms: int, value: float) -> None:
        """Take the open interest that was known at the end of a minute."""
        ...

    def heard(self, event: MarketEvent) -> None:
        """Take what came of the market, closed bars excepted."""
        ...

    def closing_done(self) -> None:
        """Bars were closed; there may be something to ask."""
        ...


@dataclass(slots=True)
class _Life:
    """What is known of a group's connection besides what it tells.

    Attributes:
        refused: why the venue would not tell of a coin, by coin; by "" of one it did not name.
        early: what came before its time was known.
    """

    live: bool = False
    lost: str = ""
    offset_ms: int | None = None
    refused: dict[str, str] = field(default_factory=dict)
    early: deque[MarketEvent] = field(default_factory=lambda: deque(maxlen=_EARLY))


class Group:
    """Listens to one feed.

    Args:
        interval_ms: of the bars.
        outlet: where results go.
        now_ms: our clock, to measure the venue's against; nothing is decided by it.
        settle_s: how long messages of one moment may take to arrive, on our clock. A venue sends
            channel by channel: after a stall, minutes of one coin come before those of the next.

    Attributes:
        feed: the connection, set by who makes both.
        connection: what it has told.
        coins: the assembly of each coin.
    """

    feed: LiveFeed

    def __init__(
        self,
        interval_ms: int,
        outlet: Outlet,
        now_ms: Callable[[], int],
        *,
        settle_s: float = 0.0,
    ) -> None:
        self.connection = Connection()
        self.coins: dict[str, Assembly] = {}
        self._interval_ms = interval_ms
        self._outlet = outlet
        self._now_ms = now_ms
        self._settle_s = settle_s
        self._due: deque[int] = deque()
        self._contexts: dict[str, AssetContext] = {}
        self._life = _Life()
        self._closed_to_ms = 0

    # ---- the listener

    def connected(self) -> None:
        """Begin with nothing known."""
        self.connection.begin()
        self._life = _Life(live=True)
        self._closed_to_ms = 0

    def lost(self, reason: str) -> None:
        """Close what was over, and forget what was half told."""
        while self._due:
            self._close()
        self._life = _Life(lost=reason)
        for assembly in self.coins.values():
            assembly.cut()

    def flawed(self, reason: str) -> None:
        """Believe the connection less."""
        self.connection.flawed(reason)

    def received(self, events: Sequence[MarketEvent]) -> None:
        """Take events, then close what is over."""
        prints: dict[str, list[Print]] = {}
        for event in events if self.connection.clock.now_ms else self._timed(events):
            match event:
                case Candle():
                    self._candle(event)
                case Print():
                    prints.setdefault(event.coin, []).append(event)
                case AssetContext():
                    self._context(event)
                case Mids():
                    self.connection.tell(event.time_ms)
                    self._outlet.heard(self._stamped(event))
                case Followed():
                    self._followed(event.coin)
                case Refused():
                    self.connection.flawed("refused")
                    self._life.refused[event.coin] = event.reason
        for coin, items in prints.items():
            self._trades(coin, items)
        now_ms = self.connection.clock.now_ms
        over_ms = (now_ms - GRACE_MS) // self._interval_ms * self._interval_ms
        if over_ms > self._closed_to_ms and now_ms:
            self._closed_to_ms = over_ms
            self._due.append(now_ms)
            if self._settle_s:
                asyncio.get_running_loop().call_later(self._settle_s, self._close)
            else:
                self._close()

    def _timed(self, events: Sequence[MarketEvent]) -> Sequence[MarketEvent]:
        """Keep events until two of them agree on the time: a single stamp may be absurd."""
        early = self._life.early
        early.extend(events)
        for event in events:
            self.connection.tell(_stamp(event), is_past=isinstance(event, Print))
        if not self.connection.clock.now_ms:
            return ()
        timed = tuple(early)
        early.clear()
        return timed

    def _followed(self, coin: str) -> None:
        assembly = self.coins.get(coin)
        if assembly is not None:
            assembly.followed(self.connection.clock.now_ms)
            self._life.refused.pop(coin, None)

    def _candle(self, candle: Candle) -> None:
        assembly = self.coins.get(candle.coin)
        if assembly is None or candle.interval_ms != self._interval_ms:
            return
        if candle_fault(candle) or self._absurd(candle.open_time_ms):
            self.connection.flawed("absurd")
            return
        self.connection.tell(_stamp(candle))
        self._followed(candle.coin)
        if flaw := assembly.candle(candle):
            self.connection.flawed(flaw)
        if assembly.late:
            self._keep(assembly, assembly.late)
            assembly.late = []
        if assembly.next_ms is not None and candle.open_time_ms >= assembly.next_ms:
            self._outlet.heard(replace(candle, closed=False))

    def _trades(self, coin: str, prints: list[Print]) -> None:
        assembly = self.coins.get(coin)
        if assembly is None:
            return
        newest_ms = max(item.time_ms for item in prints)
        if self._absurd(newest_ms):
            self.connection.flawed("absurd")
            return
        self.connection.tell(newest_ms, is_past=True)
        if flaw := assembly.trades(prints):
            self.connection.flawed(flaw)
        for item in prints:
            self._outlet.heard(item)

    def _context(self, event: AssetContext) -> None:
        assembly = self.coins.get(event.coin)
        if assembly is None:
            return
        context = self._stamped(event)
        assembly.context(context)
        self._contexts[event.coin] = context
        self._outlet.heard(context)

    def _absurd(self, time_ms: int) -> bool:
        """Whether a stamp lies so far ahead that it needs a witness, and is not to be used yet."""
        clock = self.connection.clock
        if time_ms - clock.now_ms <= STEP_MS:
            return False
        self.connection.tell(time_ms)
        return time_ms - clock.now_ms > STEP_MS

    def _stamped(self, event: Any) -> Any:
        """Give an event without a time the latest the venue told."""
        return event if event.time_ms else replace(event, time_ms=self.connection.clock.now_ms)

    def _close(self) -> None:
        """Close what was over at the oldest moment that is due; nothing when a loss came first."""
        if not self._due:
            return
        now_ms, connection = self._due.popleft(), self.connection
        offset_ms = connection.clock.now_ms - self._now_ms()
        if self._life.offset_ms is None or offset_ms > self._life.offset_ms:
            self._life.offset_ms = offset_ms  # the one that spent the least time on its way
        for coin, assembly in self.coins.items():
            closed = assembly.close(connection, now_ms)
            if closed:
                self._keep(assembly, closed)
                context = self._contexts.pop(coin, None)
                if context is not None and context.open_interest:
                    known_ms = -(-context.time_ms // MINUTE_MS) * MINUTE_MS
                    self._outlet.interest(coin, known_ms, context.open_interest)
            if assembly.lost == _FROZEN:
                self.feed.reconnect(f"{coin} trades, and its candles do not come")
        self._outlet.closing_done()

    def _keep(self, assembly: Assembly, candles: list[Candle]) -> None:
        if not self._outlet.closed(candles):
            assembly.no_room(candles)

    # ---- control

    @property
    def live(self) -> bool:
        """Whether there is a connection."""
        return self._life.live

    def add(self, assembly: Assembly) -> None:
        """Take on a coin."""
        self.coins[assembly.coin] = assembly

    def remove(self, coin: str) -> None:
        """Let go of a coin."""
        for held in (self.coins, self._contexts):
            held.pop(coin, None)

    def followed(self) -> Collection[str]:
        """The coins, sorted."""
        return sorted(self.coins)

    def status(self, coin: str) -> dict[str, Any]:
        """Describe how a coin is doing."""
        assembly, now_ms = self.coins[coin], self.connection.clock.now_ms
        refused = self._life.refused
        refusal = "" if assembly.followed_since_ms else refused.get(coin, refused.get("", ""))
        last_ms = None if assembly.next_ms is None else assembly.next_ms - self._interval_ms
        return {
            "state": "refused" if refusal else self._state(assembly),
            "last_bar_ms": last_ms,
            "lag_ms": None if last_ms is None else max(0, now_ms - last_ms - self._interval_ms),
            "gaps": assembly.gaps,
            "clock_offset_ms": self._life.offset_ms,
            "reason": refusal or self._life.lost,
        }

    def _state(self, assembly: Assembly) -> str:
        if not self._life.live:
            return "reconnecting" if self._life.lost else "connecting"
        if not assembly.followed_since_ms:
            return "waiting"
        return "live" if self.connection.faithful else "unproven"


def _stamp(event: MarketEvent) -> int:
    """The venue's time that an event tells, 0 for none."""
    match event:
        case Candle() if not candle_fault(event):
            return event.end_ms if event.closed else event.open_time_ms
        case Print() | Mids() | AssetContext():
            return event.time_ms
    return 0
