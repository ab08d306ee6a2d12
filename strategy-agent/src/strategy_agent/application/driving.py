"""Carrying out what the loop of one trader asks for, from its join to the end of its world."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from functools import partial
from typing import Any, Protocol

from strategy_agent.application.memory_keeper import MemoryKeeper
from strategy_agent.application.parts import Parts, ProcessContext
from strategy_agent.application.ports import Kept, Steps
from strategy_agent.application.strategy_memory_keeper import StrategyMemoryKeeper
from strategy_agent.application.thinking import Thinking
from strategy_agent.application.trail import Trail
from strategy_core.asking import Decided
from strategy_core.deciding import DecideRequest, DecisionFault, StillDeciding
from strategy_core.journal import DecisionRecord, RunStart, TraderResult
from strategy_core.loop import Answer, Request, Trading, trade
from strategy_core.memory import TraderMemory
from strategy_core.port import Decision, Observation, Strategy, instruments_of
from strategy_core.remembering import digest_of_trader
from strategy_core.replaying import ReplayedDecisions
from strategy_core.risk.commands import Command
from strategy_core.risk.status import StatusChange
from strategy_core.turns import Turn
from suite.contracts.clock import JoinRequest, WaitReply, WaitRequest
from suite.contracts.trader import TraderSpec
from suite.errors import ConfigError, JoinFirst, StorageError, SuiteError


class Watcher(Protocol):
    """Who looks at a run and may tell it something."""

    def began(self, keeper: MemoryKeeper, commands: tuple[Command, ...]) -> None:
        """See what the run begins with, commands that an earlier one left among it.

        Where the run does not come to its end, whoever cancels what it left at the venue has the
        keeper let go of the last request.
        """
        ...

    def kept(self, fault: StorageError | None) -> None:
        """See that the memory of the last turn is on disk, or why it is not."""
        ...

    @property
    def trouble(self) -> tuple[str, ...]:
        """Why no new risk may be taken at present, as far as the watcher knows."""
        ...

    def commands(self) -> tuple[Command, ...]:
        """Take the commands that came since the last turn."""
        ...

    def answered(self, command: Command, change: StatusChange) -> None:
        """See what a command changed, or why it was refused."""
        ...

    def seen(self, reply: WaitReply) -> WaitReply:
        """Say how the trader shall see a reply: one who only looks asks no strategy."""
        ...

    def shown(self, reply: WaitReply) -> None:
        """See what the venue answered."""
        ...

    def moved(self, memory: TraderMemory) -> None:
        """See what the loop remembers after its move; to be read only."""
        ...

    def asked(self, wall_ms: int) -> None:
        """See that the strategy is asked, or still is."""
        ...

    def given(self) -> Decision | None:
        """Take a decision that somebody else has made for the strategy; None where nobody has."""
        ...

    def decided(self, observation: Observation, answer: Decided) -> Decided:
        """See what the strategy answered; orders asked for from outside may be added."""
        ...

    def recorded(self, record: DecisionRecord) -> None:
        """See what became of a decision."""
        ...

    @property
    def urgent(self) -> bool:
        """Something came since the last reply that the next turn is wanted for at once."""
        ...

    def forgot(self, reason: str) -> None:
        """See that the strategy did not remember what it should, and why."""
        ...

    def told(self, of_itself: dict[str, Any]) -> None:
        """See what the strategy tells people of itself."""
        ...

    def missed(self) -> None:
        """Note that a sign of life did not get through."""
        ...


async def drive(
    spec: TraderSpec, parts: Parts, context: ProcessContext, watcher: Watcher
) -> TraderResult:
    """Trade until the world ends.

    Raises:
        ConfigError: the venue does not trade a symbol, the strategy is wrong, or the memory belongs
            to another venue or account.
        SuiteError: the venue refuses or cannot be reached any more, or a file cannot be written.
    """
    instruments = instruments_of(parts.meta)
    kept = _kept(spec, parts)
    memory = _memory(kept, parts, context)
    make = partial(parts.strategy_of, spec, seed=context.seed)
    mind = StrategyMemoryKeeper(
        make, spec, memory, watcher.forgot, budget_s=context.quick_s, told=watcher.told
    )
    keeper = MemoryKeeper(spec, parts, memory, kept=kept)
    watcher.began(keeper, parts.memory.load_commands())
    parts.journal.write("run", _start_of(spec, parts, continued=kept is not None))
    now_ms = parts.clock.now_ms
    if kept is not None:
        mind.recall()
    thinking = Thinking(
        mind.strategy,
        quick_s=context.quick_s,
        slow_s=context.slow_s,
        name=f"decide-{spec.trader_id}",
        done=None if parts.clock.mode == "lockstep" else parts.steps.wake,
    )
    replayed = _replayed(spec, parts, mind.strategy)
    trail = Trail(spec)
    async with _heartbeats(parts.steps, watcher, context.heartbeat_s):
        unanswered = _unanswered(kept, spec, parts)
        known = await _answered(unanswered, parts)
        loop = trade(
            spec,
            mind.strategy.needs,
            instruments=instruments,
            memory=memory,
            unanswered=None if known is None else unanswered,
            commands=watcher.commands,
            record=watcher.recorded,
            answered=watcher.answered,
        )
        with contextlib.closing(thinking):
            request: Request = next(loop)
            answer: Answer
            while True:
                if isinstance(request, DecideRequest):
                    watcher.asked(context.wall.now_ms())
                    answer = await trail.decision(_decided(request, thinking, watcher, replayed))
                    _refuse_worthless(answer, spec, parts)
                else:
                    if known is None and isinstance(request, WaitRequest):
                        if not thinking.is_busy:
                            mind.remember()
                        request = await keeper.keep(request, now_ms=now_ms)
                        watcher.kept(keeper.fault)
                        if watcher.urgent or thinking.is_ready:  # since nobody slept to be woken
                            asyncio.get_running_loop().call_soon(parts.steps.wake)
                    answered = known or await trail.step(request, _ask(parts.steps, request))
                    reply = watcher.seen(answered if known else keeper.whole(answered))
                    known = None
                    now_ms = reply.now_ms
                    watcher.shown(reply)
                    answer = _turn(reply, parts.steps, watcher)
                outcome = _step(loop, answer)
                watcher.moved(memory)
                if isinstance(outcome, TraderResult):
                    keeper.forget()
                    return outcome
                request = outcome


def _start_of(spec: TraderSpec, parts: Parts, *, continued: bool) -> RunStart:
    return RunStart(
        trader_id=spec.trader_id,
        kind=spec.strategy.kind,
        venue=parts.venue,
        continued=continued,
        configuration=digest_of_trader(spec),
        build=parts.build,
        speed=parts.clock.speed,
    )


def _kept(spec: TraderSpec, parts: Parts) -> Kept | None:
    """Read the memory of an earlier run of the same world; None for none.

    A simulated world that is another one, or has begun anew, has nothing to do with it, nor has
    another account of it.

    Raises:
        ConfigError: it was made at another venue or on another account with real time, so perhaps
            with real money.
    """
    kept = parts.memory.load()
    if kept is None:
        return None
    same = (kept.venue, kept.world) == (parts.venue, parts.clock.world)
    simulated = parts.clock.mode != "wall" or (parts.clock.world and kept.world)
    if not simulated:
        if not same:
            raise ConfigError(
                f"trader {spec.trader_id} remembers {kept.venue}, not {parts.venue}: set "
                "TRADING_URL back, or move its file in state/ away to start afresh there"
            )
        if kept.account != spec.account_id:
            raise ConfigError(
                f"trader {spec.trader_id} remembers account {kept.account}, not {spec.account_id}: "
                "set its account back, or move its file in state/ away to start afresh there"
            )
        return kept
    if same and kept.account == spec.account_id and kept.now_ms <= parts.clock.now_ms:
        return kept
    parts.memory.forget()
    return None


def _memory(kept: Kept | None, parts: Parts, context: ProcessContext) -> TraderMemory:
    """Take what an earlier run remembered, or begin."""
    memory = kept.memory if kept is not None else TraderMemory()
    if kept is None:
        wall = f"{parts.clock.now_ms:x}" if parts.clock.mode == "wall" else ""
        memory.epoch = wall or context.epoch
    if kept is None or memory.turns < context.decided:  # another has decided for it since
        memory.turns = max(memory.turns, context.counts_from)
    return memory


def _unanswered(kept: Kept | None, spec: TraderSpec, parts: Parts) -> WaitRequest | None:
    """Find the request that an earlier process left behind; None where it is not to be repeated.

    What it asks for was judged by the configuration of then: where that has changed, the run begins
    with a join instead.
    """
    if kept is None or not parts.resumes_steps or kept.spec != digest_of_trader(spec):
        return None
    return kept.request


async def _answered(unanswered: WaitRequest | None, parts: Parts) -> WaitReply | None:
    """Ask for the answer to a request that an earlier process left behind.

    A venue that owns time knows the last step of everybody, so the run goes on in the middle of it.

    Returns:
        The answer; None where there is no such request, or the venue does not know it any more.
    """
    if unanswered is None:
        return None
    try:
        return await parts.steps.wait(unanswered)
    except JoinFirst:
        return None


async def _decided(
    request: DecideRequest,
    thinking: Thinking,
    watcher: Watcher,
    replayed: ReplayedDecisions | None,
) -> Answer:
    known: Decided | None = None if request.awaited else watcher.given()
    if known is None and replayed is not None:
        known = replayed.again(request.observation)
    if known is not None:
        return watcher.decided(request.observation, known)
    answer = await thinking.decide(request)
    if isinstance(answer, StillDeciding):
        return answer
    if replayed is not None:
        replayed.asked(request.observation, answer)
    return watcher.decided(request.observation, answer)


def _refuse_worthless(answer: Answer, spec: TraderSpec, parts: Parts) -> None:
    """End a simulated run that would go on to say something untrue.

    Raises:
        ConfigError: it would.
    """
    if parts.clock.mode == "lockstep" and isinstance(answer, DecisionFault) and answer.worthless:
        raise ConfigError(f"trader {spec.trader_id}: {answer.reason}")


def _replayed(spec: TraderSpec, parts: Parts, strategy: Strategy) -> ReplayedDecisions | None:
    """Keep what a slow strategy decides where time waits for it; None where that is not wanted."""
    store = parts.decisions
    if store is None or not strategy.needs.slow or parts.clock.mode != "lockstep":
        return None
    return ReplayedDecisions(spec, strategy, store.kept, store.keep)


async def _ask(steps: Steps, request: JoinRequest | WaitRequest) -> WaitReply:
    if isinstance(request, WaitRequest):
        return await steps.wait(request)
    return await steps.join(request)


def _turn(reply: WaitReply, steps: Steps, watcher: Watcher) -> Turn:
    return Turn(
        reply=reply,
        trouble=(*steps.trouble, *watcher.trouble),
        account_age_ms=steps.account_age_ms,
        market_age_ms=steps.market_age_ms,
    )


def _step(loop: Trading, answer: Answer) -> Request | TraderResult:
    """Move the loop on; StopIteration must not cross a coroutine."""
    try:
        return loop.send(answer)
    except StopIteration as end:
        result: TraderResult = end.value
        return result


@contextlib.asynccontextmanager
async def _heartbeats(steps: Steps, watcher: Watcher, every_s: float) -> AsyncIterator[None]:
    """Give signs of life in the background; a lost one is counted, the next call will tell."""

    async def beat() -> None:
        while True:
            await asyncio.sleep(every_s)
            try:
                await steps.heartbeat()
            except SuiteError:
                watcher.missed()

    task = asyncio.create_task(beat())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
