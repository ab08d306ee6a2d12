"""One trader that sleeps by its own clock, put together."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from tests.support.intents import intent
from tests.support.waiting import until

from strategy_agent.adapters.intent_file import IntentFile
from strategy_agent.application.ports import DurableIntent
from strategy_agent.application.presence import Presence
from strategy_agent.local import LocalTrader
from suite.contracts.clock import ClockState
from suite.contracts.trader import StrategySpec, TraderSpec
from suite.service.clock import SystemClock


class Orders:
    """A venue that says what was asked of it."""

    def __init__(self) -> None:
        self.resolved: list[DurableIntent] = []

    async def resolve(self, intent: DurableIntent) -> None:
        self.resolved.append(intent)


class Stream:
    """Nothing comes."""

    async def run(self) -> None:
        await asyncio.Event().wait()

    def reconnect(self, reason: str) -> None:
        """Nothing to connect."""


async def test_fates_of_an_earlier_life_are_found_out_though_nothing_is_ordered(
    tmp_path: Path,
) -> None:
    """Until they are known the trader is paused, so that no order would bring it about."""
    left = IntentFile(tmp_path / "alice.intents")
    left.begin(intent(1))
    left.close()
    orders: Any = Orders()
    trader = LocalTrader(
        spec=TraderSpec(trader_id="alice", strategy=StrategySpec(kind="flat"), symbols=("BTC",)),
        clock=ClockState(mode="wall", now_ms=0, speed=1.0, wakes=False),
        orders=orders,
        market=None,  # type: ignore[arg-type]
        wall=SystemClock(),
        presence=Presence(SystemClock()),
    )
    async with AsyncExitStack() as stack:
        steps = trader.open(stack, follow=lambda *_: Stream(), folder=tmp_path, kept=None)
        assert "unresolved_intents" in steps.trouble
        await until(lambda: "unresolved_intents" not in steps.trouble)
    assert 1 == len(orders.resolved)
