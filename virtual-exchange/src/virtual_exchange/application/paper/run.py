"""What moves a paper world: the seconds of a live market, one after the other.

At the end of a second its bar is written from the trades that came in it, the next one begins with
the last price, and the world goes on by that bar. While there is no connection, and until it has
told a price again, bars are left out: no book, no fills, and the mark stands still.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from suite.bars import MINUTE_MS, Bars
from suite.clock import Clock
from suite.errors import SuiteError
from suite.fixed import RATE_DECIMALS, RATE_ONE, Rate, quantize_half_even
from virtual_exchange.application.clock.barrier import Barrier
from virtual_exchange.application.info.snapshots import MarketData
from virtual_exchange.application.paper.market import LiveMarket
from virtual_exchange.application.ports import FeedTime, LiveFeed
from virtual_exchange.application.world import World
from virtual_exchange.domain.live import HourlyRate, LiveCoin, LiveEvent, Minute, Prints

_LATE_MS: Final = 200
"""How long after its end a second is closed: what happened in it is on its way that long."""
_MISSED: Final = 5
"""Bars that may fall behind and still have the last price; beyond, nobody was looking."""
_SLICE_S: Final = 0.02
_LOOK_S: Final = 1.0
_RATES_S: Final = 600.0
"""How often the settled funding is asked for where no rate is told."""
_AGAIN_S: Final = 5.0
_ATTEMPTS: Final = 60
"""How often minutes are asked for that a feed does not have; some were never traded in."""
_GIVE_BACK_BARS: Final = 3600
_ASTRAY_MS: Final = 60_000
"""How far the minutes of a feed may be from its clock."""
_ELSEWHEN: Final = "what it tells is of another time than its clock"


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedStatus:
    """How the feed of a world is.

    Attributes:
        since_ms: wall time of the last connection, or of its end.
        reason: why it is of no use, empty while it is.
        coins: that have no price at the moment.
    """

    since_ms: int
    reason: str
    coins: tuple[str, ...]

    @property
    def degraded(self) -> bool:
        """Whether something cannot be traded for want of data."""
        return bool(self.text)

    @property
    def text(self) -> str:
        """What is wrong, in words; empty when nothing is."""
        return self.reason or (f"no price yet of {', '.join(self.coins)}" if self.coins else "")


class PaperRun:
    """Moves one world with a live market, and keeps its minutes; a listener of the feed.

    Args:
        world: moves.
        live: its market.
        barrier: of those who wait in it.
        data: snapshots of it.
        feed: the live market.
        time: its clock.
        clock: wall time.
    """

    def __init__(
        self,
        *,
        world: World,
        live: LiveMarket,
        barrier: Barrier,
        data: MarketData,
        feed: LiveFeed,
        time: FeedTime,
        clock: Clock,
    ) -> None:
        self._world = world
        self._live = live
        self._barrier = barrier
        self._data = data
        self._feed = feed
        self._time = time
        self._clock = clock
        self._names = world.market.coins
        self._symbols = {coin: symbol for symbol, coin in enumerate(self._names)}
        self._coins = tuple(
            LiveCoin(instrument, int(live.tape.bars[symbol, 0, 0]))
            for symbol, instrument in enumerate(world.market.instruments)
        )
        self._connected = False
        self._since_ms = clock.now_ms()
        self._reason = "not connected yet"
        self._flaws = 0
        self._astray = False
        self._told_rates: set[int] = set()
        self._behind = asyncio.Event()
        self._missing: dict[int, int] = {}
        self._note_missing()

    # what the feed tells

    def connected(self) -> None:
        """Begin anew; what was missed is asked for."""
        self._turn(live=True, reason="")
        self._behind.set()

    def lost(self, reason: str) -> None:
        """Trust no price any more, and no minute that has not ended."""
        self._turn(live=False, reason=reason)
        self._told_rates.clear()
        for coin in self._coins:
            coin.lose()
        now_ms = self._feed_ms()
        for history in self._live.history:
            history.drop_from(now_ms)
        self._note_missing()

    def flawed(self, reason: str) -> None:
        """Count it."""
        self._flaws += 1

    def received(self, events: Sequence[LiveEvent]) -> None:
        """Take it to the coin it concerns."""
        for event in events:
            symbol = self._symbols.get(event.coin)
            if symbol is None:
                continue
            match event:
                case Prints():
                    since_ms = self._feed_ms() - self._time.late_ms
                    self._astray = not self._coins[symbol].traded(event.prints, since_ms)
                case Minute():
                    self._tell(symbol, event)
                case HourlyRate():
                    self._told_rates.add(symbol)
                    self._set_rate(symbol, event.rate)

    def _note_missing(self) -> None:
        """Remember from when on minutes may be missing, until they were asked for.

        The last one that is there is among them: what was told of it may not have been all.
        """
        for symbol, history in enumerate(self._live.history):
            from_ms = self._world.from_ms // MINUTE_MS * MINUTE_MS
            if len(history):
                from_ms = int(history.open_time_ms[-1])
            self._missing.setdefault(symbol, from_ms)

    def _turn(self, *, live: bool, reason: str) -> None:
        self._connected, self._reason, self._astray = live, reason, False
        self._since_ms = self._clock.now_ms()

    def _tell(self, symbol: int, minute: Minute) -> None:
        if not minute.sound:
            self._flaws += 1
            return
        self._coins[symbol].told(minute)
        away_ms = abs(minute.open_time_ms - self._feed_ms())
        self._astray = away_ms > _ASTRAY_MS * (1 + self._time.speed)
        if not self._astray:
            self._put(symbol, minute.open_time_ms, minute.values)

    def _put(
        self, symbol: int, open_time_ms: int, values: tuple[float, float, float, float, float]
    ) -> None:
        """Keep a minute; one that had been shown as closed makes what was made of it void."""
        changed = self._live.history[symbol].put(open_time_ms, *values)
        if changed and open_time_ms + MINUTE_MS <= self._world.now_ms:
            self._data.forget(symbol)

    def _set_rate(self, symbol: int, hourly: float) -> None:
        rate = quantize_half_even(hourly, RATE_DECIMALS)
        if abs(rate) < RATE_ONE:
            self._world.set_funding(symbol, Rate(rate))

    # what moves the world

    async def run(self) -> None:
        """Follow the feed and move the world until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._feed.follow(self._names, self))
            tasks.create_task(self._move())
            tasks.create_task(self._catch_up())
            tasks.create_task(self._ask_for_rates())

    def tick(self) -> None:
        """End the present second, and go on to the next one."""
        world, tape = self._world, self._live.tape
        bar, before_ms = world.engine.bar, world.now_ms
        behind = (self._now_ms() - tape.time_ms(bar + 1)) // tape.interval_ms
        for symbol, coin in enumerate(self._coins):
            coin.finish(tape, symbol, bar)
            if bar + 1 == tape.length:
                continue
            if self._connected and coin.price and behind <= _MISSED:
                tape.open(symbol, bar + 1, coin.price)
            else:
                tape.lack(symbol, bar + 1, coin.known)
        self._barrier.tick()
        if before_ms // MINUTE_MS != world.now_ms // MINUTE_MS:
            for symbol in range(len(self._coins)):
                self._data.forget(symbol)
        if bar % _GIVE_BACK_BARS == 0:
            self._live.forget_before(bar)

    def _feed_ms(self) -> int:
        """The feed's time."""
        return self._time.at(self._clock.now_ms())

    def _now_ms(self) -> int:
        """The feed's time, a moment ago."""
        return self._time.at(self._clock.now_ms() - _LATE_MS)

    async def _move(self) -> None:
        loop, world, tape = asyncio.get_running_loop(), self._world, self._live.tape
        while not world.finished:
            end_ms = self._time.wall_at(tape.time_ms(world.engine.bar + 1)) + _LATE_MS
            await asyncio.sleep(min(_LOOK_S, max(0.0, (end_ms - self._clock.now_ms()) / 1000)))
            limit = loop.time() + _SLICE_S
            while self._due and loop.time() < limit:
                self.tick()

    @property
    def _due(self) -> bool:
        """Whether the present second has ended."""
        end_ms = self._live.tape.time_ms(self._world.engine.bar + 1)
        return not self._world.finished and end_ms <= self._now_ms()

    # what is asked for

    async def _catch_up(self) -> None:
        """After each connection, ask for the minutes that were missed before it."""
        while True:
            await self._behind.wait()
            self._behind.clear()
            for _ in range(_ATTEMPTS):
                with suppress(SuiteError):
                    await self._ask_for_missing()
                if not self._missing or self._behind.is_set():
                    break
                await asyncio.sleep(_AGAIN_S)

    async def _ask_for_missing(self) -> None:
        """Ask once; what the feed does not have yet either stays missing."""
        for symbol, from_ms in sorted(self._missing.items()):
            until_ms = self._feed_ms() // MINUTE_MS * MINUTE_MS
            self._fill(symbol, await self._feed.minutes(self._names[symbol], from_ms))
            have = len(self._live.history[symbol].between(from_ms, until_ms))
            unchanged = self._connected and self._missing.get(symbol) == from_ms
            if unchanged and have * MINUTE_MS >= until_ms - from_ms:
                del self._missing[symbol]

    def _fill(self, symbol: int, bars: Bars) -> None:
        columns = (bars.open_time_ms, bars.open, bars.high, bars.low, bars.close, bars.volume)
        for opened, *values in zip(*(column.tolist() for column in columns), strict=True):
            self._put(symbol, opened, tuple(values))

    async def _ask_for_rates(self) -> None:
        """Ask for settled funding where the stream tells no rates."""
        while True:
            await asyncio.sleep(_RATES_S)
            for symbol, coin in enumerate(self._names):
                if symbol in self._told_rates:
                    continue
                try:
                    rate = await self._feed.hourly_rate(coin)
                except SuiteError:
                    break
                if rate is not None:
                    self._set_rate(symbol, rate)

    # how it is

    @property
    def speed(self) -> float:
        """World seconds per second."""
        return self._time.speed

    @property
    def status(self) -> FeedStatus:
        """How the feed is."""
        coins = zip(self._names, self._coins, strict=True)
        return FeedStatus(
            since_ms=self._since_ms,
            reason=_ELSEWHEN if self._astray else self._reason,
            coins=tuple(name for name, coin in coins if not coin.price),
        )

    def described(self) -> dict[str, Any]:
        """The same as JSON, for `GET /worlds/{id}`."""
        status = self.status
        return {
            "url": self._feed.name,
            "state": "degraded" if status.degraded else "live",
            "since_ms": status.since_ms,
            "reason": status.text,
            "without_price": list(status.coins),
            "flaws": self._flaws,
        }
