"""A trader that sleeps by its own clock at a real venue, with all parts of the agent."""

import random
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

import msgspec
from tests.support.account import EXACT, Kept, keeping
from tests.support.venue_calls import venue_calls
from tests.support.venue_process import VenueUnderTest

from strategy_agent.adapters.data_http import DataHttp
from strategy_agent.adapters.intent_file import IntentFile
from strategy_agent.adapters.kill_latch import KillLatch
from strategy_agent.adapters.venue_http import VenueHttp
from strategy_agent.adapters.venue_orders import VenueOrders
from strategy_agent.application.budget import RateBudget
from strategy_agent.application.delivery import OrderDelivery
from strategy_agent.application.local_steps import LocalSteps
from strategy_agent.application.ports import Steps
from strategy_agent.application.venue_time import VenueTime
from strategy_core.deciding import DecideRequest, DecisionFault, decide
from strategy_core.journal import DecisionRecord
from strategy_core.loop import trade
from strategy_core.port import Strategy, instruments_of
from strategy_core.turns import Turn
from suite.account.state import StateLimits
from suite.contracts.clock import JoinRequest, WaitReply, WaitRequest
from suite.contracts.trader import TraderSpec
from suite.service.clock import SystemClock


@dataclass
class LocalTrader:
    """What one trader runs with."""

    kept: Kept
    steps: LocalSteps
    delivery: OrderDelivery
    data: DataHttp


@asynccontextmanager
async def local_trader(
    folder: Path,
    venue: VenueUnderTest,
    user: str,
    *,
    token: str,
    stream_url: str = "",
    limits: StateLimits = EXACT,
    trader_id: str = "alice",
) -> AsyncIterator[LocalTrader]:
    """Put a trader together and keep its account for as long as the context lasts."""
    async with AsyncExitStack() as stack:
        kept = await stack.enter_async_context(keeping(venue, user, url=stream_url, limits=limits))
        calls = venue_calls(venue.url, token=token, timeout_s=5.0)
        stack.push_async_callback(calls.close)
        log = IntentFile(folder / f"{trader_id}.intents")
        stack.callback(log.close)
        delivery = OrderDelivery(
            VenueOrders(calls),
            log,
            SystemClock(),
            trader_id=trader_id,
            latch=KillLatch(folder / f"{trader_id}.latch"),
            budget=RateBudget(monotonic, per_minute=100_000),
            jitter=random.Random(1),
        )
        stack.push_async_callback(delivery.close)
        data = DataHttp(calls)
        steps = LocalSteps(
            time=VenueTime(await VenueHttp(calls).clock()),
            cache=kept.cache,
            prices=kept.keeper.prices,
            delivery=delivery,
            market=data,
            user=user,
        )
        yield LocalTrader(kept, steps, delivery, data)


async def drive(
    steps: Steps,
    spec: TraderSpec,
    strategy: Strategy,
    meta: object,
    *,
    enough: Callable[[DecisionRecord], bool],
) -> list[DecisionRecord]:
    """Run a trader until a record is enough; return all of them.

    Args:
        steps: of the trader.
        spec: the trader.
        strategy: built for it.
        meta: of the venue.
        enough: says whether a record is the last.
    """
    records: list[DecisionRecord] = []
    loop = trade(spec, strategy.needs, instruments=instruments_of(meta), record=records.append)
    request = next(loop)
    while not (records and enough(records[-1])):
        match request:
            case JoinRequest():
                reply = await steps.join(request)
            case WaitRequest():
                reply = await steps.wait(request)
            case DecideRequest():
                decision = decide(strategy, request.observation)
                assert not isinstance(decision, DecisionFault), decision
                request = loop.send(decision)
                continue
        request = loop.send(
            Turn(
                reply=reply,
                trouble=steps.trouble,
                account_age_ms=steps.account_age_ms,
                market_age_ms=steps.market_age_ms,
            )
        )
    return records


class LateSteps:
    """Steps of a lockstep world that begin at a time.

    Args:
        venue: the world.
        start_ms: when the trader joins.
    """

    trouble: tuple[str, ...] = ()
    account_age_ms = market_age_ms = 0

    def __init__(self, venue: VenueHttp, start_ms: int) -> None:
        self._venue = venue
        self._start_ms = start_ms

    async def join(self, request: JoinRequest) -> WaitReply:
        await self._venue.join(request)
        return await self._venue.wait(
            WaitRequest(step_seq=1, until_ms=self._start_ms, want=request.want)
        )

    async def wait(self, request: WaitRequest) -> WaitReply:
        later = msgspec.structs.replace(request, step_seq=request.step_seq + 1)
        return await self._venue.wait(later)

    async def heartbeat(self) -> None:
        await self._venue.heartbeat()

    def wake(self) -> None:
        self._venue.wake()
