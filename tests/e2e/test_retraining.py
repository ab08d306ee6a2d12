"""150 closed trades begin three trainings in workers of their own; one challenger is refused."""

import json
import os
import signal
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
from tests.support.waiting import until
from tests.unit.strategy_core.ict_trader.test_ict_xgboost import fifty, trader
from tests.unit.strategy_core.learning.worlds import LABEL, START_MS, drawn_events

from strategy_core.learning.events import Events, merged
from strategy_core.learning.jobs import encode_events, encode_job, outcome_of, run
from strategy_core.learning.port import Job, Switches
from strategy_core.learning.school import School, Schools
from strategy_core.port import Decision, Observation
from strategy_core.strategies.ict_xgboost import IctXgboost
from suite.bars import DAY_MS, MINUTE_MS
from suite.service.shelves import FolderShelf, MemoryShelf
from suite.service.worker import Worker, WorkerFailed, Workers

pytestmark = [pytest.mark.process, pytest.mark.slow]

FUNCTION = "strategy_core.learning.jobs:run"
TURN_DAY = 45


def market() -> Events:
    """Proposals of 95 days with a known edge, which turns around at day 45."""
    first = drawn_events(6000, days=TURN_DAY, edge=0.8, seed=1)
    then = drawn_events(7000, days=50, edge=0.8, seed=2, weights=(-1.0, 0.8, -0.6, -0.5))
    ahead = TURN_DAY * DAY_MS
    later = replace(then, start_ms=then.start_ms + ahead, end_ms=then.end_ms + ahead)
    return merged([first, later])


def school(shelf: MemoryShelf | FolderShelf, workers: Workers, *, waits: bool = True) -> Schools:
    return Schools(lambda _: shelf, lambda _: {}, workers.start, waits=waits, switches=Switches())


def at(day: float, **fields: object) -> Observation:
    now_ms = START_MS + round(day * DAY_MS)
    return Observation(now_ms=now_ms, equity=Decimal(10_000), **fields)  # type: ignore[arg-type]


def taught(source: Schools) -> IctXgboost:
    return trader(source, coins=("BTC", "ETH"), label=LABEL)  # type: ignore[arg-type]


def closing_fifty(one: IctXgboost, day: float, first: int) -> list[Decision]:
    """Close fifty trades at a time, and let the training take effect half an hour later."""
    return [one.decide(at(day, fills=fifty(first))), one.decide(at(day + 0.02))]


def test_150_trades_begin_three_trainings_of_which_one_is_refused(tmp_path: Path) -> None:
    shelf = FolderShelf(tmp_path / "models")
    shelf.add_rows(encode_events(market()))
    with Workers(FUNCTION) as workers:
        one = taught(school(shelf, workers))
        assert "NO_MODEL" == one.describe()["state"]
        said = [
            decision.reasoning
            for number, day in enumerate((41.0, 42.0, 94.0))
            for decision in closing_fifty(one, day, 1000 * number)
        ]
    attempts = [
        json.loads(line)
        for line in (tmp_path / "models" / "attempts.jsonl").read_text().splitlines()
    ]
    assert ["promoted", "refused", "promoted"] == [one["verdict"] for one in attempts]
    first, refused, last = attempts
    assert refused["reason"].startswith("better: Brier")
    assert (first["model_id"], first["model_id"]) == (refused["champion"], last["champion"])
    assert all(5 == len(one["gates"]) for one in attempts)
    assert "training 1 begins" in said[0]
    assert f"training 1: promoted, {first['model_id']} is in use" in said[1]
    assert f"{first['model_id']} stays" in said[3]
    told = one.describe()
    assert (150, 3, 2, 1) == tuple(
        told[name] for name in ("closed_trades", "trainings", "promoted", "refused")
    )
    assert last["model_id"] == told["model_id"]
    with Workers(FUNCTION) as workers:  # another process finds it, and what it was taught by
        again = taught(school(shelf, workers))
        assert last["model_id"] == again.describe()["model_id"]
        broken = tmp_path / "models" / last["model_id"] / "model.ubj"
        broken.write_bytes(broken.read_bytes()[:-1])
        assert first["model_id"] == taught(school(shelf, workers)).describe()["model_id"]


def jobs_of(day: float) -> Job:
    kept: list[Job] = []

    class Noting(School):
        def begin(self, job: Job) -> None:
            kept.append(job)

    shelf = MemoryShelf()
    shelf.add_rows(encode_events(market()))

    class Source:
        def open(self, trader_id: str, model: str) -> School:
            return Noting(shelf, None, waits=True, switches=Switches())  # type: ignore[arg-type]

    one = taught(Source())  # type: ignore[arg-type]
    one.decide(at(day, fills=fifty()))
    return kept[0]


def test_worker_answers_what_the_same_function_answers_here_and_knows_no_future() -> None:
    job = jobs_of(41.0)
    assert int(job.events.end_ms.max()) <= job.begun_ms
    worker = Worker(FUNCTION, encode_job(job))
    assert run(encode_job(job)) == worker.result() == msgspec.msgpack.encode(outcome_of(job))


async def test_training_holds_nobody_up_and_a_killed_worker_changes_nothing() -> None:
    shelf = MemoryShelf()
    shelf.add_rows(encode_events(market()))
    with Workers(FUNCTION) as workers:
        one = taught(school(shelf, workers, waits=False))
        one.decide(at(41.0, fills=fifty()))
        (worker,) = workers._begun
        os.kill(worker.pid, signal.SIGSTOP)
        waiting = one.decide(at(41.5))
        assert "training" not in waiting.reasoning.split(";")[0]
        assert one.describe()["training_since_ms"] is not None
        os.kill(worker.pid, signal.SIGKILL)
        await until(worker.done)
        told = one.decide(at(41.6))
        assert "training 1: failed (the worker ended with -9" in told.reasoning
        assert "no model" in told.reasoning
        (attempt,) = map(json.loads, shelf.lines)
        assert ("failed", START_MS + round(41.6 * DAY_MS)) == (attempt["verdict"], attempt["at_ms"])


def test_worker_that_raises_is_told_with_its_last_words() -> None:
    with pytest.raises(WorkerFailed, match="ValidationError"):
        Worker(FUNCTION, b"nonsense").result()
    with pytest.raises(WorkerFailed, match=r"took longer than 0\.01 s"):
        Worker(FUNCTION, b"", timeout_s=0.01).result()


def test_restart_in_the_middle_of_a_training_begins_the_same_one_again() -> None:
    shelf = MemoryShelf()
    shelf.add_rows(encode_events(market()))
    with Workers(FUNCTION) as workers:
        one = taught(school(shelf, workers))
        one.decide(at(41.0, fills=fifty()))
        kept = json.loads(msgspec.json.encode(one.remember()))
        second = taught(school(shelf, workers))
        second.recall(kept)
        through, after = one.decide(at(41.0 + 15 * MINUTE_MS / DAY_MS)), None
        models = shelf.models()
        after = second.decide(at(41.0 + 15 * MINUTE_MS / DAY_MS))
        assert through.reasoning == after.reasoning
        assert models[0][1] == shelf.models()[0][1]
