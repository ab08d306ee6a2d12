"""Into which parts an arena is cut, and how far it is."""

from collections import deque
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import exp
from typing import Final

import msgspec

from suite.bars import DAY_MS

PARTS_A_WORKER: Final = 4
_LATELY_S: Final = 30.0
_SETTLING_S: Final = 8.0
"""How fast what is expected follows what is reckoned."""
_PART_MAX: Final = 64
"""Traders of a part at most: what is lost when it is stopped in the middle."""


class PlannedTrader(msgspec.Struct, frozen=True, kw_only=True):
    """A trader of the plan.

    Attributes:
        slow: its strategy takes long to decide.
        turns: how often it decides of itself.
    """

    trader_id: str
    slow: bool
    turns: int


class ArenaPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What of a plan of the virtual exchange its manager reads."""

    from_ms: int
    to_ms: int
    traders: tuple[PlannedTrader, ...]


def cut(
    traders: Sequence[PlannedTrader],
    *,
    workers: int,
    alone: Collection[str] = (),
    parts_a_worker: int = PARTS_A_WORKER,
) -> list[tuple[str, ...]]:
    """Cut traders into parts.

    Args:
        traders: that are to be run.
        workers: how many run at once.
        alone: who is alone in its part, since it may end its process; slow traders always are.
        parts_a_worker: into how many each worker's share is cut, as far as there are traders.

    Returns:
        Trader ids of each part, those first that take longest.
    """
    single = [one for one in traders if one.slow or one.trader_id in alone]
    single.sort(key=lambda one: (not one.slow, -one.turns))
    others = sorted(
        (one for one in traders if not one.slow and one.trader_id not in alone),
        key=lambda one: -one.turns,
    )
    size = min(_PART_MAX, max(1, -(-len(others) // (workers * parts_a_worker))))
    groups = [others[at : at + size] for at in range(0, len(others), size)]
    return [(one.trader_id,) for one in single] + [
        tuple(one.trader_id for one in group) for group in groups
    ]


@dataclass(slots=True)
class ArenaProgress:
    """How far an arena is.

    Args:
        plan: of all traders.
        kept: traders whose part was there before.
        workers: how many parts run at once.

    Attributes:
        failed: why a trader did not come to its end.
    """

    plan: ArenaPlan
    kept: frozenset[str]
    workers: int = 1
    failed: dict[str, str] = field(default_factory=dict)
    _done: dict[str, float] = field(default_factory=dict)
    _turns: Mapping[str, int] = field(init=False)
    _running: dict[tuple[str, ...], float] = field(default_factory=dict)
    _worked_s: float = 0.0
    _marks: dict[tuple[str, ...], deque[tuple[float, float]]] = field(default_factory=dict)
    _expected: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        self._turns = {one.trader_id: one.turns for one in self.plan.traders}

    def move(self, traders: Iterable[str], share: float) -> None:
        """Note which share of its run some traders have behind them, 0 to 1."""
        for name in traders:
            self._done[name] = share

    def begin(self, part: tuple[str, ...], at_s: float) -> None:
        """Note that a part begins."""
        self._running[part] = at_s

    def end(self, part: tuple[str, ...], at_s: float) -> None:
        """Note that a part has ended, whatever came of it."""
        self._worked_s += at_s - self._running.pop(part)
        self._marks.pop(part, None)

    def fail(self, trader: str, reason: str) -> None:
        """Note that a trader does not come to its end."""
        self.failed[trader] = reason
        self._done[trader] = 1.0

    @property
    def traders(self) -> int:
        """How many there are."""
        return len(self._turns)

    @property
    def finished(self) -> int:
        """How many have come to their end, or never will."""
        return len(self.kept) + sum(share >= 1.0 for share in self._done.values())

    @property
    def share(self) -> float:
        """Of all work, 0 to 1."""
        whole = sum(self._turns.values())
        kept = sum(self._turns[name] for name in self.kept)
        return (kept + self._new_turns) / whole if whole else 1.0

    def rates(self, began_s: float, now_s: float) -> "Rates":
        """Say how fast it goes.

        Args:
            began_s: when the parts began.
            now_s: on the same clock.
        """
        turns, elapsed_s = self._new_turns, now_s - began_s
        days = sum(self._done.values()) * (self.plan.to_ms - self.plan.from_ms) / DAY_MS
        return Rates(
            days_a_second=days / elapsed_s if elapsed_s else 0.0,
            decisions_a_second=turns / elapsed_s if elapsed_s else 0.0,
            eta_s=self._eta_s(now_s),
        )

    def _eta_s(self, now_s: float) -> float | None:
        """Let what is expected follow what is reckoned, so that it does not jump."""
        if (reckoned_s := self._reckoned_s(now_s)) is None:
            return None
        end_s = now_s + reckoned_s
        if self._expected is not None:
            told_s, before_s = self._expected
            end_s += (before_s - end_s) * exp(-(now_s - told_s) / _SETTLING_S)
        self._expected = (now_s, end_s)
        return end_s - now_s if end_s > now_s else reckoned_s

    def _reckoned_s(self, now_s: float) -> float | None:
        """Expect each part to go on at its latest pace, and those that wait at that of all."""
        if not (turns := self._new_turns):
            return None
        ran = {part: now_s - at_s for part, at_s in self._running.items()}
        pace_s = (self._worked_s + sum(ran.values())) / turns
        running = [
            rest_s
            if (rest_s := self._rest_s(part, now_s)) is not None
            else pace_s * sum(self._turns[name] for name in part)
            for part in ran
        ]
        begun = {*self.kept, *self._done, *(name for part in ran for name in part)}
        waiting = sum(count for name, count in self._turns.items() if name not in begun)
        shared_s = (sum(running) + waiting * pace_s) / self.workers
        return max(shared_s, *running, 0.0)

    def _rest_s(self, part: tuple[str, ...], now_s: float) -> float | None:
        """Expect a part to go on as it did lately; None for one that has only begun."""
        share = self._done.get(part[0], 0.0)
        marks = self._marks.setdefault(part, deque([(self._running[part], 0.0)]))
        marks.append((now_s, share))
        while len(marks) > 2 and marks[1][0] <= now_s - _LATELY_S:
            marks.popleft()
        since_s, before = marks[0]
        if share <= before:
            return None
        return (now_s - since_s) * (1 - share) / (share - before)

    @property
    def _new_turns(self) -> float:
        return sum(share * self._turns[name] for name, share in self._done.items())


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """How fast an arena goes.

    Attributes:
        days_a_second: simulated days of a trader, of all traders together.
        decisions_a_second: of all traders together, by how often they decide of themselves.
        eta_s: until the end, None while nothing is known.
    """

    days_a_second: float
    decisions_a_second: float
    eta_s: float | None

    def __str__(self) -> str:
        eta = "?" if self.eta_s is None else duration(self.eta_s)
        return (
            f"{self.days_a_second:.1f} trader-days/s, {self.decisions_a_second:.0f} decisions/s, "
            f"ETA {eta}"
        )


def duration(seconds: float) -> str:
    """Write a time span as people do."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    return (
        f"{minutes} min {rest:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
    )
