"""Orders under chance: fills in parts, refusals, lost answers, orders that vanish, restarts.

The venue keeps its own sums. After every turn: no order was sent twice under one name or for one
purpose, no parent order traded more than was asked, every fill is counted once, what is held is
protected, and a manager read back from its memory did exactly the same.
"""

import os
from decimal import Decimal
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from tests.support.order_venue import (
    COIN,
    NO_MATCH,
    NOT_KNOWN,
    WOULD_MATCH,
    ZERO,
    Managed,
    OrderVenue,
    close,
    entry,
)

from strategy_core.intents import Intent, ParentOrder, Passive, Sliced
from strategy_core.orders.identity import cloid_for
from suite.contracts.venue import CancelOrder, Leg, ModifyOrder, PlaceOrder
from suite.enums import TraderStatus

SIZES = st.sampled_from(["0.01", "0.1", "0.33333", "1", "7"])
STOPS = st.sampled_from(["1700", "1900", "1980"])
STEPS_MS = st.sampled_from([1, 250, 1_000, 3_000, 15_000, 60_000])
SHARES = st.sampled_from(["0.1", "0.5", "1"])
TEXTS = st.sampled_from(
    [WOULD_MATCH, NO_MATCH, "Too many requests", "Insufficient margin to place order. asset=0"]
)


class OrderManager(RuleBasedStateMachine):
    """Long entries, all with stops, and closes."""

    @initialize(atr=st.sampled_from([None, 2.0, 50.0]), volume=st.sampled_from([None, 1.0, 500.0]))
    def begin(self, atr: float | None, volume: float | None) -> None:
        self.managed = Managed(OrderVenue(atr=atr, volume=volume))
        self.venue = self.managed.venue
        self.intents: list[Intent] = []
        self.asked: dict[tuple[int, int], Decimal] = {}
        self.disturbed = False
        self.held_back: list[Any] = []
        self.lagged = False
        self.naked_since_ms: int | None = None

    # ---- what is decided ----------------------------------------------------------------------

    @rule(size=SIZES, stop=STOPS, edge=st.sampled_from(["0", "0.01"]), aims=st.booleans())
    def want_quote(self, size: str, stop: str, edge: str, *, aims: bool) -> None:
        how = Passive(edge=Decimal(edge), timeout_ms=5_000)
        self._want(size, stop, how, target="2100" if aims else None)

    @rule(size=SIZES, stop=STOPS)
    def want_slices(self, size: str, stop: str) -> None:
        self._want(size, stop, Sliced(interval_ms=2_000), target=None)

    def _want(self, size: str, stop: str, how: Passive | Sliced, *, target: str | None) -> None:
        if self.venue.status is TraderStatus.LIVE:
            self.asked[self.managed.turns + 1, len(self.intents)] = Decimal(size)
        self.intents.append(
            ParentOrder(
                coin=COIN,
                is_buy=True,
                sz=Decimal(size),
                execution=how,
                stop_loss=Leg(price=Decimal(stop)),
                take_profit=Leg(price=Decimal(target)) if target else None,
            )
        )

    @rule(size=SIZES, stop=STOPS, rests=st.booleans())
    def want_group(self, size: str, stop: str, *, rests: bool) -> None:
        if self.venue.status is TraderStatus.LIVE:
            limit = str(self.venue.bid) if rests else "0"
            self.intents.append(entry(size, stop=stop, limit=limit))

    @rule(size=SIZES, limited=st.booleans())
    def want_close(self, size: str, *, limited: bool) -> None:
        limit = str((self.venue.bid * Decimal("0.9")).quantize(Decimal(1))) if limited else "0"
        self.intents.append(close(size, limit=limit))

    @rule(paused=st.booleans())
    def change_status(self, *, paused: bool) -> None:
        self.venue.status = TraderStatus.PAUSED if paused else TraderStatus.LIVE
        if paused:
            self.intents.clear()
            self.asked = {k: v for k, v in self.asked.items() if k[0] <= self.managed.turns}

    # ---- what happens -------------------------------------------------------------------------

    @rule(step=st.integers(-30, 30))
    def move(self, step: int) -> None:
        bid = min(max(self.venue.bid + step, Decimal(1600)), Decimal(2300))
        self.venue.move(str(bid))

    @rule(share=SHARES)
    def fill_a_part(self, share: str) -> None:
        for order in list(self.venue.orders.values()):
            if not order.tpsl and not order.parent:
                size = (order.sz * Decimal(share)).quantize(Decimal("0.00001"))
                self.venue.fill(order, size)
                return

    @rule(depth=st.sampled_from(["0", "0.05", "1000000"]))
    def change_depth(self, depth: str) -> None:
        self.venue.depth = Decimal(depth)

    @rule(texts=st.lists(TEXTS, min_size=1, max_size=3))
    def refuse(self, texts: list[str]) -> None:
        self.venue.refusals = texts
        self.disturbed = True

    @rule(place=st.integers(0, 5))
    def lose_an_order(self, place: int) -> None:
        """It vanishes without a word: a stop too."""
        orders = list(self.venue.orders)
        if orders:
            del self.venue.orders[orders[place % len(orders)]]

    @rule()
    def lose_answers(self) -> None:
        """What was sent was carried out; nobody knows."""
        self.venue.results = [NOT_KNOWN] * len(self.venue.results)
        self.disturbed = True

    @rule()
    def hold_fills_back(self) -> None:
        """One feed is behind the other by an observation; not in a whole snapshot."""
        if "join" in self.venue.woke_by or self.held_back or self.lagged:
            return
        self.held_back, self.venue.fills = [*self.held_back, *self.venue.fills], []

    @rule()
    def reconnect(self) -> None:
        """Fills of before come again."""
        self.venue.fills = [*self.old_fills(), *self.held_back, *self.venue.fills]
        self.held_back = []
        self.venue.woke_by = ("join",)

    def old_fills(self) -> list[Any]:
        return getattr(self, "seen_fills", [])[-5:]

    @rule(ms=STEPS_MS)
    def turn(self, ms: int) -> None:
        self.seen_fills = [*getattr(self, "seen_fills", []), *self.venue.fills]
        held_back, self.held_back = self.held_back, []
        lag = self.lagged = bool(held_back)
        before = self.venue.position
        self.managed.turn(*self.intents, ms=0)
        self.intents = []
        self.venue.refusals = []
        self.venue.woke_by = ("time",)
        self._check_protection(before, exempt=lag)
        self.venue.fills = [*held_back, *self.venue.fills]
        self.venue.now_ms += ms
        self.disturbed = False

    # ---- what holds ---------------------------------------------------------------------------

    def _check_protection(self, before: Decimal, *, exempt: bool) -> None:
        """Stops for all that was seen, but where one was refused or lost."""
        if self.venue.stops() >= min(before, self.venue.position):
            self.naked_since_ms = None
            return
        closing = any(
            exiting.left > 0 and not exiting.is_buy
            for exiting in self.managed.memory.exits.values()
        )
        if exempt or closing:
            return
        assert self._excused(), "naked without a reason"
        if self.naked_since_ms is None:
            self.naked_since_ms = self.venue.now_ms

    def _excused(self) -> bool:
        """A stop was refused in this turn, or one that may yet show itself is waited for."""
        children = self.managed.memory.children.values()
        waited_for = any(
            child.state == "unknown" or (child.state == "open" and not child.seen)
            for child in children
        )
        return self.disturbed or waited_for

    @invariant()
    def no_name_is_sent_twice(self) -> None:
        names = [a.cloid for a in self.venue.sent if isinstance(a, PlaceOrder)]
        assert None not in names
        assert len(names) == len(set(names))

    @invariant()
    def no_parent_trades_more_than_was_asked(self) -> None:
        for (turn, leg), size in self.asked.items():
            names = [cloid_for("a", "t", turn, leg, generation) for generation in range(60)]
            assert sum((self.venue.executed.get(name, ZERO) for name in names), ZERO) <= size

    @invariant()
    def every_fill_is_counted_once(self) -> None:
        if self.venue.fills or self.held_back:
            return
        for name, size in self.venue.executed.items():
            child = self.managed.memory.child(name)
            assert child is None or size >= child.filled

    @invariant()
    def a_venue_that_does_not_lie_is_not_called_a_liar(self) -> None:
        assert [] == self.lies(), self.lies()

    def lies(self) -> list[str]:
        """What the manager said of the venue; an exit that does not get through is no lie."""
        return [text for text in self.managed.trouble if "exit failed" not in text]

    def teardown(self) -> None:
        """Heal the venue: everything comes to an end, and the sums are equal."""
        if not hasattr(self, "managed") or self.lies():
            return
        venue, memory = self.venue, self.managed.memory
        venue.fills = [*self.held_back, *venue.fills]
        venue.depth, venue.refusals = Decimal(10**6), []
        for _ in range(60):
            self.managed.turn(ms=15_000)
        for name, size in venue.executed.items():
            assert size == getattr(memory.child(name), "filled", size)
        assert ({}, {}) == (memory.works, memory.exits), (
            memory.works,
            memory.exits,
            venue.position,
        )
        assert venue.stops() >= venue.position
        assert memory.positions.get(COIN, ZERO) == venue.position
        assert not any(isinstance(a, CancelOrder | ModifyOrder) for a in self.managed.turn())


OrderManager.TestCase.settings = settings(
    max_examples=int(os.environ.get("ORDER_SEQUENCES", "60")),
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
TestOrderManager = OrderManager.TestCase
