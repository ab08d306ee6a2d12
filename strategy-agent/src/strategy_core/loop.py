"""The trader loop: observe, decide, guard, act, journal. A generator that carries out nothing.

It yields what to ask of the venue or of the strategy and is sent the answer, so the process that
talks HTTP and the backtest that calls the engine drive the same loop:

    loop = trade(spec, strategy.needs, instruments=instruments)
    request = next(loop)                                  # JoinRequest
    while True:                                           # until StopIteration, the end
        match request:
            case JoinRequest(): answer = Turn(reply=join(request))
            case WaitRequest(): answer = Turn(reply=wait(request))   # step_seq 1, 2, 3, ...
            case DecideRequest(): answer = decide(strategy, request.observation)
        request = loop.send(answer)

Everything it does follows from the answers alone: equal answers, equal requests.
"""

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import TypeAlias

import msgspec

from strategy_core.deciding import DecideRequest, DecisionFault
from strategy_core.intents import ParentOrder
from strategy_core.journal import DecisionRecord, TraderResult
from strategy_core.orders.identity import cloid_for
from strategy_core.port import Decision, Instruments, Needs, Observation, Verdict, observe
from strategy_core.registry import limits_of
from strategy_core.risk.gate import RiskGate
from strategy_core.risk.memory import RiskMemory
from suite.bars import INTERVAL_MS
from suite.checks import InvariantViolated
from suite.contracts.clock import AccountView, JoinRequest, WaitReply, WaitRequest, Want
from suite.contracts.trader import TraderSpec
from suite.contracts.venue import Action, PlaceOrder

Record = Callable[[DecisionRecord], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """What the venue said, and what is known about it.

    Attributes:
        reply: to the join or the wait.
        trouble: why no new risk may be taken at present, e.g. `stale_account`.
    """

    reply: WaitReply
    trouble: tuple[str, ...] = ()


class TraderMemory(msgspec.Struct, kw_only=True):
    """All that a trader remembers from one turn to the next, as plain values.

    The loop changes it in place. A driver that keeps it before it carries out a request can go on
    after a restart where it was, with ids that were never given before.

    Attributes:
        turns: how many there were, over all restarts.
        risk: what the gate remembers.
    """

    turns: int = 0
    risk: RiskMemory = msgspec.field(default_factory=RiskMemory)


Request: TypeAlias = JoinRequest | WaitRequest | DecideRequest
Answer: TypeAlias = Turn | Decision | DecisionFault
Trading: TypeAlias = Generator[Request, Answer, TraderResult]


def _ignore(_record: DecisionRecord) -> None:
    """Journal of a caller that wants none."""


def trade(
    spec: TraderSpec,
    needs: Needs,
    *,
    instruments: Instruments,
    memory: TraderMemory | None = None,
    record: Record = _ignore,
) -> Trading:
    """Run one trader until its world ends.

    Args:
        spec: the trader; its `risk` was checked when the file was read.
        needs: of its strategy.
        instruments: of the venue.
        memory: of an earlier run, a fresh one for none; changed in place.
        record: called with each decision once the venue's answer to it is known.

    Yields:
        First what to join with; then a question to the strategy, and a wait with what was made of
        its answer, in turn.

    Returns:
        What became of it.

    Raises:
        msgspec.ValidationError: `spec.risk` is wrong.
    """
    trader = _Trader(spec, needs, instruments, memory or TraderMemory(), record)
    turn = _turn((yield JoinRequest(want=trader.want)))
    try:
        while True:
            observation = trader.observe(turn)
            if turn.reply.ended:
                return trader.result(observation)
            decision = _decision((yield DecideRequest(observation=observation)))
            turn = _turn((yield trader.act(observation, decision)))
    finally:
        trader.close()


def _turn(answer: Answer) -> Turn:
    if not isinstance(answer, Turn):
        raise InvariantViolated("the loop waits for the venue's reply")
    return answer


def _decision(answer: Answer) -> Decision | DecisionFault:
    if isinstance(answer, Turn):
        raise InvariantViolated("the loop waits for a decision")
    return answer


def next_boundary_ms(now_ms: int, interval_ms: int) -> int:
    """First multiple of the interval after a time."""
    return (now_ms // interval_ms + 1) * interval_ms


class _Trader:
    """What the loop remembers from one turn to the next."""

    def __init__(
        self,
        spec: TraderSpec,
        needs: Needs,
        instruments: Instruments,
        memory: TraderMemory,
        record: Record,
    ) -> None:
        self._spec = spec
        self._memory = memory
        self._instruments = instruments
        self._record = record
        self._gate = RiskGate(
            limits_of(spec), symbols=spec.symbols, instruments=instruments, memory=memory.risk
        )
        self._interval_ms = INTERVAL_MS[spec.interval]
        self._account: AccountView | None = None
        self._verdicts: tuple[Verdict, ...] = ()
        self._pending: DecisionRecord | None = None
        self._steps = self._decisions = self._sent = self._fills = 0
        self.want: Want = needs.want()

    def observe(self, turn: Turn) -> Observation:
        """Take in a reply; it also completes the record of the decision before."""
        reply = turn.reply
        self._account = reply.account or self._account
        self._fills += len(reply.fills)
        if self._pending is not None:
            pending, self._pending = self._pending, None
            self._record(msgspec.structs.replace(pending, results=reply.results))
        return observe(reply, account=self._account, verdicts=self._verdicts)

    def act(self, observation: Observation, decision: Decision | DecisionFault) -> WaitRequest:
        """Guard what was decided, and put the next request together."""
        fault = ""
        if isinstance(decision, DecisionFault):
            fault, decision = decision.reason, Decision()
        self._steps += 1
        self._decisions += 1
        self._memory.turns += 1
        actions = tuple(self._named(leg, action) for leg, action in enumerate(decision.actions))
        guarded = self._gate.judge(actions, observation)
        self._verdicts = guarded.verdicts
        self._sent += len(guarded.actions)
        self._pending = DecisionRecord(
            trader_id=self._spec.trader_id,
            decision=self._memory.turns,
            now_ms=observation.now_ms,
            woke_by=observation.woke_by,
            equity=observation.equity,
            reasoning=decision.reasoning,
            fault=fault,
            actions=actions,
            verdicts=tuple(map(str, guarded.verdicts)),
            results=None,
        )
        return WaitRequest(
            step_seq=self._steps,
            until_ms=self._until_ms(decision, observation.now_ms),
            wake_on=decision.wake_on,
            orders=tuple(a for a in guarded.actions if not isinstance(a, ParentOrder)),
            want=self.want,
        )

    def result(self, observation: Observation) -> TraderResult:
        """Sum up the run."""
        return TraderResult(
            trader_id=self._spec.trader_id,
            decisions=self._decisions,
            actions_sent=self._sent,
            fills=self._fills,
            ended_ms=observation.now_ms,
            equity=observation.equity,
        )

    def close(self) -> None:
        """Leave a record of a decision whose answer never came."""
        if self._pending is not None:
            pending, self._pending = self._pending, None
            self._record(pending)

    def _named(self, leg: int, action: Action) -> Action:
        """Give an order its id; a strategy may have given one itself."""
        if isinstance(action, PlaceOrder) and action.cloid is None:
            spec = self._spec
            cloid = cloid_for(spec.account_id, spec.trader_id, self._memory.turns, leg)
            return msgspec.structs.replace(action, cloid=cloid)
        return action

    def _until_ms(self, decision: Decision, now_ms: int) -> int:
        if decision.until_ms is None:
            return next_boundary_ms(now_ms, self._interval_ms)
        return max(decision.until_ms, now_ms + 1)
