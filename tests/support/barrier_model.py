"""A second barrier, small enough to be seen to be right: who waits for what, and where time is.

It knows the bars in advance, so each wait has its wake-up at once: the first boundary at which one
of its conditions holds. Time is then the earliest of them, once all who are present wait.
"""

from dataclasses import dataclass, field

from suite.bars import Bars
from suite.contracts.clock import WaitRequest

NEVER = 1 << 40
TICK = 1.0
"""Of prices from 10,000 to 99,999 USD."""
BAR_MS = 60_000
WAKES = {"1m": 1, "5m": 5, "15m": 15}


@dataclass(slots=True)
class Wait:
    """One step.

    Attributes:
        reasons: boundary at which each condition holds.
        failed: its caller was told that somebody has not joined.
    """

    request: WaitRequest
    reasons: dict[str, int]
    failed: bool = False

    @property
    def wake(self) -> int:
        return min(self.reasons.values())

    def woke_by(self, bar: int) -> set[str]:
        return {name for name, at in self.reasons.items() if at <= bar}


@dataclass(slots=True)
class Someone:
    """An account, whether it takes part or not.

    Attributes:
        state: `absent`, `expected`, `deciding`, `waiting` or `dropped`.
        fills: boundaries at which fills become known, past and to come.
        heard_ms: last sign of life.
    """

    state: str = "absent"
    step: int = 0
    wait: Wait | None = None
    fills: list[int] = field(default_factory=list)
    orders: int = 0
    heard_ms: int = 0
    late: int = 0
    degraded: bool = False

    @property
    def present(self) -> bool:
        return self.state in {"expected", "deciding", "waiting"}


@dataclass(slots=True)
class Model:
    """One world of one coin.

    Attributes:
        start_ms: time of boundary 0.
        people: by account.
        bar: where time is.
    """

    bars: Bars
    start_ms: int
    people: list[Someone]
    supervised: bool
    paced: bool
    bar: int = 0
    first_join_ms: int | None = None

    @property
    def end(self) -> int:
        return len(self.bars)

    @property
    def finished(self) -> bool:
        return self.bar == self.end

    def ms(self, bar: int) -> int:
        return self.start_ms + bar * BAR_MS

    # what people do

    def join(self, who: Someone, now_ms: int) -> None:
        who.state, who.step, who.wait, who.heard_ms = "deciding", 0, None, now_ms
        if self.first_join_ms is None:
            self.first_join_ms = now_ms

    def leave(self, who: Someone) -> None:
        who.state, who.wait = "absent", None

    def give_up(self, who: Someone) -> None:
        who.state, who.wait, who.degraded = "dropped", None, True

    def order(self, who: Someone, limit: float) -> bool:
        """Buy a little, at the market when `limit` is 0; say whether it filled at once."""
        if self.finished:
            return False
        who.orders += 1
        if limit == 0:
            who.fills.append(self.bar)
            return True
        for bar in range(self.bar, self.end):
            if bar > self.bar and self.bars.open[bar] <= limit - TICK:
                who.fills.append(bar)
                break
            if self.bars.low[bar] <= limit - TICK:
                who.fills.append(bar + 1)
                break
        return False

    def wait(self, who: Someone, request: WaitRequest, *, filled: bool) -> None:
        """Fall asleep, after the step's orders were placed."""
        who.step += 1
        reasons = {"ended": self.end}
        if request.until_ms is not None:
            reasons["time"] = -((self.start_ms - request.until_ms) // BAR_MS)
        if request.wake_on.bar is not None:
            length = WAKES[request.wake_on.bar]
            reasons["bar"] = (self.bar // length + 1) * length
        if request.wake_on.fill:
            later = [bar for bar in who.fills if bar > self.bar]
            first = [self.bar + 1] if filled else []
            reasons["fill"] = min([*later, *first], default=NEVER)
        for cross in request.wake_on.price:
            reasons["price"] = self._reached(float(cross.above or 0), float(cross.below or 0))
        if self.finished:
            reasons = {"ended": self.bar}
        elif reasons.get("time", NEVER) <= self.bar:
            reasons = {"time": self.bar}
        who.wait = Wait(request, reasons)
        who.state = "deciding" if who.wait.wake <= self.bar else "waiting"

    def _reached(self, above: float, below: float) -> int:
        for bar in range(self.bar, self.end):
            if (above and self.bars.high[bar] >= above) or (below and self.bars.low[bar] <= below):
                return bar + 1
        return NEVER

    # what time does

    def settle(self, now_ms: int) -> None:
        """Move time as far as it may go."""
        while not self.paced and not self.finished:
            present = [who for who in self.people if who.present]
            if not present or any(who.state != "waiting" for who in present):
                return
            self._move(min(who.wait.wake for who in present if who.wait), now_ms)

    def tick(self, now_ms: int) -> None:
        """A paced world goes on by a bar, whoever decides."""
        if self.finished or any(who.state == "expected" for who in self.people):
            return
        for who in self.people:
            who.late += who.state == "deciding"
        self._move(self.bar + 1, now_ms)

    def advance(self, bar: int) -> None:
        """The operator moves a world without participants."""
        self.bar = min(max(bar, self.bar), self.end)

    def _move(self, bar: int, now_ms: int) -> None:
        self.bar = bar
        for who in self.people:
            if who.state == "waiting" and who.wait and who.wait.wake <= bar:
                who.state, who.heard_ms = "deciding", now_ms

    def expire(self, now_ms: int) -> None:
        """Tell those who wait that somebody is missing; drop who is silent."""
        if self.supervised:
            return
        missing = any(who.state == "expected" for who in self.people)
        late = self.first_join_ms is not None and now_ms - self.first_join_ms >= 60_000
        for who in self.people:
            if missing and late and who.state == "waiting" and who.wait:
                who.wait.failed = True
            if who.state == "deciding" and now_ms - who.heard_ms >= 120_000:
                who.state, who.degraded = "dropped", True
