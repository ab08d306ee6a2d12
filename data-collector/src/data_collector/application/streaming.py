"""Who has subscribed to what of a collection, and what is waiting to be sent to each.

A candle that grows and the mids are states: a slow client gets the latest of them. Closed candles
and trades are logs: a client gets every one, or is dropped when too many wait.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

import msgspec
import numpy as np

from data_collector.application.ports import Collection
from data_collector.domain.candles import Candle, MarketEvent, Mids, Print
from data_collector.domain.forming import Forming
from suite.bars import INTERVAL_MS, MINUTE_MS
from suite.contracts import hyperliquid_ws as ws
from suite.errors import SuiteError
from suite.instrument import coin_of

_encode = msgspec.json.Encoder().encode
_MINUTE_S: Final = 60.0
_NAMES: Final = {length: name for name, length in INTERVAL_MS.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one connection may ask for, and how much is kept for it.

    Attributes:
        messages: it may send in a minute.
        waiting: messages that wait for it, before it is dropped.
        batch: messages handed to the connection at a time.
    """

    channels: int = 1000
    messages: int = 2000
    waiting: int = 4096
    batch: int = 256


class Topic:
    """A channel with its parameters.

    Attributes:
        key: its name; equal subscriptions have equal ones.
        coin: it is of, empty for all.
        interval_ms: of candles, 0 for others.
        shown_ms: open time of the candle that is its state.
        closed_ms: open time of the last candle that was told as closed.
        forming: makes the candles that are longer than those told.
        beginning: the task that looks for what came before them.
    """

    def __init__(self, key: str, coin: str = "", interval_ms: int = 0) -> None:
        self.key = key
        self.coin = coin
        self.interval_ms = interval_ms
        self.shown_ms = self.closed_ms = 0
        self.forming = Forming(coin, interval_ms) if interval_ms > MINUTE_MS else None
        self.beginning: asyncio.Task[None] | None = None
        self.subscribers: dict[Subscriber, None] = {}
        self._state: Callable[[], bytes] | None = None
        self._encoded: bytes | None = None

    def show(self, make: Callable[[], bytes]) -> None:
        """Replace the state, and have everybody get it; it is encoded when the first one does."""
        self._state, self._encoded = make, None
        for subscriber in self.subscribers:
            subscriber.mark(self)

    def tell(self, message: bytes) -> None:
        """Have everybody get a message of a log."""
        for subscriber in self.subscribers:
            subscriber.put(message)

    def forget(self) -> None:
        """Have no state any more: what is told next says it for good."""
        self._state = self._encoded = None

    def state(self) -> bytes | None:
        """Encode the present state, None where there is none."""
        if self._encoded is None and self._state is not None:
            self._encoded = self._state()
        return self._encoded


class Hub:
    """The channels of a collection; it listens only while somebody has subscribed.

    Args:
        collection: tells the events; None where there are none.
        recent: reads the closed 1m candles of a coin since the last midnight, for the longer ones.
    """

    def __init__(
        self, collection: Collection | None, recent: Callable[[str], Iterable[Candle]]
    ) -> None:
        self._recent = recent
        self._collection = collection
        self._topics: dict[str, Topic] = {}
        self._candles: dict[str, dict[int, Topic]] = {}
        self._mids: dict[str, str] = {}
        self._leave: Callable[[], None] = lambda: None

    def topic(self, wanted: ws.Named) -> Topic | None:
        """Find what a subscription asks for, None where nothing such is collected."""
        topic = topic_of(wanted)
        if topic is None or self._collection is None:
            return None
        if topic.coin and not self._collection.collects(topic.coin):
            return None
        return self._topics.get(topic.key, topic)

    def add(self, topic: Topic, subscriber: "Subscriber") -> None:
        """Send a topic to somebody from now on."""
        if not self._topics and self._collection is not None:
            self._leave = self._collection.listen(self._heard)
        if topic.key not in self._topics and topic.interval_ms:
            self._candles.setdefault(topic.coin, {})[topic.interval_ms] = topic
            if topic.forming is not None:
                topic.beginning = asyncio.create_task(self._begin(topic.coin, topic.forming))
        self._topics[topic.key] = topic
        topic.subscribers[subscriber] = None
        subscriber.mark(topic)

    def remove(self, topic: Topic, subscriber: "Subscriber") -> None:
        """Send it no longer; the last one takes the topic along."""
        topic.subscribers.pop(subscriber, None)
        if topic.subscribers or self._topics.get(topic.key) is not topic:
            return
        del self._topics[topic.key]
        if topic.beginning is not None:
            topic.beginning.cancel()
        if topic.interval_ms:
            del self._candles[topic.coin][topic.interval_ms]
        if not self._topics:
            self._leave()
            self._mids.clear()

    async def _begin(self, coin: str, forming: Forming) -> None:
        """Let longer candles begin with the minutes that came before, whoever waits for them."""
        closed: Iterable[Candle] = ()
        with suppress(SuiteError):  # nothing stored yet: they begin with what comes
            closed = await asyncio.to_thread(self._recent, coin)
        forming.begin(closed)

    async def _look_again(self, topic: Topic, forming: Forming, open_time_ms: int) -> None:
        """Tell a candle as closed after all, where what it lacked was asked for meanwhile."""
        await self._begin(topic.coin, forming)
        candle = forming.made(open_time_ms)
        if candle is not None and candle.closed and topic.closed_ms != open_time_ms:
            topic.closed_ms = open_time_ms
            topic.tell(message("candle", _row(candle)))

    def _heard(self, event: MarketEvent) -> None:
        match event:
            case Candle():
                for interval_ms, topic in self._candles.get(event.coin, {}).items():
                    self._candle(topic, interval_ms, event)
            case Print():
                trades = self._topics.get(f"trades {event.coin}")
                if trades is not None:
                    trades.tell(message("trades", [_trade(event)]))
            case Mids():
                mids = self._topics.get("allMids")
                self._mids.update({coin: _text(price) for coin, price in event.prices.items()})
                if mids is not None:
                    mids.show(lambda: message("allMids", {"mids": self._mids}))

    def _candle(self, topic: Topic, interval_ms: int, event: Candle) -> None:
        candle: Candle | None = event
        if interval_ms != event.interval_ms:
            candle = None if topic.forming is None else topic.forming.take(event)
        if candle is None:
            return
        is_over = event.closed and event.end_ms == candle.end_ms
        if candle.closed or is_over:  # what lacks a minute is over without being closed
            if topic.shown_ms <= candle.open_time_ms:
                topic.forget()
            topic.tell(message("candle", _row(candle)))
            if candle.closed:
                topic.closed_ms = candle.open_time_ms
            elif topic.forming is not None:
                looking = self._look_again(topic, topic.forming, candle.open_time_ms)
                topic.beginning = asyncio.create_task(looking)
        elif topic.shown_ms <= candle.open_time_ms:
            topic.shown_ms = candle.open_time_ms
            topic.show(lambda: message("candle", _row(candle)))


class Subscriber:
    """The state of a connection, without the connection.

    Args:
        hub: what there is to subscribe to.
        wake: called when there is something to send.
        limits: of one connection.
    """

    def __init__(self, hub: Hub, *, wake: Callable[[], None], limits: Limits) -> None:
        self._hub = hub
        self._wake = wake
        self._limits = limits
        self._topics: dict[str, Topic] = {}
        self._log: deque[bytes] = deque()
        self._marked: dict[Topic, None] = {}
        self._minute = (0.0, 0)
        self.overflowed = False

    def heard(self, now_s: float) -> bool:
        """Count a message of the client; say whether it was one too many."""
        since, count = self._minute
        if now_s - since >= _MINUTE_S:
            since, count = now_s, 0
        self._minute = (since, count + 1)
        if count < self._limits.messages:
            return False
        self.error(ws.TOO_MANY_MESSAGES.format(limit=self._limits.messages))
        return True

    def subscribe(self, wanted: ws.Named) -> None:
        """Begin to send a channel, or say why not."""
        topic = self._hub.topic(wanted)
        if topic is None:
            text = ws.INVALID
        elif topic.key in self._topics:
            text = ws.ALREADY_SUBSCRIBED
        elif len(self._topics) >= self._limits.channels:
            text = ws.TOO_MANY_CHANNELS.format(limit=self._limits.channels)
        else:
            self._topics[topic.key] = topic
            self.put(message("subscriptionResponse", _said("subscribe", wanted)))
            self._hub.add(topic, self)
            return
        self.error(text.format(json=_encode(wanted).decode()))

    def unsubscribe(self, unwanted: ws.Named) -> None:
        """Send a channel no longer."""
        named = topic_of(unwanted)
        topic = None if named is None else self._topics.pop(named.key, None)
        if topic is None:
            text = ws.ALREADY_UNSUBSCRIBED.format(json=_encode(unwanted).decode())
            self.error(text)
            return
        self._hub.remove(topic, self)
        self._marked.pop(topic, None)
        self.put(message("subscriptionResponse", _said("unsubscribe", unwanted)))

    def close(self) -> None:
        """Forget everything."""
        for topic in self._topics.values():
            self._hub.remove(topic, self)
        self._topics.clear()
        self._log.clear()
        self._marked.clear()

    def error(self, text: str) -> None:
        """Tell it that something was wrong."""
        self.put(message("error", text))

    def put(self, encoded: bytes) -> None:
        """Have a message sent; where too many wait, the connection is to be dropped."""
        if len(self._log) >= self._limits.waiting:
            self.overflowed = True
        else:
            self._log.append(encoded)
        self._wake()

    def mark(self, topic: Topic) -> None:
        """Have the state of a topic sent, as it is when that is possible."""
        self._marked[topic] = None
        self._wake()

    def batch(self) -> list[bytes]:
        """Take what is sent next: the log in its order, then the states that have changed."""
        log, most = self._log, self._limits.batch
        taken = [log.popleft() for _ in range(min(len(log), most))]
        while self._marked and len(taken) < most:
            topic = next(iter(self._marked))
            del self._marked[topic]
            state = topic.state()
            if state is not None:
                taken.append(state)
        return taken


def topic_of(wanted: ws.Named) -> Topic | None:
    """Name what a subscription is about, whether it is collected or not; None where it is wrong."""
    if isinstance(wanted, ws.AllMids):
        return Topic("allMids")
    if not isinstance(wanted, ws.Candle | ws.Trades):
        return None
    try:
        coin = coin_of(wanted.coin)
    except ValueError:
        return None
    if isinstance(wanted, ws.Trades):
        return Topic(f"trades {coin}", coin)
    interval_ms = INTERVAL_MS.get(wanted.interval)
    return Topic(f"candle {coin} {wanted.interval}", coin, interval_ms) if interval_ms else None


def message(channel: str, data: Any) -> bytes:
    """Write a message."""
    return _encode({"channel": channel, "data": data})


def _said(method: str, subscription: ws.Named) -> dict[str, Any]:
    return {"method": method, "subscription": subscription}


def _row(candle: Candle) -> dict[str, Any]:
    """Write a candle as the venue does, and whether it is final."""
    return {
        "t": candle.open_time_ms,
        "T": candle.end_ms - 1,
        "s": candle.coin,
        "i": _NAMES[candle.interval_ms],
        "o": _text(candle.open),
        "c": _text(candle.close),
        "h": _text(candle.high),
        "l": _text(candle.low),
        "v": _text(candle.volume),
        "n": candle.trades,
        "closed": candle.closed,
        "complete": candle.complete,
    }


def _trade(event: Print) -> dict[str, Any]:
    return {
        "coin": event.coin,
        "side": "B" if event.is_buy else "A",
        "px": _text(event.price),
        "sz": _text(event.size),
        "time": event.time_ms,
    }


def _text(value: float) -> str:
    """Write a number as the venue does: all its digits, no exponent."""
    return np.format_float_positional(value, trim="0")
