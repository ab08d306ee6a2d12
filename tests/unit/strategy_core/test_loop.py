"""The trader loop, driven by a scripted venue."""

import re
import subprocess
import sys
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from tests.unit.strategy_core.fake_venue import INSTRUMENTS, FakeVenue, drive, minutes, spec_of
from tests.unit.strategy_core.market import START_MS

from strategy_core.deciding import DecideRequest, decide
from strategy_core.intents import ExitPlan
from strategy_core.journal import DecisionRecord, TraderResult
from strategy_core.llm.thought import Basis
from strategy_core.loop import Answer, Request, trade
from strategy_core.memory import TraderMemory
from strategy_core.orders.identity import cloid_for
from strategy_core.port import Decision, Needs, Observation, observe
from strategy_core.sizing.targets import market_order
from strategy_core.turns import Turn
from suite.bars import MINUTE_MS
from suite.contracts.clock import JoinRequest, WaitReply, WaitRequest, WakeOn
from suite.contracts.venue import Action, CancelOrder, PlaceOrder


class Scripted:
    """Answers with prepared decisions and keeps what it was shown."""

    def __init__(self, *decisions: Decision, needs: Needs | None = None) -> None:
        self.needs = needs or Needs()
        self.seen: list[Observation] = []
        self._decisions = list(decisions)

    def decide(self, observation: Observation) -> Decision:
        self.seen.append(observation)
        return self._decisions.pop(0) if self._decisions else Decision()


def buy(size: str, coin: str = "BTC") -> PlaceOrder:
    return PlaceOrder(coin=coin, is_buy=True, sz=Decimal(size))


def test_steps_are_numbered_from_one_and_wake_at_boundaries() -> None:
    """Decisions fall on multiples of the interval, whatever the time of the join."""
    venue = FakeVenue(steps=3, now_ms=START_MS + 7 * MINUTE_MS)
    drive(venue, spec_of("flat"))
    assert [1, 2, 3] == [request.step_seq for request in venue.requests]
    assert [minutes(15), minutes(30), minutes(45)] == [r.until_ms for r in venue.requests]


def test_a_strategy_may_choose_its_own_wake_up() -> None:
    """Its time and conditions go out as they are; a time that has passed means at once."""
    wake = WakeOn(fill=True)
    mind = Scripted(Decision(until_ms=minutes(5), wake_on=wake), Decision(until_ms=0))
    venue = FakeVenue(steps=2)
    drive(venue, spec_of("flat"), strategy=mind)
    assert minutes(5) == venue.requests[0].until_ms
    assert wake == venue.requests[0].wake_on
    assert minutes(5) + 1 == venue.requests[1].until_ms


def test_orders_get_ids_made_from_trader_decision_and_leg() -> None:
    """An order's id repeats when its decision is repeated; an id of the strategy's own is kept."""
    own = msgspec.structs.replace(buy("0.2"), cloid="0x" + "a" * 32)
    venue = FakeVenue(steps=1)
    drive(venue, spec_of("flat"), strategy=Scripted(Decision(actions=(buy("0.1"), own))))
    first, second = venue.requests[0].orders
    assert isinstance(first, PlaceOrder)
    assert isinstance(second, PlaceOrder)
    assert cloid_for("t", "t", 1, 0) == first.cloid
    assert own.cloid == second.cloid


def test_the_guard_is_fed_back_and_one_bad_action_blocks_no_other() -> None:
    """Verdicts come back in the next observation, results only for what was sent."""
    mind = Scripted(Decision(actions=(buy("1", "DOGE"), buy("0.5"), buy("9999"))))
    venue = FakeVenue(steps=2)
    run = drive(venue, spec_of("flat"), strategy=mind)
    assert ["rejected", "accepted", "clamped"] == [v.outcome for v in mind.seen[1].verdicts]
    assert len(venue.requests[0].orders) == len(mind.seen[1].results) == 2
    texts = list(map(str, run.records[0].verdicts))
    assert ["rejected(unknown_coin)", "accepted"] == texts[:2]
    assert "clamped(9999 -> " in texts[2]


def test_a_wrong_rule_of_an_exit_plan_is_a_verdict_that_says_where() -> None:
    """After those of the actions; the strategy sees it, and the rest of the plan counts."""
    typo = ExitPlan(coin="BTC", invalidation="price < 1990 and clos(4h) < 2", confidence=0.9)
    fine = ExitPlan(coin="ETH", invalidation="price < 1990")
    mind = Scripted(Decision(actions=(buy("0.5"),), plans=(fine, typo)))
    run = drive(FakeVenue(steps=3), spec_of("flat"), strategy=mind)
    assert mind.seen[1].verdicts == run.records[0].verdicts
    accepted, rejected = mind.seen[1].verdicts
    assert ("accepted", 2) == (str(accepted), rejected.action)
    assert (
        "rejected(exit_plan: plan of BTC: invalidation: column 18: unknown field 'clos', did you "
        "mean close?)" == str(rejected)
    )
    assert () == mind.seen[2].verdicts
    assert {"exit_plan": 1} == run.result.guards.rejected


def test_each_decision_leaves_one_record_with_the_answer_to_it() -> None:
    """Time, words, actions, verdicts and results are together in the journal."""
    mind = Scripted(Decision(actions=(buy("0.5"),), reasoning="because"), Decision())
    run = drive(FakeVenue(steps=2), spec_of("flat"), strategy=mind)
    first, second = run.records
    assert (1, START_MS, "because", ("accepted",)) == (
        first.decision,
        first.now_ms,
        first.reasoning,
        tuple(map(str, first.verdicts)),
    )
    assert first.results is not None
    assert [reply.status for reply in first.results] == ["ok"]
    assert (2, minutes(15), ()) == (second.decision, second.now_ms, second.results)
    assert (2, 1, 1) == (run.result.decisions, run.result.actions_sent, run.result.fills)


def test_a_run_goes_on_in_the_middle_of_a_step_as_if_it_had_never_ended() -> None:
    """Its memory, through JSON, and the unanswered request are all that it takes; at any step."""

    def run(kill_at: int) -> tuple[list[Request], list[DecisionRecord], TraderResult]:
        spec, venue, records = spec_of("flat"), FakeVenue(steps=12), list[DecisionRecord]()
        sell = PlaceOrder(coin="BTC", is_buy=False, sz=Decimal(1))
        wants = [(buy("2"),), (), (sell, buy("1", "ETH")), (), (buy("1", "DOGE"),), (buy("3"),)]
        mind = Scripted(*(Decision(actions=actions) for actions in wants))
        memory = TraderMemory()
        requests: list[Request] = []
        loop = trade(
            spec, mind.needs, instruments=INSTRUMENTS, memory=memory, record=records.append
        )
        request = next(loop)
        while True:
            requests.append(request)
            match request:
                case JoinRequest():
                    answer: Answer = Turn(reply=venue.join(request))
                case DecideRequest():
                    answer = decide(mind, request.observation)
                case WaitRequest():
                    if request.step_seq == kill_at:
                        kept = msgspec.json.decode(msgspec.json.encode(memory), type=TraderMemory)
                        loop = trade(
                            spec,
                            mind.needs,
                            instruments=INSTRUMENTS,
                            memory=kept,
                            unanswered=request,
                            record=records.append,
                        )
                        assert request is next(loop)
                    answer = Turn(reply=venue.wait(request))
            try:
                request = loop.send(answer)
            except StopIteration as end:
                return requests, records, end.value

    undisturbed = run(0)
    assert 12 == len(undisturbed[1])
    assert undisturbed[2].fills > 2
    for step in range(1, 13):
        assert undisturbed == run(step)


def test_a_world_that_has_ended_is_not_decided_on() -> None:
    """The loop ends with the reply that says so, even when that is the join's."""
    mind = Scripted()
    run = drive(FakeVenue(steps=0), spec_of("flat"), strategy=mind)
    assert mind.seen == []
    assert (0, Decimal(10000)) == (run.result.decisions, run.result.equity)


def test_a_reply_without_an_account_keeps_the_last_one() -> None:
    """An account that was not sent has not changed."""
    venue = FakeVenue(steps=1)
    join = venue.join(JoinRequest())
    bare = WaitReply(now_ms=minutes(15), step_seq=1)
    seen = observe(bare, account=join.account, verdicts=())
    assert Decimal(10000) == seen.equity == seen.available
    assert Decimal(0) == observe(bare, account=None, verdicts=()).equity


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (ZeroDivisionError("by 0"), "ZeroDivisionError: by 0"),
        (None, "decide returned NoneType, not a Decision"),
        (Decision(until_ms=float("nan")), "until_ms nan, not a time in whole milliseconds"),  # type: ignore[arg-type]
        (Decision(actions=(7,)), r"wrong actions: Expected `object`, got `int` - at `\$\[0\]`"),  # type: ignore[arg-type]
        (Decision(actions=(PlaceOrder(coin=3, is_buy=True, sz=Decimal(1)),)), "wrong actions: Exp"),  # type: ignore[arg-type]
        (Decision(wake_on=3), "wrong wake_on"),  # type: ignore[arg-type]
    ],
)
def test_whatever_a_strategy_does_wrong_is_a_fault(answer: Any, reason: str) -> None:
    """It decides nothing in this turn, and the journal says why."""

    class Broken(Scripted):
        def decide(self, observation: Observation) -> Decision:
            if isinstance(answer, Exception):
                raise answer
            return answer  # type: ignore[no-any-return]

    venue = FakeVenue(steps=1)
    run = drive(venue, spec_of("flat"), strategy=Broken())
    assert re.search(reason, run.records[0].fault)
    assert () == venue.requests[0].orders


def test_values_of_a_wrong_type_that_can_be_read_are_read() -> None:
    """A float becomes the decimal of its text, a list a tuple."""
    loose = PlaceOrder(coin="BTC", is_buy=True, sz=0.1)  # type: ignore[arg-type]
    venue = FakeVenue(steps=1)
    drive(venue, spec_of("flat"), strategy=Scripted(Decision(actions=[loose])))  # type: ignore[arg-type]
    (order,) = venue.requests[0].orders
    assert isinstance(order, PlaceOrder)
    assert Decimal("0.1") == order.sz


def test_ids_go_on_after_a_restart() -> None:
    """What was remembered gives every later order an id of its own."""
    memory = TraderMemory()
    ids = []
    for size in ("1", "2"):
        venue = FakeVenue(steps=1)
        mind = Scripted(Decision(actions=(buy(size),)))
        drive(venue, spec_of("flat"), strategy=mind, memory=memory)
        memory = msgspec.json.decode(msgspec.json.encode(memory), type=TraderMemory)
        (order,) = venue.requests[0].orders
        assert isinstance(order, PlaceOrder)
        ids.append(order.cloid)
    assert [cloid_for("t", "t", 1, 0), cloid_for("t", "t", 2, 0)] == ids


def test_an_observation_is_read_once_into_decimals() -> None:
    """Positions are signed, flat coins are absent, mids are exact."""
    cancel: Action = CancelOrder(coin="BTC", oid=7)
    mind = Scripted(Decision(actions=(buy("0.5"), cancel)))
    venue = FakeVenue(steps=2)
    drive(venue, spec_of("flat"), strategy=mind)
    seen = mind.seen[1]
    assert (Decimal("0.5"), Decimal(0)) == (seen.size_of("BTC"), seen.size_of("ETH"))
    assert Decimal("100.5") == seen.mids["BTC"]
    assert ("time",) == seen.woke_by


_REPEAT = """
import hashlib, msgspec
from tests.unit.strategy_core.fake_venue import FakeVenue, drive, spec_of
from tests.unit.strategy_core.market import random_bars
from strategy_core.snapshot import SnapshotSeries
digest = hashlib.sha256()
for kind in ("flat", "hodl", "random", "sma_cross"):
    series = {c: SnapshotSeries(c, random_bars(3000, seed=i)) for i, c in enumerate(("BTC", "ETH"))}
    venue = FakeVenue(steps=180, series=series)
    run = drive(venue, spec_of(kind, params={"probability": 0.3} if kind == "random" else {}))
    digest.update(msgspec.json.encode([venue.requests, run.records, run.result]))
print(digest.hexdigest())
"""


@pytest.mark.process
def test_equal_replies_give_equal_requests_in_every_process() -> None:
    """Neither a new process nor another hash seed changes a byte of what is asked."""
    digests = {
        subprocess.run(
            [sys.executable, "-c", _REPEAT],
            env={"PYTHONHASHSEED": hash_seed, "PYTHONPATH": ":".join(p for p in sys.path if p)},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for hash_seed in ("1", "2", "777")
    }
    assert len(digests) == 1


def test_a_late_decision_opens_nothing_and_still_closes() -> None:
    """Verdicts keep the places of their actions."""
    stale = Basis(until_ms=0, tolerance=Decimal("0.01"), prices={}, sizes={})

    class Late:
        """Decides on what was so long ago."""

        needs = Needs()

        def decide(self, seen: Observation) -> Decision:
            held = seen.size_of("BTC")
            actions = (
                market_order("ETH", Decimal(1)),
                market_order("BTC", -held or Decimal(-1), reduce_only=True),
                market_order("BTC", Decimal(1)),
            )
            return Decision(actions=actions, basis=stale)

    venue = FakeVenue(steps=1, positions={"BTC": Decimal(2)})
    (record,) = drive(venue, spec_of("flat"), strategy=Late()).records
    assert [(0, "rejected", "outdated"), (1, "accepted", ""), (2, "rejected", "outdated")] == [
        (verdict.action, verdict.outcome, verdict.rule) for verdict in record.verdicts
    ]
    assert ["BTC"] == [order.coin for order in venue.requests[0].orders]
