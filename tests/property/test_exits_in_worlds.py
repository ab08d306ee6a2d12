"""Exits in real worlds: every order is taken, nothing flips, records add up to the equity."""

from collections import Counter
from decimal import Decimal
from random import Random
from typing import Any

import msgspec
import pytest
from tests.support.worlds import open_memory_world, random_source

from strategy_core.exits.manager import ExitManager
from strategy_core.exits.memory import ExitMemory, ExitRecord
from strategy_core.exits.rules import ExitRules
from strategy_core.exits.watch import Watch
from strategy_core.intents import ExitPlan
from strategy_core.lattice import round_price_down
from strategy_core.port import Observation, instruments_of, observe
from strategy_core.sizing.targets import market_order
from suite.bars import HOUR_MS, MINUTE_MS
from suite.contracts.clock import WaitReply, WaitRequest, Want
from suite.contracts.venue import Action, Leg, PlaceOrder
from virtual_exchange.application.session import Session

COINS = ("BTC", "ETH")
INTERVAL_MS = 15 * MINUTE_MS


class Managed:
    """A trader that enters by chance, with a stop, and leaves every end to its exits."""

    def __init__(self, session: Session, rules: ExitRules, *, seed: int, restarts: bool) -> None:
        self.chance = Random(seed)
        self.session = session
        self.rules = rules
        self.restarts = restarts
        self.instruments = instruments_of(session.queries.market.meta())
        self.memory = ExitMemory()
        self.closed: list[ExitRecord] = []
        self.requests: list[WaitRequest] = []
        self.refused: list[str] = []
        self.entries = 0
        self.notes: list[str] = []

    def manager(self) -> ExitManager:
        if self.restarts:
            self.memory = msgspec.json.decode(msgspec.json.encode(self.memory), type=ExitMemory)
        return ExitManager(
            self.rules,
            trader_id="t",
            interval_ms=INTERVAL_MS,
            instruments=self.instruments,
            memory=self.memory,
        )

    def run(self) -> Observation:
        want = Want(mids=True, snapshots=COINS, intervals=("1", "15"))
        reply = self.session.barrier.join(0, want)
        account = None
        while True:
            account = reply.account or account
            seen = observe(reply, account=account, verdicts=())
            self._judge(reply)
            review = self.manager().review(seen, account)
            self.closed += review.closed
            self.notes += review.notes
            if reply.ended:
                return seen
            actions, watch = list(review.actions), review.watch
            if "time" in reply.woke_by or "join" in reply.woke_by:
                actions, watch = self._decide(seen, actions)
            boundary_ms = (seen.now_ms // INTERVAL_MS + 1) * INTERVAL_MS
            request = WaitRequest(
                step_seq=len(self.requests) + 1,
                until_ms=min(boundary_ms, watch.until_ms or boundary_ms),
                wake_on=watch.wake_on,
                orders=tuple(actions),
                want=want,
            )
            self.requests.append(request)
            ticket = self.session.barrier.wait(0, request)
            while not ticket.done:
                self.session.barrier.move()
            reply = ticket.result()

    def _decide(self, seen: Observation, actions: list[Action]) -> tuple[list[Action], Watch]:
        """Enter what is flat, sometimes; say something about what is open."""
        plans: list[ExitPlan] = []
        entries: list[Action] = []
        for coin in COINS:
            confidence = round(self.chance.uniform(0.45, 0.9), 2)
            mid, chosen = seen.mids[coin], self.chance.random()
            if coin not in seen.positions and chosen < 0.5:
                side = 1 if chosen < 0.25 else -1
                stop = round_price_down(self.instruments[coin], mid * (1 - side * Decimal("0.002")))
                order = market_order(coin, side * round(Decimal(2000) / mid, 3))
                entries.append(msgspec.structs.replace(order, stop_loss=Leg(price=stop)))
                rule = f"price {'<' if side > 0 else '>'} {mid * (1 - side * Decimal('0.0015')):f}"
                invalidation = rule if chosen < 0.1 else ""
                plans.append(ExitPlan(coin=coin, confidence=confidence, invalidation=invalidation))
                self.entries += 1
            elif coin in seen.positions:
                plans.append(ExitPlan(coin=coin, confidence=confidence))
        adopted = self.manager().adopt(plans, seen, entries)
        self.notes += adopted.notes
        return [*actions, *adopted.actions, *entries], adopted.watch

    def _judge(self, reply: WaitReply) -> None:
        for answer in reply.results:
            text = msgspec.json.encode(answer.response).decode()
            if answer.status != "ok" or "error" in text:
                self.refused.append(text)


def trade(seed: int, *, restarts: bool = False, **rules: Any) -> tuple[Managed, Observation]:
    session = open_memory_world(
        random_source(*COINS, count=1440, seed=seed), limit_fill="touch", interval="1m"
    )
    trader = Managed(session, msgspec.convert(rules, ExitRules), seed=seed, restarts=restarts)
    return trader, trader.run()


@pytest.mark.parametrize("seed", range(3))
def test_exits_of_a_world_add_up_to_its_equity(seed: int) -> None:
    """A day, two coins: each entry has one end, told with its costs to the last unit."""
    trader, last = trade(seed, smart=True, partial_roe=10)
    assert trader.entries > 20
    assert len(trader.closed) == trader.entries - len(last.positions)
    open_gain = sum((p.unrealized_pnl for p in last.positions.values()), Decimal(0))
    open_costs = sum(
        (m.realized - m.fees - m.funding for m in trader.memory.coins.values()), Decimal(0)
    )
    net = sum((record.net for record in trader.closed), Decimal(0))
    assert abs(last.equity - 10_000 - net - open_gain - open_costs) < Decimal("0.001")
    assert all(record.holding_ms <= 2 * HOUR_MS for record in trader.closed)
    print(sorted(Counter(record.kind for record in trader.closed).items()))
    wrong = [text for text in trader.refused if "educe only" not in text]
    assert wrong == []


def test_a_world_lives_through_the_same_with_a_restart_at_every_step() -> None:
    """The memory written out and read back before each look: the same requests to the byte."""
    whole, _ = trade(5, smart=True)
    pieces, _ = trade(5, smart=True, restarts=True)
    assert whole.requests == pieces.requests
    assert whole.closed == pieces.closed
    kinds = {record.kind for record in whole.closed}
    assert len(kinds & {"time_stop", "confidence_collapse", "stop_loss"}) >= 2


def test_without_a_word_exits_change_nothing_in_a_world() -> None:
    """Rules by default, no plans: not one order is sent, and nothing but time wakes the trader."""
    trader, _ = trade(6)
    sent = [order for request in trader.requests for order in request.orders]
    assert all(isinstance(order, PlaceOrder) and not order.reduce_only for order in sent)
