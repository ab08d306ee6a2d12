"""Whether a strategy sees the future, or depends on when it was begun: by changing both.

A strategy is run on a copy of the market. Then everything after some moment is replaced by another
future and it is run again: what it decided until that moment must be the same, byte for byte. Where
it is not, the bar that gives it away is found by halving. Beside the first run a second strategy of
the same kind is begun later and shown the very same; soon it must decide the same.
"""

import shutil
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Final, Protocol

import msgspec

from strategy_core.registry import KINDS
from suite.bars import INTERVAL_MS, MINUTE_MS
from suite.contracts.trader import TraderSpec
from suite.contracts.world import WorldRequest
from suite.errors import SuiteError, one_line
from suite.instrument import coin_of
from suite.moments import format_moment
from virtual_exchange.research.audit_plays import Job, Made, Play, Shadow
from virtual_exchange.research.audit_poison import copy_store, rises

CHECKS: Final = {
    "runs": "it is built, and every decision is one",
    "repeats": "run again in another process, it decides the same",
    "clock": "it asks no clock and no chance but its own generator",
    "outside": "it reaches for no file, network or process",
    "future": "where the future is another one, it decided the same until then",
    "start": "begun later and shown the same, it comes to decide the same",
}
"""What is looked at, in this order, and what each says when it holds."""

STARTS: Final = (0.2, 0.45)
"""Shares of the period after which a second strategy is begun."""
SETTLED: Final = 0.6
"""Share of its time after which a strategy that began later must decide the same."""
ASKED_MIN: Final = 10
_SHOWN: Final = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditPlan:
    """What is audited.

    Attributes:
        trader: with its strategy.
        request: the world, with both ends of its range.
        store: folder of the klines.
        plugins: folder where strategies of others are looked for.
        models: folder of models that traders may name.
        from_ms, to_ms: the range.
        end_ms: of what is stored.
        cuts: how many futures are replaced.
        workers: runs at a time.
    """

    trader: TraderSpec
    request: WorldRequest
    store: Path
    plugins: Path
    models: Path
    from_ms: int
    to_ms: int
    end_ms: int
    cuts: int = 8
    workers: int = 2

    @property
    def interval_ms(self) -> int:
        """How often it decides."""
        return INTERVAL_MS[self.trader.interval]


@dataclass(frozen=True, slots=True, kw_only=True)
class Audited:
    """What came out.

    Attributes:
        found: what is wrong, by check.
        unknown: why a check could not be made, by check.
        notes: what should be known besides.
        decisions, actions: of the first run.
        cuts: futures that were replaced, ms.
        runs: how many there were.
    """

    found: dict[str, list[str]] = field(default_factory=dict)
    unknown: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    decisions: int = 0
    actions: int = 0
    cuts: tuple[int, ...] = ()
    runs: int = 0


class Runner(Protocol):
    """Runs a strategy in surroundings where its store is the only one."""

    def __call__(self, job: Job, folder: Path) -> Play:
        """Run one.

        Args:
            job: with the store at `var/data` of the folder.
            folder: the working directory of the run.

        Raises:
            SuiteError: it cannot be run.
        """
        ...

    def end(self) -> None:
        """End those that run; no other one begins."""
        ...


Told = Callable[[str], None]
"""Is told what is done next."""


class Audit:
    """One audit.

    Args:
        plan: of what.
        runner: runs it.
        folder: for copies of the store; emptied by whoever made it.
        tell: told what is done.
    """

    def __init__(self, plan: AuditPlan, runner: Runner, folder: Path, tell: Told) -> None:
        self._plan = plan
        self._runner = runner
        self._folder = folder
        self._tell = tell
        self._runs = 0
        self._lock = Lock()
        self._remembers = True
        self._coins = [coin_of(name) for name in plan.trader.symbols]
        self._found: dict[str, list[str]] = {}
        self._unknown: dict[str, str] = {}
        self._notes: list[str] = []

    def go(self) -> Audited:
        """Make all checks.

        Raises:
            SuiteError: the market cannot be read; not what the strategy does wrong.
        """
        plan = self._plan
        span = plan.to_ms - plan.from_ms
        starts = tuple(plan.from_ms + int(share * span) for share in STARTS)
        self._tell("a first run")
        try:
            first = self._run(None, plan.to_ms, starts=starts)
        except SuiteError as error:
            self._found["runs"] = [one_line(str(error))[:_SHOWN]]
            self._skip(("repeats", "clock", "outside", "future", "start"), "it could not be run")
            return self._told((), ())
        if first.fault:
            self._found["runs"] = [one_line(first.fault)[:_SHOWN]]
        if first.reached:
            self._outside(first)
        self._tell("the same again")
        again = self._run(None, plan.to_ms, watch=True)
        if again.clocks:
            self._found["clock"] = [*again.clocks]
        cuts: tuple[int, ...] = ()
        # what is only remembered may hold a time of the machine, and decides nothing yet
        self._remembers = _first_difference(first.made, again.made, plan.to_ms) is None
        if (difference := self._difference(first.made, again.made, plan.to_ms)) is not None:
            self._found["repeats"] = [_differs(first.made, again.made, difference)]
            self._skip(("future", "start"), "it decides otherwise each time it is run")
        else:
            if not self._remembers:
                self._notes.append("what it remembers differs each time: decisions alone count")
            if not any(one.actions for one in first.made):
                self._notes.append("it never acted: what it would do then was not seen")
            cuts = self._cuts_of(first.made)
            self._future(first, cuts)
            self._start(first)
        return self._told(first.made, cuts)

    def _told(self, made: Sequence[Made], cuts: tuple[int, ...]) -> Audited:
        return Audited(
            found=self._found,
            unknown=self._unknown,
            notes=self._notes,
            decisions=len(made),
            actions=sum(one.actions for one in made),
            cuts=cuts,
            runs=self._runs,
        )

    def _skip(self, checks: Sequence[str], why: str) -> None:
        self._unknown |= dict.fromkeys(checks, why)

    def _outside(self, first: Play) -> None:
        own = [text for text in first.reached if "var/data" in text]
        others = [text for text in first.reached if text not in own]
        if self._plan.trader.strategy.kind in KINDS:
            models = [text for text in others if str(self._plan.models) in text]
            others = [text for text in others if text not in models]
            if models:
                self._notes.append(
                    "it reads a model that was trained elsewhere: it uses none that was judged on "
                    "later days, and more of it cannot be audited"
                )
        if own:
            self._notes.append(
                f"it reads the store by itself ({own[0][:_SHOWN]}): what it reads there is "
                "replaced with the market, so the check of the future covers it"
            )
        if others:
            self._found["outside"] = [
                f"{text[:_SHOWN]}: whether that knows the future cannot be audited"
                for text in others
            ]

    def _cuts_of(self, made: Sequence[Made]) -> tuple[int, ...]:
        """Times of decisions: half of those with actions, half of all, evenly spread."""
        last = self._plan.to_ms - self._plan.interval_ms
        every = [one.at_ms for one in made if self._plan.from_ms < one.at_ms <= last]
        acting = [one.at_ms for one in made if one.actions and one.at_ms in set(every)]
        half = (self._plan.cuts + 1) // 2
        chosen = {*_spread(acting, half)}
        for at_ms in _spread(every, self._plan.cuts):
            if len(chosen) >= self._plan.cuts:
                break
            chosen.add(at_ms)
        return tuple(sorted(chosen))

    def _future(self, first: Play, cuts: Sequence[int]) -> None:
        if not cuts:
            self._skip(("future",), "it decided nothing: take a longer period")
            return
        done = 0

        def differing(cut_ms: int) -> tuple[int, bool] | None:
            nonlocal done
            end_ms = min(cut_ms + self._plan.interval_ms, self._plan.to_ms)
            other = self._run(cut_ms, end_ms, upward=self._against(cut_ms))
            with self._lock:
                done += 1
                self._tell(f"another future, {done} of {len(cuts)}")
            place = self._difference(first.made, other.made, cut_ms)
            if place is None:
                return None
            same = [one.made[place].text for one in (first, other) if place < len(one.made)]
            return place, len(same) > len(set(same))

        with ThreadPoolExecutor(self._plan.workers) as pool:
            try:
                found = list(pool.map(differing, cuts))
            except BaseException:
                self._runner.end()  # or the pool would wait for those that run
                raise
        leaks = [(cut_ms, one) for cut_ms, one in zip(cuts, found, strict=True) if one is not None]
        if not leaks:
            return
        cut_ms, (place, is_memory) = leaks[0]
        decision = first.made[place]
        bar_ms = self._last_bar(first, place, cut_ms)
        ahead = (bar_ms - decision.at_ms) // MINUTE_MS
        told = (
            f"{'what is remembered after ' if is_memory else ''}decision {place + 1} at "
            f"{format_moment(decision.at_ms)} changes with the bar that opens at "
            f"{format_moment(bar_ms)}, {ahead} minutes later"
        )
        many = f"{len(leaks)} of {len(cuts)} futures that were replaced changed the past"
        self._found["future"] = [told, many, f"it was {decision.text[:_SHOWN]}"]

    def _last_bar(self, first: Play, place: int, known_ms: int) -> int:
        """Find the last bar on which a decision depends, by halving what is replaced.

        Args:
            first: the first run.
            place: of the decision.
            known_ms: from then on, another future changes it.

        Returns:
            Its opening, ms; where it is far ahead, to the trader's interval.
        """
        decision, plan = first.made[place], self._plan
        upward = self._against(known_ms)  # the same for all of them, or halving means nothing
        end_ms = min(decision.at_ms + plan.interval_ms, plan.to_ms)

        def depends(from_ms: int) -> bool:
            self._tell(f"which bar: does it depend on {format_moment(from_ms)} or later")
            other = self._run(from_ms, end_ms, upward=upward)
            until = first.made[: place + 1]
            return self._difference(until, other.made, decision.at_ms) is not None

        low, step = known_ms, plan.interval_ms
        while (high := min(low + step, plan.end_ms)) < plan.end_ms and depends(high):
            low, step = high, 4 * step
        exact = MINUTE_MS if high - low <= plan.interval_ms else plan.interval_ms
        while high - low > exact:
            middle = (low + high) // 2 // MINUTE_MS * MINUTE_MS
            low, high = (middle, high) if depends(middle) else (low, middle)
        return high - MINUTE_MS if exact > MINUTE_MS else low

    def _difference(self, one: Sequence[Made], other: Sequence[Made], until_ms: int) -> int | None:
        """Find the first difference; in what is remembered too where that repeats."""
        if not self._remembers:
            one, other = _bare(one), _bare(other)
        return _first_difference(one, other, until_ms)

    def _against(self, cut_ms: int) -> bool:
        """Whether prices fell after a time: their other future goes the other way."""
        return not rises(self._plan.store, self._coins[0], cut_ms, self._plan.interval_ms)

    def _start(self, first: Play) -> None:
        if first.apart:
            self._skip(("start",), first.apart)
            return
        told = [one for one in first.shadows if one.knows and one.asked >= ASKED_MIN]
        if not told:
            why = (
                "the period is too short"
                if all(one.knows for one in first.shadows)
                else ("it was never without a position, of which it remembers more than is shown")
            )
            self._skip(("start",), f"{why}: take a longer one")
            return
        for shadow in told:
            self._judge_start(shadow)

    def _judge_start(self, shadow: Shadow) -> None:
        begun = shadow.begun_ms or 0
        if shadow.last_ms is None or shadow.first_ms is None:
            return
        text = (
            f"begun at {format_moment(begun)}, it decides otherwise {shadow.differing} of "
            f"{shadow.asked} times, first at {format_moment(shadow.first_ms)}, last at "
            f"{format_moment(shadow.last_ms)}"
        )
        if shadow.last_ms - begun > SETTLED * (shadow.end_ms - begun):
            self._found.setdefault("start", []).append(text)
        else:
            self._notes.append(f"{text}: give it that long to warm up")

    def _run(
        self,
        cut_ms: int | None,
        to_ms: int,
        *,
        starts: tuple[int, ...] = (),
        watch: bool = False,
        upward: bool = True,
    ) -> Play:
        """Run it once, on a copy of the store with another future."""
        with self._lock:  # two at a time, each in a folder of its own
            self._runs += 1
            number = self._runs
        plan, folder = self._plan, self._folder / f"run-{number}"
        store = folder / "var" / "data"
        copy_store(plan.store, store, self._coins, cut_ms=cut_ms, upward=upward)
        job = Job(
            trader=_moved(plan.trader, plan.store, store),
            request=msgspec.structs.replace(plan.request, to=to_ms),
            data=str(store),
            plugins=str(plan.plugins),
            models=str(plan.models),
            starts=starts,
            watch=watch,
        )
        try:
            return self._runner(job, folder)
        finally:
            shutil.rmtree(folder, ignore_errors=True)  # years of minutes, many times


def _moved(trader: TraderSpec, store: Path, copy: Path) -> TraderSpec:
    """Let parameters that name the store name its copy."""

    def moved(value: object) -> object:
        if isinstance(value, str):
            for name in {str(store.resolve()), str(store)} - {"."}:
                value = value.replace(name, str(copy))
        return value

    params = {name: moved(value) for name, value in trader.strategy.params.items()}
    return msgspec.structs.replace(
        trader, strategy=msgspec.structs.replace(trader.strategy, params=params)
    )


def _first_difference(one: Sequence[Made], other: Sequence[Made], until_ms: int) -> int | None:
    """Place of the first decision up to a time that differs; None where all are the same."""
    first = [made for made in one if made.at_ms <= until_ms]
    second = [made for made in other if made.at_ms <= until_ms]
    for place, (left, right) in enumerate(zip(first, second, strict=False)):
        if left != right:
            return place
    return None if len(first) == len(second) else min(len(first), len(second), len(one) - 1)


def _bare(made: Sequence[Made]) -> list[Made]:
    return [msgspec.structs.replace(one, memory="") for one in made]


def _differs(one: Sequence[Made], other: Sequence[Made], place: int) -> str:
    texts = [
        f"{made[place].text[:_SHOWN]}" if place < len(made) else "none" for made in (one, other)
    ]
    at_ms = one[min(place, len(one) - 1)].at_ms if one else 0
    return f"decision {place + 1} at {format_moment(at_ms)} was {texts[0]}, then {texts[1]}"


def _spread(times: Sequence[int], most: int) -> list[int]:
    """Choose evenly among times, in the middle of as many stretches."""
    if len(times) <= most:
        return list(times)
    return [times[int((place + 0.5) * len(times) / most)] for place in range(most)]
