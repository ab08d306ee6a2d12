"""All that a trader remembers from one turn to the next."""

import msgspec

from strategy_core.exits.memory import ExitMemory
from strategy_core.journal import DecisionRecord, GuardTally
from strategy_core.orders.memory import OrderMemory
from strategy_core.port import Verdict
from strategy_core.remembering import StrategyMemory
from strategy_core.risk.memory import RiskMemory
from strategy_core.waking import Wake
from suite.contracts.clock import AccountView
from suite.contracts.hyperliquid_info import UserFill
from suite.contracts.venue import ActionReply


class OwnDecision(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What became of the strategy's own decision since; the rest of a turn is not its business.

    Attributes:
        fills: since it.
        shown: how many of them the question had that is being answered.
        verdicts: the gate's on it.
        results: the venue's answers to it.
        part: which of the orders that were sent with it were its own, from and to; None once the
            answers to them have come.
        sent: how many orders were sent with it.
    """

    fills: list[UserFill] = []
    shown: int = 0
    verdicts: tuple[Verdict, ...] = ()
    results: tuple[ActionReply, ...] = ()
    part: tuple[int, int] | None = None
    sent: int = 0

    def decided(self, verdicts: tuple[Verdict, ...], *, part: tuple[int, int], sent: int) -> None:
        """Begin anew with a decision; fills that came while it was thought about remain."""
        self.fills, self.verdicts, self.results = self.fills[self.shown :], verdicts, ()
        self.part, self.sent = part, sent

    def learn(self, fills: tuple[UserFill, ...], results: tuple[ActionReply, ...]) -> None:
        """Take in fills, and the answers to the decision where they are those to it."""
        self.fills += fills
        if self.part is not None and len(results) == self.sent:
            self.results = results[slice(*self.part)]
        self.part = None


class RunMemory(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Where a run is between a request and the answer to it.

    Attributes:
        steps: requests since the join.
        decisions, sent, fills: decisions, actions and fills so far, over all joins.
        account: as it was last told.
        unread: fills that came before any account did.
        pending: the turn whose answer is awaited.
        wake: when the strategy wants to be asked again.
        awaited: an answer of the strategy is.
        own: what became of its last decision.
        tally: what guarded the trader, over all joins.
    """

    steps: int = 0
    decisions: int = 0
    sent: int = 0
    fills: int = 0
    account: AccountView | None = None
    unread: tuple[UserFill, ...] = ()
    pending: DecisionRecord | None = None
    wake: Wake | None = None
    awaited: bool = False
    own: OwnDecision = msgspec.field(default_factory=OwnDecision)
    tally: GuardTally = msgspec.field(default_factory=GuardTally)

    def give_up(self) -> DecisionRecord | None:
        """Await the answer to the last turn no more; its record without results, None for none."""
        lost, self.pending = self.pending, None
        if lost is not None:
            self.tally.add(lost)
        return lost

    def joined(self) -> "RunMemory":
        """Begin anew by a join; what was counted goes on."""
        return RunMemory(
            decisions=self.decisions, sent=self.sent, fills=self.fills, tally=self.tally
        )


class TraderMemory(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Plain values, changed in place by the loop.

    A driver that keeps it before it carries out a request can go on after a restart where it was,
    with ids that were never given before.

    Attributes:
        epoch: part of every order's id, other for each memory that begins afresh where old orders
            may still rest; empty in a simulated world, whose runs are to be equal.
        turns: how many there were, over all restarts.
        risk, exits, orders: of the gate, the exits and the order manager.
        run: of the present run; begun anew by a join.
        strategy: what the strategy itself wants to remember.
    """

    epoch: str = ""
    turns: int = 0
    risk: RiskMemory = msgspec.field(default_factory=RiskMemory)
    exits: ExitMemory = msgspec.field(default_factory=ExitMemory)
    orders: OrderMemory = msgspec.field(default_factory=OrderMemory)
    run: RunMemory = msgspec.field(default_factory=RunMemory)
    strategy: StrategyMemory | None = None
