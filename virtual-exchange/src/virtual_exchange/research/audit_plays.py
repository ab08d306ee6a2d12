"""One run of an audited strategy, and all that it decided: the part that a process does."""

import datetime as dt
import hashlib
import os
import random
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import msgspec

import suite
from strategy_core.asking import Decided as Answered
from strategy_core.asking import DecisionBudgets
from strategy_core.asking import ask as ask_once
from strategy_core.building import Setup, StrategyKind
from strategy_core.deciding import DecisionFault
from strategy_core.learning.jobs import run as run_training
from strategy_core.learning.school import Schools
from strategy_core.llm.port import ModelSource
from strategy_core.port import Decision, Observation, Strategy
from strategy_core.registry import KINDS, generator_for
from strategy_core.remembering import Remembers
from suite.bars import DAY_MS
from suite.contracts.trader import TraderSpec
from suite.contracts.world import WorldRequest
from suite.service.clock import SystemClock
from suite.service.plugins import look_in
from suite.service.shelves import MemoryShelf, find_model
from virtual_exchange.adapters.plugins import load_plugins
from virtual_exchange.adapters.store_market import StoreMarkets
from virtual_exchange.application.backtest import Means, Progress, run_backtest
from virtual_exchange.application.keeping import Ask
from virtual_exchange.running import models_for
from virtual_exchange.settings import Settings

BUDGETS: Final = DecisionBudgets(quick_s=120.0, slow_s=600.0)
"""Far more than usual: how busy the machine is must change nothing that is compared."""
_CLOCKS: Final = frozenset(
    {
        *("time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns"),
        *("localtime", "gmtime", "process_time", "strftime"),
    }
)
"""Functions of the module `time`."""
_TODAY: Final = frozenset({"now", "utcnow", "today"})
_INSTALLED: Final = (sys.prefix, sys.base_prefix, "<frozen", str(Path(suite.__file__).parent))
"""What asks a clock here is a library, or the deadline of a decision."""
_PASSED: Final = ("random.py", "uuid.py", "secrets.py", "datetime.py")


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """What to run.

    Attributes:
        trader: with its strategy.
        request: the world.
        data: folder of the store.
        plugins: folder where strategies of others are looked for last.
        models: folder of models that traders may name.
        starts: times, ms, from which on a second one of the strategy is asked too.
        watch: look for clocks and chance, which takes longer.
    """

    trader: TraderSpec
    request: WorldRequest
    data: str
    plugins: str
    models: str
    starts: tuple[int, ...] = ()
    watch: bool = False


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """One decision.

    Attributes:
        at_ms: when.
        text: all of it, as JSON.
        actions: how many it has.
        memory: digest of what the strategy would remember over a restart; empty for nothing.
    """

    at_ms: int
    text: str
    actions: int = 0
    memory: str = ""


class Shadow(msgspec.Struct, frozen=True, kw_only=True):
    """A strategy that began later and was shown what the first one was shown.

    Attributes:
        begun_ms: when: where the first one had no position, or else a day after its start.
        knows: False where it began with a position that the first one remembers more of.
        asked, differing: decisions, and those that were others than those of the first one.
        first_ms, last_ms: of those that differ; None where none does.
        end_ms: of the last decision.
    """

    begun_ms: int | None
    knows: bool = True
    asked: int = 0
    differing: int = 0
    first_ms: int | None = None
    last_ms: int | None = None
    end_ms: int = 0


class Play(msgspec.Struct, frozen=True, kw_only=True):
    """What a run showed.

    Attributes:
        made: decisions in their order.
        shadows: one a start.
        apart: why two that began at different times may differ by right; empty where they may not.
        reached: what it reached for outside, each once.
        clocks: clocks and chance that it asked, each once, with the line.
        fault: of its first failed decision; empty where none failed.
    """

    made: tuple[Made, ...]
    shadows: tuple[Shadow, ...] = ()
    apart: str = ""
    reached: tuple[str, ...] = ()
    clocks: tuple[str, ...] = ()
    fault: str = ""


Heard = Callable[[], list[str]]
"""What was reached for outside since it was last asked."""


def _nobody() -> list[str]:
    """Nobody listens."""
    return []


@dataclass(slots=True)
class _Late:
    """A strategy that begins later."""

    start_ms: int
    strategy: Strategy | None = None
    begun_ms: int | None = None
    knows: bool = True
    asked: int = 0
    differing: list[int] = field(default_factory=list)
    end_ms: int = 0

    def told(self) -> Shadow:
        return Shadow(
            begun_ms=self.begun_ms,
            knows=self.knows,
            asked=self.asked,
            differing=len(self.differing),
            first_ms=self.differing[0] if self.differing else None,
            last_ms=self.differing[-1] if self.differing else None,
            end_ms=self.end_ms,
        )


class _Auditor:
    """Stands between the run and its strategy; see `Keeper`."""

    def __init__(self, job: Job, kind: StrategyKind, heard: Heard) -> None:
        self._job = job
        self._kind = kind
        self._heard = heard
        self._setup: tuple[Setup, Any] | None = None
        self._watching = _Watching() if job.watch else None
        # a second one that asks a model would be paid for, and shows nothing
        self.late = [] if kind.asks_models else [_Late(start_ms) for start_ms in job.starts]
        self.made: list[Made] = []
        self.reached: dict[str, None] = {}
        self.fault = ""

    @property
    def clocks(self) -> tuple[str, ...]:
        """Clocks and chance that were asked."""
        return () if self._watching is None else tuple(self._watching.seen)

    @property
    def apart(self) -> str:
        """Why two that began at different times may differ by right."""
        if self._kind.asks_models:
            return "it asks a language model, which is told what it said and did before"
        if self._setup is None:
            return ""
        fresh = generator_for(self._setup[0].trader_id, self._job.request.seed)
        if self._setup[0].generator.bit_generator.state != fresh.bit_generator.state:
            return "it draws by chance, and two of them draw differently"
        return ""

    def audited(self) -> StrategyKind:
        """The kind, which tells what it is built from."""

        def make(setup: Setup, params: Any) -> Strategy:
            self._setup = (setup, params)
            self._heard()
            with self._watched():
                made = self._kind.make(setup, params)
            self._note("while it is built")
            return made

        return replace(self._kind, make=make)

    def asking(self, spec: TraderSpec, strategy: Strategy, ask: Ask) -> Ask:
        """Note what it answers, and what those that began later would have."""

        def asked(observation: Observation) -> Answered:
            self._heard()
            with self._watched():
                answer = ask(observation)
            self._note("in decide")
            text, actions = _text_of(answer)
            self.made.append(
                Made(
                    at_ms=observation.now_ms,
                    text=text,
                    actions=actions,
                    memory=_memory_of(strategy),
                )
            )
            if isinstance(answer, DecisionFault) and not self.fault:
                self.fault = answer.reason
            for late in self.late:
                self._ask_late(late, observation, text)
            return answer

        return asked

    def write(self, spec: TraderSpec, kind: str, record: object) -> None:
        """Drop it."""

    def _ask_late(self, late: _Late, seen: Observation, text: str) -> None:
        if late.strategy is None:
            is_flat = not seen.positions and not seen.open_orders
            ready_ms = late.start_ms + (0 if is_flat else DAY_MS)
            if seen.now_ms < ready_ms or self._setup is None:
                return
            setup, params = self._setup
            chance = generator_for(setup.trader_id, self._job.request.seed)
            late.strategy = self._kind.make(replace(setup, generator=chance), params)
            late.begun_ms = seen.now_ms
            late.knows = is_flat or not isinstance(late.strategy, Remembers)
        late.asked += 1
        late.end_ms = seen.now_ms
        if _text_of(ask_once(late.strategy, seen))[0] != text:
            late.differing.append(seen.now_ms)

    def _note(self, when: str) -> None:
        self.reached.update(dict.fromkeys(f"{text} {when}" for text in self._heard()))

    @contextmanager
    def _watched(self) -> Iterator[None]:
        if self._watching is None:
            yield
            return
        sys.setprofile(self._watching.hear)
        try:
            yield
        finally:
            sys.setprofile(None)


class _Watching:
    """Hears which clock or chance of the process is asked, by which line of whose code."""

    def __init__(self) -> None:
        self.seen: dict[str, None] = {}

    def hear(self, frame: Any, event: str, called: Any) -> None:
        """Take an event of the interpreter's profiler."""
        if event != "c_call" or not _is_clock_or_chance(called):
            return
        place = frame
        while place is not None and place.f_code.co_filename.endswith(_PASSED):
            place = place.f_back
        if place is None or place.f_code.co_filename.startswith(_INSTALLED):
            return
        file, line = Path(place.f_code.co_filename).name, place.f_lineno
        name = f"{getattr(called, '__module__', None) or ''}.{called.__name__}".lstrip(".")
        self.seen[f"{name}() at {file}, line {line}"] = None


def _is_clock_or_chance(called: Any) -> bool:
    owner = getattr(called, "__self__", None)
    if isinstance(owner, type):
        return issubclass(owner, dt.date) and called.__name__ in _TODAY
    if isinstance(owner, random.Random) or type(owner).__name__ == "RandomState":
        return True
    is_clock = getattr(called, "__module__", "") == "time" and called.__name__ in _CLOCKS
    return is_clock or called is os.urandom


def _memory_of(strategy: Strategy) -> str:
    """Digest what a strategy remembers; `test-plugin` tells what cannot be remembered."""
    if not isinstance(strategy, Remembers):
        return ""
    try:
        told = msgspec.json.encode(strategy.remember())
    except Exception:  # noqa: BLE001 - a strategy is anybody's code
        return ""
    return hashlib.sha256(told).hexdigest()


def _text_of(answer: Answered) -> tuple[str, int]:
    """All of a decision that acts, as text, and how many actions it has."""
    if not isinstance(answer, Decision):
        return f"fault: {answer.reason}", 0
    told = (answer.actions, answer.plans, answer.until_ms, answer.wake_on, answer.reasoning)
    return msgspec.json.encode(told).decode(), len(answer.actions)


def play(
    job: Job,
    *,
    heard: Heard = _nobody,
    progress: Progress = lambda _: None,
    models: ModelSource | None = None,
    kinds: Mapping[str, StrategyKind] | None = None,
) -> Play:
    """Run a strategy through a world, and tell all that it decided.

    Args:
        job: what to run.
        heard: what is reached for outside.
        progress: told now and then.
        models: language models; those of the settings by default, where it asks some.
        kinds: loaded strategies of others; they are imported by default.

    Raises:
        SuiteError: it cannot be run.
    """
    look_in(Path(job.plugins))
    heard()
    plugins = dict(load_plugins([job.trader]) if kinds is None else kinds)
    imported = [f"{text} while it is imported" for text in heard()]
    name = job.trader.strategy.kind
    auditor = _Auditor(job, {**KINDS, **plugins}[name], heard)
    with ExitStack() as stack:
        run_backtest(
            job.request,
            (job.trader,),
            source=StoreMarkets(job.data),
            clock=SystemClock(),
            progress=progress,
            plugins=plugins | {name: auditor.audited()},
            keeper=auditor,
            means=Means(
                budgets=BUDGETS,
                models=models or models_for([job.trader], plugins, stack),
                learning=_schools(job, heard),
            ),
        )
    return Play(
        made=tuple(auditor.made),
        shadows=tuple(late.told() for late in auditor.late),
        apart=auditor.apart,
        reached=tuple(dict.fromkeys([*imported, *auditor.reached])),
        clocks=auditor.clocks,
        fault=auditor.fault,
    )


def _schools(job: Job, heard: Heard) -> Schools:
    """Let a trader learn as in every backtest, but within this process."""

    def find(name: str) -> dict[str, bytes]:
        place = Path(job.plugins, name)
        return find_model(Path(job.models), str(place) if place.is_dir() else name)

    return Schools(
        lambda _: MemoryShelf(),
        find,
        lambda content: _Training(content, heard),
        waits=True,
        switches=Settings.load(data=job.data).switches,
    )


class _Training:
    """A training that is done where its result is wanted; what it reaches for is not the trader's.

    Args:
        content: the job.
        heard: what was reached for.
    """

    def __init__(self, content: bytes, heard: Heard) -> None:
        self._content = content
        self._heard = heard

    def done(self) -> bool:
        """Say that it can be had."""
        return True

    def result(self) -> bytes:
        """Train."""
        watching = sys.getprofile()
        sys.setprofile(None)
        try:
            return run_training(self._content)
        finally:
            self._heard()
            sys.setprofile(watching)
