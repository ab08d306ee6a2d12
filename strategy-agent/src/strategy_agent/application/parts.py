"""What an instance is made of while it runs, and what all instances of a process have alike."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from strategy_agent.application.ports import (
    AccountHistory,
    DecisionStore,
    Journal,
    MarketData,
    MemoryStore,
    Steps,
)
from strategy_agent.application.presence import Presence
from strategy_core.building import StrategyKind
from strategy_core.learning.port import LearningSource
from strategy_core.llm.port import ModelSource
from strategy_core.llm.rehearsing import Rehearsals
from strategy_core.port import Strategy, instruments_of
from strategy_core.registry import build
from suite.clock import Clock
from suite.contracts.clock import ClockState
from suite.contracts.guards import GuardSummary
from suite.contracts.trader import TraderSpec
from suite.contracts.venue import ActionReply, CancelOrder

Cancel: TypeAlias = Callable[[Sequence[CancelOrder]], Awaitable[tuple[ActionReply, ...]]]
"""Cancels orders outside of the loop, while it stops."""
Settle: TypeAlias = Callable[[float], Awaitable[tuple[str, ...]]]
"""Waits so many seconds at most for what is on its way; the coins of which a fate is not known."""
Leave: TypeAlias = Callable[[GuardSummary | None], Awaitable[None]]
"""Tells the venue that time need not wait any more; at the end, what guarded the trader too."""


async def nothing_under_way(
    limit_s: float,  # noqa: ARG001  of the port
) -> tuple[str, ...]:
    """Of a venue that owns the steps: what it was not told is not there."""
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What one instance works with; nothing of it is shared with another.

    Attributes:
        venue: address of the venue, as it is remembered.
        clock: the venue's, as it was at the connection.
        meta: what can be traded, as the venue writes it.
        steps: time and the way of orders.
        account: the venue's own answers about the account.
        cancel: the way of cancellations while it stops.
        market: market data.
        plugins: imported strategies by the name of their kind.
        close: lets go of connections and files.
        leave: takes the account out of the venue's time.
        presence: whether the venue is there.
        decisions: of a slow strategy in a backtest, None where they are not kept.
        models: language models, where its strategy asks some.
        settle: waits for orders under way, before the account is looked at for the last time.
        adopt: believes the venue's account where it differs from what was told, and says in what;
            None where the venue owns the steps, so that nothing can differ.
        learning: models and trainings of a trader that learns; None where it has none.
        rehearsals: replays orders before they are given; None for none.
        build: names the code that runs it.
    """

    venue: str
    clock: ClockState
    meta: object
    steps: Steps
    account: AccountHistory
    cancel: Cancel
    market: MarketData
    journal: Journal
    memory: MemoryStore
    plugins: Mapping[str, StrategyKind]
    close: Callable[[], Awaitable[None]]
    leave: Leave
    presence: Presence
    settle: Settle = nothing_under_way
    adopt: Callable[[], tuple[str, ...]] | None = None
    decisions: DecisionStore | None = None
    models: ModelSource | None = None
    learning: LearningSource | None = None
    rehearsals: Rehearsals | None = None
    build: str = ""

    def strategy_of(self, spec: TraderSpec, *, seed: int) -> Strategy:
        """Build the strategy of the trader.

        Raises:
            ConfigError: something that it is built from is wrong.
        """
        return build(
            spec,
            instruments=instruments_of(self.meta),
            seed=seed,
            plugins=self.plugins,
            models=self.models,
            learning=self.learning,
            rehearsals=self.rehearsals,
        )

    @property
    def resumes_steps(self) -> bool:
        """A step goes on where its process ended: the venue owns it, and time waits for it."""
        return self.clock.mode == "lockstep" and self.adopt is None


Connect: TypeAlias = Callable[[TraderSpec], Awaitable[Parts]]
"""Connects a trader to its venue; raises a `SuiteError` that says why it cannot."""


class Objections(Protocol):
    """Asks the venue what stands in the way of a trader; nothing is changed there."""

    async def __call__(self, spec: TraderSpec, token: str | None = None) -> Sequence[str]:
        """Say which coins it does not trade, as `symbols: reason`.

        Args:
            spec: the trader.
            token: of its account, where it is not one that the process knows.

        Raises:
            Unauthorized: the token is not accepted.
            SuiteError: the venue cannot be reached, or refuses.
        """
        ...


async def no_objections(
    spec: TraderSpec,  # noqa: ARG001  of the port
    token: str | None = None,  # noqa: ARG001  of the port
) -> Sequence[str]:
    """Of a process without a venue that could be asked."""
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessContext:
    """What all instances of a process have alike.

    Attributes:
        connect: makes the parts of each.
        wall: the machine's clock.
        seed: of what traders draw at random.
        heartbeat_s: pause between two signs of life.
        quick_s, slow_s: budgets of a decision, see `Thinking`.
        retry_pauses_s: before a failed run is tried again, see `Retries`; none for no further try.
        patient: a venue that is away is waited for, see `may_be_tried_again`.
        objections: asks the venue about a trader before something is changed.
        epoch: part of every order's id where the trader begins with no memory, though another
            process may have traded for it; empty where none has.
        decided: highest number of a decision of it that somebody has recorded.
        counts_from: what decisions are numbered on from where it does not remember as much.
    """

    connect: Connect
    wall: Clock
    seed: int
    heartbeat_s: float
    quick_s: float
    slow_s: float
    retry_pauses_s: tuple[float, ...]
    patient: bool = False
    objections: Objections = no_objections
    epoch: str = ""
    decided: int = 0
    counts_from: int = 0
