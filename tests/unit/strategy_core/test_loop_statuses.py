"""The trader loop under commands, faults and wake-ups that are not the strategy's own."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from tests.unit.strategy_core.fake_venue import INSTRUMENTS, FakeVenue, minutes, spec_of

from strategy_core.deciding import DecideRequest, DecisionFault, StillDeciding
from strategy_core.intents import ParentOrder, Sliced
from strategy_core.journal import DecisionRecord
from strategy_core.loop import Answer, Request, trade
from strategy_core.memory import TraderMemory
from strategy_core.orders.memory import Child
from strategy_core.port import Decision, Needs, Observation
from strategy_core.risk.commands import Command, Flatten, Pause, Resume, Stop
from strategy_core.turns import Turn
from suite.contracts.clock import JoinRequest, WaitReply, WaitRequest, WakeOn
from suite.contracts.hyperliquid_info import OpenOrder
from suite.contracts.venue import Action, CancelOrder, PlaceOrder
from suite.enums import TraderStatus

BUY = PlaceOrder(coin="BTC", is_buy=True, sz=Decimal(1))
RESTING = OpenOrder(
    coin="BTC", side="B", limitPx="99.0", sz="1.0", oid=77, timestamp=0, origSz="1.0",
    cloid="0x" + "7" * 32, reduceOnly=False,
)  # fmt: skip
OF_OTHERS = msgspec.structs.replace(RESTING, coin="ETH", oid=78, cloid=None)


class Bench:
    """A trader's loop between a scripted strategy and the fake venue."""

    def __init__(
        self,
        *decisions: Decision | DecisionFault | StillDeciding,
        memory: TraderMemory | None = None,
        venue: FakeVenue | None = None,
    ) -> None:
        self.venue = venue or FakeVenue(steps=99)
        self.memory = memory or TraderMemory()
        self.records: list[DecisionRecord] = []
        self.asked: list[Observation] = []
        self.awaited: list[bool] = []
        self.commands: list[Command] = []
        self.trouble: tuple[str, ...] = ()
        self._decisions = list(decisions)
        self._loop = trade(
            spec_of("flat"),
            Needs(),
            instruments=INSTRUMENTS,
            memory=self.memory,
            commands=self._take,
            record=self.records.append,
        )
        request = next(self._loop)
        assert isinstance(request, JoinRequest)
        self.reply: WaitReply = self.venue.join(request)

    def turn(self, **changed: Any) -> WaitRequest:
        """Carry out one turn; `changed` is what the venue's reply says instead."""
        reply = msgspec.structs.replace(self.reply, **changed)
        request: Request = self._loop.send(Turn(reply=reply, trouble=self.trouble))
        if isinstance(request, DecideRequest):
            self.asked.append(request.observation)
            self.awaited.append(request.awaited)
            answer: Answer = self._decisions.pop(0) if self._decisions else Decision()
            request = self._loop.send(answer)
        assert isinstance(request, WaitRequest)
        self.reply = self.venue.wait(request)
        return request

    def _take(self) -> Sequence[Command]:
        taken, self.commands = self.commands, []
        return taken


def orders(request: WaitRequest) -> list[Action]:
    return list(request.orders)


def test_a_pause_lets_the_strategy_decide_for_the_journal_only() -> None:
    """Its own entries are taken down, new ones are refused, and a person resumes."""
    venue = FakeVenue(steps=99, open_orders=[RESTING, OF_OTHERS])
    name, memory = str(RESTING.cloid), TraderMemory()
    memory.orders.children[name] = Child(
        cloid=name, coin="BTC", is_buy=True, sz=Decimal(1), role="plain", decision=1, leg="0"
    )
    bench = Bench(*[Decision(actions=(BUY,))] * 3, venue=venue, memory=memory)
    bench.commands = [Pause(actor="ann", reason="lunch")]
    assert [CancelOrder(coin="BTC", oid=77)] == orders(bench.turn())
    assert TraderStatus.PAUSED is bench.asked[0].status
    assert [] == orders(bench.turn())
    assert ["rejected(paused)"] == list(map(str, bench.asked[1].verdicts))
    bench.commands = [Resume(actor="ann", reason="back")]
    (order,) = orders(bench.turn())
    assert isinstance(order, PlaceOrder)
    first = bench.records[0]
    assert ("ann", "lunch") == (first.changes[0].actor, first.changes[0].reason)


def test_a_strategy_that_fails_pauses_its_trader_with_the_reason() -> None:
    """Nothing of it is sent until somebody resumes it, and nothing crashes."""
    bench = Bench(DecisionFault(reason="ValueError: no price"), Decision(actions=(BUY,)))
    assert [] == orders(bench.turn())
    assert [] == orders(bench.turn())
    bench.turn()
    assert "ValueError: no price" == bench.records[0].fault
    assert ("strategy",) == bench.records[0].changes[-1].causes
    assert TraderStatus.PAUSED is bench.records[1].status


def test_a_stopped_trader_is_not_asked_and_may_be_flattened() -> None:
    """Its position is closed reduce-only; time goes on."""
    bench = Bench(Decision(actions=(BUY,)))
    bench.turn()
    bench.commands = [Stop(actor="ann", reason="done", flatten=True)]
    (close,) = orders(bench.turn())
    assert isinstance(close, PlaceOrder)
    assert (True, False, Decimal(1)) == (close.reduce_only, close.is_buy, close.sz)
    last = bench.turn()
    assert ([], 1, minutes(30)) == (orders(last), len(bench.asked), last.until_ms)
    assert Decimal(0) == bench.venue.positions["BTC"]


def test_a_flattened_trader_takes_no_new_risk() -> None:
    """Whoever closes by hand does not want it opened again by the next bar."""
    bench = Bench(*[Decision(actions=(BUY,))] * 3)
    bench.turn()
    bench.commands = [Flatten(actor="ann", reason="news")]
    (close,) = orders(bench.turn())
    assert isinstance(close, PlaceOrder)
    assert close.reduce_only
    assert [] == orders(bench.turn())


@pytest.mark.parametrize("trouble", ["stale_account", "reconciling", "kill_latch"])
def test_trouble_of_the_connection_keeps_new_risk_back(trouble: str) -> None:
    """And closes what is open all the same."""
    close = PlaceOrder(coin="BTC", is_buy=False, sz=Decimal(1), reduce_only=True)
    bench = Bench(Decision(actions=(BUY,)), Decision(actions=(BUY, close)))
    bench.turn()
    bench.trouble = (trouble,)
    (sent,) = orders(bench.turn())
    assert isinstance(sent, PlaceOrder)
    assert sent.reduce_only


def test_the_strategy_is_asked_at_its_own_wake_up_only() -> None:
    """What others woke for is kept for it: no fill is lost on the way."""
    bench = Bench(Decision(actions=(BUY,), until_ms=minutes(60)))
    bench.turn()
    bench.turn(woke_by=("fill",), now_ms=minutes(5))
    bench.turn(woke_by=("order",), now_ms=minutes(10), fills=())
    assert 1 == len(bench.asked)
    bench.turn(woke_by=("time",), now_ms=minutes(60), fills=())
    assert [1] == [len(asked.fills) for asked in bench.asked[1:]]
    assert ["ok"] == [result.status for result in bench.asked[1].results]
    assert [True, False, False] == [record.asked for record in bench.records]


def test_a_condition_of_the_strategy_wakes_it_before_its_time() -> None:
    bench = Bench(Decision(until_ms=minutes(60), wake_on=WakeOn(liquidation=True)))
    assert bench.turn().wake_on.liquidation
    bench.turn(woke_by=("liquidation",), now_ms=minutes(5))
    assert 2 == len(bench.asked)


def test_somebody_may_ask_for_a_decision_now() -> None:
    """Its own next time is chosen by that decision."""
    bench = Bench(Decision(until_ms=minutes(60)))
    bench.turn()
    bench.turn(woke_by=("asked",), now_ms=minutes(5))
    assert 2 == len(bench.asked)


@pytest.mark.parametrize(
    "odd",
    [
        {"size": Decimal("NaN")},
        {"size": Decimal("sNaN")},
        {"entry_px": Decimal("Infinity")},
        {"unrealized_pnl": Decimal("1e400")},
        {"unrealized_pnl": Decimal("1e-400")},
        {"leverage": 0},
    ],
)
def test_an_account_that_cannot_be_read_is_no_ground_for_new_risk(odd: dict[str, Any]) -> None:
    """A venue may answer anything; what was known last stands, and a pause says why."""
    bench = Bench(Decision(actions=(BUY,)), Decision(), Decision(actions=(BUY,)))
    bench.turn()
    bench.turn()
    assert bench.reply.account is not None
    told = bench.reply.account
    bad = msgspec.structs.replace(told.positions[0], **odd)
    account = msgspec.structs.replace(told, positions=(bad,))
    assert [] == orders(bench.turn(account=account))
    bench.turn()
    change = bench.records[2].changes[-1]
    assert (("venue",), "the account cannot be read") == (change.causes, change.reason)
    assert Decimal(1) == bench.asked[2].size_of("BTC")


def test_while_a_strategy_thinks_turns_go_on_and_its_answer_is_judged_by_what_is_so() -> None:
    """Fills that come meanwhile are of its next question; a stop ends the wait for an answer."""
    thinking = StillDeciding()
    bench = Bench(thinking, thinking, Decision(actions=(BUY,)), thinking, Decision(), thinking)
    assert [[], []] == [orders(bench.turn(woke_by=("time",))) for _ in range(2)]
    assert minutes(30) == bench.reply.now_ms
    assert 1 == len(orders(bench.turn()))
    bench.turn(fills=())
    fill = FakeVenue(steps=1)._act(BUY)[1]
    bench.turn(fills=(fill,))
    bench.turn()
    assert [0, 0, 0, 0, 1, 1] == [len(asked.fills) for asked in bench.asked]
    assert [False, False, True, False, True] == [record.asked for record in bench.records]
    bench.commands = [Stop(actor="ann", reason="no more")]
    bench.turn()
    bench.commands = [Resume(actor="ann", reason="go on")]
    bench.turn()
    assert [False, True, True, False, True, False, False] == bench.awaited


def test_fills_that_come_with_an_unreadable_account_are_not_lost() -> None:
    """They are told by nobody again; neither is a price that is none a reason to doubt the rest."""
    venue = FakeVenue(steps=99)
    bench = Bench(Decision(actions=(BUY,)), Decision(), Decision(), venue=venue)
    bench.turn()
    bench.turn(mids={"BTC": "100.5", "ETH": "NaN"})
    assert [1] == [len(asked.fills) for asked in bench.asked[1:]]
    assert [] == [change for record in bench.records for change in record.changes]
    assert bench.asked[1].mids.keys() == {"BTC"}


def test_without_any_account_nothing_is_risked_and_nothing_forgotten() -> None:
    """A join that tells none leaves fills, high-water marks and statuses as they were."""
    bench = Bench(Decision(actions=(BUY,)), Decision(actions=(BUY,)))
    fill = FakeVenue(steps=1)
    fills = (fill._act(BUY)[1],)
    assert [] == orders(bench.turn(account=None, fills=fills))
    bench.turn()
    assert ("venue",) == bench.records[0].changes[-1].causes
    assert [1, 0] == [len(asked.fills) for asked in bench.asked]
    assert (1, 1) == (bench.memory.risk.executions, len(bench.memory.orders.fills))


@pytest.mark.parametrize("coin", ["@1", "PURR/USDC"])
def test_fills_of_the_spot_wallet_are_of_another_account(coin: str) -> None:
    """No position here explains them: they are neither counted nor doubted."""
    bench = Bench()
    spot = FakeVenue(steps=1)._act(BUY)[1]
    assert spot is not None
    bench.turn(fills=(msgspec.structs.replace(spot, coin=coin),))
    for _ in range(3):
        bench.turn()
    assert [] == [change for record in bench.records for change in record.changes]
    memory = bench.memory
    assert (0, {}, {}) == (memory.risk.executions, memory.orders.positions, memory.exits.coins)


def test_a_venue_that_tells_a_fill_twice_pauses_the_trader_with_the_reason() -> None:
    """Whatever else it says then is no ground for new risk either."""
    bench = Bench(Decision(actions=(BUY,)), Decision(), Decision(actions=(BUY,)))
    bench.turn()
    fills = bench.reply.fills
    bench.turn()
    assert [] == orders(bench.turn(fills=fills))
    bench.turn()
    change = bench.records[2].changes[-1]
    assert (("venue",), TraderStatus.PAUSED) == (change.causes, change.after)
    assert "was reported twice" in change.reason


def test_a_restart_between_any_two_turns_changes_nothing() -> None:
    """What is kept is enough to ask for the same."""
    script = [Decision(actions=(BUY,)), Decision(), Decision(actions=(BUY,)), Decision()]

    def run(*, restart: bool) -> list[tuple[Action, ...]]:
        venue, memory, sent = FakeVenue(steps=99), TraderMemory(), []
        bench = Bench(*script, memory=memory, venue=venue)
        for number in range(4):
            if restart:
                memory = msgspec.json.decode(msgspec.json.encode(memory), type=TraderMemory)
                bench = Bench(script[number], memory=memory, venue=venue)
            sent.append(bench.turn().orders)
        return sent

    assert run(restart=False) == run(restart=True)


def test_what_is_under_way_weighs_on_the_next_slice_of_an_entry_too() -> None:
    """An order of another coin whose fate is unknown may fill: the slice waits."""
    sliced = ParentOrder(coin="BTC", is_buy=True, sz=Decimal(20), execution=Sliced())
    bench = Bench(Decision(actions=(sliced,)))
    (first,) = orders(bench.turn())
    (second,) = orders(bench.turn())
    assert ["BTC", "BTC"] == [one.coin for one in (first, second)]
    name = "0x" + "9" * 32
    bench.memory.orders.children[name] = Child(
        cloid=name, coin="ETH", is_buy=True, sz=Decimal(5000), role="plain", decision=0, leg="0",
        state="unknown", sent_ms=bench.venue.now_ms,
    )  # fmt: skip
    assert [] == orders(bench.turn())
