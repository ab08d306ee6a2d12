"""A decision within its time, or the reason why there is none."""

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable
from copy import copy
from functools import partial
from typing import Any

import pytest
from msgspec.structs import replace
from tests.support.waiting import until

from strategy_agent.application.thinking import Thinking
from strategy_core.asking import OVERRUNS_LIMIT
from strategy_core.deciding import DecideRequest, DecisionFault, StillDeciding
from strategy_core.port import Decision, Needs, Observation
from suite.enums import TraderStatus

SEEN = Observation(now_ms=1)
ASK = DecideRequest(observation=SEEN)


class Scripted:
    def __init__(self, decide: Callable[[], Any], *, slow: bool) -> None:
        self.needs = Needs(slow=slow)
        self._decide = decide

    def decide(self, observation: Observation) -> Any:
        assert observation.now_ms == SEEN.now_ms
        return self._decide()


def thinking(decide: Callable[[], Any], *, slow: bool, budget_s: float = 30.0) -> Thinking:
    mind = Scripted(decide, slow=slow)
    return Thinking(mind, quick_s=budget_s, slow_s=budget_s, name="t")


def fail(error: BaseException) -> Any:
    raise error


def words(answer: Decision | DecisionFault | StillDeciding) -> str:
    assert isinstance(answer, DecisionFault)
    return answer.reason


@pytest.mark.parametrize("slow", [False, True])
async def test_a_decision_is_handed_on_and_anything_else_is_a_reason(slow: bool) -> None:
    """Exceptions of any kind, answers of any kind, and a strategy that wants to end the process."""
    decision = Decision(reasoning="x")
    assert decision == await thinking(partial(copy, decision), slow=slow).decide(ASK)
    assert "not a Decision" in words(await thinking(lambda: "buy", slow=slow).decide(ASK))
    for error in (ValueError("no\nway"), StopIteration(3), TimeoutError(), MemoryError()):
        answer = await thinking(partial(fail, error), slow=slow).decide(ASK)
        assert words(answer).startswith(type(error).__name__)
    assert "exit(3)" in words(await thinking(partial(fail, SystemExit(3)), slow=slow).decide(ASK))


async def test_an_endless_loop_on_the_main_thread_is_ended_by_its_budget() -> None:
    """So that the other traders of the process go on; a swallowed exception does not help it."""

    def spin() -> None:
        while True:
            with contextlib.suppress(Exception):
                time.sleep(0.001)

    for endless in (spin, partial(time.sleep, 100)):
        begun = time.monotonic()
        answer = await thinking(endless, slow=False, budget_s=0.2).decide(ASK)
        assert "decide took longer than its 0.2 s" == words(answer)
        assert time.monotonic() - begun < 5


async def test_one_that_overruns_again_and_again_is_asked_no_more_until_it_is_resumed() -> None:
    """Each question would hold up the other traders of the process; one in time counts anew."""
    asked = 0
    spins = True

    def hang() -> Decision:
        nonlocal asked
        asked += 1
        if spins:
            time.sleep(100)
        return Decision()

    mind = thinking(hang, slow=False, budget_s=0.02)
    paused = DecideRequest(observation=replace(SEEN, status=TraderStatus.PAUSED))
    for _ in range(OVERRUNS_LIMIT):
        assert "longer than its 0.02 s" in words(await mind.decide(paused))
    begun = time.monotonic()
    for _ in range(100):
        assert "3 times in a row: it is not asked until" in words(await mind.decide(paused))
    assert time.monotonic() - begun < 1
    assert OVERRUNS_LIMIT == asked
    assert "longer than its" in words(await mind.decide(ASK))
    assert "until someone resumes" in words(await mind.decide(paused))
    spins = False
    assert isinstance(await mind.decide(ASK), Decision)
    spins = True
    for _ in range(OVERRUNS_LIMIT):
        assert "longer than its" in words(await mind.decide(paused))


async def test_a_slow_strategy_that_never_answers_is_given_up_and_asked_again_when_free() -> None:
    """Others go on meanwhile, and its late answer is thrown away."""
    gate = threading.Event()
    answers = iter([Decision(reasoning="late"), Decision(reasoning="next")])

    def ponder() -> Decision:
        answer = next(answers)
        gate.wait(20)
        return answer

    mind = thinking(ponder, slow=True, budget_s=0.1)
    beats = 0

    async def beat() -> None:
        nonlocal beats
        while True:
            await asyncio.sleep(0.005)
            beats += 1

    beating = asyncio.create_task(beat())
    assert "longer than its 0.1 s" in words(await mind.decide(ASK))
    assert beats > 3
    assert "still busy" in words(await mind.decide(ASK))
    gate.set()
    await until(lambda: mind._overrun is not None and mind._overrun.done())
    answer = await mind.decide(ASK)
    assert isinstance(answer, Decision)
    assert "next" == answer.reasoning
    beating.cancel()


async def test_where_time_goes_on_a_thought_is_fetched_when_it_is_done() -> None:
    """It is begun once; an answer that nobody awaits any more is dropped."""
    gate, told = threading.Event(), asyncio.Event()
    answers = iter(Decision(reasoning=str(number)) for number in range(9))

    def ponder() -> Decision:
        gate.wait(20)
        return next(answers)

    mind = Thinking(Scripted(ponder, slow=True), quick_s=9, slow_s=9, name="t", done=told.set)
    awaited = replace(ASK, awaited=True)
    assert [StillDeciding()] * 2 == [await mind.decide(ask) for ask in (ASK, awaited)]
    assert (False, False) == (mind.is_ready, told.is_set())
    gate.set()
    await asyncio.wait_for(told.wait(), 5)
    assert mind.is_ready
    assert Decision(reasoning="0") == await mind.decide(awaited)
    assert Decision(reasoning="1") == await mind.decide(ASK), "one that is quick saves a turn"
    gate.clear()
    assert StillDeciding() == await mind.decide(ASK)
    assert StillDeciding() == await mind.decide(ASK), "nobody awaits the first any more"
    gate.set()
    await until(lambda: mind.is_ready)
    assert Decision(reasoning="3") == await mind.decide(awaited)
    gate.clear()
    assert StillDeciding() == await mind.decide(ASK)
    mind.close()
    gate.set()
