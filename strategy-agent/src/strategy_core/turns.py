"""What one trader does in a turn with what its orders, its gate and its exits say."""

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Final, NamedTuple, TypeAlias

import msgspec
from msgspec.structs import replace

from strategy_core.deciding import DecideRequest, DecisionFault, StillDeciding
from strategy_core.exits.manager import ExitManager, Review
from strategy_core.exits.plans import PlanFault
from strategy_core.intents import Intent, ParentOrder
from strategy_core.journal import DecisionRecord, TraderResult
from strategy_core.llm.trace import with_counterfactual
from strategy_core.memory import TraderMemory
from strategy_core.orders.manager import SmartOrderManager, Upkeep
from strategy_core.orders.memory import fill_key
from strategy_core.orders.rules import ExecutionRules
from strategy_core.port import Decision, Instruments, Needs, Observation, Verdict, observe
from strategy_core.registry import exits_of, limits_of
from strategy_core.risk.commands import Command, Pause
from strategy_core.risk.gate import NOTHING_WANTED, Guarded, RiskGate
from strategy_core.risk.lateness import late_actions
from strategy_core.risk.status import StatusChange
from strategy_core.waking import Wake, merged, next_boundary_ms
from suite.bars import INTERVAL_MS
from suite.contracts.clock import WaitReply, WaitRequest, Want
from suite.contracts.trader import TraderSpec
from suite.contracts.venue import Action, PlaceOrder
from suite.enums import TraderStatus

Record: TypeAlias = Callable[[DecisionRecord], None]
Commands: TypeAlias = Callable[[], Sequence[Command]]
Answered: TypeAlias = Callable[[Command, StatusChange], None]


class Turn(msgspec.Struct, frozen=True, kw_only=True):
    """What the venue said, and what is known about it.

    Attributes:
        reply: to the join or the wait.
        trouble: why no new risk may be taken at present, e.g. `stale_account`.
        account_age_ms, market_age_ms: since their streams were last alive; 0 where the venue owns
            time.
    """

    reply: WaitReply
    trouble: tuple[str, ...] = ()
    account_age_ms: int = 0
    market_age_ms: int = 0


_AGES: Final = 1 << 40
"""Age of what is not known any more, ms."""


class TraderTurns:
    """One trader's parts, and what passes between them in a turn."""

    def __init__(
        self,
        spec: TraderSpec,
        needs: Needs,
        instruments: Instruments,
        memory: TraderMemory,
        commands: Commands,
        record: Record,
        answered: Answered,
    ) -> None:
        self._spec = spec
        self._memory = memory
        self._commands = commands
        self._record = record
        self._answered = answered
        self._interval_ms = INTERVAL_MS[spec.interval]
        self._limits = limits_of(spec)
        name = f"{spec.trader_id}@{memory.epoch}" if memory.epoch else spec.trader_id
        self._orders = SmartOrderManager(
            account_id=spec.account_id,
            trader_id=name,
            instruments=instruments,
            rules=msgspec.convert(spec.execution, ExecutionRules),
            memory=memory.orders,
        )
        self._gate = RiskGate(
            self._limits,
            symbols=spec.symbols,
            instruments=instruments,
            memory=memory.risk,
        )
        self._exits = ExitManager(
            exits_of(spec),
            trader_id=name,
            interval_ms=self._interval_ms,
            instruments=instruments,
            memory=memory.exits,
        )
        self._run = memory.run
        self._upkeep, self._review = Upkeep(), Review()
        self._changes: tuple[StatusChange, ...] = ()
        self._needs = needs
        self.want: Want = needs.want()

    def take_in(self, turn: Turn) -> Observation:
        """Read a reply, and let orders, gate and exits learn from it."""
        reply = turn.reply
        if self._run.pending is not None:
            pending, self._run.pending = self._run.pending, None
            self._keep(with_counterfactual(replace(pending, results=reply.results)))
        seen, odd = self._read(reply)
        known_fills = self._memory.orders.fills
        for fill in seen.fills:  # a join shows those again that the last reply may have had
            self._run.fills += fill_key(fill) not in known_fills
        self._run.own.learn(seen.fills, reply.results)
        if self._run.account is None:  # fills wait for an account to belong to
            self._run.unread += seen.fills
            seen = replace(seen, fills=())
            self._upkeep, self._review = Upkeep(), Review()
        else:
            if self._run.unread:
                fills, self._run.unread = (*self._run.unread, *seen.fills), ()
                seen = replace(seen, fills=fills)
            status = self._gate.status
            known = seen if status is seen.status else replace(seen, status=status)
            self._upkeep = self._orders.observe(known)
        odd += self._upkeep.trouble
        trouble = turn.trouble
        if turn.market_age_ms or turn.account_age_ms:  # a venue that owns time has none
            trouble += self._limits.staleness(
                interval_ms=self._interval_ms,
                market_age_ms=turn.market_age_ms,
                account_age_ms=turn.account_age_ms,
            )
        trouble += tuple(f"unknown_order:{coin}" for coin in self._upkeep.unknown)
        self._changes = self._gate.begin(
            seen,
            trouble=trouble,
            odd=odd,
            knows_account=self._run.account is not None,
            net_deposits=None if self._run.account is None else self._run.account.net_deposits,
            foreign=self._upkeep.foreign,
        )
        for command in self._commands():
            change = self._gate.command(
                command, now_ms=seen.now_ms, preflight_passed=not (trouble or odd)
            )
            self._changes += (change,)
            self._answered(command, change)
        if (allocation := self._memory.risk.allocation) is not None:
            seen = replace(seen, allocation=allocation)
        if self._run.account is not None:
            self._review = self._exits.review(
                seen,
                self._run.account,
                account_age_ms=_AGES if odd or "reconciling" in trouble else turn.account_age_ms,
                mark_age_ms=turn.market_age_ms,
                foreign=self._upkeep.foreign,
            )
        return seen

    def asks(self, seen: Observation) -> bool:
        """Whether the strategy's own wake-up has come, or its answer is awaited."""
        if self._gate.status is TraderStatus.STOPPED:
            self._run.awaited = False
            return False
        wake = self._run.wake
        return self._run.awaited or wake is None or wake.due(seen.now_ms, seen.woke_by)

    def question(self, seen: Observation) -> DecideRequest:
        """Put the question to the strategy, with what became of its own last decision."""
        own, status = self._run.own, self._gate.status
        if not self._run.awaited:
            own.shown = len(own.fills)
        quiet = not (own.fills or own.results or seen.fills or seen.results)
        if quiet and own.verdicts is seen.verdicts and status is seen.status:
            return DecideRequest(observation=seen, awaited=self._run.awaited)
        shown = replace(
            seen,
            fills=tuple(own.fills),
            verdicts=own.verdicts,
            results=own.results,
            status=status,
        )
        return DecideRequest(observation=shown, awaited=self._run.awaited)

    def hear(
        self, answer: Decision | DecisionFault | StillDeciding
    ) -> Decision | DecisionFault | None:
        """Take the answer; None for none yet."""
        self._run.awaited = isinstance(answer, StillDeciding)
        return None if isinstance(answer, StillDeciding) else answer

    def act(
        self,
        seen: Observation,
        decision: Decision | DecisionFault | None,
    ) -> WaitRequest:
        """Judge all that is wanted, and put the next request together.

        Args:
            seen: what is so.
            decision: of the strategy, None where it was not asked or is still thinking.
        """
        self._run.steps += 1
        self._memory.turns += 1
        fault = self._pause_for(decision, seen) if isinstance(decision, DecisionFault) else ""
        wanted: Decision | None = None
        if decision is not None and self._gate.status is not TraderStatus.STOPPED:
            wanted = Decision() if isinstance(decision, DecisionFault) else decision
            self._run.decisions += 1
            self._run.wake = self._wish(wanted, seen.now_ms)
        judged = self._judge(seen, wanted)
        if wanted is not None:
            self._run.own.decided(judged.verdicts, part=judged.own, sent=len(judged.orders))
        self._run.sent += len(judged.orders)
        self._run.pending = DecisionRecord(
            trader_id=self._spec.trader_id,
            decision=self._memory.turns,
            asked=wanted is not None,
            now_ms=seen.now_ms,
            woke_by=seen.woke_by,
            status=self._gate.status,
            changes=self._changes,
            equity=seen.equity,
            reasoning="" if wanted is None else wanted.reasoning,
            fault=fault,
            notes=(*self._upkeep.notes, *self._review.notes),
            closed=self._review.closed,
            actions=() if wanted is None else wanted.actions,
            verdicts=judged.verdicts,
            sent=judged.orders,
            results=None,
            llm=None if wanted is None else wanted.thought,
        )
        wake = self._next_wake(seen.now_ms)
        return WaitRequest(
            step_seq=self._run.steps,
            until_ms=wake.until_ms,
            wake_on=wake.wake_on,
            orders=judged.orders,
            want=self._want(),
        )

    def result(self, seen: Observation) -> TraderResult:
        """Sum up the run, what the last reply has told among it."""
        self._run.tally.add_changes(self._changes)
        self._run.tally.add_closed(self._review.closed)
        return TraderResult(
            trader_id=self._spec.trader_id,
            decisions=self._run.decisions,
            actions_sent=self._run.sent,
            fills=self._run.fills,
            ended_ms=seen.now_ms,
            equity=seen.equity,
            status=self._gate.status,
            guards=self._run.tally.summary(),
        )

    def _keep(self, record: DecisionRecord) -> None:
        self._run.tally.add(record)
        self._record(record)

    def _read(self, reply: WaitReply) -> tuple[Observation, tuple[str, ...]]:
        """Read a reply; an account that cannot be read leaves the one that was known.

        Returns:
            What is seen, and what about it cannot be.
        """
        account = reply.account or self._run.account
        try:
            seen = observe(reply, account=account, verdicts=self._run.own.verdicts)
        except (ValueError, ArithmeticError):
            # a venue may answer anything; what the account holds is then not known
            seen = observe(reply, account=self._run.account, verdicts=self._run.own.verdicts)
            return seen, ("the account cannot be read",)
        self._run.account = account
        return seen, () if account is not None else ("no account was sent",)

    def _pause_for(self, fault: DecisionFault, seen: Observation) -> str:
        """Let a strategy that fails decide for the journal only, until a person resumes it."""
        pause = Pause(actor="loop", reason=fault.reason, cause="strategy")
        self._changes += (self._gate.command(pause, now_ms=seen.now_ms),)
        return fault.reason

    def _judge(self, seen: Observation, wanted: Decision | None) -> "_Judged":
        """Let everything pass the gate, what reduces first, and give every order its name."""
        turn, take = self._memory.turns, self._orders.take
        upkeep, duties, exits = self._upkeep.actions, self._duties(seen), self._review.actions
        before: list[Action] = []
        if wants := (*upkeep, *duties, *exits):
            first = self._guarded(wants, seen, sent=())
            kept = _split(first, (len(upkeep), len(duties), len(exits)))
            before += [action for action in kept[0] if not isinstance(action, ParentOrder)]
            before += take(kept[1], seen, turn=turn, source="status")
            before += take(kept[2], seen, turn=turn, source="exit")
        if wanted is None:
            self._orders.sent(before)
            return _Judged(orders=tuple(before))
        then = self._guarded_own(wanted, seen, sent=before)
        own = take(then.actions, seen, turn=turn)
        after = self._adopt(wanted, then.actions, seen, (*before, *own))
        orders = (*before, *after, *own)  # what ends a position goes before what opens one
        self._orders.sent(orders)
        return _Judged(
            orders=orders,
            own=(len(orders) - len(own), len(orders)),
            verdicts=(*then.verdicts, *_verdicts_on(self._review.wrong, len(wanted.actions))),
        )

    def _adopt(
        self,
        wanted: Decision,
        passed: Sequence[Intent],
        seen: Observation,
        sent: Sequence[Action],
    ) -> tuple[Action, ...]:
        """Take over a decision's plans; what they end at once goes out before its orders."""
        if not (wanted.plans or passed):
            return ()
        adopted = self._exits.adopt(wanted.plans, seen, passed)
        self._review = replace(
            self._review,
            notes=(*self._review.notes, *adopted.notes),
            wrong=adopted.wrong,
            watch=adopted.watch,
        )
        last = self._guarded(adopted.actions, seen, sent=sent)
        return self._orders.take(last.actions, seen, turn=self._memory.turns, source="plan")

    def _guarded(
        self, wants: Sequence[Intent], seen: Observation, *, sent: Sequence[Action]
    ) -> Guarded:
        """Let the gate judge what is wanted, beside orders that the observation does not show."""
        if not wants:
            return NOTHING_WANTED
        placed = [action for action in sent if isinstance(action, PlaceOrder)]
        return self._gate.judge(wants, seen, pending=(*placed, *self._orders.pending()))

    def _guarded_own(
        self, wanted: Decision, seen: Observation, *, sent: Sequence[Action]
    ) -> Guarded:
        """Judge a decision; of one that took time, what may add passes only as long as it holds."""
        late = late_actions(wanted, seen)
        if not late:
            return self._guarded(wanted.actions, seen, sent=sent)
        fresh = [action for index, action in enumerate(wanted.actions) if index not in late]
        judged = self._guarded(fresh, seen, sent=sent)
        told = iter(judged.verdicts)
        verdicts = [
            Verdict(action=index, outcome="rejected", rule=late[index])
            if index in late
            else replace(next(told), action=index)
            for index in range(len(wanted.actions))
        ]
        return Guarded(actions=judged.actions, verdicts=tuple(verdicts))

    def _want(self) -> Want:
        """What the next reply shall bring: the strategy's needs, and what the exits look at."""
        watch, needs = self._review.watch, self._needs
        if not watch.snapshots:
            return self.want
        coins = tuple(dict.fromkeys((*needs.snapshots, *watch.snapshots)))
        # all blocks, not those named: a world of longer bars has not every one, and refuses it
        blocks = needs.intervals if set(watch.intervals) <= set(needs.intervals) else ()
        return replace(self.want, snapshots=coins, intervals=blocks)

    def _duties(self, seen: Observation) -> list[Action]:
        """What the status asks for, but for closes that the order manager is at already.

        In the order of the trader's symbols: the venue's own order of coins means nothing.
        """
        asked = self._gate.duties(seen, foreign=self._upkeep.foreign)
        if not asked:
            return []
        closing = {exit_.coin for exit_ in self._memory.orders.exits.values()}
        place = {coin: index for index, coin in enumerate(self._spec.symbols)}
        duties = [
            action
            for action in asked
            if not (isinstance(action, PlaceOrder) and action.coin in closing)
        ]
        return sorted(duties, key=lambda action: place.get(action.coin, len(place)))

    def _wish(self, decision: Decision, now_ms: int) -> Wake:
        """When the strategy wants to be asked again."""
        until_ms = decision.until_ms
        if until_ms is None:
            until_ms = next_boundary_ms(now_ms, self._interval_ms)
        return Wake(until_ms=max(until_ms, now_ms + 1), wake_on=decision.wake_on)

    def _next_wake(self, now_ms: int) -> Wake:
        """When anybody wants to be asked again; one that is stopped, or is thinking, does not."""
        watch = self._review.watch
        wake = self._run.wake
        if wake is None or self._run.awaited or self._gate.status is TraderStatus.STOPPED:
            wake = Wake(until_ms=next_boundary_ms(now_ms, self._interval_ms))
        return merged((self._orders, watch, wake), now_ms)


class _Judged(NamedTuple):
    """What is sent, which part of it the strategy has asked for, and the verdicts on that."""

    orders: tuple[Action, ...]
    own: tuple[int, int] = (0, 0)
    verdicts: tuple[Verdict, ...] = ()


def _verdicts_on(wrong: Sequence[PlanFault], actions: int) -> Iterator[Verdict]:
    """Tell a strategy of its plans that are wrong, after its so many actions."""
    for fault in wrong:
        yield Verdict(
            action=actions + fault.plan, outcome="rejected", rule="exit_plan", reason=fault.reason
        )


def _split(guarded: Guarded, sizes: Sequence[int]) -> list[list[Intent]]:
    """Sort what passed by the group that asked for it."""
    passed, verdicts = iter(guarded.actions), iter(guarded.verdicts)
    return [
        [next(passed) for verdict in islice(verdicts, size) if verdict.outcome != "rejected"]
        for size in sizes
    ]
