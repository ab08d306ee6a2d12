"""The trader loop: observe, decide, guard, act, journal. A generator that carries out nothing.

It yields what to ask of the venue and is sent the answer, so the process that talks HTTP and the
backtest that calls the engine drive the same loop:

    loop = trade(spec, strategy, instruments=instruments)
    request = next(loop)                      # JoinRequest
    reply = join(request)
    while True:                               # until StopIteration, whose value is TraderResult
        reply = wait(loop.send(reply))        # WaitRequest with step_seq 1, 2, 3, ...

Everything it does follows from the replies alone: equal replies, equal requests.
"""

import hashlib
from collections.abc import Callable, Generator

import msgspec

from strategy_core.guard import RiskLimits, guard
from strategy_core.journal import DecisionRecord, TraderResult
from strategy_core.port import Decision, Instruments, Observation, Strategy, Verdict, observe
from suite.bars import INTERVAL_MS
from suite.contracts.clock import AccountView, JoinRequest, WaitReply, WaitRequest, Want
from suite.contracts.trader import TraderSpec
from suite.contracts.venue import Action, PlaceOrder

Trading = Generator[JoinRequest | WaitRequest, WaitReply, TraderResult]
Record = Callable[[DecisionRecord], None]


def _ignore(_record: DecisionRecord) -> None:
    """Journal of a caller that wants none."""


def trade(
    spec: TraderSpec,
    strategy: Strategy,
    *,
    instruments: Instruments,
    record: Record = _ignore,
) -> Trading:
    """Run one trader until its world ends.

    Args:
        spec: the trader; its `risk` was checked when the file was read.
        strategy: built for this trader and not used before.
        instruments: of the venue.
        record: called with each decision once the venue's answer to it is known.

    Yields:
        First what to join with, then one wait for each decision.

    Returns:
        What became of it.

    Raises:
        msgspec.ValidationError: `spec.risk` is wrong.
        Exception: whatever the strategy raises.
    """
    trader = _Trader(spec, strategy, instruments, record)
    reply = yield JoinRequest(want=trader.want)
    try:
        while True:
            observation = trader.observe(reply)
            if reply.ended:
                return trader.result(observation)
            reply = yield trader.act(observation)
    finally:
        trader.close()


def next_boundary_ms(now_ms: int, interval_ms: int) -> int:
    """First multiple of the interval after a time."""
    return (now_ms // interval_ms + 1) * interval_ms


def cloid_for(trader_id: str, decision: int, leg: int) -> str:
    """Derive the client order id of an order, so that a repeated decision repeats its ids.

    Args:
        trader_id: whose order.
        decision: number of the decision.
        leg: index of the action within it.
    """
    digest = hashlib.sha256(f"{trader_id}\n{decision}\n{leg}".encode()).hexdigest()
    return f"0x{digest[:32]}"


class _Trader:
    """What the loop remembers from one turn to the next."""

    def __init__(
        self, spec: TraderSpec, strategy: Strategy, instruments: Instruments, record: Record
    ) -> None:
        self._spec = spec
        self._strategy = strategy
        self._instruments = instruments
        self._record = record
        self._limits = msgspec.convert(spec.risk, RiskLimits)
        self._interval_ms = INTERVAL_MS[spec.interval]
        self._account: AccountView | None = None
        self._verdicts: tuple[Verdict, ...] = ()
        self._pending: DecisionRecord | None = None
        self._decisions = self._sent = self._fills = 0
        self.want: Want = strategy.needs.want()

    def observe(self, reply: WaitReply) -> Observation:
        """Take in a reply; it also completes the record of the decision before."""
        self._account = reply.account or self._account
        self._fills += len(reply.fills)
        if self._pending is not None:
            pending, self._pending = self._pending, None
            self._record(msgspec.structs.replace(pending, results=reply.results))
        return observe(reply, account=self._account, verdicts=self._verdicts)

    def act(self, observation: Observation) -> WaitRequest:
        """Decide, guard, and put the next request together."""
        decision = self._strategy.decide(observation)
        self._decisions += 1
        actions = tuple(self._named(leg, action) for leg, action in enumerate(decision.actions))
        guarded = guard(
            actions,
            observation,
            limits=self._limits,
            symbols=self._spec.symbols,
            instruments=self._instruments,
        )
        self._verdicts = guarded.verdicts
        self._sent += len(guarded.actions)
        self._pending = DecisionRecord(
            trader_id=self._spec.trader_id,
            decision=self._decisions,
            now_ms=observation.now_ms,
            woke_by=observation.woke_by,
            equity=observation.equity,
            reasoning=decision.reasoning,
            actions=actions,
            verdicts=tuple(map(str, guarded.verdicts)),
            results=None,
        )
        return WaitRequest(
            step_seq=self._decisions,
            until_ms=self._until_ms(decision, observation.now_ms),
            wake_on=decision.wake_on,
            orders=guarded.actions,
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
            cloid = cloid_for(self._spec.trader_id, self._decisions, leg)
            return msgspec.structs.replace(action, cloid=cloid)
        return action

    def _until_ms(self, decision: Decision, now_ms: int) -> int:
        if decision.until_ms is None:
            return next_boundary_ms(now_ms, self._interval_ms)
        return max(decision.until_ms, now_ms + 1)
