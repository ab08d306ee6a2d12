"""All that is remembered of orders from one turn to the next; it survives a restart as JSON."""

from decimal import Decimal
from typing import Final, Literal

import msgspec

from strategy_core.intents import ParentOrder
from suite.contracts.hyperliquid_info import OpenOrder, UserFill
from suite.contracts.venue import Action

ZERO: Final = Decimal(0)
CLOSED_KEPT: Final = 256
"""Orders at their end that are remembered for fills that come late."""
OIDS_KEPT: Final = 16
"""Ids of one order that are remembered; each modification gives another."""
FILLS_KEPT: Final = 4096
"""Fills that are remembered so that none counts twice."""
MISSED_KEPT: Final = 256
"""Missed entries whose outcome is kept."""
NAKED_EDGES_MS: Final = (0, 1_000, 2_000, 5_000, 10_000, 60_000)
"""Upper edges of the counts of naked time; the last count is of what is beyond them."""

Role = Literal["plain", "quote", "slice", "exit", "stop", "target"]
Ending = Literal[
    "", "filled", "gone", "canceled", "refused", "retry", "empty", "flat", "withheld", "lost"
]
"""Of an order: all traded; no longer listed; canceled by us; answered so; kept back by the gate;
never answered and never seen."""


class Child(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One order at the venue, under the id it was given.

    Attributes:
        sz: units asked, those already filled before a modification included.
        role: what it is for; owner: key of the work or exit it belongs to.
        decision, leg: the intent it comes from.
        tpsl: `sl`, `tp`, or empty where it is no trigger order; px is then the trigger.
        stop_px, target_px: what its fills shall be protected by.
        grouped: the venue itself places that protection.
        state: not answered yet, resting, at its end, or sent and never answered.
        oids: ids the venue gave it, the present one last; a modification gives another.
        seen: the list of open orders has shown it.
        resting: size that list shows.
        filled: sum of its fills; told: what the venue's answer says; counted: passed on to owners.
        ending, reason: how it ended and the venue's words.
        refusal: why its last modification was refused; it rests as before.
    """

    cloid: str
    coin: str
    is_buy: bool
    sz: Decimal
    role: Role
    owner: str = ""
    decision: int
    leg: str
    reduce_only: bool = False
    px: Decimal = ZERO
    tpsl: str = ""
    stop_px: Decimal | None = None
    target_px: Decimal | None = None
    grouped: bool = False
    sent_ms: int = 0
    state: Literal["sent", "open", "ended", "unknown"] = "sent"
    oids: list[int] = msgspec.field(default_factory=list)
    seen: bool = False
    resting: Decimal = ZERO
    placed_ms: int = 0
    filled: Decimal = ZERO
    told: Decimal = ZERO
    counted: Decimal = ZERO
    ending: Ending = ""
    reason: str = ""
    refusal: str = ""

    @property
    def done(self) -> Decimal:
        """Size that was traded, by fills or by the venue's answer."""
        return max(self.filled, self.told)

    @property
    def live(self) -> bool:
        """Whether it may still trade."""
        return self.state != "ended"

    @property
    def in_flight(self) -> bool:
        """Whether nobody knows yet what the venue made of it."""
        return self.state in {"sent", "unknown"}


class Work(msgspec.Struct, kw_only=True, omit_defaults=True):
    """A parent order that is being worked.

    Attributes:
        order: what was asked; goal: the size that may be reached, smaller when the gate says so.
        arrival_px, arrival_ms, atr: the market when it was decided; atr None when unknown.
        looks: observations since.
        child: id of the order it works with now; generation: how many it has had, less one.
        moved: modifications so far; moved_ms: the last one.
        refused_ms: refusals that may pass.
        slice_sz, attempts, next_ms: of an order in slices.
    """

    key: str
    decision: int
    leg: str
    order: ParentOrder
    goal: Decimal
    arrival_px: Decimal
    arrival_ms: int
    atr: Decimal | None = None
    looks: int = 0
    stage: Literal["working", "crossing", "ending"] = "working"
    why: str = ""
    child: str = ""
    generation: int = -1
    filled: Decimal = ZERO
    moved: int = 0
    moved_ms: int = 0
    refused_ms: list[int] = msgspec.field(default_factory=list)
    slice_sz: Decimal = ZERO
    attempts: int = 0
    next_ms: int = 0

    @property
    def left(self) -> Decimal:
        """Size still to be traded."""
        return self.goal - self.filled


class Exit(msgspec.Struct, kw_only=True, omit_defaults=True):
    """A close that goes on until it is done or the position is flat.

    Attributes:
        is_buy: side of the closing order.
        left: units still to close; whole: that was the position, and more cannot be closed.
        guard: key of what it ends for want of a stop, empty for none.
        level: step of the escalation the last attempt was at.
        attempts: how many there have been.
    """

    key: str
    decision: int
    leg: str
    coin: str
    is_buy: bool
    left: Decimal
    whole: bool = False
    guard: str = ""
    level: int
    child: str
    sent_ms: int
    generation: int = 0
    attempts: int = 1


class Guard(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What protects a part of a position, from its first fill until it is flat.

    Attributes:
        is_buy: side of the entry.
        size: units that were filled and are still held.
        stop_px, target_px: None for none.
        by_trader: it is made of a stop that its trader placed by itself.
        entry: id of the order whose group the venue protects by legs, empty when there is none.
        stop_legs, other_legs: ids the venue gave those legs.
        stop, target: ids of the orders placed here; closing: key of the exit that ends it.
        filled_ms, latest_ms: first and last fill since its stop was last confirmed.
        naked_ms: since when a part of it lacks its stop; looked_ms: since when that is known.
        wanted: size of the stop that was asked for last.
    """

    key: str
    decision: int
    leg: str
    coin: str
    is_buy: bool
    size: Decimal = ZERO
    stop_px: Decimal | None = None
    target_px: Decimal | None = None
    by_trader: bool = False
    entry: str = ""
    stop_legs: list[int] = msgspec.field(default_factory=list)
    other_legs: list[int] = msgspec.field(default_factory=list)
    stop: str = ""
    target: str = ""
    closing: str = ""
    filled_ms: int | None = None
    latest_ms: int | None = None
    naked_ms: int | None = None
    looked_ms: int | None = None
    wanted: Decimal = ZERO


class Sent(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One action of the last turn, for which an answer is due.

    Attributes:
        cloid: order it is about, empty for none of ours.
        before: what that order had traded when it was sent.
    """

    action: Action
    cloid: str = ""
    before: Decimal = ZERO


class Missed(msgspec.Struct, kw_only=True, omit_defaults=True):
    """An entry that was given up, and what the market did then.

    Attributes:
        sz: units not filled.
        px: mid when it was given up.
        moved: return of the trade that was not made, a fraction, positive where it would have won;
            None until it is known.
    """

    coin: str
    is_buy: bool
    sz: Decimal
    px: Decimal
    at_ms: int
    why: str
    moved: Decimal | None = None


class NakedTimes(msgspec.Struct, kw_only=True, omit_defaults=True):
    """Distribution of the time from a fill to its confirmed stop.

    Attributes:
        counts: one for each of `NAKED_EDGES_MS` (not longer than it), then those longer than all.
        longest_ms: the worst.
        closed: positions that were closed because no stop came.
    """

    counts: list[int] = msgspec.field(default_factory=lambda: [0] * (len(NAKED_EDGES_MS) + 1))
    longest_ms: int = 0
    closed: int = 0

    def add(self, naked_ms: int) -> None:
        """Count one."""
        place = sum(naked_ms > edge for edge in NAKED_EDGES_MS)
        self.counts[place] += 1
        self.longest_ms = max(self.longest_ms, naked_ms)


class OrderMemory(msgspec.Struct, kw_only=True, omit_defaults=True):
    """The whole of it; write it down with `msgspec.json.encode` after every turn.

    Attributes:
        started: an observation has been taken in.
        turn: number of the last decision; the next one must be higher.
        issued: protective orders so far; the generation of the next.
        children: orders that may still trade, by id; closed: the last that ended, oldest first.
        oids: ids that the venue gave to both.
        foreign: orders that were there at the start; others: those listed now that are not ours.
        outbox: actions of the last turn, in their order.
        positions: signed sizes as the fills make them.
        strikes: observations in a row in which a position was another than that.
        owing: observations for which an order lacks fills that the venue's answer told of.
        fills: time of each fill seen; forgotten_ms: latest time of those no longer remembered.
    """

    version: int = 1
    started: bool = False
    turn: int = 0
    issued: int = 0
    children: dict[str, Child] = msgspec.field(default_factory=dict)
    closed: dict[str, Child] = msgspec.field(default_factory=dict)
    oids: dict[int, str] = msgspec.field(default_factory=dict)
    foreign: list[int] = msgspec.field(default_factory=list)
    others: list[int] = msgspec.field(default_factory=list)
    works: dict[str, Work] = msgspec.field(default_factory=dict)
    exits: dict[str, Exit] = msgspec.field(default_factory=dict)
    guards: dict[str, Guard] = msgspec.field(default_factory=dict)
    outbox: list[Sent] = msgspec.field(default_factory=list)
    notes: list[str] = msgspec.field(default_factory=list)
    positions: dict[str, Decimal] = msgspec.field(default_factory=dict)
    strikes: dict[str, int] = msgspec.field(default_factory=dict)
    owing: dict[str, int] = msgspec.field(default_factory=dict)
    fills: dict[str, int] = msgspec.field(default_factory=dict)
    forgotten_ms: int = -1
    missed: list[Missed] = msgspec.field(default_factory=list)
    naked: NakedTimes = msgspec.field(default_factory=NakedTimes)

    def child(self, cloid: str) -> Child | None:
        """An order by its id, live or at its end."""
        return self.children.get(cloid) or self.closed.get(cloid)

    def child_of(self, oid: int) -> Child | None:
        """An order by the venue's id."""
        cloid = self.oids.get(oid)
        return None if cloid is None else self.child(cloid)

    def owns(self, order: OpenOrder) -> bool:
        """Whether a listed order was sent from here, or placed by the venue for one that was."""
        if self.child_of(order.oid) is not None:
            return True
        if order.cloid:
            return self.child(order.cloid.lower()) is not None
        if not order.reduceOnly or order.oid in self.foreign:
            return False
        guards = self.guards.values()
        if any(order.oid in guard.stop_legs + guard.other_legs for guard in guards):
            return True
        known = (*self.children.values(), *self.closed.values())  # a leg that no guard has yet
        return any(child.grouped and child.coin == order.coin for child in known)

    def close(self, child: Child, ending: Ending, reason: str = "") -> None:
        """Move an order to those at their end; a second ending changes nothing."""
        if child.state == "ended":
            return
        child.state, child.ending, child.reason = "ended", ending, reason
        self.children.pop(child.cloid, None)
        self.closed[child.cloid] = child
        while len(self.closed) > CLOSED_KEPT:
            for oid in self.closed.pop(next(iter(self.closed))).oids:
                self.oids.pop(oid, None)

    def give_oid(self, child: Child, oid: int) -> None:
        """Note the id that the venue gave an order."""
        if oid in child.oids:
            return
        child.oids.append(oid)
        self.oids[oid] = child.cloid
        if len(child.oids) > OIDS_KEPT:
            self.oids.pop(child.oids.pop(1), None)  # the first says which legs are its own

    def reopen(self, child: Child) -> None:
        """Take an order back among those that may trade."""
        child.state, child.ending, child.reason = "open", "", ""
        self.closed.pop(child.cloid, None)
        self.children[child.cloid] = child

    def settled(self, coin: str) -> bool:
        """Whether fills and the venue's positions agree on a coin."""
        return not self.strikes.get(coin)


def fill_key(fill: UserFill) -> str:
    """Tell a fill from all others; a trade id alone is a hash."""
    return f"{fill.time}/{fill.coin}/{fill.tid}"
