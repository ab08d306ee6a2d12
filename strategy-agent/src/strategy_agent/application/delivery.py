"""Orders on their way to an exchange: none is lost, and none is executed twice.

Every action is an intent that is durable before its first byte leaves. Only the exchange's own
answer tells what became of it; whatever else comes back (a timeout, a reset, a 5xx, a reply that is
no answer) leaves its fate unknown. An unknown fate ends by evidence alone: the same bytes are sent
again while the action is young and still wanted, else the exchange is asked to end the key, which
brings its answer or the proof that it never acted. Until then the coin takes no new risk; what
reduces risk always passes.
"""

import asyncio
import contextlib
import hashlib
import random
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import msgspec

from strategy_agent.application.budget import RateBudget
from strategy_agent.application.ports import DurableIntent, IntentLog, OrderGateway, RiskLatch
from suite import tracing
from suite.checks import InvariantViolated
from suite.clock import Clock
from suite.contracts.venue import (
    Action,
    ActionReply,
    AdjustMargin,
    CancelOrder,
    ModifyOrder,
    PlaceOrder,
    SetLeverage,
)
from suite.errors import StorageError, SuiteError

NEVER_EXECUTED: Final = "not executed: its answer was lost, and it was ended before it could act"
_REMEMBERED: Final = 1024
_LONGEST_ASKED_S: Final = 120.0
"""A venue that wants to be left alone for longer is asked again after this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryTimeouts:
    """How long what is waited for.

    Attributes:
        expires_ms: after its turn began, until the exchange must refuse an action.
        entry_wanted_ms, exit_wanted_ms: how long an action is sent again, then its key is ended.
        turn_s: how long a turn waits for the answers to its actions; an entry that could not leave
            by then is held back.
        order_s: how long actions of a turn wait for those before them, for the sake of order alone.
        first_pause_s, longest_pause_s: between two tries, doubling, with jitter.
    """

    expires_ms: int = 15_000
    entry_wanted_ms: int = 3_000
    exit_wanted_ms: int = 12_000
    turn_s: float = 5.0
    order_s: float = 2.0
    first_pause_s: float = 0.25
    longest_pause_s: float = 5.0


@dataclass(slots=True)
class Counts:
    """What went out, and what it was about.

    Attributes:
        decided: intents that were written down.
        sent: intents whose first byte left; never more than decided.
        sent_again: the same bytes, again.
        asked: keys that the exchange was asked to end.
        held_back: actions that never became an intent.
        unknown: intents whose fate was unknown for a time.
        never_executed: intents that were proven dead.
    """

    decided: int = 0
    sent: int = 0
    sent_again: int = 0
    asked: int = 0
    held_back: int = 0
    unknown: int = 0
    never_executed: int = 0


def adds_risk(action: Action) -> bool:
    """Whether an action may make the account's worst case worse."""
    match action:
        case PlaceOrder() | ModifyOrder():
            return not action.reduce_only
        case AdjustMargin():
            return action.margin <= 0
        case SetLeverage():
            return True
        case CancelOrder():
            return False


def key_of(trader_id: str, *, generation: int, decided_ms: int, turn: int, leg: int) -> str:
    """Derive the key of an action from its decision.

    Args:
        trader_id: whose it is.
        generation: of the intent log; turns begin anew with it.
        decided_ms: when it was decided, the venue's time.
        turn: number of the decision.
        leg: place of the action in it.
    """
    decision = f"{trader_id}\n{generation}\n{decided_ms}\n{turn}\n{leg}"
    return hashlib.sha256(decision.encode()).hexdigest()[:32]


def _opens(action: Action) -> bool:
    """Whether an action is an order that may add risk, rather than what orders rest upon."""
    return isinstance(action, PlaceOrder | ModifyOrder) and adds_risk(action)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Turn:
    """One turn under way.

    Attributes:
        decided_ms: when it was decided, the venue's time.
        expires_ms: of all of its actions, wall time.
        deadline_s, order_s: the loop's times up to which it waits.
        keys: what it has come to so far, in order.
    """

    decided_ms: int
    expires_ms: int
    deadline_s: float
    order_s: float
    keys: dict[str, Action] = field(default_factory=dict)


class OrderDelivery:
    """The last hop of one trader's orders.

    Args:
        gateway: to the exchange.
        log: of intents; those that are open in it are resolved before new risk leaves.
        clock: wall time, by which actions expire.
        trader_id: whose orders they are.
        latch: forbids new risk.
        budget: of requests.
        jitter: source of the random part of pauses.
        timeouts: how long what is waited for.

    Attributes:
        counts: what went out.
    """

    def __init__(
        self,
        gateway: OrderGateway,
        log: IntentLog,
        clock: Clock,
        *,
        trader_id: str,
        latch: RiskLatch,
        budget: RateBudget,
        jitter: random.Random,
        timeouts: DeliveryTimeouts | None = None,
    ) -> None:
        self.counts = Counts()
        self._gateway = gateway
        self._log = log
        self._clock = clock
        self._trader_id = trader_id
        self._latch = latch
        self._budget = budget
        self._jitter = jitter
        self._timeouts = timeouts or DeliveryTimeouts()
        self._unlogged: dict[str, DurableIntent] = {}
        self._sent: set[str] = set()
        self._fates: dict[str, asyncio.Task[None]] = {}
        self._told: OrderedDict[str, ActionReply] = OrderedDict()
        self._unknown: dict[str, DurableIntent] = {i.key: i for i in log.open_intents()}
        self._before = tuple(self._unknown)
        self._turns = 0
        self._is_ending = False
        self._fresh: set[str] = set()  # entries of a turn that still waits, not in doubt

    @property
    def unknown(self) -> Mapping[str, DurableIntent]:
        """The oldest intent of unknown fate of each coin that has one."""
        oldest: dict[str, DurableIntent] = {}
        for intent in self._unknown.values():
            oldest.setdefault(intent.action.coin, intent)
        return oldest

    @property
    def trouble(self) -> tuple[str, ...]:
        """Why no new risk may be taken on any coin; empty when all is well."""
        found = []
        if self._latch.engaged:
            found.append("kill_latch")
        if self._unrecovered():
            found.append("unresolved_intents")
        return tuple(found)

    async def recover(self) -> None:
        """Find out what became of the intents that were open before; the venue must answer.

        Whoever does not wait for it may: `carry_out` holds new risk back until it is done.
        """
        self.ask_for_earlier()
        await self._await(self._before, None)

    def ask_for_earlier(self) -> None:
        """Have the intents of an earlier run resolved, which nobody knows to be wanted still.

        To be called at the start: until their fates are known nothing new is risked, so that no
        decision would come that could bring it about.
        """
        for key in self._unrecovered():
            self._follow(self._unknown[key], first=False)

    async def carry_out(
        self, actions: Sequence[Action], *, turn: int, decided_ms: int
    ) -> tuple[ActionReply, ...]:
        """Send the actions of one decision, within a bounded time whatever the venue does.

        They leave side by side. What reduces risk waits only for what the turn has sent before it
        on the same coin, and not for long; a cancel for nothing. What may add risk waits for the
        reductions before it.

        Args:
            actions: what passed the gate.
            turn: number of the decision; the same turn with the same time never acts twice.
            decided_ms: when it was decided, the venue's time.

        Returns:
            One answer for each action: the exchange's own; `err` with a text that begins with
            `held back` when it never left; `sent` while its fate is unknown.
        """
        now_s, timeouts = asyncio.get_running_loop().time(), self._timeouts
        here = _Turn(
            decided_ms=decided_ms,
            expires_ms=self._clock.now_ms() + timeouts.expires_ms,
            deadline_s=now_s + timeouts.turn_s,
            order_s=now_s + min(timeouts.order_s, timeouts.turn_s),
        )
        self.ask_for_earlier()
        self._turns += 1
        try:
            for leg, action in enumerate(actions):
                key = key_of(
                    self._trader_id,
                    generation=self._log.generation,
                    decided_ms=decided_ms,
                    turn=turn,
                    leg=leg,
                )
                if key not in self._told and key not in self._unknown:
                    await self._take_turn(action, here)
                    self._act(key, action, here)
                here.keys[key] = action
            await self._await(tuple(here.keys), here.deadline_s)
            return tuple(self._answer(*pair) for pair in here.keys.items())
        finally:
            self._turns -= 1
            self._fresh.difference_update(here.keys)
            self._forget(max(_REMEMBERED, len(actions)))

    async def settle(self, limit_s: float) -> tuple[str, ...]:
        """Wait for what is on its way, before nothing more is to come: no entry is sent again.

        Args:
            limit_s: for so long at most.

        Returns:
            The coins of which the fate of an order is still not known.
        """
        self._is_ending = True
        if fates := tuple(self._fates.values()):
            await asyncio.wait(fates, timeout=limit_s)
        return tuple(self.unknown)

    async def close(self) -> None:
        """Stop asking; what is unknown is resolved by the next to open the log."""
        tasks = tuple(self._fates.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # one action

    async def _take_turn(self, action: Action, here: "_Turn") -> None:
        """Wait for what has to be before an action."""
        if isinstance(action, CancelOrder):
            return
        if not adds_risk(action):
            own = [key for key, sent in here.keys.items() if sent.coin == action.coin]
            await self._await(own, here.order_s)
            return
        # entries of one decision were judged together, and need not wait for each other
        before = [key for key, sent in here.keys.items() if not _opens(sent)]
        doubtful = [key for key in self._of(action) if key not in self._fresh]
        await self._await((*self._unrecovered(), *doubtful, *before), here.order_s)

    def _act(self, key: str, action: Action, here: "_Turn") -> None:
        """Write an action down and let it leave, unless it may not."""
        reason = self._why_not(action, here)
        if reason:
            self._hold_back(key, reason)
            return
        if isinstance(action, PlaceOrder) and action.cloid is None:
            action = msgspec.structs.replace(action, cloid=f"0x{key}")
        intent = DurableIntent(
            key=key,
            action=action,
            decided_ms=here.decided_ms,
            expires_ms=here.expires_ms,
        )
        if self._begin(intent):
            # unknown from here on: only an answer ends that
            self._unknown[key] = intent
            if _opens(action):
                self._fresh.add(key)
            self._follow(intent, first=True)

    def _why_not(self, action: Action, here: "_Turn") -> str:
        """Tell why an action may not leave; empty when it may."""
        if not adds_risk(action):
            self._budget.take(exits=True)
            return ""
        if self._unrecovered():
            return "intents of an earlier run are not resolved yet"
        if self._latch.engaged:
            return "the kill latch is engaged"
        if not self._fresh.issuperset(self._of(action)):
            return f"the fate of another order of {action.coin} is unknown"
        if asyncio.get_running_loop().time() >= here.deadline_s:
            return "the turn took too long for it"
        if not self._budget.take(exits=False):
            return "what is left of the request budget is for exits"
        return ""

    def _hold_back(self, key: str, reason: str) -> None:
        self.counts.held_back += 1
        self._told[key] = ActionReply(status="err", response=f"held back: {reason}")

    def _begin(self, intent: DurableIntent) -> bool:
        """Make an intent durable; an exit goes out even where the disk refuses."""
        try:
            self._log.begin(intent)
        except StorageError as fault:
            if adds_risk(intent.action):
                self._hold_back(intent.key, str(fault))
                return False
            self._unlogged[intent.key] = intent
        self.counts.decided += 1
        return True

    async def _send(self, intent: DurableIntent) -> ActionReply:
        """Let an action leave: exactly those that were decided, and whose fate is open."""
        if not self._log.holds(intent) and self._unlogged.get(intent.key) != intent:
            self._latch.engage(f"an action was about to leave without an intent: {intent.key}")
            raise InvariantViolated(f"no open intent for {intent.key}")
        if intent.key in self._sent:
            self.counts.sent_again += 1
        else:
            self._sent.add(intent.key)
            self.counts.sent += 1
        with tracing.span("order", coin=intent.action.coin, action=type(intent.action).__name__):
            return await self._gateway.send(intent)

    # what became of it

    def _follow(self, intent: DurableIntent, *, first: bool) -> None:
        """Send an intent, or have it ended, until it is known what became of it.

        Args:
            intent: of unknown fate.
            first: it is to be sent now; else it is of an earlier run, and not sent again.
        """
        if intent.key not in self._fates:
            fate = asyncio.ensure_future(self._fate(intent, first=first))
            fate.add_done_callback(self._ended)
            self._fates[intent.key] = fate

    def _ended(self, fate: "asyncio.Task[None]") -> None:
        """Stop taking risk where a bug has ended the search for a fate: nobody else would look."""
        if not fate.cancelled() and (bug := fate.exception()) is not None:
            self._latch.engage(f"cannot find out what became of an order: {bug!r}")

    async def _fate(self, intent: DurableIntent, *, first: bool) -> None:
        again, tries = first, 0
        asked_ms: int | None = None
        while True:
            if tries or not first:
                await asyncio.sleep(self._pause_s(max(0, tries - first), asked_ms))
                again = again and self._still_wanted(intent)
                self._budget.take(exits=True)
            try:
                if again:
                    reply: ActionReply | None = await self._send(intent)
                else:
                    self.counts.asked += 1
                    reply = await self._gateway.resolve(intent)
                break
            except SuiteError as fault:
                asked_ms = fault.retry_after_ms
                self.counts.unknown += first and not tries
                self._fresh.discard(intent.key)
            tries += 1
        del self._fates[intent.key]
        self._settle(intent, reply)

    def _pause_s(self, tries: int, asked_ms: int | None) -> float:
        if asked_ms is not None:
            return min(asked_ms / 1000, _LONGEST_ASKED_S)
        timeouts = self._timeouts
        pause_s = min(timeouts.longest_pause_s, timeouts.first_pause_s * 2.0 ** min(tries, 30))
        return pause_s * self._jitter.uniform(0.5, 1.5)

    def _still_wanted(self, intent: DurableIntent) -> bool:
        """Whether an action is young enough, and still allowed, to be sent again."""
        timeouts, risky = self._timeouts, adds_risk(intent.action)
        age_ms = self._clock.now_ms() - (intent.expires_ms - timeouts.expires_ms)
        wanted_ms = timeouts.entry_wanted_ms if risky else timeouts.exit_wanted_ms
        return age_ms <= wanted_ms and not (risky and (self._latch.engaged or self._is_ending))

    def _settle(self, intent: DurableIntent, reply: ActionReply | None) -> None:
        if self._unlogged.pop(intent.key, None) is None:
            with contextlib.suppress(StorageError):  # it is asked for again after a restart
                self._log.settle(intent.key, reply)
        self.counts.never_executed += reply is None
        del self._unknown[intent.key]
        self._sent.discard(intent.key)
        self._fresh.discard(intent.key)
        self._told[intent.key] = reply or ActionReply(status="err", response=NEVER_EXECUTED)

    def _forget(self, kept: int) -> None:
        """Forget the oldest answers; never while a turn still has to tell its own."""
        while not self._turns and len(self._told) > kept:
            self._told.popitem(last=False)

    def _answer(self, key: str, action: Action) -> ActionReply:
        """Answer an action as far as its fate is known."""
        if key in self._unknown:
            kind = "cancel" if isinstance(action, CancelOrder) else "order"
            return ActionReply(status="ok", response={"type": kind, "data": {"statuses": ["sent"]}})
        return self._told[key]

    def _unrecovered(self) -> list[str]:
        """Keys of an earlier run whose fate is not known yet."""
        return [key for key in self._before if key in self._unknown]

    def _of(self, action: Action) -> list[str]:
        """Keys of unknown fate of an action's coin."""
        return [key for key, intent in self._unknown.items() if intent.action.coin == action.coin]

    async def _await(self, keys: Sequence[str], deadline: float | None) -> None:
        """Wait for fates, at most until a time of the loop; a bug in finding one out is raised."""
        fates = [self._fates[key] for key in keys if key in self._fates]
        if not fates:
            return
        left_s = None
        if deadline is not None:
            left_s = max(0.0, deadline - asyncio.get_running_loop().time())
        done, _ = await asyncio.wait(fates, timeout=left_s)
        for fate in done:
            fate.result()
