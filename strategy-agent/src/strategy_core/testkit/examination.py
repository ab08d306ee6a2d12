"""Puts a strategy into a rehearsal and lists what it does against the protocol."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any, Final, cast

import msgspec

from strategy_core.asking import BUDGETS, Deadline, DecisionBudgets, ask, overran
from strategy_core.building import Setup, StrategyKind
from strategy_core.deciding import DecisionFault
from strategy_core.llm.port import ModelSource
from strategy_core.port import Decision, Needs, Observation, Strategy
from strategy_core.registry import generator_for, read_params
from strategy_core.remembering import Remembers
from strategy_core.testkit.form import faults_of, faults_of_needs
from strategy_core.testkit.rehearsal import Rehearsal, instruments_for
from strategy_core.testkit.source import reaches
from suite.bars import MINUTE_MS
from suite.errors import Overrun, one_line

CHECKS: Final[Mapping[str, str]] = {
    "builds": "it is built from its default parameters",
    "needs": "needs is a constant, of coins and intervals that there are",
    "decides": "every observation is answered with a well-formed Decision",
    "coins": "only its own coins are ordered, or what is held elsewhere",
    "numbers": "sizes and prices are finite, positive and on the coin's lattice",
    "amount": "no decision has more actions than the guard lets through",
    "plans": "no decision has two plans of a coin, or one of another's",
    "wakes": "it is asked again later than now",
    "repeats": "shown the same twice, it decides the same twice",
    "remembers": "built anew, with what it remembers, it decides as if nothing had been",
    "untouched": "nothing of an observation is changed",
    "outside": "no clock, chance, file, network or process is reached for",
    "quick": "a decision is quick, or needs.slow says that it is not",
}
"""What is looked at, in this order, and what each says when it holds."""

INTERVAL_MS: Final = 15 * MINUTE_MS
QUICK_MS: Final = 100.0
"""Median of a decision beyond which `needs.slow` keeps the process alive meanwhile."""

RESTART: Final = 23
"""Observations between two restarts of a strategy that remembers."""

_RESTARTED: Final = "after a restart"

SHOWN: Final = 5
"""Findings of one check that are told each by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something that is wrong.

    Attributes:
        check: one of `CHECKS`.
        text: what, in one line.
        situation: what was special about the first observation in which it was seen.
        count: how often it was seen.
    """

    check: str
    text: str
    situation: str = ""
    count: int = 1

    def __str__(self) -> str:
        where = f" (first with: {self.situation})" if self.situation else ""
        times = f" [{self.count} times]" if self.count > 1 else ""
        return f"{self.check}: {self.text}{where}{times}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Examination:
    """What came out.

    Attributes:
        findings: what is wrong, in the order of `CHECKS`; empty is good.
        decisions, actions: how many there were.
        median_ms, p99_ms: time of a decision; None where no clock was given.
    """

    findings: tuple[Finding, ...]
    decisions: int = 0
    actions: int = 0
    median_ms: float | None = None
    p99_ms: float | None = None


def _nothing() -> Sequence[str]:
    """Nobody watches what is reached for."""
    return ()


def _unlimited(_seconds: float) -> AbstractContextManager[None]:
    """Nobody ends what overruns."""
    return nullcontext()


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a process lends an examination, which has no clock itself.

    Attributes:
        clock_s: seconds of a clock that never goes back, for the time of a decision.
        reached: what was reached for outside since it was last asked.
        deadline: what ends a decision that overruns; without one it may take for ever.
        models: where strategies that ask language models get theirs.
        budgets: of a decision, and of building the strategy.
    """

    clock_s: Callable[[], float] | None = None
    reached: Callable[[], Sequence[str]] = _nothing
    deadline: Deadline = _unlimited
    models: ModelSource | None = None
    budgets: DecisionBudgets = BUDGETS


ALONE: Final = Surroundings()
"""A process that lends nothing."""


def examine(
    kind: StrategyKind,
    *,
    symbols: Sequence[str] = ("BTC", "ETH"),
    params: Mapping[str, Any] | None = None,
    seed: int = 1,
    steps: int = 300,
    source: str = "",
    around: Surroundings = ALONE,
) -> Examination:
    """Run a strategy through everything that happens, thrice; one that overruns is asked no more.

    Args:
        kind: `kind_of(Mine)`.
        symbols: coins of the trader, each once.
        params: its parameters; defaults for those not given.
        seed: of the rehearsal; equal seeds, equal observations.
        steps: observations of each run; after two thirds of them the strategy is built anew, as
            after a restart, and in the last run many times.
        source: text of its module, for what it reaches for; empty is not looked at.
        around: what the process lends.
    """
    notes = _Notes()
    if source:
        for text in _reached_in(source):
            notes.add("outside", text)
    values, problems = read_params(kind, params or {})
    for problem in problems:
        notes.add("builds", problem)
    if problems:
        return Examination(findings=notes.findings())
    runs = [
        _Run(kind, values, symbols, seed=seed, steps=steps, around=around, restarts=restarts)
        for restarts in (False, False, True)
    ]
    for run in runs:
        try:
            run.go(notes)
        except _OverranBudget:
            break
    first, again, restarted = (run.answers for run in runs)
    if not _compare(first, again, "repeats", notes):
        _compare(first, restarted, "remembers", notes)
    seconds = sorted(second for run in runs for second in run.seconds)
    median_ms = p99_ms = None
    if seconds:
        median_ms, p99_ms = (1000 * seconds[int(share * len(seconds))] for share in (0.5, 0.99))
        if median_ms > QUICK_MS and not runs[0].slow:
            notes.add("quick", f"half of the decisions take more than {median_ms:.0f} ms")
    return Examination(
        findings=notes.findings(),
        decisions=len(runs[0].answers),
        actions=runs[0].actions,
        median_ms=median_ms,
        p99_ms=p99_ms,
    )


def _reached_in(source: str) -> Iterator[str]:
    try:
        yield from reaches(source)
    except SyntaxError as error:
        yield f"the module cannot be read: {error.msg}"


class _OverranBudget(Exception):
    """A strategy does not come back; it is asked no more."""


class _Notes:
    """Findings, each text once."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, str], tuple[str, int]] = {}

    def add(self, check: str, text: str, situation: str = "") -> None:
        first, count = self._seen.get((check, text), (situation, 0))
        self._seen[check, text] = first, count + 1

    def findings(self) -> tuple[Finding, ...]:
        """List them in the order of the checks, of each the first few."""
        listed: list[Finding] = []
        for check in CHECKS:
            found = [
                Finding(check=check, text=text, situation=situation, count=count)
                for (name, text), (situation, count) in self._seen.items()
                if name == check
            ]
            listed += found[:SHOWN]
            if rest := sum(item.count for item in found[SHOWN:]):
                listed.append(Finding(check=check, text=f"{rest} more like these"))
        return tuple(listed)


@dataclass(slots=True)
class _Run:
    """One strategy in one rehearsal.

    Attributes:
        restarts: build it anew again and again, where that is not to be seen.
        answers: situation and encoded decision, for each observation.
        seconds: time of each decision.
    """

    kind: StrategyKind
    params: Any
    symbols: Sequence[str]
    seed: int
    steps: int
    around: Surroundings
    restarts: bool = False
    answers: list[tuple[str, bytes]] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    actions: int = 0
    slow: bool = False

    def go(self, notes: _Notes) -> None:
        """Show it everything."""
        strategy = self._build(notes, "")
        if strategy is None:
            return
        needs = strategy.needs
        wrong = list(faults_of_needs(needs, instruments_for(self.symbols)))
        for text in wrong:
            notes.add("needs", text)
        if wrong:
            return
        self.slow = needs.slow
        world = Rehearsal(
            self.symbols, needs, interval_ms=INTERVAL_MS, steps=self.steps, seed=self.seed
        )
        for step, (situation, seen) in enumerate(world.observations()):
            if step == 2 * self.steps // 3:
                situation = _RESTARTED  # noqa: PLW2901 - what is special now
            if situation == _RESTARTED or (self.restarts and step % RESTART == 0):
                strategy = self._restarted(strategy, notes)
                if strategy is None:
                    return
            decision = self._ask(strategy, needs, seen, situation, notes)
            world.answer(decision.actions if decision is not None else ())

    def _restarted(self, strategy: Strategy, notes: _Notes) -> Strategy | None:
        """Build it anew, with what it wants to remember where it does."""
        fresh = self._build(notes, _RESTARTED)
        if fresh is None or not isinstance(strategy, Remembers):
            return fresh
        try:
            state = msgspec.json.decode(msgspec.json.encode(strategy.remember()))
            cast("Remembers", fresh).recall(state)
        except Exception as error:  # noqa: BLE001 - it is anybody's code
            text = f"{type(error).__name__}: {error}"
            notes.add("remembers", one_line(text), _RESTARTED)
            return strategy  # or every later decision would look wrong too
        return fresh

    def _build(self, notes: _Notes, situation: str) -> Strategy | None:
        setup = Setup(
            trader_id="rehearsal",
            symbols=tuple(self.symbols),
            instruments=instruments_for(self.symbols),
            interval_ms=INTERVAL_MS,
            generator=generator_for("rehearsal", self.seed),
            models=self.around.models,
        )
        self.around.reached()  # what the rehearsal itself did
        budget_s = self.around.budgets.slow_s
        try:
            with self.around.deadline(budget_s):
                strategy = self.kind.make(setup, self.params)
                strategy.needs  # noqa: B018 - a property may fail too
        except Overrun:
            notes.add("builds", f"it takes longer than {budget_s:g} s", situation)
            raise _OverranBudget from None
        except (Exception, SystemExit) as error:  # noqa: BLE001 - it is anybody's code
            notes.add("builds", one_line(f"{type(error).__name__}: {error}"), situation)
            return None
        for text in self.around.reached():
            notes.add("outside", f"{text} while it is built")
        return strategy

    def _ask(
        self,
        strategy: Strategy,
        needs: Needs,
        seen: Observation,
        situation: str,
        notes: _Notes,
    ) -> Decision | None:
        """Ask for one decision, and look at it from all sides; None where it is not usable."""
        before = msgspec.json.encode(seen)
        around, budgets = self.around, self.around.budgets
        budget_s = budgets.slow_s if needs.slow else budgets.quick_s
        around.reached()
        began_s = around.clock_s() if around.clock_s else 0.0
        try:
            with around.deadline(budget_s):
                answer = ask(strategy, seen)
        except Overrun:
            notes.add("decides", overran(budget_s).reason, situation)
            raise _OverranBudget from None
        if around.clock_s:
            self.seconds.append(around.clock_s() - began_s)
        for text in around.reached():
            notes.add("outside", f"{text} in decide", situation)
        if before != msgspec.json.encode(seen):
            notes.add("untouched", "decide changes the observation it is shown", situation)
        if strategy.needs != needs:
            notes.add("needs", "needs is not what it was at first", situation)
        if isinstance(answer, DecisionFault):
            notes.add("decides", answer.reason, situation)
            self.answers.append((situation, b""))
            return None
        self.answers.append((situation, msgspec.json.encode(answer)))
        self.actions += len(answer.actions)
        faults = list(faults_of(answer, seen, self.symbols, instruments_for(self.symbols)))
        for check, text in faults:
            notes.add(check, text, situation)
        return None if faults else answer


_DIFFERS: Final[Mapping[str, str]] = {
    "repeats": "decision {} of two equal runs differs: draw from setup.generator, keep state in "
    "the instance, and never in the class or the module",
    "remembers": "decision {} is another one where the process was restarted before: what is kept "
    "between decisions needs `remember` and `recall`",
}
"""What it means that two runs differ, by check."""


def _compare(
    first: Sequence[tuple[str, bytes]],
    again: Sequence[tuple[str, bytes]],
    check: str,
    notes: _Notes,
) -> bool:
    """Hold two runs against each other, and say whether they differ."""
    for number, (one, other) in enumerate(zip(first, again, strict=False), start=1):
        if one != other and one[1] and other[1]:  # no answer is a finding already
            notes.add(check, _DIFFERS[check].format(number), one[0])
            return True
    return False
