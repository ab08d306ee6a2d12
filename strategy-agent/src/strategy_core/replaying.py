"""Decisions that are kept, so that a run which is begun again asks for none of them twice.

A decision of a language model costs seconds and money. A backtest that was stopped in the middle is
run again from its beginning: the world is the same to the last unit, so is what the strategy is
shown, and what it decided then is given in its place. After the last kept decision the strategy is
given back what it remembers (`strategy_core.remembering`), and is asked itself from there on.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Final

import msgspec

from strategy_core.asking import Decided
from strategy_core.deciding import DecisionFault
from strategy_core.intents import ExitPlan, Intent
from strategy_core.llm.thought import Thought
from strategy_core.port import NOTHING_EARLIER, Decision, Observation, Strategy
from strategy_core.remembering import StrategyMemory, recall, remembered
from suite.contracts.clock import WakeOn
from suite.contracts.trader import TraderSpec
from suite.errors import Conflict, one_line


class KeptDecision(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a strategy answered.

    Attributes:
        now_ms: the venue's time when it was asked.
        fault: why there was no decision; empty when there was one.
        memory: what the strategy remembered afterwards.

    The others are those of `Decision`.
    """

    now_ms: int
    fault: str = ""
    actions: tuple[Intent, ...] = ()
    reasoning: str = ""
    until_ms: int | None = None
    wake_on: WakeOn = NOTHING_EARLIER
    plans: tuple[ExitPlan, ...] = ()
    thought: Thought | None = None
    memory: StrategyMemory | None = None

    def decided(self) -> Decided:
        """Give the answer again."""
        if self.fault:
            return DecisionFault(reason=self.fault)
        return Decision(
            actions=self.actions,
            reasoning=self.reasoning,
            until_ms=self.until_ms,
            wake_on=self.wake_on,
            plans=self.plans,
            thought=self.thought,
        )


_DECODER: Final = msgspec.json.Decoder(KeptDecision)
_encode = msgspec.json.Encoder().encode


def kept_decision(now_ms: int, answer: Decided, memory: StrategyMemory | None) -> KeptDecision:
    """Write an answer down."""
    if isinstance(answer, DecisionFault):
        return KeptDecision(now_ms=now_ms, fault=answer.reason, memory=memory)
    return KeptDecision(
        now_ms=now_ms,
        actions=answer.actions,
        reasoning=answer.reasoning,
        until_ms=answer.until_ms,
        wake_on=answer.wake_on,
        plans=answer.plans,
        thought=answer.thought,
        memory=memory,
    )


def line_of(kept: KeptDecision) -> bytes:
    """Write an answer as a line of a file."""
    return _encode(kept)


def kept_of(lines: Iterable[bytes]) -> list[KeptDecision]:
    """Read such lines.

    Raises:
        msgspec.MsgspecError: one is none.
    """
    return [_DECODER.decode(line) for line in lines]


class ReplayedDecisions:
    """Answers in the place of a strategy as long as it has, then asks it.

    Args:
        spec: the trader.
        strategy: as built, and asked nothing yet.
        kept: its answers in an earlier run, oldest first.
        keep: called with each new one, before it is acted on.
    """

    def __init__(
        self,
        spec: TraderSpec,
        strategy: Strategy,
        kept: Sequence[KeptDecision],
        keep: Callable[[KeptDecision], None],
    ) -> None:
        self._spec = spec
        self._strategy = strategy
        self._kept = kept
        self._keep = keep
        self._next = 0

    def again(self, observation: Observation) -> Decided | None:
        """Give the answer that is kept; None where the strategy itself is to be asked.

        Raises:
            Conflict: the kept answers are those of another run, or the strategy cannot go on.
        """
        if self._next == len(self._kept):
            return None
        kept = self._kept[self._next]
        if kept.now_ms != observation.now_ms:
            raise Conflict(
                f"trader {self._spec.trader_id}: decision {self._next + 1} was kept of "
                f"{kept.now_ms} and is asked for at {observation.now_ms}: what is kept is of "
                "another run; begin afresh"
            )
        self._next += 1
        if self._next == len(self._kept):
            self._recall(kept.memory)
        return kept.decided()

    def asked(self, observation: Observation, answer: Decided) -> None:
        """Keep what the strategy answered, and what it remembers now; a worthless run nothing."""
        if isinstance(answer, DecisionFault) and answer.worthless:
            return
        memory = None
        try:
            memory = remembered(self._strategy, self._spec)
        except Exception as error:  # noqa: BLE001 - a strategy is anybody's code
            raise Conflict(
                f"trader {self._spec.trader_id}: remember failed: "
                f"{one_line(f'{type(error).__name__}: {error}')}"
            ) from None
        self._keep(kept_decision(observation.now_ms, answer, memory))

    def _recall(self, memory: StrategyMemory | None) -> None:
        try:
            recall(self._strategy, self._spec, memory)
        except Exception as error:  # noqa: BLE001 - a strategy is anybody's code
            raise Conflict(
                f"trader {self._spec.trader_id}: recall failed: "
                f"{one_line(f'{type(error).__name__}: {error}')}"
            ) from None
