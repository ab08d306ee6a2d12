"""Exits and worked orders of traders in real worlds: between decisions, on bars, with restarts."""

from decimal import Decimal

import pytest
from tests.support.worlds import random_source

from strategy_core import building
from strategy_core.building import Setup, kind_of
from strategy_core.intents import ExitPlan, Intent, ParentOrder, Passive, Sliced
from strategy_core.port import Decision, Needs, Observation
from strategy_core.sizing.targets import market_order
from suite.bars import HOUR_MS
from suite.clock import ManualClock
from suite.contracts.trader import StrategySpec, TraderSpec
from suite.contracts.venue import Leg
from virtual_exchange.application.backtest import run_backtest
from virtual_exchange.application.session import world_request
from virtual_exchange.domain.record import RunRecord

KIND = "plugin:tests:Enters"


class Enters:
    """Opens a position in a way of its own whenever it is flat, once a day of 4 h."""

    class Params(building.Params, frozen=True, kw_only=True):
        way: str = "market"
        invalidation: str = ""
        stop: bool = True

    def __init__(self, setup: Setup, params: "Enters.Params") -> None:
        self._params = params
        self._coins = setup.symbols
        self.needs = Needs()

    def decide(self, observation: Observation) -> Decision:
        coin = self._coins[0]
        if observation.size_of(coin) or observation.now_ms % (4 * HOUR_MS):
            return Decision()
        mid = observation.mids[coin]
        stop = Leg(price=Decimal(int(mid * Decimal("0.97")))) if self._params.stop else None
        size = Decimal(1)
        intent: Intent
        match self._params.way:
            case "passive":
                execution = Passive(timeout_ms=60_000, edge=Decimal("0.01"))
                intent = ParentOrder(
                    coin=coin, is_buy=True, sz=size, execution=execution, stop_loss=stop
                )
            case "sliced":
                intent = ParentOrder(
                    coin=coin, is_buy=True, sz=size, execution=Sliced(), stop_loss=stop
                )
            case _:
                intent = market_order(coin, size)
        plan = ExitPlan(coin=coin, invalidation=self._params.invalidation)
        return Decision(actions=(intent,), plans=(plan,))


def run(exits: dict[str, object], *, interval: str = "1m", **params: object) -> RunRecord:
    spec = TraderSpec(
        trader_id="t",
        strategy=StrategySpec(kind=KIND, params=dict(params)),
        symbols=("ETH",),
        exits=dict(exits),
        initial_balance=Decimal(100_000),
    )
    return run_backtest(
        world_request((spec,), seed=5, interval=interval),
        (spec,),
        source=random_source("ETH", count=3000),
        clock=ManualClock(0),
        progress=lambda _done: None,
        plugins={KIND: kind_of(Enters)},
    )


def holdings(record: RunRecord) -> list[tuple[int, int]]:
    """When the position was opened and when it was flat again, of each trade."""
    held, since, found = 0, 0, []
    for fill in record.accounts[0].fills:
        before, held = held, held + int(fill.side) * int(fill.size)
        if not before:
            since = fill.time_ms
        if not held:
            found.append((since, fill.time_ms))
    return found


@pytest.mark.parametrize("way", ["market", "passive", "sliced"])
def test_a_time_stop_ends_every_position_on_time(way: str) -> None:
    """Two hours after its first fill, though the strategy never closes anything."""
    trades = holdings(run({"time_stop": True}, way=way))
    assert 8 <= len(trades)
    for opened_ms, closed_ms in trades:
        assert 2 * HOUR_MS <= closed_ms - opened_ms <= 2 * HOUR_MS + 120_000


def test_an_invalidation_ends_the_position_between_decisions() -> None:
    """At the bar at which the rule comes true, not at the next decision."""
    trades = holdings(run({}, invalidation="rsi_14(1m) > 65 and close(1m) > 0"))
    assert 5 <= len(trades)
    lengths = {closed - opened for opened, closed in trades[2:]}
    assert max(lengths) < 8 * HOUR_MS
    assert len(lengths) > 3


def test_the_record_tells_what_closed_each_position() -> None:
    """By its kind, and by the strategy's own rule where that had come true."""
    rule = "rsi_14(1m) > 65 and close(1m) > 0"
    record = run({}, invalidation=rule)
    guards = record.accounts[0].guards
    assert guards is not None
    ended = [(opened, closed) for opened, closed in holdings(record)]
    assert ended == [(one.opened_ms, one.closed_ms) for one in guards.closed]
    assert {("ETH", "structure_invalidation", rule)} == {
        (one.coin, one.kind, one.rule) for one in guards.closed
    }
    assert {"structure_invalidation": len(ended)} == guards.exits
    guards = run({"time_stop": True}).accounts[0].guards
    assert guards is not None
    assert {"time_stop"} == set(guards.exits)
    assert {""} == {one.rule for one in guards.closed}


@pytest.mark.parametrize("way", ["passive", "sliced"])
def test_what_a_parent_order_has_bought_is_protected(way: str) -> None:
    """Every filled part has a stop of its own size resting at the venue."""
    record = run({}, way=way)
    (account,) = record.accounts
    assert account.fills
    stops = [order for order in account.orders if order.reduce_only]
    assert stops


def test_all_seven_exits_leave_an_exact_account() -> None:
    """Equal runs, equal hashes, whatever the exits do."""
    first, again = (run({"smart": True}, way="passive") for _ in range(2))
    assert first.accounts[0].fills
    assert first.accounts[0].equity_usd.tolist() == again.accounts[0].equity_usd.tolist()


def test_a_rule_about_bars_that_a_world_lacks_never_fires() -> None:
    """A world of 5m bars has no block of a minute; that is no reason to fail."""
    trades = holdings(run({"smart": True}, interval="5m", invalidation="close(1m) > 0"))
    assert trades
    assert min(closed - opened for opened, closed in trades) > 0
