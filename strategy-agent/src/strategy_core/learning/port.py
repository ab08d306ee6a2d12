"""How a trader gets models and has them trained; whoever has disks and processes implements it.

A trader begins a training and goes on; the result takes effect at a time that was said when it
began, by the venue's clock, and not before. Where the venue owns time, asking for a result waits
for it, so a repeated run is equal; where time goes on, there is none until it is there.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import msgspec

from strategy_core.learning.events import Events
from strategy_core.learning.promotion import Gate
from strategy_core.learning.training import Circumstances

Files = Mapping[str, bytes]
"""A model, as `strategy_core.learning.artefact` reads it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Switches:
    """What the operator decides for all traders of a process.

    Attributes:
        training: models may be trained.
        relaxed: trades are proposed by the relaxed rule, whatever a trader says.
        schema_lock: a model of other features stops the start; else the trader is flat.
        real_money: market and money are real: a model needs evidence to risk some.
        unproven: models that may risk it without, because the operator has named them.
    """

    training: bool = True
    relaxed: bool = False
    schema_lock: bool = True
    real_money: bool = False
    unproven: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One training.

    Attributes:
        number: 1, 2, 3, ... of the trader's.
        begun_ms: when, by the venue's clock.
        asked: what the model is for.
        champion: the model in use; None for none.
        events: labelled trades, all coins together.
    """

    number: int
    begun_ms: int
    asked: Circumstances
    champion: Files | None
    events: Events


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a training; the record of it, without the model.

    Attributes:
        number, begun_ms: of the job.
        verdict: `promoted`, `refused` by a gate, `untrained` where there is no model, `failed`
            where the worker did not come to its end.
        reason: why, in one line; empty where it was promoted.
        model_id: of the new model; empty where there is none.
        champion: of the model that was in use; empty for none.
        rows: labelled trades it was given.
        data_digest: names them exactly.
        gates: each condition of a promotion with the values it was judged by.
    """

    number: int
    begun_ms: int
    verdict: str
    reason: str = ""
    model_id: str = ""
    champion: str = ""
    rows: int = 0
    data_digest: str = ""
    gates: tuple[Gate, ...] = ()


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """An attempt, and the model where it was promoted; else none."""

    attempt: Attempt
    files: dict[str, bytes] | None = None


class Learning(Protocol):
    """Models and training of one trader."""

    @property
    def switches(self) -> Switches:
        """What the operator has decided."""
        ...

    def champions(self) -> tuple[tuple[str, Files], ...]:
        """Models that may be in use, each with its name: the present one, then earlier ones."""
        ...

    def known(self) -> tuple[Events, ...]:
        """Labelled trades of an earlier process."""
        ...

    def add(self, events: Events) -> None:
        """Keep labelled trades over a restart."""
        ...

    def begin(self, job: Job) -> None:
        """Begin a training; one at a time."""
        ...

    def outcome(self) -> Outcome | None:
        """Ask for the result; None while there is none."""
        ...

    def keep(self, outcome: Outcome, *, now_ms: int) -> None:
        """Record an attempt at the time when it takes effect, and put a promoted model in use."""
        ...


class LearningSource(Protocol):
    """Where traders of a process get models and training."""

    def open(self, trader_id: str, model: str) -> Learning:
        """Make it ready for a trader.

        Args:
            trader_id: the trader.
            model: name of the model to begin with where it has none of its own; empty for none.

        Raises:
            ConfigError: there is no such model.
        """
        ...
