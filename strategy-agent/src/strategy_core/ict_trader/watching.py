"""One coin as its bars close: features, proposals, and what became of earlier proposals."""

from collections import deque
from typing import Any, Final

import numpy as np

from strategy_core.ict.features import BarRefused, Stream
from strategy_core.ict.schema import COUNT
from strategy_core.ict_trader.memory import CoinState, HourOfReturns, Proposed
from strategy_core.learning.events import Events
from strategy_core.learning.labels import Market, label
from strategy_core.learning.rules import LabelRules
from strategy_core.learning.signals import Held, proposal
from strategy_core.quoting.stamps import FundingStamps
from strategy_core.snapshot import SHOWN_BARS
from suite.bars import DAY_MS, F64, HOUR_MS, MINUTE_MS, Bars
from suite.instrument import Instrument

COLUMNS: Final = 6
"""Of a row: open time, open, high, low, close, volume."""
VOLUME_BARS: Final = 60
YEAR_MS: Final = 365 * DAY_MS
ATR = COUNT
"""Place of the range behind the features of a proposal."""


class Coin:
    """Follows one coin.

    Args:
        instrument: of the coin.
        interval_ms: of its bars.
        rules: of the labels.

    Attributes:
        fresh: the last observation brought a bar that was not known.
        side: of the trade that the last bar proposed, 0 for none.
        refused: why the last bar that was refused was.
    """

    def __init__(self, instrument: Instrument, interval_ms: int, rules: LabelRules) -> None:
        self._instrument = instrument
        self._interval_ms = interval_ms
        self._rules = rules
        self._stream = Stream(interval_ms)
        size = max(rules.horizon + 2, VOLUME_BARS)
        self._bars: deque[list[float]] = deque(maxlen=size)
        self._held = Held()
        self._waiting: list[Proposed] = []
        self._returns: deque[HourOfReturns] = deque(maxlen=DAY_MS // HOUR_MS)
        self._stamps = FundingStamps(assumed_hours=1)
        self._settled: list[tuple[int, float]] = []
        self.fresh = False
        self.side = 0
        self.refused = ""

    @property
    def ready(self) -> bool:
        """Whether the features are numbers."""
        return self._stream.ready

    @property
    def bars(self) -> int:
        """How many bars there were since the beginning, or the last long hole."""
        return self._stream.bars

    @property
    def values(self) -> F64:
        """Shape (12,), features of the last bar."""
        return self._stream.values

    @property
    def atr(self) -> float:
        """Average true range, USD."""
        return self._stream.atr

    @property
    def last_ms(self) -> int | None:
        """Open time of the last bar, None before the first."""
        return self._stream.last_ms

    @property
    def minute_volume(self) -> float:
        """Mean volume of a minute over the last 60 bars, units of the coin."""
        last = list(self._bars)[-VOLUME_BARS:]
        return sum(row[5] for row in last) / max(1, len(last)) / (self._interval_ms / MINUTE_MS)

    @property
    def volatility(self) -> float:
        """Standard deviation of log returns over a day, annualized; not finite before an hour."""
        count = sum(hour.count for hour in self._returns)
        if count * self._interval_ms < HOUR_MS or count < 2:
            return float("inf")
        mean = sum(hour.total for hour in self._returns) / count
        square = sum(hour.square for hour in self._returns) / count
        spread = max(0.0, square - mean * mean) ** 0.5
        return float(spread * (YEAR_MS / self._interval_ms) ** 0.5)

    def see(self, snapshot: Any, block: str) -> list[Events]:
        """Take the bars in that are new.

        Args:
            snapshot: of the coin; None for none.
            block: minutes of the bars.

        Returns:
            Trades whose labels have become known.
        """
        self.fresh, self.side, self.refused = False, 0, ""
        if not snapshot:
            return []
        self._see_funding(snapshot)
        rows = snapshot["intervals_data"][block]["bars"]
        last_ms = self._stream.last_ms
        new = [row for row in rows if last_ms is None or row[0] > last_ms]
        if last_ms is not None and len(new) == SHOWN_BARS and len(rows) == SHOWN_BARS:
            # bars may have closed unseen: what is between must not be taken for a quiet market
            self._begin_anew()
        labeled: list[Events] = []
        for row in new:
            labeled += self._take(row)
        return labeled

    def remember(self) -> CoinState:
        """Tell what is known."""
        return CoinState(
            stream=self._stream.snapshot(),
            bars=np.array(self._bars, np.float64).tobytes(),
            held=self._held,
            waiting=tuple(self._waiting),
            returns=tuple(self._returns),
            stamps=self._stamps.remember(),
            settled=tuple(self._settled),
        )

    def recall(self, state: CoinState) -> None:
        """Know it again.

        Raises:
            StateRefused: it is of other features.
        """
        self._stream = Stream.restored(state.stream)
        rows = np.frombuffer(state.bars).reshape(-1, COLUMNS).tolist()
        self._bars = deque(rows, maxlen=self._bars.maxlen)
        self._held = state.held
        self._waiting = list(state.waiting)
        self._returns = deque(state.returns, maxlen=self._returns.maxlen)
        self._stamps.recall(state.stamps)
        self._settled = list(state.settled)

    def _begin_anew(self) -> None:
        """Forget what hangs together over time; the warm-up begins again."""
        self._stream = Stream(self._interval_ms)
        self._bars.clear()
        self._returns.clear()
        self._waiting.clear()
        self._held = Held()

    def _take(self, row: list[float]) -> list[Events]:
        """Take one closed bar in."""
        open_ms = int(row[0])
        before = self._bars[-1] if self._bars else None
        try:
            values = self._stream.step(open_ms, row[1], row[2], row[3], row[4], row[5])
        except BarRefused as error:
            self.refused = str(error)
            return []
        self._bars.append([float(number) for number in row])
        if before is not None and open_ms - before[0] == self._interval_ms:
            self._add_return(open_ms, float(np.log(row[4] / before[4])))
        self.fresh = True
        self.side, self._held = proposal(values, self._held, self._rules.mode)
        if self.side:
            seen = np.append(values, self._stream.atr).tobytes()
            self._waiting.append(Proposed(open_ms, self.side, seen))
        return self._label_due(open_ms)

    def _label_due(self, open_ms: int) -> list[Events]:
        """Label trades that were proposed so long ago that they have ended."""
        horizon_ms = self._rules.horizon * self._interval_ms
        labeled = []
        while self._waiting and self._waiting[0].open_ms <= open_ms - horizon_ms:
            proposed = self._waiting.pop(0)
            market = self._market_around(proposed)
            row = int(np.searchsorted(market.bars.open_time_ms, proposed.open_ms))
            if row < len(market.bars) and market.bars.open_time_ms[row] == proposed.open_ms:
                side = np.array([proposed.side], np.int8)
                labeled.append(label(market, np.array([row], np.int64), side, self._rules))
        self._forget_funding(open_ms - 2 * horizon_ms)
        return [events for events in labeled if len(events)]

    def _market_around(self, proposed: Proposed) -> Market:
        """See the last bars as a past of their own; features only where the trade was proposed."""
        rows = np.array(self._bars)
        bars = Bars(self._interval_ms, rows[:, 0].astype(np.int64), *rows[:, 1:].T)
        seen = np.frombuffer(proposed.seen)
        return Market(
            instrument=self._instrument,
            bars=bars,
            values=np.broadcast_to(seen[:COUNT], (len(bars), COUNT)),
            atr=np.broadcast_to(seen[ATR], (len(bars),)),
            funding_ms=np.array([at for at, _ in self._settled], np.int64),
            funding_rate=np.array([rate for _, rate in self._settled], np.float64),
        )

    def _see_funding(self, snapshot: Any) -> None:
        self._stamps.see(snapshot)
        settled_ms = self._stamps.remember().settled_ms
        known_ms = self._settled[-1][0] if self._settled else None
        if settled_ms is not None and (known_ms is None or settled_ms > known_ms):
            self._settled.append((settled_ms, float(self._stamps.rate)))

    def _forget_funding(self, before_ms: int) -> None:
        while len(self._settled) > 1 and self._settled[0][0] < before_ms:
            del self._settled[0]

    def _add_return(self, open_ms: int, change: float) -> None:
        hour = open_ms // HOUR_MS
        while self._returns and self._returns[0].hour <= hour - DAY_MS // HOUR_MS:
            self._returns.popleft()
        if not self._returns or self._returns[-1].hour != hour:
            self._returns.append(HourOfReturns(hour))
        last = self._returns[-1]
        last.count += 1
        last.total += change
        last.square += change * change
