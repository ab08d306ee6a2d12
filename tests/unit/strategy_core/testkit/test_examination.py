"""Every built-in strategy passes; each way of breaking the protocol is found under its name."""

import itertools
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, ClassVar

import pytest
from msgspec.structs import replace
from tests.support.scripted_model import ScriptedModel, decisions

from strategy_core import building
from strategy_core.asking import DecisionBudgets
from strategy_core.building import Setup, kind_of
from strategy_core.intents import ExitPlan
from strategy_core.llm.port import ModelRequest
from strategy_core.port import Decision, Needs, Observation
from strategy_core.registry import KINDS
from strategy_core.testkit.examination import CHECKS, Examination, Surroundings, examine
from suite.contracts.venue import Leg, PlaceOrder, SetLeverage
from suite.deadline import deadline

D = Decimal


class Good:
    """Does nothing; the faulty ones below do one thing more."""

    class Params(building.Params, frozen=True, kw_only=True):
        number: int = 0

    needs = Needs(snapshots=("BTC",), intervals=("15",))

    def __init__(self, setup: Setup, params: Any) -> None:
        self.setup = setup
        self.calls = 0

    def decide(self, seen: Observation) -> Any:
        self.calls += 1
        return Decision()


def order(**fields: Any) -> Decision:
    values: dict[str, Any] = {"coin": "BTC", "is_buy": True, "sz": D("0.01"), **fields}
    return Decision(actions=(PlaceOrder(**values),))


def planned(**fields: Any) -> Decision:
    return Decision(plans=(ExitPlan(coin="BTC", **fields),))


class Raises(Good):
    def decide(self, seen: Observation) -> Any:
        return Decision(reasoning=str(1 / seen.equity))


class Leaves(Good):
    def decide(self, seen: Observation) -> Any:
        raise SystemExit(0)


class TrustsSnapshots(Good):
    def decide(self, seen: Observation) -> Any:
        return Decision(reasoning=str(seen.snapshots["BTC"]["symbol"]))


class AnswersNothing(Good):
    def decide(self, seen: Observation) -> Any:
        return None


class Shares(Good):
    kept: ClassVar[list[int]] = []

    def decide(self, seen: Observation) -> Any:
        self.kept.append(1)
        return Decision(reasoning=str(len(self.kept)))


class Changes(Good):
    def decide(self, seen: Observation) -> Any:
        if seen.snapshots:
            seen.snapshots["BTC"]["intervals_data"]["15"]["bars"].append([])
        return Decision()


class ChangesNeeds(Good):
    def decide(self, seen: Observation) -> Any:
        self.needs = Needs()
        return Decision()


class WantsMore(Good):
    needs = Needs(snapshots=("BTC", "NOPE"), intervals=("7",))


class NeedsParameters(Good):
    class Params(building.Params, frozen=True, kw_only=True):
        must: int


class FailsToBuild(Good):
    def __init__(self, setup: Setup, params: Any) -> None:
        raise RuntimeError("no model")


class Forgets(Good):
    """Cannot go on in a world that it did not begin in."""

    def decide(self, seen: Observation) -> Any:
        if self.calls == 0 and seen.positions:
            raise RuntimeError("who opened this?")
        self.calls += 1
        return order() if not seen.positions and seen.equity > 0 else Decision()


class Answers(Good):
    """Answers what it was told to."""

    answer: Any = None

    def decide(self, seen: Observation) -> Any:
        return replace(self.answer, until_ms=seen.now_ms) if self.answer.until_ms else self.answer


class Counts(Good):
    """Orders every third time, and remembers how often it was asked."""

    count = 0

    def remember(self) -> Any:
        return {"count": self.count}

    def recall(self, state: Any) -> None:
        self.count = state["count"]

    def decide(self, seen: Observation) -> Any:
        self.count += 1
        return Decision(reasoning=str(self.count % 3))


class CountsInVain(Good):
    """Keeps a number between decisions, and tells nobody."""

    count = 0

    def decide(self, seen: Observation) -> Any:
        self.count += 1
        return Decision(reasoning=str(self.count % 3))


class RecallsWrongly(Counts):
    def recall(self, state: Any) -> None:
        self.count = state["count"] + 1


class CannotRecall(Counts):
    def recall(self, state: Any) -> None:
        raise KeyError(state["counted"])


class TellsNothingPlain(Counts):
    def remember(self) -> Any:
        return object()


FAULTY: list[tuple[type[Good], Any, str, str]] = [
    (Raises, None, "decides", "DivisionByZero"),
    (TrustsSnapshots, None, "decides", "KeyError: 'BTC' (first with: no snapshots)"),
    (Leaves, None, "decides", "decide called exit("),
    (AnswersNothing, None, "decides", "NoneType, not a Decision"),
    (Answers, Decision(actions=("buy",)), "decides", "wrong actions"),  # type: ignore[arg-type]
    (Forgets, None, "decides", "who opened this? (first with: after a restart)"),
    (Shares, None, "repeats", "decision 1 of two equal runs differs"),
    (RecallsWrongly, None, "remembers", "is another one where the process was restarted"),
    (CountsInVain, None, "remembers", "needs `remember` and `recall`"),
    (CannotRecall, None, "remembers", "KeyError: 'counted' (first with: after a restart)"),
    (TellsNothingPlain, None, "remembers", "object"),
    (Changes, None, "untouched", "decide changes the observation"),
    (ChangesNeeds, None, "needs", "not what it was at first"),
    (WantsMore, None, "needs", "'NOPE', which the venue does not trade"),
    (WantsMore, None, "needs", "'7'; there are 1, 15, 60, 240, 1440"),
    (NeedsParameters, None, "builds", "must"),
    (FailsToBuild, None, "builds", "RuntimeError: no model"),
    (Answers, order(coin="SOL"), "coins", "'SOL', which is none of its symbols"),
    (Answers, order(sz=D("NaN")), "numbers", "sz is NaN"),
    (Answers, order(sz=D(0)), "numbers", "size 0 is not positive"),
    (Answers, order(sz=D("0.000001")), "numbers", "finer than 5 decimals"),
    (Answers, order(limit_px=D("99999.7")), "numbers", "no price of BTC"),
    (Answers, order(stop_loss=Leg(price=D("-1"))), "numbers", "price -1 is no price"),
    (Answers, Decision(actions=(SetLeverage(coin="BTC", leverage=0),)), "numbers", "below 1"),
    (Answers, Decision(actions=order().actions * 51), "amount", "wants 51 actions"),
    (Answers, Decision(until_ms=1), "wakes", "not after now_ms"),
    (Answers, Decision(plans=(ExitPlan(coin="BTC"),) * 2), "plans", "plans BTC 2 times"),
    (Answers, Decision(plans=(ExitPlan(coin="SOL"),)), "plans", "plans 'SOL'"),
    (Answers, planned(confidence=float("nan")), "plans", "confidence nan of a plan"),
    (Answers, planned(trend=-1.5), "plans", "trend -1.5 of a plan is not from -1 to 1"),
    (Answers, planned(zone_edge=D("Infinity")), "plans", "zone_edge of a plan is Infinity"),
    (Answers, planned(invalidation="close(4h) <"), "plans", "invalidation of a plan is no rule"),
]


def found_in(strategy: type[Good], **options: Any) -> Examination:
    return examine(kind_of(strategy), steps=120, **options)


def buys(request: ModelRequest) -> dict[str, Any]:
    """What a model says that looks at the first price of its prompt alone."""
    prompt = request.messages[1].content
    coin, _, rest = prompt.partition("### ")[2].partition("\n")
    price = float(rest.partition("price ")[2].partition(",")[0].replace("unknown", "1"))
    item = {"coin": coin, "risk_usd": 20, "stop_loss": price * 0.97, "confidence": 0.5}
    return decisions(item | {"signal": "close" if f"- {coin} long" in prompt else "buy_to_enter"})


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("symbols", [("BTC", "ETH"), ("DOGE",)])
def test_every_built_in_strategy_passes(name: str, symbols: tuple[str, ...]) -> None:
    asks = KINDS[name].asks_models
    found = examine(
        KINDS[name],
        symbols=symbols,
        seed=7,
        params={"model": "scripted/one"} if asks else None,
        around=Surroundings(models=ScriptedModel(buys) if asks else None),
    )
    assert () == found.findings
    assert 300 == found.decisions


def test_strategy_that_does_nothing_wrong_passes() -> None:
    found = found_in(Good)
    assert ((), 120, 0, None) == (found.findings, found.decisions, found.actions, found.p99_ms)


@pytest.mark.parametrize(("strategy", "answer", "check", "text"), FAULTY)
def test_what_breaks_the_protocol_is_found_under_its_name(
    strategy: type[Good], answer: Any, check: str, text: str
) -> None:
    """In one line, and what is wrong in one way does not look wrong in others."""
    faulty = type("Faulty", (strategy,), {"answer": answer, "kept": []})
    findings = found_in(faulty).findings
    assert {check} == {finding.check for finding in findings}
    lines = list(map(str, findings))
    assert any(text in line for line in lines), lines
    assert all("\n" not in line for line in lines)


def test_many_findings_of_a_kind_are_summed_up() -> None:
    class Wild(Good):
        def decide(self, seen: Observation) -> Any:
            self.calls += 1
            raise RuntimeError(str(self.calls))

    lines = [str(finding) for finding in found_in(Wild).findings]
    assert 6 == len(lines)
    assert "more like these" in lines[-1]


def test_time_of_a_decision_is_told_and_a_slow_one_is_found() -> None:
    """Unless `needs.slow` says that it is."""
    ticks = (0.3 * count for count in itertools.count())
    found = found_in(Good, around=Surroundings(clock_s=lambda: next(ticks)))
    assert 300.0 == pytest.approx(found.median_ms)
    assert 300.0 == pytest.approx(found.p99_ms)
    assert ["quick"] == [finding.check for finding in found.findings]
    slow = type("Slow", (Good,), {"needs": Needs(slow=True)})
    assert () == found_in(slow, around=Surroundings(clock_s=lambda: next(ticks))).findings


def test_an_endless_loop_ends_the_examination_with_one_finding() -> None:
    """In `decide`, and where it is built."""
    around = Surroundings(deadline=deadline, budgets=DecisionBudgets(quick_s=0.05, slow_s=0.1))

    class Endless(Good):
        def decide(self, seen: Observation) -> Any:
            while len(seen.positions) >= 0:
                pass

    class NeverBuilt(Good):
        def __init__(self, setup: Setup, params: Any) -> None:
            while True:
                pass

    (finding,) = found_in(Endless, around=around).findings
    assert "decides: decide took longer than its 0.05 s (first with: a young market)" == str(
        finding
    )
    (finding,) = found_in(NeverBuilt, around=around).findings
    assert "builds: it takes longer than 0.1 s" == str(finding)


def test_what_is_reached_for_is_found() -> None:
    """In the text of the module, while it is built, and while it decides."""
    found = found_in(Good, source="import time")
    assert ["outside: import time (line 1)"] == [str(finding) for finding in found.findings]
    assert "cannot be read" in str(found_in(Good, source="def").findings[0])

    def told() -> Iterator[list[str]]:
        yield from ([], ["open x"], ["the rehearsal's own"], ["socket y"])
        while True:
            yield []

    answers = told()
    found = found_in(Good, around=Surroundings(reached=lambda: next(answers)))
    lines = [str(finding) for finding in found.findings]
    assert "outside: open x while it is built" == lines[0]
    assert "outside: socket y in decide (first with: a young market)" == lines[1]


def test_every_check_has_a_test_that_trips_it() -> None:
    assert set(CHECKS) == {check for _, _, check, _ in FAULTY} | {"outside", "quick"}


def test_one_that_remembers_is_well() -> None:
    """However often it is built anew."""
    assert () == found_in(Counts).findings
