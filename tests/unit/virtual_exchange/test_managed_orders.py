"""The order manager in worlds of the real engine: chance decides, the venue's own books judge."""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import msgspec
import numpy as np
import pytest
from tests.support.worlds import open_memory_world, random_source

from strategy_core.intents import Intent, ParentOrder, Passive, Sliced
from strategy_core.orders.manager import SmartOrderManager
from strategy_core.orders.memory import OrderMemory
from strategy_core.orders.rules import ExecutionRules
from strategy_core.port import ZERO, Observation, instruments_of, observe
from strategy_core.sizing.targets import market_order
from suite.contracts.clock import WaitReply, WaitRequest, Want
from suite.contracts.venue import CancelOrder, Leg, LimitType, OrderType, PlaceOrder
from suite.enums import Tif
from virtual_exchange.application.session import Session

COINS = ("BTC", "ETH")
WANT = Want(mids=True, snapshots=COINS, intervals=("1",))


@dataclass
class Run:
    """One account of a world, driven through the manager by random decisions."""

    session: Session
    seed: int
    memory: OrderMemory = field(default_factory=OrderMemory)
    trouble: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    decisions: int = 0
    bare: int = 0

    def __post_init__(self) -> None:
        self.generator = np.random.default_rng(self.seed)
        self.instruments = instruments_of(self.session.queries.market.meta())

    def play(self) -> None:
        """Decide at every wake-up until the world ends."""
        barrier = self.session.barrier
        reply = barrier.join(0, WANT)
        while not reply.ended:
            ticket = barrier.wait(0, self.turn(reply))
            while not ticket.done:
                barrier.move()
            reply = ticket.result()
        self.observe(reply)

    def observe(self, reply: WaitReply) -> Observation:
        return observe(reply, account=reply.account, verdicts=())

    def turn(self, reply: WaitReply) -> WaitRequest:
        seen = self.observe(reply)
        # every turn in a process of its own
        kept = msgspec.json.encode(self.memory)
        self.memory = msgspec.json.decode(kept, type=OrderMemory)
        manager = SmartOrderManager(
            account_id="alice",
            trader_id="t",
            instruments=self.instruments,
            rules=ExecutionRules(),
            memory=self.memory,
        )
        upkeep = manager.observe(seen)
        self.trouble += upkeep.trouble
        self.notes += upkeep.notes
        self.decisions += 1
        taken = manager.take(self.decide(seen), seen, turn=self.decisions)
        until_ms = seen.now_ms + int(self.generator.integers(1, 6)) * 60_000
        if manager.until_ms is not None:
            until_ms = min(until_ms, manager.until_ms)
        return WaitRequest(
            step_seq=self.decisions,
            until_ms=until_ms,
            wake_on=manager.wake_on,
            orders=upkeep.actions + taken,
            want=WANT,
        )

    def decide(self, seen: Observation) -> list[Intent]:
        generator = self.generator
        coin = COINS[int(generator.integers(len(COINS)))]
        mid, held = seen.mids[coin], seen.size_of(coin)
        draw = generator.random()
        if held and draw < 0.15:
            share = Decimal("0.5") if generator.random() < 0.5 else Decimal(1)
            size = (held * share).quantize(Decimal(1).scaleb(-self.instruments[coin].sz_decimals))
            return [market_order(coin, -(size or held), reduce_only=True)]
        if draw < 0.2 and seen.open_orders:
            order = seen.open_orders[int(generator.integers(len(seen.open_orders)))]
            return [] if order.reduceOnly else [CancelOrder(coin=order.coin, oid=order.oid)]
        if draw > 0.5:
            return []
        is_buy = held > 0 if held else bool(generator.random() < 0.5)
        return [self.entry(coin, mid, is_buy=is_buy)]

    def entry(self, coin: str, mid: Decimal, *, is_buy: bool) -> Intent:
        generator, sign = self.generator, 1 if is_buy else -1
        stop = Leg(price=_round(mid * (1 - sign * Decimal("0.004"))))
        target = Leg(price=_round(mid * (1 + sign * Decimal("0.006"))))
        notional = Decimal(int(generator.integers(15, 400)))
        lot = Decimal(1).scaleb(-self.instruments[coin].sz_decimals)
        size = (notional / mid).quantize(lot)
        kind = int(generator.integers(4))
        if kind < 2:
            order = PlaceOrder(
                coin=coin, is_buy=is_buy, sz=size, stop_loss=stop, take_profit=target
            )
            if kind == 0:
                return order
            limit = _round(mid * (1 - sign * Decimal("0.0005")))
            return msgspec.structs.replace(
                order, limit_px=limit, order_type=OrderType(limit=LimitType(tif=Tif.GTC))
            )
        how: Passive | Sliced = Sliced(participation=Decimal("0.0001"))
        if kind == 2:
            how = Passive(
                edge=Decimal("0.0005"), timeout_ms=int(generator.choice([20_000, 200_000]))
            )
        return ParentOrder(
            coin=coin, is_buy=is_buy, sz=size, execution=how, stop_loss=stop, take_profit=target
        )


def _round(price: Decimal) -> Decimal:
    return price.quantize(Decimal(1) if price > 10_000 else Decimal("0.1"))


def played(seed: int, **settings: Any) -> Run:
    source = random_source(*COINS, count=700, seed=seed)
    run = Run(open_memory_world(source, **settings), seed)
    run.play()
    return run


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
def test_a_world_of_the_engine_is_never_called_a_liar(seed: int) -> None:
    """Minutes of entries, parents, closes and cancels, each turn after a restart."""
    run = played(seed)
    assert run.trouble == []
    book = run.session.world.books[0]
    assert len(book.fills) > 50
    assert {"quote", "slice", "exit", "stop"} <= {c.role for c in run.memory.closed.values()}
    executed: dict[str, Decimal] = {}
    for fill in book.fills:
        cloid = book.orders[fill.oid].cloid if fill.oid in book.orders else None
        if cloid:
            instrument = run.session.world.market.instruments[fill.symbol]
            size = Decimal(fill.size).scaleb(-instrument.sz_decimals)
            executed[cloid] = executed.get(cloid, ZERO) + size
    for child in run.memory.closed.values():
        assert child.filled == executed.get(child.cloid, ZERO)
