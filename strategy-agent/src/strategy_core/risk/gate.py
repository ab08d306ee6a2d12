"""The gate that every action passes: a verdict on each, `accepted`, `clamped` or `rejected`.

One bad action never blocks the others. What only reduces risk passes every limit and every status:
a reduce-only order is at most made as small as what it could reduce, and while there is no new
risk, the part of any other order that closes is let through as reduce-only. The rules and their
order are in `strategy_core.risk.rules`, the worst case that exposure is judged by in
`strategy_core.risk.exposure`.
"""

from collections.abc import Container, Sequence
from decimal import Decimal
from typing import Final, NamedTuple

from strategy_core.intents import Intent, ParentOrder
from strategy_core.lattice import exact
from strategy_core.numbers import is_number
from strategy_core.port import ZERO, Instruments, Observation, Verdict
from strategy_core.risk.closing import actions_for, flatten
from strategy_core.risk.commands import Allocate, Command, Flatten, Pause, Resume, Stop
from strategy_core.risk.judge import Judge
from strategy_core.risk.limits import DAY_MS, RiskLimits
from strategy_core.risk.memory import RiskMemory
from strategy_core.risk.reading import Reading, read
from strategy_core.risk.status import EventKind, StatusChange, StatusEvent, StatusMachine
from suite.contracts.venue import Action, PlaceOrder
from suite.enums import TraderStatus
from suite.errors import one_line

ACTOR: Final = "risk"


class Guarded(NamedTuple):
    """The outcome: what may be sent, and one verdict for each intent asked."""

    actions: tuple[Intent, ...]
    verdicts: tuple[Verdict, ...]


NOTHING_WANTED: Final = Guarded(actions=(), verdicts=())


class RiskGate:
    """Limits, statuses and memory of one trader."""

    def __init__(
        self,
        limits: RiskLimits,
        *,
        symbols: Sequence[str],
        instruments: Instruments,
        memory: RiskMemory,
    ) -> None:
        """Go on from a memory.

        Args:
            limits: of the trader.
            symbols: coins it may trade.
            instruments: lattice of each coin.
            memory: a new one, or the one that was kept; changed in place.
        """
        self._limits = limits
        self._symbols = tuple(symbols)
        self._instruments = instruments
        self._memory = memory
        self._machine = StatusMachine(memory.state, symbols=symbols)
        self._last: tuple[Observation, Reading] | None = None
        self._starts: tuple[Decimal, ...] = ()
        self._floor = ZERO
        self._kept = (
            (EventKind.DAY_LOSS, 1 - exact(limits.max_day_loss)),
            (EventKind.DRAWDOWN_PAUSE, 1 - exact(limits.drawdown_pause)),
            (EventKind.DRAWDOWN_STOP, 1 - exact(limits.drawdown_stop)),
        )

    @property
    def status(self) -> TraderStatus:
        """What the trader may do at present."""
        state = self._memory.state
        return self._machine.status if state.stopped or state.causes else TraderStatus.LIVE

    @property
    def memory(self) -> RiskMemory:
        """What to keep for a restart."""
        return self._memory

    def begin(
        self,
        observation: Observation,
        *,
        trouble: tuple[str, ...] = (),
        odd: Sequence[str] = (),
        knows_account: bool = True,
        net_deposits: Decimal | None = None,
        foreign: Container[int] = (),
    ) -> tuple[StatusChange, ...]:
        """Take in what is observed before deciding: equity, day, losses, troubles.

        Args:
            observation: of this turn; its fills are counted, so each turn is begun once.
            trouble: causes present now: `stale_account`, `stale_market`, `reconciling`,
                `kill_latch`, and with a coin, for that coin alone, `unknown_order:BTC`.
            odd: what the venue said or did that cannot be, for the journal; the cause is `venue`.
            knows_account: equity and positions were told, now or before.
            net_deposits: all money ever put in less all taken out, as far as it is in this
                observation's equity, USD; what it has changed by since it was told last, be it
                before a restart, is neither profit nor loss. None where nobody tells.
            foreign: as for `duties`.

        Returns:
            What changed of the status and its causes, in order.
        """
        seen, unreadable = self._read(observation)
        now_ms, limits, memory = seen.now_ms, self._limits, self._memory
        memory.learn(seen.fills, limits)
        causes = dict.fromkeys(trouble, "")
        deposits, readable = _deposits(net_deposits)
        if not readable:
            unreadable = (*unreadable, "net deposits")
        if odd or unreadable:
            told = (*odd, *(f"no number: {name}" for name in unreadable))
            causes["venue"] = one_line("; ".join(told))
        changes: list[StatusChange] = []
        if causes or memory.state.causes:
            heal_ms = int(limits.heal_s * 1000)
            changes += self._machine.look(causes, now_ms=now_ms, heal_ms=heal_ms)
        known = knows_account and not unreadable
        if known:
            memory.rebase(seen.equity, deposits)
            changes += self._watch_equity(seen)
        if memory.executions >= limits.max_executions:
            changes.append(
                self._tell(EventKind.EXECUTIONS, now_ms, f"{memory.executions} without a person")
            )
        if memory.state.closing and known and not seen.positions:
            entries = any(not o.reduceOnly and o.oid not in foreign for o in seen.open_orders)
            if not entries:
                changes.append(self._tell(EventKind.FLAT, now_ms, "all positions are closed"))
        return tuple(change for change in changes if change.changed) if changes else ()

    def duties(
        self, observation: Observation, *, foreign: Container[int] = ()
    ) -> tuple[Action, ...]:
        """What the status asks for now, before anything the strategy wants.

        Args:
            observation: what is known.
            foreign: venue's ids of open orders that others placed on the account, as
                `SmartOrderManager.observe` tells them: never canceled, never waited for.

        Returns:
            Cancellations of what may not rest, then the closing of positions where it is due; the
            same again until it is done.
        """
        seen = self._read(observation).observation
        closing = flatten(seen) if self._memory.state.closing else ()
        return (*actions_for(self.status, seen, foreign=foreign), *closing)

    def command(
        self, command: Command, *, now_ms: int, preflight_passed: bool = False
    ) -> StatusChange:
        """Obey a person or another program.

        Args:
            command: what to do.
            now_ms: the venue's time.
            preflight_passed: the checks before a start were made and passed; a stopped trader
                needs them.

        Returns:
            What changed; `refused` says why nothing was allowed to.
        """
        memory = self._memory
        event = StatusEvent(
            kind=_EVENT_OF[type(command)],
            at_ms=now_ms,
            actor=command.actor,
            reason=command.reason,
            cause=command.cause if isinstance(command, Pause) else "user",
            closes=isinstance(command, Stop) and command.flatten,
            preflight_passed=preflight_passed,
        )
        was_stopped = memory.state.stopped
        change = self._machine.apply(event)
        if isinstance(command, Allocate):
            memory.allocation = command.usd
        if isinstance(command, Resume) and change.changed:
            memory.executions = 0
            memory.pause_high_water = memory.equity
            if was_stopped:
                memory.high_water = memory.equity
        return change

    def judge(
        self,
        intents: Sequence[Intent],
        observation: Observation,
        *,
        pending: Sequence[PlaceOrder | ParentOrder] = (),
    ) -> Guarded:
        """Judge the intents of one decision, in their order.

        Args:
            intents: as decided.
            observation: what the decision was based on.
            pending: orders under way that the observation does not show.

        Returns:
            What may be sent, in the same order, and the verdicts.
        """
        if not intents:
            return NOTHING_WANTED
        seen, odd = self._read(observation)
        self._memory.forget_before(
            seen.now_ms, window_ms=int(self._limits.duplicate_window_s * 1000)
        )
        bench = Judge(
            self._limits,
            symbols=self._symbols,
            instruments=self._instruments,
            memory=self._memory,
            machine=self._machine,
            observation=seen,
            pending=pending,
            in_doubt=bool(odd),
        )
        passed: list[Intent] = []
        verdicts: list[Verdict] = []
        for index, intent in enumerate(intents):
            verdict, allowed = bench.judge(index, intent)
            verdicts.append(verdict)
            if verdict.outcome != "rejected":
                passed.append(allowed)
        return Guarded(actions=tuple(passed), verdicts=tuple(verdicts))

    def _read(self, observation: Observation) -> Reading:
        """Read an observation, once for all that is asked about it in a turn."""
        if self._last is None or self._last[0] is not observation:
            self._last = (observation, read(observation))
        return self._last[1]

    def _watch_equity(self, seen: Observation) -> list[StatusChange]:
        """Compare the equity with the day's and the highest; an account never seen has none."""
        memory, equity, now_ms = self._memory, seen.equity, seen.now_ms
        changes: list[StatusChange] = []
        if equity <= 0 and memory.high_water <= 0:
            return changes
        memory.equity = equity
        memory.high_water = max(memory.high_water, equity)
        memory.pause_high_water = max(memory.pause_high_water, equity)
        day = now_ms // DAY_MS
        if day > memory.day:
            memory.day, memory.day_start = day, equity
            changes.append(self._tell(EventKind.NEW_DAY, now_ms, "a new day, UTC"))
        starts = (memory.day_start, memory.pause_high_water, memory.high_water)
        if starts != self._starts:
            pairs = zip(starts, self._kept, strict=True)
            self._starts, self._floor = starts, max(start * kept for start, (_, kept) in pairs)
        if equity > self._floor:
            return changes
        for start, (kind, kept) in zip(starts, self._kept, strict=True):
            least = start * kept
            if equity <= least:
                closes = bool(seen.positions)
                if kind is not EventKind.DRAWDOWN_STOP:
                    closes = kind is EventKind.DAY_LOSS and self._limits.at_day_loss == "close"
                reason = f"equity {equity:f} <= {least:f} USD"
                changes.append(self._tell(kind, now_ms, reason, closes=closes))
        return changes

    def _tell(
        self, kind: EventKind, now_ms: int, reason: str, *, closes: bool = False
    ) -> StatusChange:
        return self._machine.apply(
            StatusEvent(kind=kind, at_ms=now_ms, actor=ACTOR, reason=reason, closes=closes)
        )


def _deposits(told: Decimal | None) -> tuple[Decimal | None, bool]:
    """Read net deposits; say whether what was told can be read."""
    return (told, True) if told is None or is_number(told) else (None, False)


_EVENT_OF = {
    Pause: EventKind.PAUSE,
    Resume: EventKind.RESUME,
    Stop: EventKind.STOP,
    Flatten: EventKind.FLATTEN,
    Allocate: EventKind.ALLOCATE,
}
