"""A turn of which nothing is sent: what a trader would decide now, and what would become of it.

The turn is a copy's: of the memory as it was before the venue's last reply, and of the strategy,
built anew and given back what it remembered then. The trader itself does not notice.
"""

import contextlib
import copy
from dataclasses import dataclass
from functools import partial

import msgspec

from strategy_agent.application.memory_keeper import Scene
from strategy_agent.application.parts import Parts, ProcessContext
from strategy_agent.application.ports import Kept
from strategy_agent.application.strategy_memory_keeper import StrategyMemoryKeeper
from strategy_agent.application.thinking import Thinking
from strategy_core.deciding import DecideRequest, DecisionFault, StillDeciding
from strategy_core.journal import DecisionRecord
from strategy_core.loop import trade
from strategy_core.memory import TraderMemory
from strategy_core.port import Decision, instruments_of
from strategy_core.turns import Turn
from suite.contracts.clock import WaitReply, WaitRequest
from suite.contracts.trader import TraderSpec
from suite.errors import Conflict, StorageError


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A decision that was not carried out.

    Attributes:
        decision: of the strategy; an empty one where it failed, see the record's `fault`.
        record: of the turn: verdicts of the gate, and what would have been sent.
    """

    decision: Decision
    record: DecisionRecord


async def rehearse(
    spec: TraderSpec,
    parts: Parts,
    context: ProcessContext,
    scene: Scene,
    *,
    trouble: tuple[str, ...],
) -> Proposal:
    """Let a copy of a trader decide.

    Args:
        spec: the trader.
        parts: of the trader; nothing is asked of its venue.
        context: of its process.
        scene: of its last turn.
        trouble: why no new risk may be taken at present.

    Raises:
        Conflict: it is STOPPED and decides nothing.
        StorageError: it keeps no memory that could be copied.
    """
    memory, unanswered = _memory(scene)
    instruments = instruments_of(parts.meta)
    make = partial(parts.strategy_of, spec, seed=context.seed)
    mind = StrategyMemoryKeeper(make, spec, memory, lambda _: None, budget_s=context.quick_s)
    mind.recall()
    loop = trade(
        spec,
        mind.strategy.needs,
        instruments=instruments,
        memory=memory,
        unanswered=unanswered,
    )
    thinking = Thinking(
        mind.strategy,
        quick_s=context.quick_s,
        slow_s=context.slow_s,
        name=f"rehearse-{spec.trader_id}",
    )
    with contextlib.closing(loop), contextlib.closing(thinking):
        next(loop)
        turn = Turn(
            reply=_asked(scene.reply),
            trouble=trouble,
            account_age_ms=parts.steps.account_age_ms,
            market_age_ms=parts.steps.market_age_ms,
        )
        asked = loop.send(turn)
        if not isinstance(asked, DecideRequest):
            raise Conflict(f"{spec.trader_id} is STOPPED and decides nothing")
        answer = await thinking.decide(asked)
        loop.send(answer)
        record = memory.run.pending
    if record is None or isinstance(answer, StillDeciding):
        raise Conflict(f"{spec.trader_id} has not decided")
    decision = Decision() if isinstance(answer, DecisionFault) else answer
    return Proposal(decision=decision, record=record)


def _memory(scene: Scene) -> tuple[TraderMemory, WaitRequest | None]:
    """Read the memory of before the reply, and the request that this answers."""
    request = scene.request
    if request is not None and request.step_seq != scene.reply.step_seq:
        request = None  # the venue did not know the step any more, and it was a join
    if scene.picture:
        return msgspec.json.decode(scene.picture, type=Kept).memory, request
    if request is not None:
        raise StorageError("without a memory (--no-journal) there is nothing to rehearse with")
    return TraderMemory(), None


def _asked(reply: WaitReply) -> WaitReply:
    """Say that somebody asks; what the copy does to its snapshots is nothing to the trader."""
    return msgspec.structs.replace(
        reply,
        woke_by=tuple(dict.fromkeys((*reply.woke_by, "asked"))),
        snapshots=copy.deepcopy(reply.snapshots),
    )
