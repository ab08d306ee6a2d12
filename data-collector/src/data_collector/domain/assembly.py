"""Closed bars of one coin, out of whatever a stream tells of it.

A bar is closed when the venue's clock has passed its end by a grace. Candles are told again and
again as they grow, so one telling after an outage makes up for all before it; of two tellings of
one bar the later in the market wins: more trades, else more volume. A minute of which nothing was
told is one without trades only if the stream could not have kept silent about any (ADR 0013);
otherwise it is missing, and asked for.
"""

from collections import deque
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from data_collector.domain.candles import AssetContext, Candle, Print
from data_collector.domain.connection import FAITH_MS, Connection
from suite.bars import MINUTE_MS

GRACE_MS: Final = 5_000
"""How long after its end a bar is waited for, on the venue's clock."""
PATIENCE_MS: Final = 60 * MINUTE_MS
"""How long doubts may wait for the connection to prove faithful before they are asked about."""
ASKED_BARS: Final = 4_998
"""The most bars one request is for: venues keep 5,000, the forming one is among them, and another
may begin while they are asked."""
_RECENT: Final = 60
_TRADE_IDS: Final = 2_000
Values = tuple[float, float, float, float, float]
Span = tuple[int, int]

_ROUNDING: Final = 1e-9
_SETTLED_MS: Final = 10_000
"""After which in a minute a growing day volume means a trade of this minute, not of the last."""


class Missing(StrEnum):
    """Why a bar is not there."""

    OUTAGE = "outage"
    LOST = "lost frame"
    SILENT = "silent, unproven"
    NO_ROOM = "no room"


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One request for all that is open of a coin.

    Attributes:
        from_ms, to_ms: open times in [from, to).
        interval_ms: of the bars.
        outages: spans of open times, [start, end), that are not there because nobody listened.
        minutes: other open times that are not there, with the reason.
        skipped: a range before them that is not asked for, because no venue keeps so much.
    """

    from_ms: int
    to_ms: int
    interval_ms: int
    outages: list[Span]
    minutes: dict[int, Missing]
    skipped: Span | None

    @property
    def missing(self) -> dict[int, Missing]:
        """Every open time that is not there, with the reason."""
        return _spread(self.outages, self.interval_ms) | self.minutes


class Assembly:
    """The bars of one coin and interval.

    Args:
        coin: `BTC`.
        interval_ms: of the bars.
        next_ms: open time of the first bar to be made; None to begin with the first that is told.
        last_close: of the bar before it, None when there is none.

    Attributes:
        next_ms: open time of the bar that will be closed next.
        late: bars that changed after they were closed.
        lost: how many of the latest minutes traded, and were not told of.
        confirmed_ms: up to where no doubt is left.
        followed_since_ms: venue time since which the present connection tells of this coin, 0
            while nothing shows that it does.
    """

    def __init__(
        self,
        coin: str,
        interval_ms: int = MINUTE_MS,
        *,
        next_ms: int | None = None,
        last_close: float | None = None,
    ) -> None:
        self.coin = coin
        self.interval_ms = interval_ms
        self.next_ms = next_ms
        self.late: list[Candle] = []
        self.lost = 0
        self.followed_since_ms = 0
        self._outages: list[Span] = []
        self._minutes: dict[int, Missing] = {}
        self._last_close = last_close
        self._forming: dict[int, Candle] = {}
        self._repeats: dict[int, int] = {}
        self._traded: dict[int, float] = {}
        self._recent: dict[int, Candle] = {}
        self._trade_ids: deque[int] = deque(maxlen=_TRADE_IDS)
        self._known_ids: set[int] = set()
        self._newest_ms = 0
        self._newest_trade_ms = 0
        self._day_volume: tuple[int, float] | None = None
        self._last_ms = (next_ms or 0) - interval_ms
        self._asking = False
        self._asked_ms = 0
        self._skipped: Span | None = None
        self.confirmed_ms = self._confirmed_before_ms = next_ms or 0

    # ---- what is told

    def cut(self) -> None:
        """Forget what was forming: the connection has ended, the next one tells it whole."""
        self._forming.clear()
        self._repeats.clear()
        self._traded.clear()
        self._trade_ids.clear()
        self._known_ids.clear()
        self._newest_ms = self._newest_trade_ms = 0
        self._day_volume = None
        self.lost = self.followed_since_ms = 0

    def followed(self, now_ms: int) -> None:
        """Learn that the connection tells of this coin, at a venue time."""
        self.followed_since_ms = self.followed_since_ms or now_ms

    def candle(self, candle: Candle) -> str:
        """Take a candle; say which flaw of the stream it shows, empty for none."""
        at_ms = candle.open_time_ms
        flaw = "reordered" if at_ms < self._newest_ms else ""
        self._newest_ms = max(self._newest_ms, at_ms)
        if self.next_ms is None:
            self.next_ms = self.confirmed_ms = at_ms
            self._traded = {at: size for at, size in self._traded.items() if at >= at_ms}
        if at_ms < self.next_ms:
            return self._candle_of_closed(candle) or flaw
        known = self._forming.get(at_ms)
        if known is None or _progress(candle) > _progress(known):
            self._forming[at_ms] = candle
            self._repeats.pop(at_ms, None)
            return flaw
        if _progress(candle) < _progress(known):
            return "reordered"
        if candle == known:
            # Venues send a candle once more when it is done: one repetition is no flaw.
            self._repeats[at_ms] = self._repeats.get(at_ms, 0) + 1
            return flaw or ("repeated" if self._repeats[at_ms] > 1 else "")
        self._forming[at_ms] = candle
        return flaw

    def _candle_of_closed(self, candle: Candle) -> str:
        known = self._recent.get(candle.open_time_ms)
        if known is None or _growth(candle) < _growth(known):
            return "reordered"
        if candle.values == known.values:
            return ""
        if _growth(candle) == _growth(known):
            return "reordered"
        closed = replace(candle, closed=True)
        self._recent[candle.open_time_ms] = closed
        self.late.append(closed)
        return "late"

    def trades(self, prints: list[Print]) -> str:
        """Take the trades of one message; say which flaw of the stream it shows."""
        flaw = ""
        newest = max(item.time_ms for item in prints)
        if newest < self._newest_trade_ms:
            flaw = "reordered"
        self._newest_trade_ms = max(newest, self._newest_trade_ms)
        for item in prints:
            if item.trade_id is not None:
                if item.trade_id in self._known_ids:
                    flaw = "repeated"
                    continue
                if len(self._trade_ids) == _TRADE_IDS:
                    self._known_ids.discard(self._trade_ids[0])
                self._trade_ids.append(item.trade_id)
                self._known_ids.add(item.trade_id)
            at_ms = item.time_ms - item.time_ms % self.interval_ms
            if self.next_ms is None and at_ms not in self._traded:
                self._traded.clear()  # only the minute of the first candle will count
            if self.next_ms is None or at_ms >= self.next_ms:
                self._traded[at_ms] = self._traded.get(at_ms, 0.0) + item.size
        return flaw

    def context(self, context: AssetContext) -> None:
        """Take the state of the market: a growing day volume betrays trades not told."""
        volume, now_ms = context.day_volume, context.time_ms
        if volume is None or not now_ms or now_ms % self.interval_ms < _SETTLED_MS:
            return
        minute = now_ms - now_ms % self.interval_ms
        before = self._day_volume
        if before is not None and before[0] == minute and volume > before[1] * (1 + _ROUNDING):
            self._traded.setdefault(minute, 0.0)
        self._day_volume = (minute, volume)

    # ---- what is closed

    def close(self, connection: Connection, now_ms: int | None = None) -> list[Candle]:
        """Close every bar that is over, oldest first.

        Args:
            connection: whose bars they are.
            now_ms: a time that the venue's clock has shown; what it shows when not given.
        """
        now_ms = connection.clock.now_ms if now_ms is None else now_ms
        if self.next_ms is None:
            return []
        self._skip_before((now_ms // self.interval_ms - ASKED_BARS) * self.interval_ms)
        self._pass_over_outage(connection, now_ms)
        closed: list[Candle] = []
        while self.next_ms + self.interval_ms + GRACE_MS <= now_ms:
            candle = self._close_one(self.next_ms, connection)
            if candle is not None:
                closed.append(candle)
                self._last_ms, self._last_close = self.next_ms, candle.close
                self._recent[self.next_ms] = candle
            self.next_ms += self.interval_ms
        if closed:
            for at_ms in list(self._recent)[:-_RECENT]:
                del self._recent[at_ms]
        return closed

    def _close_one(self, at_ms: int, connection: Connection) -> Candle | None:
        candle = self._forming.pop(at_ms, None)
        self._repeats.pop(at_ms, None)
        traded = self._traded.pop(at_ms, None)
        if candle is not None:
            self.lost = 0
            if traded is not None and traded * (1 - _ROUNDING) > candle.volume + _ROUNDING:
                connection.flawed("dropped")
            return replace(candle, closed=True)
        if traded is None:
            if self._last_close is None:  # nothing is missing before the first bar
                self.confirmed_ms = at_ms + self.interval_ms
                return None
            if connection.faithful and self._was_told(at_ms, connection) and not self._open_before:
                return _without_trades(self.coin, self.interval_ms, at_ms, self._last_close)
        why = self._why(at_ms, connection, traded)
        self._minutes[at_ms] = why
        if why is Missing.LOST:
            self.lost += 1
            connection.flawed("dropped")
        return None

    def _was_told(self, at_ms: int, connection: Connection) -> bool:
        """Whether the connection has told of this coin since before a time."""
        return 0 < self.followed_since_ms <= at_ms and 0 < connection.since_ms <= at_ms

    def _why(self, at_ms: int, connection: Connection, traded: float | None) -> Missing:
        if at_ms < max(connection.since_ms, self.followed_since_ms) or connection.since_ms == 0:
            return Missing.OUTAGE
        return Missing.SILENT if traded is None else Missing.LOST

    def _skip_before(self, oldest_ms: int) -> None:
        """Give up on what no venue keeps."""
        if self.next_ms is None or self.next_ms >= oldest_ms:
            return
        starts = [start for start, _ in (*self._outages, *filter(None, [self._skipped]))]
        self._skipped = (min([self.next_ms, *self._minutes, *starts]), oldest_ms)
        self._outages.clear()
        self._minutes.clear()
        self.next_ms = oldest_ms
        self.confirmed_ms = max(self.confirmed_ms, oldest_ms)

    def _pass_over_outage(self, connection: Connection, now_ms: int) -> None:
        """Note the bars of which nothing can be known as one span, however many they are."""
        if self.next_ms is None:
            return
        start_ms = self.next_ms
        over_ms = (now_ms - GRACE_MS) // self.interval_ms * self.interval_ms
        begun_ms = -(-connection.since_ms // self.interval_ms) * self.interval_ms
        told = [at_ms for at_ms in (*self._forming, *self._traded) if at_ms >= start_ms]
        end_ms = min([over_ms, begun_ms, *told])
        if end_ms <= start_ms:
            return
        self.next_ms = end_ms
        if self._last_close is None:  # nothing is missing before the first bar
            self.confirmed_ms = end_ms
        else:
            self.outage(start_ms, end_ms)

    def outage(self, start_ms: int, end_ms: int) -> None:
        """Have the bars of a range asked for."""
        self._outages.append((start_ms, end_ms))

    def no_room(self, candles: list[Candle]) -> None:
        """Take back bars that could not be kept; they are asked for again."""
        self._minutes.update({candle.open_time_ms: Missing.NO_ROOM for candle in candles})

    @property
    def missing(self) -> dict[int, Missing]:
        """What is not there and has not been asked for, by open time."""
        return _spread(self._outages, self.interval_ms) | self._minutes

    @property
    def gaps(self) -> int:
        """How many bars that is."""
        spread = sum(end - start for start, end in self._outages)
        return spread // self.interval_ms + len(self._minutes)

    @property
    def _open_before(self) -> bool:
        """Whether the close before the next bar may be another than the last one known."""
        return bool(self._minutes or self._outages) or self._asking

    # ---- what is asked

    def question(self, connection: Connection) -> Question | None:
        """Say what is to be asked now; `answer` or `reopen` is called with it before the next.

        Lost minutes are asked for at once. Silence without proof and bars within ten minutes of a
        flaw wait until the connection is faithful, and tells of this coin at all, so that one
        request is enough for all of them.
        """
        if self.next_ms is None or self._asking:
            return None
        spans = [(at_ms, at_ms + self.interval_ms) for at_ms in self._minutes]
        spans += self._outages
        for start_ms, end_ms in connection.doubts:
            span = max(start_ms, self.confirmed_ms), min(end_ms, self.next_ms)
            if span[0] < span[1]:
                spans.append(span)
        if not spans:
            return None
        first_ms, end_ms = min(spans)[0], max(end for _, end in spans)
        now_ms, reasons = connection.clock.now_ms, set(self._minutes.values())
        rested = now_ms - self._asked_ms >= FAITH_MS  # a symbol that stays frozen is not polled
        absent = bool(self._outages) or not reasons.isdisjoint({Missing.OUTAGE, Missing.NO_ROOM})
        urgent = absent or (Missing.LOST in reasons and rested)
        over = not connection.doubts or connection.doubts[-1][1] <= self.next_ms
        told = connection.faithful and self.followed_since_ms > 0
        settled = (told and over) or now_ms - first_ms > PATIENCE_MS
        if not (urgent or settled):
            return None
        first_ms -= first_ms % self.interval_ms
        minutes, self._minutes = self._minutes, {}
        outages, self._outages = self._outages, []
        self._asking, self._asked_ms = True, now_ms
        skipped, self._skipped = self._skipped, None
        self._confirmed_before_ms = self.confirmed_ms
        if settled:
            self.confirmed_ms = self.next_ms
        to_ms = -(-end_ms // self.interval_ms) * self.interval_ms
        return Question(
            from_ms=first_ms,
            to_ms=to_ms,
            interval_ms=self.interval_ms,
            outages=outages,
            minutes=minutes,
            skipped=skipped,
        )

    def reopen(self, question: Question) -> None:
        """Take back a question that was not answered."""
        self._asking = False
        self._minutes = question.minutes | self._minutes
        self._outages = question.outages + self._outages
        if question.skipped is not None:
            start_ms, end_ms = question.skipped
            self._skipped = (start_ms, max(end_ms, self._skipped[1] if self._skipped else 0))
        self.confirmed_ms = self._confirmed_before_ms

    def answer(self, bars: dict[int, Values]) -> list[Candle]:
        """Learn what the venue's own record says, by open time; it knows better than its stream.

        Returns:
            Recent bars that were told otherwise.
        """
        self._asking = False
        corrected: list[Candle] = []
        for at_ms, values in bars.items():
            known = self._recent.get(at_ms)
            if known is not None and known.values != values:
                opened, high, low, close, volume = values
                self._recent[at_ms] = replace(
                    known, open=opened, high=high, low=low, close=close, volume=volume
                )
                corrected.append(self._recent[at_ms])
        newest_ms = max(bars, default=0)
        if newest_ms >= self._last_ms:
            self._last_ms, self._last_close = newest_ms, bars[newest_ms][3]
        return corrected


def _without_trades(coin: str, interval_ms: int, at_ms: int, price: float) -> Candle:
    return Candle(
        coin=coin,
        interval_ms=interval_ms,
        open_time_ms=at_ms,
        open=price,
        high=price,
        low=price,
        close=price,
        volume=0.0,
        trades=0,
        closed=True,
    )


def _growth(candle: Candle) -> tuple[int, float]:
    """How far a candle has grown: by trades where they are told, else by volume alone."""
    return candle.trades or 0, candle.volume


def _progress(candle: Candle) -> tuple[bool, int, float]:
    """The same; the venue's word that it is closed is the last."""
    return candle.closed, *_growth(candle)


def _spread(spans: list[Span], interval_ms: int) -> dict[int, Missing]:
    times = (at_ms for start, end in spans for at_ms in range(start, end, interval_ms))
    return dict.fromkeys(times, Missing.OUTAGE)
