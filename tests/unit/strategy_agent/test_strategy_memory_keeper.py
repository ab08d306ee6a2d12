"""What a strategy remembers never ends its trader's run, nor holds it up."""

import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import msgspec
import pytest
from tests.support.waiting import until
from tests.unit.strategy_agent.scripted import ScriptedVenue, alpha_with
from tests.unit.strategy_agent.test_alpha_loop import Odd
from tests.unit.strategy_core.fake_venue import INSTRUMENTS, spec_of

from strategy_agent.application.status import Alert
from strategy_agent.application.strategy_memory_keeper import StrategyMemoryKeeper
from strategy_core.building import kind_of
from strategy_core.memory import TraderMemory
from strategy_core.port import Strategy
from strategy_core.registry import build
from suite.contracts.trader import StrategySpec, TraderSpec


def keeper_of(
    spec: TraderSpec, memory: TraderMemory, told: list[str], **more: Any
) -> StrategyMemoryKeeper:
    make: Callable[[], Strategy] = partial(build, spec, instruments=INSTRUMENTS, seed=1, **more)
    return StrategyMemoryKeeper(make, spec, memory, told.append, budget_s=0.2)


class Mindful(Odd):
    tells: Callable[[], Any] = dict
    takes: Callable[[Any], None]

    def remember(self) -> Any:
        return type(self).tells()

    def recall(self, state: Any) -> None:
        self.half = state
        type(self).takes(state)


def mindful(
    memory: TraderMemory,
    told: list[str],
    tells: Callable[[], Any] = dict,
    takes: Callable[[Any], None] = print,
) -> StrategyMemoryKeeper:
    kind = type("Kind", (Mindful,), {"tells": staticmethod(tells), "takes": staticmethod(takes)})
    spec = spec_of("plugin:x:Y")
    return keeper_of(spec, memory, told, plugins={"plugin:x:Y": kind_of(kind)})


@pytest.mark.parametrize(
    ("tells", "why"),
    [
        (lambda: {"said": "\ud800"}, "remember failed: UnicodeEncodeError: 'utf-8' codec"),
        (lambda: {"vol": [float("nan")]}, "remember failed: ValueError: nan cannot be remembered"),
        (lambda: {"vol": {"a": (float("inf"),)}}, "inf cannot be remembered"),
        (object, "Encoding objects of type object is unsupported"),
        (lambda: sys.exit(3), "remember failed: SystemExit: 3"),
        ([].pop, "IndexError"),
        (lambda: time.sleep(5), r"remember took longer than its 0.2 s"),
    ],
)
def test_what_cannot_be_remembered_is_told_once(tells: Callable[[], Any], why: str) -> None:
    memory, told = TraderMemory(), list[str]()
    keeper = mindful(memory, told, tells)
    begun_s = time.monotonic()
    for _ in range(20):
        keeper.remember()
    assert time.monotonic() - begun_s < 4, "one that overran is asked no more"
    assert (1, None) == (len(told), memory.strategy)
    assert why in told[0]


def test_a_memory_is_given_back_as_it_was_told() -> None:
    """Through the file of its trader."""
    memory, took = TraderMemory(), list[Any]()
    mindful(memory, [], lambda: {"a": (1, 2.5, None), "b": "é"}).remember()
    read = msgspec.json.decode(msgspec.json.encode(memory), type=TraderMemory)
    mindful(read, [], takes=took.append).recall()
    assert [{"a": [1, 2.5, None], "b": "é"}] == took


@pytest.mark.parametrize("fault", ["raises", "hangs", "exits"])
def test_one_that_fails_to_recall_begins_anew(fault: str) -> None:
    """It may have taken half of it."""
    faults: dict[str, Callable[[Any], Any]] = {
        "raises": lambda state: state["missing"],
        "hangs": lambda _: time.sleep(5),
        "exits": lambda _: sys.exit(1),
    }
    memory, told = TraderMemory(), list[str]()
    mindful(memory, told).remember()
    keeper = mindful(memory, told, takes=faults[fault])
    keeper.recall()
    assert (1, False) == (len(told), hasattr(keeper.strategy, "half"))


@pytest.mark.parametrize("kind", ["hodl", "fixed_spread"])
def test_a_memory_of_other_coins_is_dropped(kind: str) -> None:
    """One that bought BTC and held would never buy ETH."""
    memory, told = TraderMemory(), list[str]()
    first = keeper_of(spec_of(kind, symbols=("BTC",)), memory, told)
    first.remember()
    again = keeper_of(spec_of(kind, symbols=("ETH",)), memory, told)
    fresh: Any = again.strategy
    before = fresh.remember()
    again.recall()
    now: Any = again.strategy
    assert (before, []) == (now.remember(), told)
    assert "ETH" in str(before)


async def test_a_strategy_goes_on_whatever_it_remembers() -> None:
    """The run of one that tells what cannot be written comes to its end."""
    venue, alerts = ScriptedVenue(steps=3), list[Alert]()
    kind = type("Kind", (Mindful,), {"tells": staticmethod(lambda: "\ud800")})
    venue.plugins["plugin:x:Y"] = kind_of(kind)
    alpha = alpha_with(venue, "a", kind="plugin:x:Y", alerts=alerts)
    alpha.start()
    await until(lambda: alpha.instance().status.state == "ended")
    assert ["decision"] == [alert.kind for alert in alerts]


def test_no_parameter_of_a_strategy_is_remembered() -> None:
    """One may be a key, its value from the environment; what tells it apart is a digest."""
    memory = TraderMemory()
    kind = kind_of(type("Kind", (Keyed,), {}))
    spec = msgspec.structs.replace(
        spec_of("flat"), strategy=StrategySpec(kind="plugin:x:Y", params={"key": "sk-SECRET"})
    )
    keeper_of(spec, memory, [], plugins={"plugin:x:Y": kind}).remember()
    assert memory.strategy is not None
    assert b"SECRET" not in msgspec.json.encode(memory)


class Keyed(Mindful):
    class Params(Odd.Params, frozen=True, kw_only=True):
        key: str


def test_what_a_strategy_tells_of_itself_is_shown() -> None:
    seen: list[dict[str, Any]] = []
    spec = spec_of("ict_xgboost", symbols=("BTC",), interval="1m")
    make = partial(build, spec, instruments=INSTRUMENTS, seed=1)
    StrategyMemoryKeeper(make, spec, TraderMemory(), print, budget_s=5, told=seen.append).remember()
    (told,) = seen
    assert ("NO_MODEL", "training is off, warming up: BTC") == (told["state"], told["reason"])
