"""Drive the loop of one trader against a venue."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping

from strategy_agent.application.ports import Journal, Venue
from strategy_agent.application.status import Status
from strategy_core.building import StrategyKind
from strategy_core.deciding import DecisionFault, decide
from strategy_core.journal import DecisionRecord, TraderResult
from strategy_core.loop import Answer, Request, Trading, Turn, trade
from strategy_core.port import Strategy, instruments_of
from strategy_core.registry import build
from suite.contracts.clock import ClockState, JoinRequest, WaitRequest
from suite.contracts.trader import TraderSpec
from suite.errors import SuiteError, UpstreamRefused


async def run_trader(
    venue: Venue,
    spec: TraderSpec,
    *,
    journal: Journal,
    status: Status,
    seed: int,
    heartbeat_s: float,
    plugins: Mapping[str, StrategyKind],
) -> TraderResult:
    """Trade until the world ends.

    Args:
        venue: of the trader's account.
        spec: the trader.
        journal: of this trader alone.
        status: of this trader alone; kept up to date.
        seed: of its randomness.
        heartbeat_s: seconds between two signs of life.
        plugins: imported strategies by the name of their kind.

    Raises:
        ConfigError: the venue does not trade a symbol, or the strategy is wrong.
        SuiteError: the venue cannot be reached, refuses, or has another kind of time.
    """
    _check_clock(await venue.clock())
    instruments = instruments_of(await venue.meta())
    strategy = build(spec, instruments=instruments, seed=seed, plugins=plugins)

    def record(decision: DecisionRecord) -> None:
        status.decisions, status.now_ms = decision.decision, decision.now_ms
        status.equity = str(decision.equity)
        journal.decided(decision)

    loop = trade(spec, strategy.needs, instruments=instruments, record=record)
    with contextlib.closing(loop):
        request: Request = next(loop)
        async with _heartbeats(venue, status, heartbeat_s):
            while True:
                outcome = _step(
                    loop, await _answer(venue, strategy, request, trader_id=spec.trader_id)
                )
                status.state = "running"
                if isinstance(outcome, TraderResult):
                    status.state, status.equity = "ended", str(outcome.equity)
                    journal.ended(outcome)
                    return outcome
                request = outcome


async def _answer(venue: Venue, strategy: Strategy, request: Request, *, trader_id: str) -> Answer:
    """Carry out what the loop asks for."""
    match request:
        case JoinRequest():
            return Turn(reply=await venue.join(request), trouble=venue.trouble)
        case WaitRequest():
            return Turn(reply=await venue.wait(request), trouble=venue.trouble)
    if strategy.needs.slow:
        decision = await asyncio.to_thread(decide, strategy, request.observation)
    else:
        decision = decide(strategy, request.observation)
    if isinstance(decision, DecisionFault):
        raise SuiteError(f"trader {trader_id} failed: {decision.reason}")
    return decision


def _check_clock(clock: ClockState) -> None:
    if not clock.wakes:
        raise UpstreamRefused(
            f"the venue's clock is in mode {clock.mode} and wakes nobody, but this strategy-agent "
            "trades only where the venue wakes it: sleeping on the wall clock is missing"
        )


def _step(loop: Trading, answer: Answer) -> Request | TraderResult:
    """Move the loop on; StopIteration must not cross a coroutine."""
    try:
        return loop.send(answer)
    except StopIteration as end:
        result: TraderResult = end.value
        return result


@contextlib.asynccontextmanager
async def _heartbeats(venue: Venue, status: Status, every_s: float) -> AsyncIterator[None]:
    """Give signs of life in the background; a lost one is counted, the next call will tell."""

    async def beat() -> None:
        while True:
            await asyncio.sleep(every_s)
            try:
                await venue.heartbeat()
            except SuiteError:
                status.missed_heartbeats += 1

    task = asyncio.create_task(beat())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
