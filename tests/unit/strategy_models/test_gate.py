"""A provider is asked as often as it bears, and left alone when it fails."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.support.model_server import ModelServer, error
from tests.support.models_setting import Setting, Time, asked, choice

from strategy_core.llm.port import FaultKind, ModelFault
from strategy_models.errors import AttemptFailed
from strategy_models.gate import Breaker, Gate


def gate_of(time: Time, *, per_minute: int = 60, at_once: int = 4, failures: int = 3) -> Gate:
    breaker = Breaker(failures=failures, pause_s=10.0, now_s=time.now_s)
    return Gate("p", per_minute=per_minute, at_once=at_once, breaker=breaker, now_s=time.now_s)


def fail(gate: Gate, time: Time, *, down: bool = True) -> None:
    with gate.passing(time.at_s + 1):
        raise AttemptFailed(FaultKind.UNREACHABLE, "x", is_down=down)


def test_no_more_leave_in_a_minute_than_may() -> None:
    time = Time()
    gate = gate_of(time, per_minute=3)
    for _ in range(3):
        with gate.passing(time.at_s):
            pass
    with pytest.raises(AttemptFailed, match="3 times a minute") as told, gate.passing(time.at_s):
        pass
    assert FaultKind.RATE_LIMITED is told.value.kind
    assert 60.0 == told.value.after_s
    time.at_s += 60
    with gate.passing(time.at_s):
        pass


def test_no_more_are_under_way_than_may() -> None:
    """Each thread takes its turn, and none is left over."""
    at_once, most, lock = 0, 0, threading.Lock()
    breaker = Breaker(failures=3, pause_s=1, now_s=lambda: 0.0)
    gate = Gate("p", per_minute=1000, at_once=2, breaker=breaker, now_s=lambda: 0.0)
    met = threading.Barrier(2)

    def work(_: int) -> None:
        nonlocal at_once, most
        with gate.passing(30.0):
            with lock:
                at_once += 1
                most = max(most, at_once)
            met.wait(10)  # two are always inside together
            with lock:
                at_once -= 1

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    assert 2 == most


def test_a_provider_that_fails_again_and_again_is_left_alone() -> None:
    time = Time()
    gate = gate_of(time)
    for _ in range(3):
        with pytest.raises(AttemptFailed, match="x"):
            fail(gate, time)
    with pytest.raises(AttemptFailed, match="left alone for 10 s") as told:
        fail(gate, time)
    assert FaultKind.BREAKER_OPEN is told.value.kind
    time.at_s += 10
    with pytest.raises(AttemptFailed, match="x"):
        fail(gate, time)  # the one that tries
    with pytest.raises(AttemptFailed, match="left alone for 20 s"):
        fail(gate, time)
    time.at_s += 20
    with gate.passing(time.at_s), pytest.raises(AttemptFailed, match="left alone"):
        fail(gate, time)  # one at a time
    for _ in range(2):
        with pytest.raises(AttemptFailed, match="x"):
            fail(gate, time)
    with gate.passing(time.at_s):
        pass


def test_what_is_wrong_with_a_question_is_not_the_provider_s_fault() -> None:
    time = Time()
    gate = gate_of(time)
    for _ in range(9):
        with pytest.raises(AttemptFailed, match="x"):
            fail(gate, time, down=False)


def test_a_thread_that_is_ended_gives_its_place_back() -> None:
    time = Time()
    gate = gate_of(time, at_once=1)
    with pytest.raises(KeyboardInterrupt), gate.passing(time.at_s):
        raise KeyboardInterrupt
    with gate.passing(time.at_s):
        pass


def test_the_breaker_spares_all_traders_of_the_process(
    setting: Setting, server: ModelServer
) -> None:
    server.does(*[error(500, "broken")] * 4)
    models = setting.models(breaker_failures=4, attempts=2)
    for trader in "ab":
        with pytest.raises(ModelFault, match="HTTP 500"):
            asked(models.open(choice(trader_id=trader)))
    with pytest.raises(ModelFault) as told:
        asked(models.open(choice(trader_id="c")), at_ms=1000)
    assert FaultKind.BREAKER_OPEN is told.value.kind
    assert (told.value.retry_after_ms or 0) > 1000
    assert 4 == len(server.bodies)
    setting.time.at_s += 30
    assert "hold" == asked(models.open(choice(trader_id="c"))).text
