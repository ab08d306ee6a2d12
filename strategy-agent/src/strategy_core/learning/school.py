"""Models and training of one trader, out of a place for files and a worker."""

from collections.abc import Callable, Mapping
from typing import Protocol

import msgspec

from strategy_core.learning.events import Events
from strategy_core.learning.jobs import decode_events, decode_outcome, encode_events, encode_job
from strategy_core.learning.port import Attempt, Files, Job, Outcome, Switches
from suite.errors import SuiteError


class Work(Protocol):
    """A call that runs somewhere else."""

    def done(self) -> bool:
        """Whether it has come to its end."""
        ...

    def result(self) -> bytes:
        """Wait for its result.

        Raises:
            SuiteError: it failed; the message says how.
        """
        ...


class Shelf(Protocol):
    """Where the files of one trader's models are."""

    def models(self) -> tuple[tuple[str, Files], ...]:
        """The model in use, and those before it, by name."""
        ...

    def put(self, name: str, files: Files) -> None:
        """Keep a model, and put it in use; whole or not at all."""
        ...

    def note(self, line: bytes) -> None:
        """Add a line to the record of all attempts."""
        ...

    def rows(self) -> tuple[bytes, ...]:
        """What `add_rows` has kept, oldest first."""
        ...

    def add_rows(self, content: bytes) -> None:
        """Keep labelled trades."""
        ...


Begin = Callable[[bytes], Work]
"""Starts `strategy_core.learning.jobs.run` somewhere else."""


class School:
    """`strategy_core.learning.port.Learning`.

    Args:
        shelf: of the trader's models.
        begin: starts a worker.
        waits: the venue owns time, so a result is waited for.
        switches: of the operator.
        first: the model to begin with where the shelf has none; None for none.
    """

    def __init__(
        self,
        shelf: Shelf,
        begin: Begin,
        *,
        waits: bool,
        switches: Switches,
        first: tuple[str, Files] | None = None,
    ) -> None:
        self._shelf = shelf
        self._begin = begin
        self._waits = waits
        self.switches = switches
        self._first = first
        self._work: tuple[Job, Work] | None = None

    def champions(self) -> tuple[tuple[str, Files], ...]:
        """Tell which models may be in use."""
        return (*self._shelf.models(), *((self._first,) if self._first else ()))

    def known(self) -> tuple[Events, ...]:
        """Tell what an earlier process has labelled."""
        return tuple(decode_events(content) for content in self._shelf.rows())

    def add(self, events: Events) -> None:
        """Keep labelled trades."""
        self._shelf.add_rows(encode_events(events))

    def begin(self, job: Job) -> None:
        """Begin a training."""
        self._work = (job, self._begin(encode_job(job)))

    def outcome(self) -> Outcome | None:
        """Ask for its result; a worker that fails leaves everything as it was."""
        if self._work is None:
            return None
        job, work = self._work
        if not (self._waits or work.done()):
            return None
        self._work = None
        try:
            return decode_outcome(work.result())
        except (SuiteError, ValueError) as error:
            return Outcome(attempt=_failed(job, str(error)))

    def keep(self, outcome: Outcome, *, now_ms: int) -> None:
        """Record an attempt, and put a promoted model in use."""
        if outcome.files is not None:
            self._shelf.put(outcome.attempt.model_id, outcome.files)
        told: Mapping[str, object] = {"at_ms": now_ms, **msgspec.to_builtins(outcome.attempt)}
        self._shelf.note(msgspec.json.encode(told) + b"\n")


def _failed(job: Job, reason: str) -> Attempt:
    return Attempt(
        number=job.number,
        begun_ms=job.begun_ms,
        verdict="failed",
        reason=reason,
        champion=job.asked.parent,
        rows=len(job.events),
        data_digest=job.events.digest(),
    )


class Schools:
    """`strategy_core.learning.port.LearningSource`.

    Args:
        shelf_of: shelf of a trader.
        find: files of a model by its name; raises ConfigError where there is none.
        begin: starts a worker.
        waits: as for `School`.
        switches: of the operator.
    """

    def __init__(
        self,
        shelf_of: Callable[[str], Shelf],
        find: Callable[[str], Files],
        begin: Begin,
        *,
        waits: bool,
        switches: Switches,
    ) -> None:
        self._shelf_of = shelf_of
        self._find = find
        self._begin = begin
        self._waits = waits
        self._switches = switches

    def open(self, trader_id: str, model: str) -> School:
        """Make it ready for a trader."""
        return School(
            self._shelf_of(trader_id),
            self._begin,
            waits=self._waits,
            switches=self._switches,
            first=(model, self._find(model)) if model else None,
        )
