"""A training as bytes, in and out, so that it can run in a process of its own."""

from typing import Any

import msgspec
import numpy as np

from strategy_core.learning import artefact
from strategy_core.learning.events import Events, from_columns, to_columns
from strategy_core.learning.port import Attempt, Job, Outcome
from strategy_core.learning.promotion import gates
from strategy_core.learning.rules import LabelRules, TrainingRules
from strategy_core.learning.training import Circumstances, Refusal, train
from strategy_core.learning.weights import slices


class _Column(msgspec.Struct, frozen=True):
    """An array."""

    kind: str
    shape: tuple[int, ...]
    content: bytes


class _Job(msgspec.Struct, frozen=True, kw_only=True):
    """`Job`, with nothing in it but plain values."""

    number: int
    begun_ms: int
    interval_ms: int
    label: LabelRules
    training: TrainingRules
    now_ms: int
    parent: str
    synthetic: bool
    champion: dict[str, bytes] | None
    coins: tuple[str, ...]
    columns: dict[str, _Column]


def packed_events(events: Events) -> tuple[tuple[str, ...], dict[str, _Column]]:
    """Put the columns of events into bytes."""
    columns = to_columns(events)
    del columns["coins"]
    return events.coins, {
        name: _Column(column.dtype.str, column.shape, np.ascontiguousarray(column).tobytes())
        for name, column in columns.items()
    }


def unpacked_events(coins: tuple[str, ...], columns: dict[str, _Column]) -> Events:
    """Read them back.

    Raises:
        ValueError: they are not whole.
    """
    arrays: dict[str, Any] = {
        name: np.frombuffer(column.content, column.kind).reshape(column.shape)
        for name, column in columns.items()
    }
    return from_columns({"coins": np.array(coins), **arrays})


class _Kept(msgspec.Struct, frozen=True):
    """Events in a file."""

    coins: tuple[str, ...]
    columns: dict[str, _Column]


def encode_events(events: Events) -> bytes:
    """Write events for a file."""
    return msgspec.msgpack.encode(_Kept(*packed_events(events)))


def decode_events(content: bytes) -> Events:
    """Read a file of events.

    Raises:
        ValueError: it is none.
    """
    try:
        kept = msgspec.msgpack.decode(content, type=_Kept)
    except msgspec.DecodeError as error:
        raise ValueError(f"no file of labelled trades: {error}") from None
    return unpacked_events(kept.coins, kept.columns)


def encode_job(job: Job) -> bytes:
    """Write a job."""
    coins, columns = packed_events(job.events)
    return msgspec.msgpack.encode(
        _Job(
            number=job.number,
            begun_ms=job.begun_ms,
            champion=None if job.champion is None else dict(job.champion),
            coins=coins,
            columns=columns,
            **job.asked._asdict(),
        )
    )


def decode_outcome(content: bytes) -> Outcome:
    """Read what a worker has written.

    Raises:
        ValueError: it is no outcome.
    """
    try:
        return msgspec.msgpack.decode(content, type=Outcome)
    except msgspec.DecodeError as error:
        raise ValueError(f"the worker's answer cannot be read: {error}") from None


def run(content: bytes) -> bytes:
    """Train: the whole of a worker's life."""
    kept = msgspec.msgpack.decode(content, type=_Job)
    job = Job(
        number=kept.number,
        begun_ms=kept.begun_ms,
        asked=Circumstances(
            interval_ms=kept.interval_ms,
            label=kept.label,
            training=kept.training,
            now_ms=kept.now_ms,
            parent=kept.parent,
            synthetic=kept.synthetic,
        ),
        champion=kept.champion,
        events=unpacked_events(kept.coins, kept.columns),
    )
    return msgspec.msgpack.encode(outcome_of(job))


def outcome_of(job: Job) -> Outcome:
    """Train a challenger, and judge it beside the champion."""
    found = train(job.events, job.asked)
    attempt = Attempt(
        number=job.number,
        begun_ms=job.begun_ms,
        verdict="untrained",
        champion=job.asked.parent,
        rows=len(job.events),
        data_digest=job.events.digest(),
    )
    if isinstance(found, Refusal):
        return Outcome(
            attempt=msgspec.structs.replace(attempt, reason=f"{found.why}: {found.text}")
        )
    fitting = {"interval_ms": job.asked.interval_ms, "label": job.asked.label}
    challenger = artefact.read(found.files, **fitting)  # type: ignore[arg-type]
    champion = None
    if job.champion is not None:
        champion = artefact.read(job.champion, **fitting)  # type: ignore[arg-type]
    judged = gates(
        challenger,
        champion,
        job.events.take(_unseen(job, challenger)),
        now_ms=job.asked.now_ms,
        seed=job.asked.training.boosting.seed,
    )
    wrong = [f"{gate.name}: {gate.told}" for gate in judged if not gate.passed]
    attempt = msgspec.structs.replace(
        attempt,
        verdict="refused" if wrong else "promoted",
        reason="; ".join(wrong),
        model_id=found.meta.model_id,
        gates=judged,
    )
    return Outcome(attempt=attempt, files=None if wrong else found.files)


def _unseen(job: Job, challenger: artefact.Model) -> Any:
    """Rows of the challenger's test slice: all that is later than what it has seen."""
    horizon_ms = job.asked.label.horizon * job.asked.interval_ms
    end_ms = job.asked.now_ms
    return slices(
        job.events,
        calibrate_ms=0,
        test_ms=challenger.meta.test_start_ms - horizon_ms,
        end_ms=end_ms,
        embargo_ms=horizon_ms,
    ).test & (job.events.end_ms <= end_ms)
