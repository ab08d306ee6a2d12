"""What parameter sets a sweep tries: a grid, draws, or Optuna's proposals.

Each search proposes sets in rounds and is told the score of each set of a round before the next.
Rounds depend on the space, the seed and the scores alone, never on how many workers there are or
on where a sweep was interrupted: a run that goes on asks again, and is told what is known already.
"""

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, Protocol

import numpy as np

from suite.errors import ConfigError

Value = int | float | str | bool | None
Params = dict[str, Value]
"""A parameter set: values by name."""

GRID_MAX: Final = 100_000
SEARCHES: Final = ("grid", "random", "optuna")
SearchKind = Literal["grid", "random", "optuna"]


@dataclass(frozen=True, slots=True)
class Choice:
    """One of some values."""

    values: tuple[Value, ...]

    def grid(self) -> tuple[Value, ...]:
        """All of them."""
        return self.values

    def draw(self, generator: np.random.Generator) -> Value:
        """One of them, each as likely."""
        return self.values[int(generator.integers(len(self.values)))]

    def described(self) -> Any:
        """As it is written in a specification."""
        return list(self.values)


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Numbers between two bounds, both included.

    Attributes:
        low, high: finite; integers where both and the step are, else fractions.
        step: distance of the numbers from `low` on; None for every number between.
        log: equal factors, not equal distances, are equally likely.
    """

    low: float
    high: float
    step: float | None = None
    log: bool = False

    @property
    def whole(self) -> bool:
        """Whether its numbers are integers."""
        return all(isinstance(one, int) for one in (self.low, self.high, self.step or 0))

    def grid(self) -> tuple[Value, ...]:
        """Every number of it; of a span of fractions without a step there are none."""
        step = self.step or (1 if self.whole else 0)
        if not step:
            return ()
        count = math.floor((self.high - self.low) / step + 1e-9) + 1
        if self.whole:
            return tuple(range(int(self.low), int(self.high) + 1, int(step)))
        return tuple(round(self.low + index * step, 12) for index in range(count))

    def draw(self, generator: np.random.Generator) -> Value:
        """One of its numbers."""
        if self.log:
            value = math.exp(generator.uniform(math.log(self.low), math.log(self.high)))
            return min(max(round(value), int(self.low)), int(self.high)) if self.whole else value
        if numbers := self.grid():
            return numbers[int(generator.integers(len(numbers)))]
        return float(generator.uniform(self.low, self.high))

    def described(self) -> Any:
        """As it is written in a specification."""
        told: dict[str, Any] = {"from": self.low, "to": self.high}
        if self.step is not None:
            told["step"] = self.step
        return told | ({"log": True} if self.log else {})


Axis = Choice | Span
Space = Mapping[str, Axis]


def read_axis(name: str, raw: Any) -> tuple[Axis | None, str]:
    """Read one line of a space.

    Args:
        name: of the parameter.
        raw: a list of values, or `{from, to, step?, log?}`; as from a YAML file.

    Returns:
        What it says, or None and what is wrong, as `space.name: reason`.
    """
    if isinstance(raw, list | tuple):
        axis: Axis = Choice(tuple(raw))
        problem = _wrong_values(raw)
    elif isinstance(raw, dict) and {"from", "to"} <= set(raw):
        problem = _wrong_span(raw)
        if not problem:
            step, log = raw.get("step"), bool(raw.get("log"))
            axis = Span(low=raw["from"], high=raw["to"], step=step, log=log)
    else:
        problem = "write a list of values, or from, to and step"
    return (None, f"space.{name}: {problem}") if problem else (axis, "")


def _wrong_values(raw: Sequence[Any]) -> str:
    odd = [one for one in raw if isinstance(one, dict | list) or _strange(one)]
    if odd:
        return f"{odd[0]!r} is no value"
    return "" if raw else "there are no values to try"


def _wrong_span(raw: Mapping[str, Any]) -> str:
    low, high, step = raw["from"], raw["to"], raw.get("step", 1)
    unknown = set(raw) - {"from", "to", "step", "log"}
    numbers = [one for one in (low, high, step) if not isinstance(one, bool)]
    wrong = (
        (bool(unknown), f"unknown key {min(map(str, unknown), default='')}"),
        (
            len(numbers) < 3 or not all(isinstance(one, int | float) for one in numbers),
            "from, to and step are numbers",
        ),
        (any(map(_strange, numbers)), "from, to and step must be finite numbers"),
    )
    for is_wrong, reason in wrong:
        if is_wrong:
            return reason
    if low > high:
        return f"from {low} is above to {high}"
    if step <= 0:
        return "step must be above 0"
    if raw.get("log") and (low <= 0 or "step" in raw):
        return "log needs bounds above 0 and no step"
    return ""


def _strange(value: Any) -> bool:
    return isinstance(value, float) and not math.isfinite(value)


def parse_axis(text: str) -> tuple[str, Any]:
    """Read an option of the command line: `fast=5:50:5`, `rate=0.001:0.1:log` or `slow=20,50`.

    Returns:
        The name, and what a specification would say, see `read_axis`.

    Raises:
        ConfigError: it has no name.
    """
    name, found, told = text.partition("=")
    if not found or not name.strip():
        raise ConfigError(f"--space {text[:40]!r}: write name=from:to:step or name=a,b,c")
    if ":" not in told:
        return name.strip(), [parse_value(one) for one in told.split(",") if one.strip()]
    low, *rest = told.split(":")
    axis: dict[str, Any] = {"from": parse_value(low)}
    for key, word in zip(("to", "step"), [one for one in rest if one != "log"], strict=False):
        axis[key] = parse_value(word)
    return name.strip(), axis | ({"log": True} if "log" in rest else {})


def parse_value(text: str) -> Value:
    """Read a value as YAML would: a number, `true`, `null`, else text."""
    word = text.strip()
    named: dict[str, Value] = {"true": True, "false": False, "null": None, "none": None}
    if word.lower() in named:
        return named[word.lower()]
    for kind in (int, float):
        try:
            return kind(word)
        except ValueError:
            continue
    return word


class Search(Protocol):
    """Proposes parameter sets."""

    def propose(self) -> list[Params]:
        """Name the sets of the next round; none at the end."""
        ...

    def tell(self, scores: Sequence[float | None]) -> None:
        """Take the score of each set of the round; None of one that failed."""
        ...


class _Listed:
    """Sets that are known beforehand: one round."""

    def __init__(self, sets: list[Params]) -> None:
        self._sets = sets

    def propose(self) -> list[Params]:
        proposed, self._sets = self._sets, []
        return proposed

    def tell(self, scores: Sequence[float | None]) -> None:
        """Nothing follows from them."""


class OptunaSearch:
    """Optuna's tree-structured Parzen estimator, asked for a batch at a time.

    Args:
        space: what may be varied.
        trials: how many sets in all.
        seed: of its draws.
        batch: sets of a round; they do not know of each other's scores.
    """

    def __init__(self, space: Space, *, trials: int, seed: int, batch: int) -> None:
        try:
            import optuna
        except ImportError:
            raise ConfigError(
                'search: optuna is not installed: pip install "virtual-exchange[research]"'
            ) from None
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._states = optuna.trial.TrialState
        self._left, self._batch = trials, batch
        self._names = tuple(space)
        self._distributions = {name: _distribution(optuna, axis) for name, axis in space.items()}
        sampler = optuna.samplers.TPESampler(seed=seed)
        self._study = optuna.create_study(direction="maximize", sampler=sampler)
        self._asked: list[Any] = []

    def propose(self) -> list[Params]:
        """Ask for a batch."""
        count = min(self._batch, self._left)
        self._left -= count
        self._asked = [self._study.ask(self._distributions) for _ in range(count)]
        return [{name: one.params[name] for name in self._names} for one in self._asked]

    def tell(self, scores: Sequence[float | None]) -> None:
        """Tell the scores of the batch, in its order."""
        for asked, score in zip(self._asked, scores, strict=True):
            if score is None:
                self._study.tell(asked, state=self._states.FAIL)
            else:
                self._study.tell(asked, score)


def _distribution(optuna: Any, axis: Axis) -> Any:
    kinds = optuna.distributions
    if isinstance(axis, Choice):
        return kinds.CategoricalDistribution(axis.values)
    if axis.whole:
        step = int(axis.step or 1)
        high = int(axis.low) + (int(axis.high) - int(axis.low)) // step * step
        return kinds.IntDistribution(int(axis.low), high, log=axis.log, step=step)
    numbers = axis.grid()
    top = numbers[-1] if numbers else axis.high
    return kinds.FloatDistribution(axis.low, top, log=axis.log, step=axis.step)


def grid_size(space: Space) -> int:
    """How many sets a grid has; 0 where an axis has no steps."""
    return math.prod(len(axis.grid()) for axis in space.values())


def make_search(kind: SearchKind, space: Space, *, trials: int, seed: int, batch: int) -> Search:
    """Make a search over a space that `read_axis` has read.

    Args:
        kind: one of `SEARCHES`.
        space: not empty.
        trials: how many sets; of a grid all.
        seed: of what is drawn.
        batch: of a round of Optuna's.

    Raises:
        ConfigError: Optuna is not installed.
    """
    if kind == "grid":
        return _Listed(list(_grid(space)))
    if kind == "random":
        generator = np.random.Generator(np.random.PCG64(seed))
        return _Listed(
            [{name: axis.draw(generator) for name, axis in space.items()} for _ in range(trials)]
        )
    return OptunaSearch(space, trials=trials, seed=seed, batch=batch)


def _grid(space: Space) -> Iterator[Params]:
    """Every combination, the last parameter first to change."""
    for values in itertools.product(*(axis.grid() for axis in space.values())):
        yield dict(zip(space, values, strict=True))
