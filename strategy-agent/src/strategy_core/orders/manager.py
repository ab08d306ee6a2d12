"""The order manager: names every order, works parent orders, and knows what became of each."""

from collections.abc import Sequence

import msgspec

from strategy_core.intents import Intent, ParentOrder
from strategy_core.orders import escalation, working
from strategy_core.orders.desk import Desk
from strategy_core.orders.memory import ZERO, Child, OrderMemory
from strategy_core.orders.outbox import note_sent
from strategy_core.orders.protection import protect
from strategy_core.orders.rules import ExecutionRules
from strategy_core.orders.tracking import brings_nothing, take_in
from strategy_core.port import NOTHING_EARLIER, Instruments, Observation
from suite.contracts.clock import WakeOn
from suite.contracts.venue import Action, CancelOrder, ModifyOrder, PlaceOrder

_EARLIER = WakeOn(fill=True, order=True)


class Upkeep(msgspec.Struct, frozen=True, kw_only=True):
    """What the orders at the venue need, before anything new is decided.

    Attributes:
        actions: to be sent first: next slices, moved quotes, protection, exits that go on.
        notes: for the journal.
        until_ms: when the manager wants to look again, None for no time of its own.
        wake_on: what it wants to be woken by; after `take` see the manager's own two.
        trouble: what the venue did that cannot be; new risk must wait.
        unknown: coins with an order whose outcome nobody knows; no new risk in them.
        foreign: the venue's ids of open orders that are not ours.
    """

    actions: tuple[Action, ...] = ()
    notes: tuple[str, ...] = ()
    until_ms: int | None = None
    wake_on: WakeOn = NOTHING_EARLIER
    trouble: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    foreign: frozenset[int] = frozenset()


_NOTHING = Upkeep()


class SmartOrderManager:
    """Stands between what is decided and what is sent.

    A turn is `observe`, then at most one `take` for each source of intents. What they return is
    sent in this order, `observe`'s first, and the next observation brings one result for each. A
    loop that sends anything else calls `sent` with all that it sends.

    Args:
        account_id: account that trades.
        trader_id: who trades on it.
        instruments: of the venue.
        rules: how orders are worked.
        memory: of the run so far; changed in place. Write it down after each turn.

    Attributes:
        until_ms: when to look again at the latest, what was just taken included.
    """

    def __init__(
        self,
        *,
        account_id: str,
        trader_id: str,
        instruments: Instruments,
        rules: ExecutionRules,
        memory: OrderMemory,
    ) -> None:
        self._names = (account_id, trader_id)
        self._instruments = instruments
        self._rules = rules
        self.memory = memory
        self.until_ms: int | None = None

    def observe(self, observation: Observation) -> Upkeep:
        """Take in what the venue says, and see to what is being worked."""
        if brings_nothing(self.memory, observation):
            self.until_ms = None
            return _NOTHING
        desk = self._desk(observation)
        desk.notes += self.memory.notes
        self.memory.notes = []
        take_in(desk)
        working.carry_on(desk)
        escalation.carry_on(desk)
        protect(desk)
        children = self.memory.children.values()
        self.until_ms = desk.until_ms
        return Upkeep(
            actions=tuple(desk.actions),
            notes=tuple(desk.notes),
            until_ms=desk.until_ms,
            wake_on=self.wake_on,
            trouble=tuple(desk.trouble),
            unknown=tuple(sorted({c.coin for c in children if c.state == "unknown"})),
            foreign=frozenset(self.memory.others),
        )

    def take(
        self, intents: Sequence[Intent], observation: Observation, *, turn: int, source: str = ""
    ) -> tuple[Action, ...]:
        """Name every order of a decision and begin to work its parent orders.

        Args:
            intents: as decided.
            observation: what they were decided on; the one last observed.
            turn: number of the decision.
            source: who decided, where a turn has several that do; part of the orders' names.

        Returns:
            What is to be sent. An order that has been sent before is left out: the same decision
            never acts twice.
        """
        self.memory.turn = max(self.memory.turn, turn)
        if not intents:
            return ()
        desk = self._desk(observation)
        for index, intent in enumerate(intents):
            leg = f"{source}{index}"
            match intent:
                case ParentOrder():
                    working.start(desk, intent, decision=turn, leg=leg)
                case PlaceOrder():
                    child = desk.place(intent, role="plain", decision=turn, leg=leg)
                    if child is not None and escalation.is_exit(intent):
                        escalation.follow(desk, child)
                case ModifyOrder():
                    child = self._named(intent)
                    desk.send(intent, child)
                    if child is not None and child.live:
                        child.state, child.refusal = "sent", ""
                case CancelOrder():
                    self._take_back(intent, desk)
                    desk.send(intent, self._named(intent))
                case _:
                    desk.send(intent)
        self.memory.notes += desk.notes
        wakes = [at_ms for at_ms in (self.until_ms, desk.until_ms) if at_ms is not None]
        self.until_ms = min(wakes, default=None)
        return tuple(desk.actions)

    def sent(self, actions: Sequence[Action]) -> None:
        """Tell what really goes out, in its order, where it is not all that was returned.

        What is missing never happened, what is smaller counts as smaller.
        """
        note_sent(self.memory, actions)

    def pending(self) -> tuple[PlaceOrder | ParentOrder, ...]:
        """What may still open a position and is neither listed nor part of what this turn sends.

        Returns:
            Parts of parent orders that are not at the venue yet, and orders that went out in an
            earlier turn whose fate is unknown, or which the list of open orders does not show yet.
        """
        rests: list[PlaceOrder | ParentOrder] = []
        for work in self.memory.works.values():
            child = self.memory.children.get(work.child)
            at_venue = child.sz - child.done if child is not None else ZERO
            if work.left > at_venue:
                rests.append(msgspec.structs.replace(work.order, sz=work.left - at_venue))
        outbox = self.memory.outbox
        going = {sent.cloid for sent in outbox if isinstance(sent.action, PlaceOrder)}
        for child in self.memory.children.values():
            size = child.sz - child.done
            if child.resting or child.reduce_only or child.cloid in going or size <= 0:
                continue
            rests.append(
                PlaceOrder(coin=child.coin, is_buy=child.is_buy, sz=size, limit_px=child.px)
            )
        return tuple(rests)

    @property
    def wake_on(self) -> WakeOn:
        """What matters before the trader's next decision, what was just taken included."""
        memory = self.memory
        if memory.works or memory.exits or memory.guards:
            return _EARLIER
        grouped = memory.children and any(child.grouped for child in memory.children.values())
        return _EARLIER if grouped else NOTHING_EARLIER

    def _desk(self, observation: Observation) -> Desk:
        return Desk(
            observation,
            self.memory,
            names=self._names,
            instruments=self._instruments,
            rules=self._rules,
        )

    def _named(self, action: CancelOrder | ModifyOrder) -> Child | None:
        """Order that an action of the trader is about, None when it is none of ours."""
        if action.cloid is not None:
            return self.memory.child(action.cloid.lower())
        return None if action.oid is None else self.memory.child_of(action.oid)

    def _take_back(self, action: CancelOrder, desk: Desk) -> None:
        """A trader that cancels a stop no longer asks for it."""
        child = self._named(action)
        for guard in self.memory.guards.values():
            leg = action.oid in guard.stop_legs
            if leg or (child is not None and child.cloid == guard.stop):
                guard.stop_px = None
                desk.notes.append(f"{guard.coin}: its trader takes the stop back")
            if child is not None and child.cloid == guard.target:
                guard.target_px = None
