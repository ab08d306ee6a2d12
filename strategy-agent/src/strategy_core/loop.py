"""The trader loop: observe, guard, decide, act, journal. A generator that carries out nothing.

It yields what to ask of the venue or of the strategy and is sent the answer, so the process that
talks HTTP and the backtest that calls the engine drive the same loop:

    loop = trade(spec, strategy.needs, instruments=instruments)
    request = next(loop)                                  # JoinRequest
    while True:                                           # until StopIteration, the end
        match request:
            case JoinRequest(): answer = Turn(reply=join(request))
            case WaitRequest(): answer = Turn(reply=wait(request))   # step_seq 1, 2, 3, ...
            case DecideRequest(): answer = decide(strategy, request.observation)
                                                      # or StillDeciding(), where time goes on
        request = loop.send(answer)

Everything it does follows from the answers alone: equal answers, equal requests.

One turn:

    reply -> order manager takes in what happened to orders     (strategy_core.orders)
          -> risk gate looks at equity, losses and troubles      (strategy_core.risk)
          -> exits review every open position                    (strategy_core.exits)
          -> the strategy is asked, if its own wake-up has come
          -> the gate judges everything, the manager names it, one wait carries it out

A strategy that is still thinking holds up none of the others: turns go on without it, and its
decision is judged by what is so when it comes.
"""

from collections.abc import Generator, Sequence
from typing import TypeAlias

from strategy_core.deciding import DecideRequest, DecisionFault, StillDeciding
from strategy_core.journal import DecisionRecord, TraderResult
from strategy_core.memory import TraderMemory
from strategy_core.port import Decision, Instruments, Needs
from strategy_core.risk.commands import Command
from strategy_core.risk.status import StatusChange
from strategy_core.turns import Answered, Commands, Record, TraderTurns, Turn
from suite.checks import InvariantViolated
from suite.contracts.clock import JoinRequest, WaitRequest
from suite.contracts.trader import TraderSpec

Request: TypeAlias = JoinRequest | WaitRequest | DecideRequest
Answer: TypeAlias = Turn | Decision | DecisionFault | StillDeciding
Trading: TypeAlias = Generator[Request, Answer, TraderResult]


def _ignore(_record: DecisionRecord) -> None:
    """Journal of a caller that wants none."""


def _nobody() -> Sequence[Command]:
    """Commands where nobody gives any."""
    return ()


def _unheard(_command: Command, _change: StatusChange) -> None:
    """Who gave a command, where nobody did."""


def trade(
    spec: TraderSpec,
    needs: Needs,
    *,
    instruments: Instruments,
    memory: TraderMemory | None = None,
    unanswered: WaitRequest | None = None,
    commands: Commands = _nobody,
    record: Record = _ignore,
    answered: Answered = _unheard,
) -> Trading:
    """Run one trader until its world ends.

    Args:
        spec: the trader; its `risk`, `exits` and `execution` were checked when the file was read.
        needs: of its strategy.
        instruments: of the venue.
        memory: of an earlier run, a fresh one for none; changed in place.
        unanswered: the request that the memory was kept with, where the venue still knows that
            step: the run then goes on in the middle of it, as if it had never ended.
        commands: takes what people have asked for since the last turn.
        record: called with each turn once the venue's answer to it is known; one whose answer
            never comes stays in `memory.run.pending`, and a run that begins with a join tells it.
        answered: told of each command, at once, what it changed or why it was refused.

    Yields:
        First what to join with, or the unanswered request; then, where the strategy's time has
        come, a question to it, and a wait with what was made of the answer.

    Returns:
        What became of it.

    Raises:
        msgspec.ValidationError: `spec` is wrong.
    """
    memory = memory or TraderMemory()
    if unanswered is None:
        if (lost := memory.run.give_up()) is not None:
            record(lost)
        memory.run = memory.run.joined()
    trader = TraderTurns(spec, needs, instruments, memory, commands, record, answered)
    turn = _turn((yield unanswered or JoinRequest(want=trader.want)))
    while True:
        seen = trader.take_in(turn)
        if turn.reply.ended:
            return trader.result(seen)
        decision: Decision | DecisionFault | None = None
        if trader.asks(seen):
            decision = trader.hear(_answer((yield trader.question(seen))))
        turn = _turn((yield trader.act(seen, decision)))


def _turn(answer: Answer) -> Turn:
    if not isinstance(answer, Turn):
        raise InvariantViolated("the loop waits for the venue's reply")
    return answer


def _answer(answer: Answer) -> Decision | DecisionFault | StillDeciding:
    if isinstance(answer, Turn):
        raise InvariantViolated("the loop waits for a decision")
    return answer
