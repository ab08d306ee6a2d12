"""The parts of a trader at a venue that wakes nobody, put together."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from time import monotonic
from typing import Final

from strategy_agent.adapters.intent_file import IntentFile
from strategy_agent.adapters.kill_latch import KillLatch
from strategy_agent.application.account_keeper import AccountKeeper
from strategy_agent.application.budget import RateBudget
from strategy_agent.application.delivery import OrderDelivery
from strategy_agent.application.local_steps import LocalSteps
from strategy_agent.application.ports import (
    AccountStream,
    ExchangeConnection,
    Kept,
    MarketData,
)
from strategy_agent.application.presence import Presence
from strategy_agent.application.venue_time import VenueTime
from strategy_agent.application.venue_world import VenueWorld
from suite.account.state import AccountStateCache
from suite.addresses import account_address
from suite.clock import Clock
from suite.contracts.clock import ClockState
from suite.contracts.trader import TraderSpec
from suite.contracts.venue import ActionReply, CancelOrder

_NO_TURN: Final = 0
"""Turns of the loop begin with 1."""


class LocalTrader:
    """One trader that sleeps by its own clock, with its own stream, intents and rate budget.

    Args:
        spec: the trader.
        clock: the venue's, as it was just asked for.
        orders: the account's way to the venue.
        market: market data.
        wall: the machine's clock.
        presence: is told whether the venue is there.
    """

    def __init__(
        self,
        *,
        spec: TraderSpec,
        clock: ClockState,
        orders: ExchangeConnection,
        market: MarketData,
        wall: Clock,
        presence: Presence,
    ) -> None:
        self._spec = spec
        self._clock = clock
        self._orders = orders
        self._market = market
        self._wall = wall
        self._presence = presence
        self._delivery: OrderDelivery | None = None
        self._cache: AccountStateCache | None = None
        self._steps: LocalSteps | None = None

    def open(
        self,
        stack: AsyncExitStack,
        *,
        follow: Callable[[AccountKeeper, random.Random], AccountStream],
        folder: Path,
        kept: Kept | None,
        world: VenueWorld | None = None,
        take_place: Callable[[], Awaitable[None]] | None = None,
    ) -> LocalSteps:
        """Open files, and follow the account until the stack is closed.

        Args:
            stack: closes what is opened here.
            follow: makes the account's stream, which tells the keeper; with the chance of pauses.
            folder: of intents and latch.
            kept: of an earlier run; fills that it had not been told of are told at the join.
            world: at the venue, where it can say which one it has.
            take_place: lets time begin without waiting for this account.

        Raises:
            StorageError: the intents cannot be kept, or belong to another process.
        """
        name = self._spec.trader_id
        chance = random.Random(name)  # noqa: S311 - pauses only
        log = IntentFile(folder / f"{name}.intents")
        stack.callback(log.close)
        delivery = OrderDelivery(
            self._orders,
            log,
            self._wall,
            trader_id=name,
            latch=KillLatch(folder / f"{name}.latch"),
            budget=RateBudget(monotonic),
            jitter=chance,
        )
        stack.push_async_callback(delivery.close)
        self._delivery = delivery
        delivery.ask_for_earlier()
        user = self._clock.address or account_address(self._spec.account_id)
        cache = AccountStateCache(clock=self._wall, user=user)
        keeper = AccountKeeper(
            cache,
            self._orders,
            chance=chance,
            presence=self._presence,
            look=world.look if world is not None else None,
        )
        time = VenueTime(self._clock)
        following = asyncio.create_task(keeper.run(follow(keeper, chance)), name=f"account-{name}")
        stack.push_async_callback(_ended, following)
        steps = LocalSteps(
            time=time,
            cache=cache,
            prices=keeper.prices,
            delivery=delivery,
            market=self._market,
            user=user,
            kept=kept,
        )
        steps.begin = _beginning(self._spec, world, time, take_place)
        if world is not None:
            cache.listeners.append(lambda _change: world.told(cache.state.as_of_ms))
        following.add_done_callback(steps.following_ended)
        self._cache, self._steps = cache, steps
        return steps

    def adopt(self) -> tuple[str, ...]:
        """Believe the venue's account as it is; say what had differed."""
        if self._cache is None or self._steps is None:
            return ()
        differed = self._cache.state.differences
        self._steps.adopt()
        return differed

    async def settle(self, limit_s: float) -> tuple[str, ...]:
        """Wait for what is on its way; the coins of which a fate is not known after so long."""
        return () if self._delivery is None else await self._delivery.settle(limit_s)

    async def cancel(self, actions: Sequence[CancelOrder]) -> tuple[ActionReply, ...]:
        """Cancel outside of a turn, with durable intents like everything that leaves."""
        if self._delivery is None:
            return ()
        decided_ms = self._wall.now_ms()
        return await self._delivery.carry_out(actions, turn=_NO_TURN, decided_ms=decided_ms)


def _beginning(
    spec: TraderSpec,
    world: VenueWorld | None,
    time: VenueTime,
    take_place: Callable[[], Awaitable[None]] | None,
) -> Callable[[], Awaitable[None]] | None:
    """Say how the beginning of a paced world is waited for; None where there is none."""
    if world is None or world.began.mode != "paced" or not world.began.waits_for:
        return None

    async def begin() -> None:
        if take_place is not None and spec.account_id in world.began.waits_for:
            await take_place()
        await world.begun()
        time.begun()

    return begin


async def _ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
